//! Why the apps of a run failed, as far as logs show: a missing package, and where to read more.

use std::time::Duration;

use super::federation::{Federation, Member};
use crate::flower::dependency::MissingModule;
use crate::flower::exit_meaning::FlowerExit;
use crate::resources::supernode;
use crate::runtime::Runtime;

/// How many lines are read to find out why a run failed.
pub(super) const READ: usize = 500;
/// How many SuperNodes a message names with their logs.
const NODES: usize = 8;
/// How long to wait for the log of a SuperNode.
const NODE_LOG: Duration = Duration::from_secs(5);

/// What is known of an app when its run fails.
#[derive(Debug, Clone, Default)]
pub(super) struct AppParts {
    /// `[project].dependencies`.
    pub dependencies: Vec<String>,
    /// The modules and packages at the top level of its folder.
    pub modules: Vec<String>,
}

/// A SuperNode of this runtime: where its log is, and which module it lacked.
pub(super) struct Site {
    name: String,
    place: Option<String>,
    missing: Option<MissingModule>,
}

/// Finds the SuperNodes of a federation. Their logs are read only if a ClientApp failed.
pub(super) async fn sites_of(
    runtime: &dyn Runtime,
    federation: Option<&Federation>,
    failing: bool,
) -> Vec<Site> {
    let supernodes = federation.map_or(&[] as &[Member<supernode::Model>], |federation| {
        &federation.supernodes
    });
    let mut sites = Vec::new();
    for node in supernodes.iter().take(NODES) {
        let mut site = Site {
            name: node.object.to_string(),
            place: None,
            missing: None,
        };
        for process in node.app_processes() {
            let log = runtime.log_tail(&node.object, process, READ);
            let log = tokio::time::timeout(NODE_LOG, log).await;
            let log = log
                .ok()
                .and_then(std::result::Result::ok)
                .unwrap_or_default();
            if site.place.is_none() || !log.is_empty() {
                site.place = runtime.log_place(&node.object, process).await;
            }
            if failing && site.missing.is_none() {
                site.missing = log
                    .iter()
                    .rev()
                    .find_map(|line| MissingModule::in_line(line));
            }
        }
        sites.push(site);
    }
    sites
}

pub(super) fn places(sites: &[Site]) -> String {
    let places = sites
        .iter()
        .filter_map(|site| Some(format!("\n  {}: {}", site.name, site.place.as_ref()?)));
    let places: String = places.collect();
    if places.is_empty() {
        ".".to_owned()
    } else {
        format!(":{places}")
    }
}

/// Which side of an app lacked a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Server,
    Client,
}

/// A missing module.
pub(super) struct Cause {
    side: Side,
    module: MissingModule,
}

/// The text that a strategy logs for a reply that is an error.
const ERROR_IN_REPLY: &str = "error in reply from node";

/// Whether a ClientApp failed, as far as the log of the ServerApp shows.
pub(super) fn client_failed(lines: &[String]) -> bool {
    lines.iter().any(|line| {
        line.contains(ERROR_IN_REPLY)
            || (line.contains("failures") && !line.contains(" 0 failures"))
    })
}

pub(super) fn cause(lines: &[String], details: &str, sites: &[Site]) -> Option<Cause> {
    let in_log = lines.iter().rev().find_map(|line| {
        let side = if line.contains(ERROR_IN_REPLY) {
            Side::Client
        } else {
            Side::Server
        };
        let module = MissingModule::in_line(line)?;
        Some(Cause { side, module })
    });
    let server = |module| Cause {
        side: Side::Server,
        module,
    };
    let client = |module| Cause {
        side: Side::Client,
        module,
    };
    in_log
        .or_else(|| MissingModule::in_line(details).map(server))
        .or_else(|| {
            sites
                .iter()
                .find_map(|site| site.missing.clone())
                .map(client)
        })
}

