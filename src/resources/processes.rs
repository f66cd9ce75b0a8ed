//! From Flower's command lines to what a runtime starts, for every kind of object.

use std::time::Duration;

use super::Configured;
use super::failure::not_started;
use super::launched::Launched;
use super::release;
use super::report;
use super::superlink::Model as Superlink;
use super::supernode::Model as Supernode;
use super::timeouts::{self, Operation, Waited, wait};
use crate::at;
use crate::flower::dependency::is_nightly;
use crate::flower::fab::check_requirement;
use crate::flower::launch::{
    LaunchError, LaunchedProcess, Role, refused_arguments, refused_variables,
};
use crate::flower::version::{FlowerVersion, VersionRow};
use crate::masking;
use crate::runtime::{
    Duty, Health, Layout, ObjectRef, Port, Process, PythonEnvironment, Runtime, RuntimeError,
    Workload,
};
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::schema::{Maybe, Tree, refused};
use crate::tfplugin::value::Value;
use crate::tfplugin::{Call, Plan};

/// A URL with its hash is far shorter.
const MOST_OF_A_REQUIREMENT: usize = 4096;

/// Errors for what no process of this role can be started with, as far as it is known.
pub fn validate<M: Launched>(config: &Tree<M>, role: Role) -> Diagnostics {
    let mut found = requirements(config);
    found.extend(timeouts::validate(config, M::TIMEOUTS));
    if let Ok(Maybe::Known(Some(0))) = config.get::<Option<u16>>(M::PORT) {
        let why = "a port is a number from 1 to 65535; without `port`, the provider chooses a free \
                   one";
        found.extend(refused("0", &why, &M::PORT.path()));
    }
    if let Value::List(arguments) = config.value(M::EXTRA_ARGS) {
        let refused = refused_arguments(role, arguments.iter().map(Value::as_str));
        let refused = refused.iter();
        found.extend(
            refused.map(|(position, error)| launch(error).at(M::EXTRA_ARGS.index(*position))),
        );
    }
    if let Value::Map(variables) = config.value(M::ENV) {
        let variables = variables.iter();
        let variables = variables.map(|(name, value)| (name.as_str(), value.as_str()));
        let refused = refused_variables(variables);
        found.extend(
            refused
                .iter()
                .map(|(name, error)| launch(error).at(M::ENV.key(name))),
        );
    }
    found
}

/// Errors for requirements that pip would take for its own options, for more than one, or for nothing.
fn requirements<M: Launched>(config: &Tree<M>) -> Diagnostics {
    let mut found = Diagnostics::default();
    let Value::List(requirements) = config.value(M::REQUIREMENTS) else {
        return found;
    };
    for (position, one) in requirements.iter().enumerate() {
        let Some(text) = one.as_str().map(str::trim) else {
            continue;
        };
        let problem = if text.is_empty() {
            Diagnostic::error("A requirement is empty").detail("Remove it.")
        } else if text.starts_with('-') {
            Diagnostic::error("A pip option is not a requirement")
                .detail(format!(
                    "pip would read {text:?} as an option, not as a package."
                ))
                .detail(
                    "Write packages (`numpy>=2`) or paths of wheels. Set options of pip in its \
                     environment or in pip.conf: PIP_INDEX_URL, PIP_CONSTRAINT.",
                )
        } else if text.contains(" --") {
            Diagnostic::error("A requirement contains an option of pip")
                .detail(format!("{text:?} contains a package and an option."))
                .detail(
                    "Write only the package. Set options of pip in its environment or in pip.conf: \
                     PIP_INDEX_URL, PIP_CONSTRAINT.",
                )
        } else if is_nightly(text) {
            Diagnostic::error("Flower's nightly build cannot be a requirement")
                .detail(format!(
                    "{text:?} contains the same Python package as the Flower that the provider \
                     installs. In one environment each overwrites the files of the other."
                ))
                .detail("Remove it, and set the version with `flower_version`.")
        } else if text.contains(char::is_control) {
            Diagnostic::error("A requirement has more than one line")
                .detail(format!(
                    "{text:?} contains a line break or another control character."
                ))
                .detail("Write each package as its own entry.")
        } else if text.len() > MOST_OF_A_REQUIREMENT {
            Diagnostic::error("A requirement is too long").detail(format!(
                "It has {} bytes, and {MOST_OF_A_REQUIREMENT} is the most.",
                text.len()
            ))
        } else if let Some(problem) = unreadable(text) {
            Diagnostic::error("A requirement cannot be read")
                    .detail(format!("{text:?}: {problem}."))
                    .detail(
                        "Write a package (`numpy>=2`), a package with an address \
                         (`app @ https://…`), or the path of a wheel or folder (`./wheels/app.whl`).",
                    )
        } else {
            continue;
        };
        found.push(problem.at(M::REQUIREMENTS.index(position)));
    }
    found
}

/// What is wrong with a requirement that names a package. Paths and addresses are pip's to read.
fn unreadable(text: &str) -> Option<String> {
    let is_elsewhere = text.contains(['/', '\\']) || text.starts_with(['.', '~']);
    let is_file = [".whl", ".zip", ".gz", ".bz2", ".xz", ".tgz", ".tar"]
        .iter()
        .any(|end| text.to_ascii_lowercase().ends_with(end));
    if is_elsewhere || is_file {
        return None;
    }
    check_requirement(text).err()
}

