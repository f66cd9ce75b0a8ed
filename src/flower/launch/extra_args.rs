//! Checks `extra_args`: a flag that an attribute sets must not be set again there.
//!
//! Flower's programs use the last of two equal flags and accept any unique prefix of a flag, so
//! `--iso process` would silently override `isolation`. Both are errors before anything starts.

use super::environment::MOST;
use super::{LONGEST, LaunchError, Role};

/// What sets a flag.
#[derive(Clone, Copy)]
enum Owner {
    Attribute(&'static str),
    Provider,
}

use Owner::{Attribute, Provider};

const SUPERLINK: &[(&str, Owner)] = &[
    ("--insecure", Attribute("insecure")),
    ("--ssl-certfile", Attribute("tls")),
    ("--ssl-keyfile", Attribute("tls")),
    ("--ssl-ca-certfile", Attribute("tls")),
    ("--isolation", Attribute("isolation")),
    ("--database", Attribute("persistence")),
    ("--enable-supernode-auth", Attribute("supernodes")),
    ("--auth-list-public-keys", Attribute("supernodes")),
    ("--simulation", Attribute("simulation")),
    (
        "--disable-runtime-dependency-installation",
        Attribute("requirements"),
    ),
    (
        "--allow-runtime-dependency-installation",
        Attribute("requirements"),
    ),
    ("--superexec-auth-secret-file", Provider),
    ("--host", Provider),
    ("--port", Provider),
    ("--appio-ssl-certfile", Provider),
    ("--appio-ssl-keyfile", Provider),
    ("--appio-ssl-ca-certfile", Provider),
    ("--control-api-address", Provider),
    ("--exec-api-address", Provider),
    ("--serverappio-api-address", Provider),
    ("--auth-superlink-private-key", Provider),
    ("--auth-superlink-public-key", Provider),
    ("--fleet-api-address", Provider),
    ("--fleet-api-type", Provider),
    ("--health-server-address", Provider),
];

const SUPERNODE: &[(&str, Owner)] = &[
    ("--insecure", Attribute("superlink")),
    ("--root-certificates", Attribute("superlink")),
    ("--superlink", Attribute("superlink")),
    ("--auth-supernode-private-key", Attribute("key")),
    ("--auth-supernode-public-key", Attribute("key")),
    ("--node-config", Attribute("node_config")),
    ("--isolation", Attribute("isolation")),
    (
        "--allow-runtime-dependency-installation",
        Attribute("requirements"),
    ),
    ("--superexec-auth-secret-file", Provider),
    ("--host", Provider),
    ("--port", Provider),
    ("--ssl-certfile", Provider),
    ("--ssl-keyfile", Provider),
    ("--ssl-ca-certfile", Provider),
    ("--appio-ssl-certfile", Provider),
    ("--appio-ssl-keyfile", Provider),
    ("--appio-ssl-ca-certfile", Provider),
    ("--clientappio-api-address", Provider),
    ("--grpc-rere", Provider),
    ("--grpc-adapter", Provider),
    ("--health-server-address", Provider),
];

/// Appends the user's arguments to `args`, or returns an error for a flag that something else sets.
pub(super) fn append(
    role: Role,
    args: &mut Vec<String>,
    extra: &[String],
) -> Result<(), LaunchError> {
    let refused = refused_arguments(role, extra.iter().map(|one| Some(one.as_str())));
    if let Some((_, error)) = refused.into_iter().next() {
        return Err(error);
    }
    args.extend(extra.iter().cloned());
    Ok(())
}

/// The user's arguments that the program cannot get, by position. An argument may be unknown.
pub fn refused_arguments<'a>(
    role: Role,
    extra: impl IntoIterator<Item = Option<&'a str>>,
) -> Vec<(usize, LaunchError)> {
    let owned = match role {
        Role::SuperLink => SUPERLINK,
        Role::SuperNode => SUPERNODE,
        Role::SuperExec | Role::ServerApp | Role::ClientApp => &[],
    };
    let mut refused = Vec::new();
    let mut may_be_value = false;
    let mut all = 0;
    for (position, argument) in extra.into_iter().enumerate() {
        let Some(argument) = argument else {
            may_be_value = true;
            continue;
        };
        all += argument.len() + 1;
        let mut checked = fits(argument, all);
        if checked.is_ok() {
            checked = check(owned, argument, may_be_value);
        }
        refused.extend(checked.err().map(|error| (position, error)));
        may_be_value = argument.starts_with('-') && !argument.contains('=');
    }
    refused
}

/// Whether the operating system can pass the argument to a process.
fn fits(argument: &str, all: usize) -> Result<(), LaunchError> {
    if argument.contains('\0') {
        return Err(LaunchError::NotAnArgument);
    }
    let bytes = argument.len();
    if bytes > LONGEST || all > MOST {
        return Err(LaunchError::LongArgument {
            bytes,
            limit: if bytes > LONGEST { LONGEST } else { MOST },
        });
    }
    Ok(())
}

