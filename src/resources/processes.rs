//! From Flower's command lines to what a runtime starts, for every kind of object.

use super::report::failed;
use crate::flower::launch::{LaunchError, LaunchedProcess, Role};
use crate::flower::version::{FlowerVersion, VersionRow};
use crate::runtime::{Duty, Health, Layout, Port, Process, PythonEnvironment};
use crate::tfplugin::diagnostic::Diagnostic;

/// The processes of an object as runtimes take them.
pub fn processes(
    launched: Vec<LaunchedProcess>,
    version: FlowerVersion,
    row: &VersionRow,
    layout: &Layout,
) -> Vec<Process> {
    let is_alone = launched.len() == 1;
    let process = |launched: LaunchedProcess| {
        let role = launched.role;
        let duty = duty(role);
        Process {
            name: name(role),
            duty,
            runs_apps: duty == Duty::Apps || is_alone,
            image: format!("flwr/{}:{version}", name(role)),
            health: health(role, row, layout),
            program: launched.program.to_owned(),
            args: launched.args,
            env: launched.env,
        }
    };
    launched.into_iter().map(process).collect()
}

/// A process is called as its program is, and so is the image that Flower publishes for it.
const fn name(role: Role) -> &'static str {
    match role {
        Role::SuperLink => "superlink",
        Role::SuperNode => "supernode",
        Role::SuperExec => "superexec",
        Role::ServerApp => "serverapp",
        Role::ClientApp => "clientapp",
    }
}

const fn duty(role: Role) -> Duty {
    match role {
        Role::SuperLink | Role::SuperNode => Duty::Main,
        Role::SuperExec | Role::ServerApp | Role::ClientApp => Duty::Apps,
    }
}

/// Where somebody asks, it answers as its command line has it; before there were health services, the
/// Fleet API alone is seen from outside.
fn health(role: Role, row: &VersionRow, layout: &Layout) -> Option<Health> {
    let asked = layout.health?;
    match role {
        Role::SuperLink | Role::SuperNode if row.health_flag => Some(Health::Service(asked.main)),
        Role::SuperLink => layout
            .ports
            .get(&Port::Fleet)
            .map(|port| Health::Open(*port)),
        Role::SuperExec => Some(Health::Service(asked.superexec)),
        Role::SuperNode | Role::ServerApp | Role::ClientApp => None,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flower::launch::{
        Database, DependencyInstallation, Isolation, NodeKeys, ProcessEnvironment, ServerTls,
        SuperLinkSettings, superlink_processes,
    };
    use crate::flower::version::row_of;
    use crate::runtime::HealthPorts;

    fn superlink(minor: u16, isolation: Isolation) -> Vec<Process> {
        let version = FlowerVersion::new(1, minor, 0);
        let row = row_of(version).unwrap();
        let settings = SuperLinkSettings {
            bind_host: "127.0.0.1".to_owned(),
            port: 8000,
            app_port: Some(9091),
            fleet_bind_host: "0.0.0.0".to_owned(),
            fleet_port: Some(9092),
            tls: ServerTls::Insecure,
            isolation,
            database: Database::Memory,
            node_keys: NodeKeys::Open,
            dependencies: DependencyInstallation::Off,
            health_address: Some(any_address(8081)),
            superexec_health_address: Some(any_address(8082)),
            environment: ProcessEnvironment {
                flwr_home: String::new(),
                log_level: None,
                variables: [].into(),
            },
            extra_args: Vec::new(),
        };
        let layout = Layout {
            ports: [(Port::Fleet, 9092)].into(),
            health: Some(HealthPorts {
                main: 8081,
                superexec: 8082,
            }),
            ..Layout::default()
        };
        let launched = superlink_processes(row, &settings).unwrap();
        processes(launched, version, row, &layout)
    }

    /// Each process as a runtime sees it, but for its command line.
    fn seen(minor: u16, isolation: Isolation) -> Vec<String> {
        let one = |one: Process| {
            let Process {
                name,
                duty,
                runs_apps,
                image,
                health,
                ..
            } = one;
            format!("{name} {duty:?} {runs_apps} {image} {health:?}")
        };
        superlink(minor, isolation).into_iter().map(one).collect()
    }

    #[test]
    fn what_runs_apps_is_that_by_whatever_name_its_release_has() {
        assert_eq!(
            seen(42, Isolation::Process),
            [
                "superlink Main false flwr/superlink:1.42.0 Some(Service(8081))",
                "superexec Apps true flwr/superexec:1.42.0 Some(Service(8082))",
            ]
        );
        assert_eq!(
            seen(20, Isolation::Process),
            [
                "superlink Main false flwr/superlink:1.20.0 Some(Open(9092))",
                "serverapp Apps true flwr/serverapp:1.20.0 None",
            ]
        );
        assert_eq!(
            seen(42, Isolation::Subprocess),
            ["superlink Main true flwr/superlink:1.42.0 Some(Service(8081))"]
        );
    }

    #[test]
    fn health_is_looked_for_where_the_command_line_has_it() {
        for minor in 13..=42 {
            for process in superlink(minor, Isolation::Process) {
                let asked = process
                    .args
                    .iter()
                    .any(|arg| arg == "--health-server-address");
                let looked_for = matches!(process.health, Some(Health::Service(_)));
                assert_eq!(looked_for, asked, "{} of 1.{minor}", process.name);
            }
        }
    }
}
