//! The process that runs apps for a SuperLink or SuperNode in process isolation. Both use the same
//! program, with a flag for the kind of app.

use super::{Isolation, LaunchError, LaunchedProcess, ProcessEnvironment, Role, push};
use crate::flower::version::{AppRunner, PluginType, VersionRow};

/// The kind of app.
#[derive(Debug, Clone, Copy)]
pub(super) enum Apps {
    Server,
    Client,
}

/// How the runner is started.
pub(super) struct Runner<'a> {
    pub apps: Apps,
    /// The TLS flags for its connection.
    pub trust: Vec<String>,
    /// The address of the API for apps.
    pub address: String,
    pub health_address: Option<&'a str>,
}

impl Runner<'_> {
    pub(super) fn role_and_args(self, row: &VersionRow) -> (Role, Vec<String>) {
        let mut args = self.trust;
        let (role, flag, plugin) = match self.apps {
            Apps::Server => (Role::ServerApp, "--serverappio-api-address", "serverapp"),
            Apps::Client => (Role::ClientApp, "--clientappio-api-address", "clientapp"),
        };
        let AppRunner::SuperExec {
            api_flag,
            plugin_type,
        } = row.app_runner
        else {
            push(&mut args, flag, self.address);
            return (role, args);
        };
        push(&mut args, api_flag, self.address);
        if plugin_type == PluginType::Required {
            push(&mut args, "--plugin-type", plugin);
        }
        if let Some(health) = self.health_address {
            push(&mut args, "--health-server-address", health);
        }
        (Role::SuperExec, args)
    }
}

/// A wrapper for SuperLinks whose release does not lock its database.
const ONE_OPENS: &str = include_str!("one_opens.py");
/// A wrapper for SuperNodes that would keep running after a refusal.
const REFUSAL_ENDS: &str = include_str!("refusal_ends.py");

/// The Python wrapper that replaces a program, if the release needs one.
fn wrapper(row: &VersionRow, role: Role) -> Option<&'static str> {
    match role {
        Role::SuperLink => (!row.shares_database).then_some(ONE_OPENS),
        Role::SuperNode => (!row.ends_refused).then_some(REFUSAL_ENDS),
        _ => None,
    }
}

/// The processes of a SuperLink or SuperNode: all have the same environment.
pub(super) fn launched(
    row: &VersionRow,
    isolation: Isolation,
    parts: impl IntoIterator<Item = (Role, Vec<String>)>,
    environment: &ProcessEnvironment,
) -> Result<Vec<LaunchedProcess>, LaunchError> {
    let env = environment.build()?;
    let has_child = isolation == Isolation::Subprocess && row.app_runner != AppRunner::AppProcess;
    let launch = |(role, mut args): (Role, Vec<String>)| {
        let code = wrapper(row, role);
        // The wrapper finds the arguments where the program would.
        args.splice(
            0..0,
            code.iter().flat_map(|code| ["-c", code].map(str::to_owned)),
        );
        LaunchedProcess {
            role,
            program: code.map_or(role.program(), |_| "python"),
            args,
            env: env.clone(),
            private_env: environment.variables.clone(),
            keeps: has_child.then_some(Role::SuperExec.program()),
        }
    };
    Ok(parts.into_iter().map(launch).collect())
}
