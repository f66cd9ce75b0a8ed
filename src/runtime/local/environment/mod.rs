//! Python environments: one for each Flower release, set of requirements and index. It is created
//! once, shared by all objects and configurations of the user, and locked while it is created.

mod faults;
mod inputs;
mod installer;
mod marker;
mod pip_config;
mod python;
mod requirement;
mod surroundings;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::super::{PythonEnvironment, RuntimeError};
use super::files::OwnFiles;
use inputs::Inputs;
use installer::Installer;
use surroundings::{Caller, Variables};

/// An environment for processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Environment {
    dir: PathBuf,
    /// Changes when the environment is recreated.
    stamp: String,
    inputs: Inputs,
}

impl Environment {
    /// The folder of the environment's programs.
    pub(super) fn programs(&self) -> PathBuf {
        self.dir.join("bin")
    }

    /// The identity on which processes depend.
    pub(super) fn identity(&self) -> String {
        format!("{} {}", self.dir.display(), self.stamp)
    }

    /// Why processes in this environment should be restarted in another one, as text.
    pub(super) fn outdated(&self) -> Vec<String> {
        self.outdated_for(&Caller::of_this_process())
    }

    fn outdated_for(&self, caller: &Caller) -> Vec<String> {
        let dir = self.dir.display();
        let mut words = match marker::read(&self.dir) {
            Ok(stamp) if stamp == self.stamp => Vec::new(),
            Ok(_) => vec![format!("its Python environment {dir} was created again")],
            Err(why) => vec![format!(
                "its Python environment {dir} cannot be used: {why}"
            )],
        };
        words.extend(self.inputs.changes(caller));
        words
    }

    /// If a process of Flower ended with `log` because Flower could not be loaded, makes the next
    /// start recreate the environment; returns the remedy.
    pub(super) fn blamed(&self, log: &[String]) -> Option<String> {
        const PACKAGES: [&str; 7] = [
            "flwr",
            "grpc",
            "google",
            "numpy",
            "sqlalchemy",
            "alembic",
            "cryptography",
        ];
        let missing = |line: &str| {
            let name = line.strip_prefix("ModuleNotFoundError: No module named '")?;
            name.split(['.', '\'']).next().map(str::to_owned)
        };
        let mut missing = log.iter().filter_map(|line| missing(line));
        let is_broken = missing.any(|name| PACKAGES.contains(&name.as_str()));
        is_broken.then(|| {
            marker::remove(&self.dir);
            format!(
                "Apply again. The Python environment {} is damaged, and the apply creates it \
                 again.",
                self.dir.display()
            )
        })
    }
}

/// The requested environment.
pub(super) struct Request<'a> {
    /// The folder of all environments.
    pub cache: &'a Path,
    pub python: &'a str,
    pub wanted: &'a PythonEnvironment,
    /// Additional variables of the processes that will run in it.
    pub variables: &'a Variables,
    /// The current environment of the processes.
    pub before: Option<&'a Environment>,
}

/// Creates the environment unless it exists.
pub(super) async fn ensure(
    request: Request<'_>,
    stop: &CancellationToken,
) -> Result<Environment, RuntimeError> {
    ensure_for(request, &Caller::of_this_process(), stop).await
}

