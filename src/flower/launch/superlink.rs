//! The processes of a SuperLink.

use super::app_runner::{Apps, Runner, launched};
use super::{
    Isolation, LaunchError, LaunchedProcess, ProcessEnvironment, Role, ServerTls, address,
    extra_args, local_address, push,
};
use crate::flower::version::{AppPlane, ControlPlane, FleetPlane, NodeAuth, VersionRow};

/// Where a SuperLink keeps runs, nodes and logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// In memory: a restart forgets everything, registered nodes included.
    Memory,
    /// In this `SQLite` file.
    File(String),
}

/// Which SuperNodes may connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeKeys {
    /// Every one.
    Open,
    /// Those that are registered over the Control API.
    Registered,
    /// Those in a file of public keys.
    Listed {
        /// The file.
        list: String,
        /// The SuperLink's own key pair, for the releases that want one.
        own: Option<KeyPair>,
    },
}

/// The files of a key pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// The private key's.
    pub private: String,
    /// The public key's.
    pub public: String,
}

/// Everything that shapes a SuperLink's command lines. Paths are those the processes see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuperLinkSettings {
    /// Address to listen on.
    pub bind_host: String,
    /// Port of the Control and Runtime API, and of the Fleet API where they share one.
    pub port: u16,
    /// Port of the API for apps in releases where it has its own; ignored in the others.
    pub app_port: Option<u16>,
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
    /// Which SuperNodes may connect.
    pub node_keys: NodeKeys,
    /// Address of the plain gRPC health service, if one is wanted.
    pub health_address: Option<String>,
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
    if settings.node_keys != NodeKeys::Open && settings.tls == ServerTls::Insecure {
        return Err(LaunchError::KeysWithoutTls);
    }
    let mut parts = vec![(Role::SuperLink, superlink_args(row, settings)?)];
    if settings.isolation == Isolation::Process {
        parts.push(app_runner(row, settings)?.role_and_args(row));
    }
    launched(row, settings.isolation, parts, &settings.environment)
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
    // Apps get what was installed before, and nothing from an index while they run.
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

/// What runs ServerApps, when the SuperLink does not.
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
        // Without TLS, on an address that nobody else reaches.
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
