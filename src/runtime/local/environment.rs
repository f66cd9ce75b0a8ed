//! Python environments: one for each Flower release and set of requirements, made once, shared by
//! all objects and configurations of the user, and locked while it is made.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::super::{PythonEnvironment, RuntimeError};
use super::files;

const COMPLETE: &str = ".complete";

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
    files::private_dir(cache)?;
    let lock_path = dir.with_extension("lock");
    let lock = File::create(&lock_path).map_err(files::failed("open", &lock_path))?;
    while lock.try_lock().is_err() {
        tokio::select! {
            () = stop.cancelled() => return Err(RuntimeError::Interrupted),
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
    }
    if !complete.exists() {
        // What an interrupted provider left may be anything.
        files::remove(&dir)?;
        tokio::select! {
            () = stop.cancelled() => return Err(RuntimeError::Interrupted),
            made = make(&dir, python, wanted) => made?,
        }
        files::write(&complete, b"")?;
    }
    Ok(programs)
}

/// The version of the Python that `python` starts, if Flower can be installed on it.
async fn check(python: &str, wanted: &PythonEnvironment) -> Result<String, RuntimeError> {
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
        return Err(missing(format!("it {}", output.status)));
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
        made.map_err(|words| failed(version, &words))?;
        let mut install = vec!["pip", "install", "--quiet", "--python", &inner, &flower];
        install.extend(wanted.requirements.iter().map(String::as_str));
        return run("uv", &install)
            .await
            .map_err(|words| failed(version, &words));
    }
    let made = run(python, &["-m", "venv", &folder]).await;
    made.map_err(|words| failed(version, &words))?;
    let mut install = vec!["-m", "pip", "install", "--quiet", "--no-input"];
    install.extend(["--disable-pip-version-check", flower.as_str()]);
    install.extend(wanted.requirements.iter().map(String::as_str));
    run(&inner, &install)
        .await
        .map_err(|words| failed(version, &words))
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

fn failed(version: &str, words: &str) -> RuntimeError {
    let reading = if words.contains("No matching distribution") || words.contains("no version") {
        "there is no such release for this Python"
    } else if words.contains("ensurepip") {
        "this Python has no venv (on Debian: apt-get install python3-venv)"
    } else if words.contains("onnection") || words.contains("resolve") {
        "the package index could not be reached"
    } else {
        "pip failed"
    };
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
        version: version.to_owned(),
        reading,
        words: last.join("\n"),
    }
}

/// Makes it look as if there were this environment; its programs are those of the system.
#[cfg(test)]
pub(super) async fn pretend(cache: &Path, python: &str, wanted: &PythonEnvironment) {
    let dir = cache.join(key(&check(python, wanted).await.unwrap(), wanted));
    std::fs::create_dir_all(&dir).unwrap();
    std::os::unix::fs::symlink("/bin", dir.join("bin")).unwrap();
    files::write(&dir.join(COMPLETE), b"").unwrap();
}
