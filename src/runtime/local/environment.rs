//! Python environments: one for each Flower release and set of requirements, made once, shared by
//! all objects and configurations of the user, and locked while it is made.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::super::{InstallFault, PythonEnvironment, RuntimeError};
use super::files::OwnFiles;

const COMPLETE: &str = ".complete";
/// What Flower installs. An environment without them was not made, whatever pip says: told to show
/// its help or to install elsewhere, it ends well.
const PROGRAMS: [&str; 2] = ["flower-superlink", "flower-supernode"];

/// Makes the environment unless it is there; the folder of its programs.
pub(super) async fn ensure(
    cache: &Path,
    python: &str,
    wanted: &PythonEnvironment,
    stop: &CancellationToken,
) -> Result<PathBuf, RuntimeError> {
    let found = check(python, wanted).await?;
    let dir = cache.join(key(&found, wanted));
    let programs = dir.join("bin");
    let complete = dir.join(COMPLETE);
    if complete.exists() {
        return Ok(programs);
    }
    let files = OwnFiles::below(cache, |_| true);
    let lock = files.open_lock(&dir.with_extension("lock"))?;
    while lock.try_lock().is_err() {
        tokio::select! {
            () = stop.cancelled() => return Err(RuntimeError::Interrupted),
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
    }
    if !complete.exists() {
        // What an interrupted provider left may be anything.
        files.remove(&dir)?;
        tokio::select! {
            () = stop.cancelled() => return Err(RuntimeError::Interrupted),
            made = make(&dir, python, wanted) => made?,
        }
        has_programs(&programs, wanted)?;
        files.write(&complete, b"")?;
    }
    Ok(programs)
}

fn has_programs(programs: &Path, wanted: &PythonEnvironment) -> Result<(), RuntimeError> {
    let mut missing = PROGRAMS.into_iter();
    let missing = missing.find(|program| !programs.join(program).exists());
    missing.map_or(Ok(()), |program| {
        Err(RuntimeError::Environment {
            version: wanted.flower_version.clone(),
            fault: InstallFault::Incomplete(program),
            words: format!("  {}", programs.display()),
        })
    })
}

/// The version of the Python that `python` starts, if Flower can be installed on it.
pub(super) async fn check(
    python: &str,
    wanted: &PythonEnvironment,
) -> Result<String, RuntimeError> {
    let script = "import sys; print('%d.%d.%d %s' % (*sys.version_info[:3], sys.executable))";
    let missing = |cause: String| RuntimeError::PythonMissing {
        python: python.to_owned(),
        cause,
    };
    let output = Command::new(python)
        .args(["-c", script])
        .output()
        .await
        .map_err(|error| missing(error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() {
        return Err(missing(format!("it ended with {}", output.status)));
    }
    let mut numbers = text.split(['.', ' ']).map(|part| part.parse().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version < wanted.oldest || wanted.newest.is_some_and(|newest| version > newest) {
        return Err(RuntimeError::PythonUnfit {
            python: python.to_owned(),
            found: text.split(' ').next().unwrap_or_default().to_owned(),
            version: wanted.flower_version.clone(),
            oldest: wanted.oldest,
            newest: wanted.newest,
        });
    }
    Ok(text)
}

fn key(python: &str, wanted: &PythonEnvironment) -> String {
    let mut requirements = wanted.requirements.clone();
    requirements.sort();
    let mut hash = Sha256::new();
    for part in [python, &wanted.flower_version]
        .into_iter()
        .chain(requirements.iter().map(String::as_str))
    {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let hash = hex::encode(hash.finalize());
    format!(
        "flwr-{}-{}",
        wanted.flower_version,
        hash.get(..16).unwrap_or(&hash)
    )
}

async fn make(dir: &Path, python: &str, wanted: &PythonEnvironment) -> Result<(), RuntimeError> {
    let version = &wanted.flower_version;
    let flower = format!("flwr=={version}");
    let folder = dir.display().to_string();
    let inner = dir.join("bin/python").display().to_string();
    tracing::info!(version, dir = folder, "making a Python environment");
    if run("uv", &["--version"]).await.is_ok() {
        let made = run("uv", &["venv", "--quiet", "--python", python, &folder]).await;
        made.map_err(|words| failed(wanted, &words))?;
        let mut install = vec!["pip", "install", "--quiet", "--python", &inner, &flower];
        install.extend(wanted.requirements.iter().map(String::as_str));
        return run("uv", &install)
            .await
            .map_err(|words| failed(wanted, &words));
    }
    let made = run(python, &["-m", "venv", &folder]).await;
    made.map_err(|words| failed(wanted, &words))?;
    let mut install = vec!["-m", "pip", "install", "--quiet", "--no-input"];
    install.extend(["--disable-pip-version-check", flower.as_str()]);
    install.extend(wanted.requirements.iter().map(String::as_str));
    run(&inner, &install)
        .await
        .map_err(|words| failed(wanted, &words))
}

/// Runs a program to its end; what it said when it fails.
async fn run(program: &str, args: &[&str]) -> Result<(), String> {
    let output = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let words = [output.stdout, output.stderr].concat();
    Err(String::from_utf8_lossy(&words).into_owned())
}

fn failed(wanted: &PythonEnvironment, words: &str) -> RuntimeError {
    let lines: Vec<_> = words
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let last: Vec<_> = lines
        .iter()
        .rev()
        .take(8)
        .rev()
        .map(|line| format!("  {line}"))
        .collect();
    RuntimeError::Environment {
        version: wanted.flower_version.clone(),
        fault: fault(&wanted.requirements, words),
        words: last.join("\n"),
    }
}

/// What pip or uv mean by their words.
fn fault(requirements: &[String], words: &str) -> InstallFault {
    // uv breaks its lines anywhere.
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let says = |signs: &[&str]| signs.iter().any(|sign| words.contains(sign));
    // Without an index pip finds no version of anything, and says so last.
    if says(&UNREACHABLE) {
        return InstallFault::Unreachable;
    }
    if words.contains("ensurepip") {
        return InstallFault::NoVenv;
    }
    if says(&["Invalid requirement", "Invalid marker", "Failed to parse"]) {
        return InstallFault::Malformed;
    }
    let after = |sign: &str| Some(words.split_once(sign)?.1);
    let missing = after("No matching distribution found for ")
        .or_else(|| after("there is no version of "))
        .or_else(|| after("there are no versions of "))
        .or_else(|| {
            let (before, _) = words.split_once(" was not found in the package registry")?;
            before.rsplit(' ').next()
        });
    let Some(missing) = missing.and_then(|text| text.split(' ').next()) else {
        return if says(&["ResolutionImpossible", "No solution found"]) {
            InstallFault::Conflict
        } else {
            InstallFault::Other
        };
    };
    let name = name_of(missing);
    if name == "flwr" {
        InstallFault::NoRelease
    } else if requirements.iter().any(|one| name_of(one) == name) {
        InstallFault::NoRequirement(missing.to_owned())
    } else {
        InstallFault::NoDependency(missing.to_owned())
    }
}

/// How pip and uv begin to say that nobody answers.
const UNREACHABLE: [&str; 7] = [
    "connection broken by",
    "ConnectionError",
    "Could not connect",
    "error sending request",
    "dns error",
    "name resolution",
    "ReadTimeoutError",
];

/// The package that a requirement names, in the one form that all its spellings have.
fn name_of(requirement: &str) -> String {
    let named = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name = requirement.trim_start().split(|c| !named(c)).next();
    name.unwrap_or_default()
        .to_ascii_lowercase()
        .replace(['_', '.'], "-")
}

/// Makes it look as if there were this environment; its programs are those of the system.
#[cfg(test)]
pub(super) async fn pretend(cache: &Path, python: &str, wanted: &PythonEnvironment) {
    let dir = cache.join(key(&check(python, wanted).await.unwrap(), wanted));
    std::fs::create_dir_all(&dir).unwrap();
    std::os::unix::fs::symlink("/bin", dir.join("bin")).unwrap();
    OwnFiles::below(cache, |_| true)
        .write(&dir.join(COMPLETE), b"")
        .unwrap();
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn wanted(version: &str, oldest: (u32, u32), newest: Option<(u32, u32)>) -> PythonEnvironment {
        PythonEnvironment {
            flower_version: version.to_owned(),
            oldest,
            newest,
            requirements: Vec::new(),
        }
    }

    /// A program that does as a script says.
    fn script(dir: &Path, name: &str, text: &str) -> String {
        let path = dir.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path.display().to_string()
    }

    #[tokio::test]
    async fn a_python_that_a_release_has_no_wheels_for_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let python = |version: &str| {
            let says = format!("echo '{version} /usr/bin/python3'");
            script(dir.path(), &format!("python-{version}"), &says)
        };
        for (version, fits) in [
            ("3.8.18", [false, false, false]),
            ("3.9.1", [true, false, false]),
            ("3.10.4", [true, true, false]),
            ("3.12.3", [true, true, true]),
            ("3.13.1", [false, true, true]),
        ] {
            let python = python(version);
            for (wanted, fits) in [
                wanted("1.13.1", (3, 9), Some((3, 12))),
                wanted("1.30.0", (3, 10), None),
                wanted("1.42.0", (3, 11), None),
            ]
            .iter()
            .zip(fits)
            {
                match check(&python, wanted).await {
                    Ok(_) => assert!(fits, "{version} {wanted:?}"),
                    Err(RuntimeError::PythonUnfit { found, .. }) => {
                        assert!(!fits, "{version} {wanted:?}");
                        assert_eq!(found, version);
                    }
                    Err(other) => panic!("{other}"),
                }
            }
        }
        let broken = script(dir.path(), "broken", "exit 3");
        for python in [broken.as_str(), "/no/such/python"] {
            let missing = check(python, &wanted("1.42.0", (3, 11), None)).await;
            let missing = missing.unwrap_err();
            assert!(
                matches!(missing, RuntimeError::PythonMissing { .. }),
                "{missing}"
            );
        }
    }

    #[tokio::test]
    async fn an_environment_without_flower_in_it_is_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        // It has a version, and whatever else it is told to do it does well.
        let text = r#"case "$1 $2" in
            "-m venv") mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
            "-c "*) echo "3.12.3 /usr/bin/python3" ;;
        esac"#;
        let python = script(dir.path(), "python", text);
        let wanted = wanted("1.42.0", (3, 11), None);
        let stop = CancellationToken::new();
        let made = ensure(dir.path(), &python, &wanted, &stop).await;
        let refused = made.unwrap_err();
        assert!(
            matches!(refused, RuntimeError::Environment { .. }),
            "{refused}"
        );
        let found = check(&python, &wanted).await.unwrap();
        assert!(
            !dir.path()
                .join(key(&found, &wanted))
                .join(COMPLETE)
                .exists()
        );
    }

    #[test]
    fn the_words_of_pip_and_uv_are_blamed_on_what_they_name() {
        let requirements = ["Sci_Kit.learn>=1".to_owned(), "nupmy".to_owned()];
        let pip = |name: &str| {
            format!(
                "ERROR: Could not find a version that satisfies the requirement {name} (from \
                 versions: none)\nERROR: No matching distribution found for {name}\n"
            )
        };
        let offline = "WARNING: Retrying (Retry(total=0)) after connection broken by \
                       'NewConnectionError': /simple/flwr/\n";
        let because = |words: &str| {
            format!("  × No solution found when resolving dependencies:\n  ╰─▶ {words}")
        };
        for (words, fault_of_it) in [
            (pip("flwr==1.42.99"), InstallFault::NoRelease),
            (
                pip("nupmy"),
                InstallFault::NoRequirement("nupmy".to_owned()),
            ),
            (
                pip("sci-kit-learn>=1"),
                InstallFault::NoRequirement("sci-kit-learn>=1".to_owned()),
            ),
            (
                pip("grpcio<2,>=1.62 (from flwr)"),
                InstallFault::NoDependency("grpcio<2,>=1.62".to_owned()),
            ),
            (
                format!("{offline}{}", pip("flwr==1.42.0")),
                InstallFault::Unreachable,
            ),
            (
                because("Because there is no version of\n      flwr==1.42.99 and you require it"),
                InstallFault::NoRelease,
            ),
            (
                because(
                    "Because nupmy was not found in the package registry and you require nupmy",
                ),
                InstallFault::NoRequirement("nupmy".to_owned()),
            ),
            (
                because("Because flwr==1.42.0 depends on numpy>=1.26 and you require numpy<1"),
                InstallFault::Conflict,
            ),
            (
                "ERROR: ResolutionImpossible: for help visit https://pip.pypa.io".to_owned(),
                InstallFault::Conflict,
            ),
            (
                "ERROR: Invalid requirement: 'numpy 2'".to_owned(),
                InstallFault::Malformed,
            ),
            (
                "The virtual environment was not created because ensurepip is not available"
                    .to_owned(),
                InstallFault::NoVenv,
            ),
            (
                "error: No space left on device".to_owned(),
                InstallFault::Other,
            ),
        ] {
            assert_eq!(fault(&requirements, &words), fault_of_it, "{words}");
        }
    }
}
