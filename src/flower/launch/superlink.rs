//! The processes of a SuperLink.

use super::{
    DependencyInstallation, Isolation, LaunchError, LaunchedProcess, ProcessEnvironment, Role,
    ServerTls, address, extra_args, local_address, push,
};
use crate::flower::version::{FleetPlane, PluginType, VersionRow};

/// Where a SuperLink keeps runs, nodes and logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// In memory: a restart forgets everything, registered nodes included.
    Memory,
    /// In this `SQLite` file.
    File(String),
}

/// Everything that shapes a SuperLink's command lines. Paths are those the processes see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuperLinkSettings {
    /// Address to listen on.
    pub bind_host: String,
    /// Port of the Control and Runtime API, and of the Fleet API where they share one.
    pub port: u16,
    /// Address on which a Fleet API with a port of its own listens.
    pub fleet_bind_host: String,
    /// Port of the Fleet API in releases where it has its own; ignored in the others.
    pub fleet_port: Option<u16>,
    /// TLS of every API.
    pub tls: ServerTls,
    /// Where ServerApps run.
    pub isolation: Isolation,
    /// Where state is kept.
    pub database: Database,
    /// Whether only registered SuperNodes may connect.
    pub node_keys: bool,
    /// Whether Flower installs an app's dependencies.
    pub dependencies: DependencyInstallation,
    /// Address of the plain gRPC health service, if one is wanted.
    pub health_address: Option<String>,
    /// Where our SuperExec finds the Runtime API; `None` means on the same machine.
    pub superexec_runtime_address: Option<String>,
    /// Address of our SuperExec's health service, if one is wanted.
    pub superexec_health_address: Option<String>,
    /// Environment of all processes.
    pub environment: ProcessEnvironment,
    /// The user's further arguments for `flower-superlink`.
    pub extra_args: Vec<String>,
}

/// The SuperLink, and in process isolation its SuperExec.
pub fn superlink_processes(
    row: &VersionRow,
    settings: &SuperLinkSettings,
) -> Result<Vec<LaunchedProcess>, LaunchError> {
    if settings.node_keys && settings.tls == ServerTls::Insecure {
        return Err(LaunchError::KeysWithoutTls);
    }
    let env = settings.environment.build()?;
    let mut processes = vec![LaunchedProcess {
        role: Role::SuperLink,
        program: Role::SuperLink.program(),
        args: superlink_args(row, settings)?,
        env: env.clone(),
    }];
    if settings.isolation == Isolation::Process {
        processes.push(LaunchedProcess {
            role: Role::SuperExec,
            program: Role::SuperExec.program(),
            args: superexec_args(row, settings),
            env,
        });
    }
    Ok(processes)
}

fn superlink_args(
    row: &VersionRow,
    settings: &SuperLinkSettings,
) -> Result<Vec<String>, LaunchError> {
    let mut args = Vec::new();
    settings.tls.push(&mut args);
    push(&mut args, "--host", &settings.bind_host);
    push(&mut args, "--port", settings.port.to_string());
    if row.fleet == FleetPlane::GrpcOwnPort {
        let port = settings.fleet_port.ok_or(LaunchError::FleetPortMissing)?;
        push(
            &mut args,
            "--fleet-api-address",
            address(&settings.fleet_bind_host, port),
        );
    }
    push(&mut args, "--isolation", settings.isolation.flag());
    if let Database::File(path) = &settings.database {
        push(&mut args, "--database", path);
    }
    if settings.node_keys {
        args.push("--enable-supernode-auth".to_owned());
    }
    if settings.dependencies == DependencyInstallation::Off {
        args.push("--disable-runtime-dependency-installation".to_owned());
    }
    if let Some(health) = &settings.health_address {
        push(&mut args, "--health-server-address", health);
    }
    extra_args::append(Role::SuperLink, &mut args, &settings.extra_args)?;
    Ok(args)
}

fn superexec_args(row: &VersionRow, settings: &SuperLinkSettings) -> Vec<String> {
    let mut args = Vec::new();
    settings.tls.client().push(&mut args);
    let runtime = settings
        .superexec_runtime_address
        .clone()
        .unwrap_or_else(|| local_address(&settings.bind_host, settings.port));
    push(&mut args, "--runtime-api-address", runtime);
    if row.plugin_type == PluginType::Required {
        push(&mut args, "--plugin-type", "serverapp");
    }
    if settings.dependencies == DependencyInstallation::On {
        args.push("--allow-runtime-dependency-installation".to_owned());
    }
    if let Some(health) = &settings.superexec_health_address {
        push(&mut args, "--health-server-address", health);
    }
    args
}