fn check(
    owned: &[(&'static str, Owner)],
    argument: &str,
    may_be_value: bool,
) -> Result<(), LaunchError> {
    let flag = argument.split('=').next().unwrap_or(argument);
    let named = || flag.to_owned();
    let is_flag = flag.len() > 1 && flag.starts_with('-') && flag != "--";
    // Flower's programs accept only flags and their values. They treat a flag with a blank as a
    // value.
    if flag == "--" || (!is_flag && !may_be_value) || (is_flag && flag.contains(' ')) {
        return Err(LaunchError::NotAFlag { argument: named() });
    }
    if matches!(flag, "-h" | "-V") || (flag.len() > 2 && begins(flag, &["--help", "--version"])) {
        return Err(LaunchError::EndsAtOnce { flag: named() });
    }
    if !flag.starts_with("--") || flag.len() == 2 {
        return Ok(());
    }
    match owned.iter().find(|(full, _)| full.starts_with(flag)) {
        Some((_, Attribute(attribute))) => Err(LaunchError::OwnedFlag {
            flag: named(),
            attribute,
        }),
        Some((_, Provider)) => Err(LaunchError::ChosenFlag { flag: named() }),
        None => Ok(()),
    }
}

fn begins(flag: &str, full: &[&str]) -> bool {
    full.iter().any(|full| full.starts_with(flag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn appended(role: Role, extra: &[&str]) -> Result<Vec<String>, LaunchError> {
        let mut args = Vec::new();
        let extra: Vec<String> = extra.iter().map(|s| (*s).to_owned()).collect();
        append(role, &mut args, &extra)?;
        Ok(args)
    }

    #[test]
    fn flags_without_an_owner_pass_in_order_with_their_values() {
        let extra = [
            "--log-file",
            "/var/log/sl.log",
            "--log-rotation-backup-count=3",
        ];
        assert_eq!(appended(Role::SuperLink, &extra).unwrap(), extra);
    }

    #[test]
    fn an_owned_flag_names_its_attribute_in_every_spelling() {
        for flag in [
            "--isolation",
            "--isolation=process",
            "--iso",
            "--iso=process",
        ] {
            let error = appended(Role::SuperLink, &[flag, "process"]).unwrap_err();
            let written = flag.split('=').next().unwrap();
            assert_eq!(
                error.to_string(),
                format!("`extra_args` contains {written}, which is set from `isolation`")
            );
            assert_eq!(
                error.remedy().unwrap(),
                format!("Remove {written} and set `isolation` instead.")
            );
        }
    }

    #[test]
    fn the_same_flag_can_have_another_owner_in_another_program() {
        assert!(matches!(
            appended(Role::SuperLink, &["--insecure"]),
            Err(LaunchError::OwnedFlag {
                attribute: "insecure",
                ..
            })
        ));
        assert!(matches!(
            appended(Role::SuperNode, &["--insecure"]),
            Err(LaunchError::OwnedFlag {
                attribute: "superlink",
                ..
            })
        ));
    }

    #[test]
    fn the_api_for_apps_has_no_tls_of_its_own() {
        for role in [Role::SuperLink, Role::SuperNode] {
            for flag in [
                "--appio-ssl-certfile",
                "--appio-ssl-keyfile=/k",
                "--appio-ssl-ca-certfile",
            ] {
                let error = appended(role, &[flag]).unwrap_err();
                assert!(matches!(error, LaunchError::ChosenFlag { .. }), "{error}");
            }
        }
    }

    #[test]
    fn what_is_neither_a_flag_nor_its_value_is_refused() {
        for extra in [
            &["file"][..],
            &[""],
            &["-"],
            &["--"],
            &["--log-file /tmp/log"],
            &["--log-file", "/tmp/log", "more"],
            &["--log-file=/tmp/log", "more"],
        ] {
            let error = appended(Role::SuperLink, extra).unwrap_err();
            assert!(matches!(error, LaunchError::NotAFlag { .. }), "{extra:?}");
        }
        let fine = ["--log-file=/tmp/a log", "--log-file", "/tmp/a log"];
        assert_eq!(appended(Role::SuperLink, &fine).unwrap(), fine);
    }

    #[test]
    fn what_no_process_can_be_given_is_refused_at_its_position() {
        let long = "x".repeat(LONGEST + 1);
        let fits = "x".repeat(LONGEST);
        let refused = |extra: &[Option<&str>]| -> Vec<usize> {
            let refused = refused_arguments(Role::SuperNode, extra.iter().copied());
            refused.into_iter().map(|(position, _)| position).collect()
        };
        assert_eq!(
            refused(&[Some("--x"), Some("x\0"), Some("--y"), Some(&long)]),
            [1, 3]
        );
        assert_eq!(refused(&[Some("--x"), Some(&fits)]), [0; 0]);
        assert_eq!(refused(&[None, Some("x"), Some("--insecure")]), [2]);
        let many = [Some("--x"), Some(&fits)].repeat(9);
        assert!(!refused(&many).is_empty());
    }

    #[test]
    fn flags_that_end_the_process_are_refused() {
        for flag in ["-h", "--help", "--he", "-V", "--version"] {
            assert!(
                matches!(
                    appended(Role::SuperNode, &[flag]),
                    Err(LaunchError::EndsAtOnce { .. })
                ),
                "{flag}"
            );
        }
    }
}
