//! From Flower's command lines to what a runtime starts, for every kind of object.

use super::report::failed;
use crate::flower::launch::{LaunchError, LaunchedProcess, Role};
use crate::flower::version::{FlowerVersion, VersionRow};
use crate::runtime::{Process, PythonEnvironment};
use crate::tfplugin::diagnostic::Diagnostic;

/// A process as runtimes take it.
pub fn process(launched: LaunchedProcess) -> Process {
    Process {
        name: match launched.role {
            Role::SuperLink => "superlink",
            Role::SuperNode => "supernode",
            Role::SuperExec => "superexec",
            Role::ServerApp => "serverapp",
            Role::ClientApp => "clientapp",
        },
        program: launched.program.to_owned(),
        args: launched.args,
        env: launched.env,
    }
}

/// Where the processes' programs come from.
pub fn python(
    version: FlowerVersion,
    row: &VersionRow,
    requirements: Option<&[String]>,
) -> PythonEnvironment {
    PythonEnvironment {
        flower_version: version.to_string(),
        oldest: row.pythons.oldest,
        newest: row.pythons.newest,
        requirements: requirements.unwrap_or_default().to_vec(),
    }
}

/// A command line that cannot be made, at the attribute to blame.
pub fn launch(error: &LaunchError) -> Diagnostic {
    let message = failed("The processes cannot be started like this", error);
    match error {
        LaunchError::OwnedFlag { .. }
        | LaunchError::ChosenFlag { .. }
        | LaunchError::EndsAtOnce { .. } => message.on("extra_args"),
        LaunchError::OwnedVariable { .. } => message.on("env"),
        LaunchError::NodeConfig(_) => message.on("node_config"),
        LaunchError::KeysWithoutTls
        | LaunchError::OwnKeyMissing
        | LaunchError::OtherNodeAuth
        | LaunchError::AppPortMissing
        | LaunchError::FleetPortMissing => message,
    }
}

/// A port on all addresses, as Flower's flags take it.
pub fn any_address(port: u16) -> String {
    format!("0.0.0.0:{port}")
}
