//! The Python that creates environments. The provider asks it for its version without the caller's
//! variables that would change its behaviour.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::process::Command;

use super::super::super::{PythonEnvironment, PythonFault, RuntimeError};
use super::faults;
use super::surroundings::Caller;

/// Prints the version, and the interpreter behind a virtual environment or a version manager's
/// shim: an environment must outlive both.
const WHO: &str = "import os, sys\n\
    base = getattr(sys, '_base_executable', None)\n\
    program = base if base and os.path.exists(base) else sys.executable\n\
    print('%d.%d.%d %s' % (*sys.version_info[:3], program))";

/// A Python that Flower can be installed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interpreter {
    /// Major and minor version, to which an environment is bound.
    pub version: (u32, u32),
    pub program: PathBuf,
}

/// The Python that `python` starts, if Flower can be installed on it.
pub(super) async fn find(
    python: &str,
    wanted: &PythonEnvironment,
    caller: &Caller,
) -> Result<Interpreter, RuntimeError> {
    let missing = |fault| RuntimeError::PythonMissing {
        python: python.to_owned(),
        fault,
    };
    // Runs in the caller's folder, which version managers check; `-I` ignores the modules there.
    let output = Command::new(python)
        .args(["-I", "-c", WHO])
        .env_clear()
        .envs(caller.for_python())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| missing(PythonFault::of(&error)))?;
    let words = || faults::last_lines(&String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        return Err(missing(PythonFault::Ended {
            how: output.status.to_string(),
            words: words(),
        }));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let said = text.trim().split_once(' ');
    let (Some((found, program)), Some(version)) = (said, said.and_then(|(one, _)| version(one)))
    else {
        return Err(missing(PythonFault::Ended {
            how: "no version".to_owned(),
            words: faults::last_lines(&text),
        }));
    };
    if version < wanted.oldest || wanted.newest.is_some_and(|newest| version > newest) {
        return Err(RuntimeError::PythonUnfit {
            python: python.to_owned(),
            found: found.to_owned(),
            version: wanted.flower_version.clone(),
            oldest: wanted.oldest,
            newest: wanted.newest,
        });
    }
    Ok(Interpreter {
        version,
        program: PathBuf::from(program),
    })
}

fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{script, wanted};
    use super::*;

    async fn found(python: &str, wanted: &PythonEnvironment) -> Result<Interpreter, RuntimeError> {
        find(python, wanted, &Caller::of_this_process()).await
    }

    #[tokio::test]
    async fn a_python_that_a_release_has_no_wheels_for_is_named() {
        let dir = tempfile::tempdir().unwrap();
        for (version, fits) in [
            ("3.8.18", [false, false, false]),
            ("3.9.1", [true, false, false]),
            ("3.10.4", [true, true, false]),
            ("3.12.3", [true, true, true]),
            ("3.13.1", [false, true, true]),
        ] {
            let says = format!("echo '{version} /usr/bin/python3'");
            let python = script(dir.path(), &format!("python-{version}"), &says);
            for (wanted, fits) in [
                wanted("1.13.1", (3, 9), Some((3, 12))),
                wanted("1.30.0", (3, 10), None),
                wanted("1.42.0", (3, 11), None),
            ]
            .iter()
            .zip(fits)
            {
                match found(&python, wanted).await {
                    Ok(_) => assert!(fits, "{version} {wanted:?}"),
                    Err(RuntimeError::PythonUnfit { found, .. }) => {
                        assert!(!fits, "{version} {wanted:?}");
                        assert_eq!(found, version);
                    }
                    Err(other) => panic!("{other}"),
                }
            }
        }
    }

    /// Case 19: the error shows the message of a version manager's shim or of a broken Python.
    #[tokio::test]
    async fn what_a_python_says_that_does_not_work_is_shown() {
        let dir = tempfile::tempdir().unwrap();
        let shim = "echo \"pyenv: version \\`3.12' is not installed\" >&2; exit 127";
        let shim = script(dir.path(), "shim", shim);
        let odd = script(dir.path(), "odd", "echo welcome");
        let wanted = wanted("1.42.0", (3, 11), None);
        for (python, words) in [
            (shim.as_str(), "pyenv: version `3.12' is not installed"),
            (odd.as_str(), "welcome"),
            ("/no/such/python", "there is no such program"),
        ] {
            let error = found(python, &wanted).await.unwrap_err();
            let said = format!("{error} {}", error.remedy().unwrap());
            assert!(
                matches!(error, RuntimeError::PythonMissing { .. }),
                "{said}"
            );
            assert!(said.contains(words), "{said}");
        }
    }

    #[tokio::test]
    async fn a_python_is_not_told_to_be_another_one() {
        let dir = tempfile::tempdir().unwrap();
        let text = "env >\"$0.env\"; echo '3.12.3 /usr/bin/python3'";
        let python = script(dir.path(), "python", text);
        let mut caller = Caller::of_this_process();
        for name in [
            "PYTHONHOME",
            "PYTHONPATH",
            "PYTHONUSERBASE",
            "VIRTUAL_ENV",
            "TF_VAR_x",
        ] {
            caller
                .variables
                .insert(name.to_owned(), "canary".to_owned());
        }
        let wanted = wanted("1.42.0", (3, 11), None);
        find(&python, &wanted, &caller).await.unwrap();
        let seen = std::fs::read_to_string(format!("{python}.env")).unwrap();
        assert!(!seen.contains("canary"), "{seen}");
    }
}
