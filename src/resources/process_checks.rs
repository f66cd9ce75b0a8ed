//! Finds settings that no process can start with. The plan reports them at their attribute.

use super::launched::Launched;
use super::processes::launch;
use super::timeouts;
use crate::flower::dependency::is_nightly;
use crate::flower::fab::check_requirement;
use crate::flower::launch::{Role, refused_arguments, refused_variables};
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics};
use crate::tfplugin::schema::{Maybe, Tree, refused};
use crate::tfplugin::value::Value;

/// Even a URL with its hash is much shorter.
const MOST_OF_A_REQUIREMENT: usize = 4096;

/// Errors for known settings that a process of this role cannot start with.
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

/// Errors for requirements that pip would read as its own options, as more than one, or as none.
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

/// The error in a requirement that names a package. Only pip checks paths and addresses.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::superlink::Model as Superlink;
    use crate::resources::supernode::Model as Supernode;

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
