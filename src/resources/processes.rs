//! From Flower's command lines to what a runtime starts, for every kind of object.

use super::Configured;
use super::failure::not_started;
use super::release;
use super::report::failed;
use crate::flower::launch::{LaunchError, LaunchedProcess, Role};
use crate::flower::version::{FlowerVersion, VersionRow};
use crate::runtime::{
    Duty, Health, Layout, ObjectRef, Port, Process, PythonEnvironment, Runtime, RuntimeError,
};
use crate::tfplugin::Plan;
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::path::Path;
use crate::tfplugin::schema::Tree;
use crate::tfplugin::value::Value;

/// Errors for requirements that pip would take for its own options, or for nothing.
pub fn validate(config: &Tree) -> Diagnostics {
    let mut found = Diagnostics::default();
    let Value::List(requirements) = config.value("requirements") else {
        return found;
    };
    for (position, one) in requirements.iter().enumerate() {
        let Some(text) = one.as_str().map(str::trim) else {
            continue;
        };
        let problem =
            if text.is_empty() {
                Diagnostic::error("A requirement is empty").detail("Remove it.")
            } else if text.starts_with('-') {
                Diagnostic::error("Options of pip are no requirements")
                .detail(format!("{text:?} would be an option of pip, not a package."))
                .detail(
                    "Name packages (`numpy>=2`) or paths of wheels. What pip is to do otherwise is \
                     set in its environment or pip.conf: PIP_INDEX_URL, PIP_CONSTRAINT.",
                )
            } else {
                continue;
            };
        found.push(problem.at(Path::attribute("requirements").index(position)));
    }
    found
}

/// An error of the plan where the runtime runs images as they are.
pub fn can_install(provider: Option<&Configured>, plan: &Plan) -> Result<()> {
    if let Some(provider) = provider {
        provider.planned_requirements.note(plan)?;
    }
    let wanted = plan.get::<Option<Vec<String>>>("requirements")?.known();
    let any = wanted.flatten().is_some_and(|wanted| !wanted.is_empty());
    match provider {
        Some(provider) if any && !provider.runtime.installs_requirements() => {
            let what = "What apps need cannot be installed";
            Err(not_started(what, &RuntimeError::NeedsImage).into())
        }
        _ => Ok(()),
    }
}

/// An error where it is known, before anything is made, that the processes could not run.
pub async fn can_run(
    runtime: &dyn Runtime,
    object: &ObjectRef,
    version: FlowerVersion,
    requirements: Option<&[String]>,
) -> Result<()> {
    let python = python(version, release::row(version)?, requirements);
    let fits = runtime.can_run(&python).await;
    fits.map_err(|error| not_started(format!("{object} was not made"), &error).into())
}

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
            keeps: launched.keeps,
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
        LaunchError::OwnedVariable { .. } | LaunchError::NotAVariable { .. } => message.on("env"),
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
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::resources::planning::plan_in;
    use crate::resources::superlink::Superlink;
    use crate::runtime::kubernetes::{Access, Credentials, KubernetesRuntime};

    #[tokio::test]
    async fn requirements_are_refused_by_the_plan_where_images_run_as_they_are() {
        let access = Access {
            credentials: Credentials::File {
                path: "no-such-file".into(),
                context: None,
            },
            namespace: None,
            proxy_url: None,
            tls_server_name: None,
        };
        let runtime = KubernetesRuntime::new(access, [].into(), String::new());
        let cluster = Arc::new(Configured::new(Arc::new(runtime)));
        let refused = "What apps need cannot be installed";
        for (requirements, expected) in [(json!(["numpy"]), refused), (json!([]), "")] {
            let config = json!({ "name": "a", "requirements": requirements });
            let planned = plan_in::<Superlink>(Some(Arc::clone(&cluster)), None, config);
            assert_eq!(planned.await.errors, expected);
        }
    }

    #[test]
    fn requirements_are_neither_options_nor_empty() {
        let list = ["numpy>=2", "--help", " -r x.txt", " ", "./a-1.whl"];
        let list = list.iter().map(|&text| Value::from(text));
        let list = Value::List(list.chain([Value::UNKNOWN]).collect());
        let found = validate(&Tree(Value::object([("requirements", list)])));
        let at: Vec<_> = found
            .iter()
            .map(|one| one.path.as_ref().unwrap().to_string())
            .collect();
        assert_eq!(
            at,
            ["requirements[1]", "requirements[2]", "requirements[3]"]
        );
        assert!(validate(&Tree(Value::Null)).is_empty());
    }
}
