//! The processes of a SuperNode.

use std::collections::BTreeMap;

use super::app_runner::{Apps, Runner, launched};
use super::{
    ClientTls, Isolation, LaunchError, LaunchedProcess, ProcessEnvironment, Role, address,
    extra_args, local_address, push,
};
use crate::flower::node_config::node_config_toml;
use crate::flower::run_config::ConfigValue;
use crate::flower::version::{AppPlane, NodeAuth, VersionRow};

/// All settings of a SuperNode's command lines. Paths are those that the processes see.
#[derive(Debug, Clone, PartialEq)]
pub struct SuperNodeSettings {
    /// The SuperLink's Fleet API as host:port, without a scheme.
    pub superlink_address: String,
    /// How the SuperNode verifies the SuperLink.
    pub tls: ClientTls,
    /// The path of the private key in OpenSSH format, if the SuperLink needs it.
    pub key_file: Option<String>,
    /// The path of the public key in OpenSSH format, for releases that need both halves.
    pub public_key_file: Option<String>,
    /// The content of `context.node_config` in ClientApps.
    pub node_config: BTreeMap<String, ConfigValue>,
    /// The file with the node configuration: every user of the machine can read arguments.
    pub node_config_file: String,
    /// Where ClientApps run.
    pub isolation: Isolation,
    /// The address of the SuperNode's API for its apps.
    pub runtime_host: String,
    /// The port of this API; SuperNodes on the same machine need different ports.
    pub runtime_port: u16,
    /// The address of the gRPC health service, which has no TLS, if it is used.
    pub health_address: Option<String>,
    /// The address of the health service of our SuperExec, if it is used.
    pub superexec_health_address: Option<String>,
    /// The environment of all processes.
    pub environment: ProcessEnvironment,
    /// The user's additional arguments for `flower-supernode`.
    pub extra_args: Vec<String>,
}

/// The SuperNode, and its SuperExec in process isolation.
pub fn supernode_processes(
    row: &VersionRow,
    settings: &SuperNodeSettings,
) -> Result<Vec<LaunchedProcess>, LaunchError> {
    if settings.key_file.is_some() && settings.tls == ClientTls::Insecure {
        return Err(LaunchError::KeysWithoutTls);
    }
    let mut parts = vec![(Role::SuperNode, supernode_args(row, settings)?)];
    if settings.isolation == Isolation::Process {
        parts.push(app_runner(settings).role_and_args(row));
    }
    launched(row, settings.isolation, parts, &settings.environment)
}

fn supernode_args(
    row: &VersionRow,
    settings: &SuperNodeSettings,
) -> Result<Vec<String>, LaunchError> {
    let mut args = Vec::new();
    push(&mut args, "--superlink", &settings.superlink_address);
    settings.tls.push(&mut args);
    if let Some(path) = &settings.key_file {
        push(&mut args, "--auth-supernode-private-key", path);
        if let (NodeAuth::KeyList { .. }, Some(public)) = (row.node_auth, &settings.public_key_file)
        {
            push(&mut args, "--auth-supernode-public-key", public);
        }
    }
    if !node_config_toml(&settings.node_config)?.is_empty() {
        push(&mut args, "--node-config", &settings.node_config_file);
    }
    push(&mut args, "--isolation", settings.isolation.flag());
    if row.apps == AppPlane::GrpcOwnPort {
        let apps = address(&settings.runtime_host, settings.runtime_port);
        push(&mut args, "--clientappio-api-address", apps);
    } else {
        push(&mut args, "--host", &settings.runtime_host);
        push(&mut args, "--port", settings.runtime_port.to_string());
    }
    if let Some(health) = settings.health_address.as_ref().filter(|_| row.health_flag) {
        push(&mut args, "--health-server-address", health);
    }
    extra_args::append(Role::SuperNode, &mut args, &settings.extra_args)?;
    Ok(args)
}

/// The process that runs ClientApps if the SuperNode does not.
fn app_runner(settings: &SuperNodeSettings) -> Runner<'_> {
    Runner {
        apps: Apps::Client,
        // The SuperNode serves its apps without TLS, at an address that only this machine or pod
        // can reach.
        trust: vec!["--insecure".to_owned()],
        address: local_address(&settings.runtime_host, settings.runtime_port),
        health_address: settings.superexec_health_address.as_deref(),
    }
}