async fn ensure_for(
    request: Request<'_>,
    caller: &Caller,
    stop: &CancellationToken,
) -> Result<Environment, RuntimeError> {
    let Request { cache, wanted, .. } = request;
    place(cache)?;
    let python = python::find(request.python, wanted, caller).await?;
    let inputs = Inputs::of(&python, wanted, caller)?;
    if let Some(before) = request.before
        && before.inputs.basis == inputs.basis
        && before.dir.starts_with(cache)
        && before.outdated_for(caller).is_empty()
    {
        return Ok(before.clone());
    }
    let name = inputs.key(&wanted.flower_version);
    let dir = cache.join(&name);
    let named = |stamp| Environment {
        dir: dir.clone(),
        stamp,
        inputs: inputs.clone(),
    };
    if let Ok(stamp) = marker::read(&dir) {
        return Ok(named(stamp));
    }
    let files = OwnFiles::below(cache, |_| true);
    let lock = files.open_lock(&cache.join(format!("{name}.lock")))?;
    while lock.try_lock().is_err() {
        tokio::select! {
            () = stop.cancelled() => return Err(RuntimeError::Interrupted),
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
    }
    if let Ok(stamp) = marker::read(&dir) {
        return Ok(named(stamp));
    }
    // The remains of an interrupted creation, or of a damaged environment, are not reused.
    files.remove(&dir)?;
    let work = cache.join(format!("{name}.work"));
    files.remove(&work)?;
    files.make_folder(&work)?;
    let process = variables(&dir.join("bin"), &work, request.variables);
    let making = Installer {
        dir: &dir,
        work: &work,
        python: &python,
        wanted,
        caller,
        process: &process,
    };
    let result = tokio::select! {
        () = stop.cancelled() => Err(RuntimeError::Interrupted),
        made = making.install() => made,
    };
    let _ = files.remove(&work);
    result?;
    marker::write(&dir).map(named)
}

/// The variables of a process in an environment, including its own.
pub(super) fn variables(programs: &Path, home: &Path, own: &Variables) -> Variables {
    // The programs of the environment come first, even before a PATH that the user sets.
    let path = own.get("PATH").cloned();
    let path = path.or_else(|| std::env::var("PATH").ok());
    let mut all: Variables = [
        ("PATH", search_path(programs, path)),
        ("HOME", home.display().to_string()),
        ("LANG", "C.UTF-8".to_owned()),
        ("PYTHONUNBUFFERED", "1".to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    let own = own.iter().filter(|(name, _)| *name != "PATH");
    all.extend(own.map(|(name, value)| (name.clone(), value.clone())));
    all
}

/// The search path: the programs of the environment first, then those of the user. A relative entry
/// would point into the folder of the process, where apps can write.
fn search_path(programs: &Path, inherited: Option<String>) -> String {
    let inherited = inherited.unwrap_or_default();
    let inherited = inherited.split(':').filter(|one| one.starts_with('/'));
    let programs = programs.display().to_string();
    let all: Vec<_> = std::iter::once(programs.as_str())
        .chain(inherited)
        .collect();
    all.join(":")
}

/// An error if the environment certainly cannot be created; checked before anything is created.
pub(super) async fn check(
    cache: &Path,
    python: &str,
    wanted: &PythonEnvironment,
) -> Result<(), RuntimeError> {
    place(cache)?;
    let caller = Caller::of_this_process();
    python::find(python, wanted, &caller).await?;
    inputs::check(&wanted.requirements, &caller)
}

/// The same without starting a program.
pub(super) fn check_settings(cache: &Path, requirements: &[String]) -> Result<(), RuntimeError> {
    place(cache)?;
    inputs::check(requirements, &Caller::of_this_process())
}

/// An error if Flower cannot work in the path of environments. It searches its database migrations
/// in a list of real paths that is split at spaces and commas and expands `%`, and programs in a
/// list that is split at colons.
pub(super) fn place(cache: &Path) -> Result<(), RuntimeError> {
    let existing = cache.ancestors().find_map(|there| {
        let rest = cache.strip_prefix(there).ok()?;
        Some(there.canonicalize().ok()?.join(rest))
    });
    let real = existing.unwrap_or_else(|| cache.to_owned());
    for path in [cache, &real] {
        let unfit =
            |found: char| found.is_whitespace() || found.is_control() || ",:%".contains(found);
        let text = path.to_str();
        if text.is_none_or(|text| text.contains(unfit)) {
            return Err(RuntimeError::UnfitCache {
                path: path.to_owned(),
                found: text.and_then(|text| text.chars().find(|one| unfit(*one))),
            });
        }
    }
    Ok(())
}

/// Creates a fake environment whose programs are those of the system.
#[cfg(test)]
pub(super) async fn pretend(cache: &Path, python: &str, wanted: &PythonEnvironment) {
    let caller = Caller::of_this_process();
    let found = python::find(python, wanted, &caller).await.unwrap();
    let inputs = Inputs::of(&found, wanted, &caller).unwrap();
    tests::fill(&cache.join(inputs.key(&wanted.flower_version)));
}

#[cfg(test)]
mod tests;