impl Cause {
    /// A module that a ClientApp lacked, from the reason of its failure.
    pub(super) fn of_client(reason: &str) -> Option<Self> {
        let side = Side::Client;
        MissingModule::in_line(reason).map(|module| Self { side, module })
    }

    pub(super) fn told(&self, parts: &AppParts, in_cluster: bool) -> String {
        let (app, program, resource) = match self.side {
            Side::Server => ("ServerApp", "SuperLink", "flower_superlink"),
            Side::Client => ("ClientApp", "SuperNode", "flower_supernode"),
        };
        let module = self.module.name();
        if parts.modules.iter().any(|own| own == self.module.top()) {
            return format!(
                "The {app} imports the module {module:?} of the app itself, but the bundle has no \
                 such file. Check its name in [tool.flwr.app.components] and in the code, and that \
                 neither .gitignore nor `fab-exclude` in the app's pyproject.toml excludes it."
            );
        }
        let requirement = self.module.requirement(&parts.dependencies);
        let cause = format!(
            "The {app} needs the Python module {module:?}, which is not installed where the \
             {program} runs."
        );
        if in_cluster {
            format!(
                "{cause} Use an image that has it: build one with {requirement:?} and name it in \
                 `kubernetes.image` of the `{resource}` (`kubernetes.superexec_image` with \
                 `isolation = \"process\"`)."
            )
        } else {
            format!("{cause} Write into the `{resource}`:\n  requirements = [{requirement:?}]")
        }
    }
}

/// The meaning of Flower's exit code if packages could not be imported or installed.
pub(super) fn installing(lines: &[String]) -> Option<String> {
    let exit = FlowerExit::in_log(&lines.join("\n"))?;
    matches!(exit.code, 607 | 608).then(|| {
        let words = [exit.meaning(), exit.remedy()];
        words.into_iter().flatten().collect::<Vec<_>>().join(" ")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &[&str], in_cluster: bool) -> String {
        let lines: Vec<_> = lines.iter().map(|line| (*line).to_owned()).collect();
        let parts = AppParts {
            dependencies: vec!["torch==2.7.1".to_owned()],
            modules: vec!["echo".to_owned()],
        };
        cause(&lines, "", &[]).map_or_else(
            || installing(&lines).unwrap_or_default(),
            |cause| cause.told(&parts, in_cluster),
        )
    }

    #[test]
    fn a_package_that_is_missing_names_the_attribute_and_the_line() {
        let server = "ModuleNotFoundError: No module named 'torch'";
        let client = "> Received error in reply from node 7: <class 'ModuleNotFoundError'>:<'No module named 'sklearn''>";
        let own = "ModuleNotFoundError: No module named 'echo.task'";
        insta::assert_snapshot!(
            [
                told(&[server], false),
                told(&[server], true),
                told(&["ok", client, "ok"], false),
                told(&[client], true),
                told(&[own], false),
                told(&["Exit Code: 607", "ImportError: no"], false),
                told(&["ValueError: no"], false),
            ]
            .join("\n----\n")
        );
    }

    #[test]
    fn a_client_that_fails_is_seen_in_the_log_of_the_server() {
        let failed = |line: &str| client_failed(&[line.to_owned()]);
        assert!(failed("aggregate_train: Received 0 results and 2 failures"));
        assert!(failed(
            "\t> Received error in reply from node 7: An exception"
        ));
        assert!(!failed(
            "aggregate_train: Received 2 results and 0 failures"
        ));
    }

    #[test]
    fn the_places_of_logs_are_listed() {
        let site = |name: &str, place: Option<&str>| Site {
            name: name.to_owned(),
            place: place.map(str::to_owned),
            missing: None,
        };
        assert_eq!(places(&[]), ".");
        assert_eq!(places(&[site("a", None)]), ".");
        assert_eq!(
            places(&[site("a", Some("/x")), site("b", Some("/y"))]),
            ":\n  a: /x\n  b: /y"
        );
    }
}