/// An error of the plan where what processes need can be installed nowhere. What goes on as it is needs
/// nothing.
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

/// An error where it is known, before anything is made, that the processes could not run.
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

/// Makes what the processes of a workload need beside their object, such as a Python environment. Whatever
/// is wrong with that is an error before anything of the object is touched.
pub async fn prepare(
    call: &Call<Configured>,
    workload: &Workload,
    what: &str,
    limit: Duration,
) -> Result<()> {
    let preparing = call.provider.runtime.prepare(workload, &call.stop);
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
            private_env: launched.private_env,
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
    requirements
        .into_iter()
        .flatten()
        .for_each(|one| masking::hide_passwords(one));
    PythonEnvironment {
        flower_version: version.to_string(),
        oldest: row.pythons.oldest,
        newest: row.pythons.newest,
        requirements: requirements.unwrap_or_default().to_vec(),
    }
}

/// A command line that cannot be made, at the attribute to blame.
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
    use crate::runtime::kubernetes::{Access, Credentials, KubernetesRuntime};
    use crate::runtime::local::LocalRuntime;

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
        let refused = "`requirements` cannot be installed";
        for (requirements, expected) in [(json!(["numpy"]), refused), (json!([]), "")] {
            let config = json!({ "name": "a", "requirements": requirements });
            let planned = plan_in::<superlink::Superlink>(Some(Arc::clone(&cluster)), None, config);
            assert_eq!(planned.await.errors, expected);
        }
    }

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

    #[test]
    fn requirements_are_neither_options_nor_empty_nor_another_flower() {
        let long = format!("a{}", "[b]".repeat(2000));
        let list = [
            "numpy>=2",
            "--help",
            " -r x.txt",
            " ",
            "./a-1.whl",
            "FLWR_nightly>=1.40",
            "flwr-datasets",
            "a\nb",
            "a\0",
            &long,
        ];
        let list = list.iter().map(|&text| Value::from(text));
        let list = Value::List(list.chain([Value::UNKNOWN]).collect());
        let config = Tree::<Superlink>::new(Value::object([("requirements", list)]));
        let found = validate(&config, Role::SuperLink);
        let at: Vec<_> = found
            .iter()
            .map(|one| one.path.as_ref().unwrap().to_string())
            .collect();
        assert_eq!(
            at,
            [1, 2, 3, 5, 7, 8, 9].map(|position| format!("requirements[{position}]"))
        );
        assert!(validate(&Tree::<Supernode>::new(Value::Null), Role::SuperNode).is_empty());
    }

    #[test]
    fn what_no_process_can_be_given_is_found_where_it_is_written() {
        let list = |list: &[&str]| {
            let list = list.iter().map(|text| Value::from(*text));
            Value::List(list.chain([Value::UNKNOWN]).collect())
        };
        let config = Tree::<Superlink>::new(Value::object([
            (
                "extra_args",
                list(&["--log-file", "x\0y", "--insecure", "--a b"]),
            ),
            (
                "env",
                Value::object([
                    ("HOME", Value::UNKNOWN),
                    ("A", Value::from("x\0y")),
                    ("B", Value::from("fine")),
                    ("C", Value::from("x".repeat(128 * 1024))),
                    ("no name", Value::from("x")),
                ]),
            ),
        ]));
        let found = validate(&config, Role::SuperLink);
        let at: Vec<_> = found
            .iter()
            .map(|one| one.path.as_ref().unwrap().to_string())
            .collect();
        assert_eq!(
            at,
            [
                "extra_args[1]",
                "extra_args[2]",
                "extra_args[3]",
                "env[\"A\"]",
                "env[\"C\"]",
                "env[\"HOME\"]",
                "env[\"no name\"]",
            ]
        );
        assert!(validate(&Tree::<Supernode>::new(Value::Null), Role::SuperNode).is_empty());
    }

    #[test]
    fn what_the_provider_sets_is_refused_at_its_place_by_the_plan() {
        let arguments = ["--log-file", "/l", "--database", "/d"];
        let arguments = arguments.iter().map(|&text| Value::from(text));
        let arguments = arguments.chain([Value::UNKNOWN]).collect();
        let env = Value::Map(
            [
                ("A".to_owned(), Value::from("b")),
                ("A=B".to_owned(), Value::from("c")),
                ("FLWR_HOME".to_owned(), Value::UNKNOWN),
            ]
            .into(),
        );
        let config = Tree::<Superlink>::new(Value::object([
            ("extra_args", Value::List(arguments)),
            ("env", env),
        ]));
        let at = |role| -> Vec<String> {
            let found = validate(&config, role);
            let paths = found.iter().map(|one| one.path.as_ref().unwrap());
            paths.map(ToString::to_string).collect()
        };
        let of_env = ["env[\"A=B\"]", "env[\"FLWR_HOME\"]"];
        let of_superlink = [&["extra_args[2]"], of_env.as_slice()].concat();
        assert_eq!(at(Role::SuperLink), of_superlink);
        assert_eq!(at(Role::SuperNode), of_env);
    }
}
