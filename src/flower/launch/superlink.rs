//! The processes of a SuperLink.

use super::app_runner::{Apps, Runner, launched};
use super::{
    Isolation, LaunchError, LaunchedProcess, ProcessEnvironment, Role, ServerTls, address,
    extra_args, local_address, push,
};
use crate::flower::version::{AppPlane, ControlPlane, FleetPlane, NodeAuth, VersionRow};

/// The environment of Ray, which runs simulated SuperNodes.
const RAY: [(&str, &str); 2] = [
    // Ray has no login, and listens on all addresses of the machine. As on the systems in the name
    // of this variable, it only listens on 127.0.0.1 without a cluster of several machines.
    ("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0"),
    ("RAY_USAGE_STATS_ENABLED", "0"),
];

/// Where a SuperLink keeps runs, nodes and logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// In memory: a restart loses everything, including registered nodes.
    Memory,
    /// In this `SQLite` file.
    File(String),
}

/// Which SuperNodes may connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeKeys {
    /// All.
    Open,
    /// Those that are registered through the Control API.
    Registered,
    /// Those in a file with public keys.
    Listed {
        /// The file.
        list: String,
        /// The SuperLink's own key pair, for releases that need one.
        own: Option<KeyPair>,
    },
}

/// The files of a key pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// The private key.
    pub private: String,
    /// The public key.
    pub public: String,
}

/// All settings of a SuperLink's command lines. Paths are those that the processes see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuperLinkSettings {
    /// Address to listen on.
    pub bind_host: String,
    /// The port of the Control and Runtime API, and of the Fleet API if they share it.
    pub port: u16,
    /// The port for apps, in releases with a separate one.
    pub app_port: Option<u16>,
    /// The address of a Fleet API with a separate port.
    pub fleet_bind_host: String,
    /// The port of the Fleet API, in releases with a separate one.
    pub fleet_port: Option<u16>,
    /// TLS of all APIs.
    pub tls: ServerTls,
    /// Where ServerApps run.
    pub isolation: Isolation,
    /// Where the SuperLink stores its data.
    pub database: Database,
    /// Which SuperNodes may connect.
    pub node_keys: NodeKeys,
    /// Whether apps run in the simulation runtime, without SuperNodes.
    pub simulation: bool,
    /// The address of the gRPC health service, which has no TLS, if it is used.
    pub health_address: Option<String>,
    /// The address of the health service of our SuperExec, if it is used.
    pub superexec_health_address: Option<String>,
    /// The environment of all processes.
    pub environment: ProcessEnvironment,
    /// The user's additional arguments for `flower-superlink`.
    pub extra_args: Vec<String>,
}

/// The SuperLink, and its SuperExec in process isolation.
pub fn superlink_processes(
    row: &VersionRow,
    settings: &SuperLinkSettings,
) -> Result<Vec<LaunchedProcess>, LaunchError> {
    if settings.node_keys != NodeKeys::Open && settings.tls == ServerTls::Insecure {
        return Err(LaunchError::KeysWithoutTls);
    }
    let mut parts = vec![(Role::SuperLink, superlink_args(row, settings)?)];
    if settings.isolation == Isolation::Process {
        parts.push(app_runner(row, settings)?.role_and_args(row));
    }
    let mut processes = launched(row, settings.isolation, parts, &settings.environment)?;
    if settings.simulation {
        for process in &mut processes {
            let of_ray = RAY.iter().filter(|(name, _)| {
                // The user may choose otherwise.
                !process.private_env.contains_key(*name)
            });
            let of_ray = of_ray.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            process.env.extend(of_ray);
        }
    }
    Ok(processes)
}

fn superlink_args(
    row: &VersionRow,
    settings: &SuperLinkSettings,
) -> Result<Vec<String>, LaunchError> {
    let mut args = Vec::new();
    settings.tls.push(&mut args);
    match row.control {
        ControlPlane::Http => {
            push(&mut args, "--host", &settings.bind_host);
            push(&mut args, "--port", settings.port.to_string());
        }
        ControlPlane::Grpc { flag } => {
            push(&mut args, flag, address(&settings.bind_host, settings.port));
        }
    }
    match row.apps {
        AppPlane::HttpSamePort => {}
        AppPlane::HttpOwnPort => {
            push(&mut args, "--host", &settings.bind_host);
            push(&mut args, "--port", app_port(settings)?.to_string());
        }
        AppPlane::GrpcOwnPort => {
            let apps = address(&settings.bind_host, app_port(settings)?);
            push(&mut args, "--serverappio-api-address", apps);
        }
    }
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
    if settings.simulation {
        if !row.simulates {
            return Err(LaunchError::NoSimulation);
        }
        args.push("--simulation".to_owned());
    }
    match (&settings.node_keys, row.node_auth) {
        (NodeKeys::Open, _) => {}
        (NodeKeys::Registered, NodeAuth::Registration) => {
            args.push("--enable-supernode-auth".to_owned());
        }
        (
            NodeKeys::Listed { list, own },
            NodeAuth::KeyList {
                own_key: needed, ..
            },
        ) => {
            push(&mut args, "--auth-list-public-keys", list);
            if needed {
                let own = own.as_ref().ok_or(LaunchError::OwnKeyMissing)?;
                push(&mut args, "--auth-superlink-private-key", &own.private);
                push(&mut args, "--auth-superlink-public-key", &own.public);
            }
        }
        (NodeKeys::Registered, NodeAuth::KeyList { .. })
        | (NodeKeys::Listed { .. }, NodeAuth::Registration) => {
            return Err(LaunchError::OtherNodeAuth);
        }
    }
    // Apps use the installed packages, and install nothing from an index while they run.
    if row.installs_by_default {
        args.push("--disable-runtime-dependency-installation".to_owned());
    }
    if let Some(health) = settings.health_address.as_ref().filter(|_| row.health_flag) {
        push(&mut args, "--health-server-address", health);
    }
    extra_args::append(Role::SuperLink, &mut args, &settings.extra_args)?;
    Ok(args)
}

fn app_port(settings: &SuperLinkSettings) -> Result<u16, LaunchError> {
    settings.app_port.ok_or(LaunchError::AppPortMissing)
}

/// The process that runs ServerApps if the SuperLink does not.
fn app_runner<'a>(
    row: &VersionRow,
    settings: &'a SuperLinkSettings,
) -> Result<Runner<'a>, LaunchError> {
    let mut trust = Vec::new();
    let port = match row.apps {
        AppPlane::HttpSamePort => {
            settings.tls.client().push(&mut trust);
            settings.port
        }
        // Without TLS, at an address that only this machine or pod can reach.
        AppPlane::GrpcOwnPort | AppPlane::HttpOwnPort => {
            trust.push("--insecure".to_owned());
            app_port(settings)?
        }
    };
    Ok(Runner {
        apps: Apps::Server,
        trust,
        address: local_address(&settings.bind_host, port),
        health_address: settings.superexec_health_address.as_deref(),
    })
}
