//! Converts Flower's command lines to the processes that a runtime starts, for every kind of
//! object.

use std::time::Duration;

use super::Configured;
use super::failure::not_started;
use super::launched::Launched;
use super::operation::{Operation, Waited, wait};
use super::release;
use super::report;
use super::superlink::Model as Superlink;
use super::supernode::Model as Supernode;
use crate::at;
use crate::flower::launch::{LaunchError, LaunchedProcess, Role};
use crate::flower::version::{FlowerVersion, VersionRow};
use crate::masking;
use crate::runtime::{
    Duty, Health, Layout, ObjectRef, Port, Process, PythonEnvironment, Runtime, RuntimeError,
    Workload,
};
use crate::tfplugin::diagnostic::{Diagnostic, Result};
use crate::tfplugin::{Call, Plan};

/// An error of the plan if the packages of the processes cannot be installed anywhere. An unchanged
/// object needs no installation.
pub fn can_install<M: Launched>(provider: Option<&Configured>, plan: &Plan<M>) -> Result<()> {
    if let Some(provider) = provider {
        provider.planned_requirements.note(plan)?;
    }
    let Some(provider) = provider.filter(|_| plan.is_create() || plan.has_changes()) else {
        return Ok(());
    };
    let wanted = plan.get::<Option<Vec<String>>>(M::REQUIREMENTS)?.known();
    let can = provider
        .runtime
        .can_install(&wanted.flatten().unwrap_or_default());
    can.map_err(|error| {
        let what = match error {
            RuntimeError::UnfitCache { .. } => "Flower cannot be installed in `cache_dir`",
            _ => "`requirements` cannot be installed",
        };
        not_started(what, &error).into()
    })
}

/// An error if it is known, before anything is created, that the processes could not run.
pub async fn can_run(
    runtime: &dyn Runtime,
    object: &ObjectRef,
    version: FlowerVersion,
    requirements: Option<&[String]>,
) -> Result<()> {
    let python = python(version, release::row(version)?, requirements);
    let fits = runtime.can_run(&python).await;
    fits.map_err(|error| not_started(format!("{object} was not created"), &error).into())
}

/// Creates what the processes of a workload need outside of their object, such as a Python
/// environment. A failure is reported before anything of the object is changed.
pub async fn prepare(
    call: &Call<Configured>,
    object: &ObjectRef,
    workload: &Workload,
    what: &str,
    limit: Duration,
) -> Result<()> {
    let preparing = call.provider.runtime.prepare(object, workload, &call.stop);
    match wait(&call.stop, limit, preparing).await {
        Waited::Done(done) => done.map_err(|error| not_started(what, &error).into()),
        Waited::Stopped => Err(report::error(what, &RuntimeError::Interrupted).into()),
        Waited::TimedOut => Err(Diagnostic::error(what)
            .detail(format!(
                "The Python environment was not ready within {} s. Nothing was changed.",
                limit.as_secs()
            ))
            .detail(format!(
                "Raise `{}` if it only needs more time.",
                Operation::Update.attribute()
            ))
            .into()),
    }
}

/// The processes of an object in the form that runtimes use.
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
            private_env: launched.private_env,
            keeps: launched.keeps,
        }
    };
    launched.into_iter().map(process).collect()
}

/// A process and the image that Flower publishes for it have the same name as its program.
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

/// The health check of a process, if the layout asks for one: the health service that its command
/// line starts. In releases without one, only the Fleet API port of a SuperLink can be checked from
/// outside.
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

/// Where the programs of the processes come from.
pub fn python(
    version: FlowerVersion,
    row: &VersionRow,
    requirements: Option<&[String]>,
) -> PythonEnvironment {
    requirements
        .into_iter()
        .flatten()
        .for_each(|one| masking::hide_passwords(one));
    PythonEnvironment {
        flower_version: version.to_string(),
        oldest: row.pythons.oldest,
        newest: row.pythons.newest,
        requirements: requirements.unwrap_or_default().to_vec(),
        simulation: false,
    }
}

/// The error for a command line that cannot be built, at the attribute to blame.
pub fn launch(error: &LaunchError) -> Diagnostic {
    let message = report::error("The processes cannot start with these settings", error);
    match error {
        LaunchError::OwnedFlag { .. }
        | LaunchError::ChosenFlag { .. }
        | LaunchError::NotAFlag { .. }
        | LaunchError::NotAnArgument
        | LaunchError::LongArgument { .. }
        | LaunchError::EndsAtOnce { .. } => message.at(at!(Superlink | Supernode, extra_args)),
        LaunchError::OwnedVariable { .. }
        | LaunchError::LongVariable { .. }
        | LaunchError::NotAVariable { .. } => message.at(at!(Superlink | Supernode, env)),
        LaunchError::NodeConfig(_) => message.at(at!(Supernode, node_config)),
        LaunchError::NoSimulation => message.at(at!(Superlink, simulation)),
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
    use crate::resources::superlink;
    use crate::runtime::local::LocalRuntime;

    #[tokio::test]
    async fn what_cannot_be_installed_on_this_machine_is_refused_by_the_plan() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().display().to_string();
        let in_cache = |cache: &str| {
            let runtime = LocalRuntime {
                data_dir: dir.path().join("data"),
                cache_dir: dir.path().join(cache),
                python: "python3".to_owned(),
            };
            Arc::new(Configured::new(Arc::new(runtime)))
        };
        for (cache, requirement, expected) in [
            ("cache", "numpy", ""),
            ("cache", "./built-by-the-apply.whl", ""),
            (
                "cache",
                folder.as_str(),
                "`requirements` cannot be installed",
            ),
            (
                "Jane Doe",
                "numpy",
                "Flower cannot be installed in `cache_dir`",
            ),
            ("a,b", "numpy", "Flower cannot be installed in `cache_dir`"),
        ] {
            let config = json!({ "name": "a", "requirements": [requirement] });
            let planned =
                plan_in::<superlink::Superlink>(Some(in_cache(cache)), None, config).await;
            assert_eq!(planned.errors, expected, "{cache} {requirement}");
        }
    }
}
