//! The runtime `local`: processes of this machine, files under `data_dir`, everything on the
//! loopback. The files of an object:
//!
//! * `<kind>/<name>/record.json`: the provider that creates it, its ports, its processes
//! * `<kind>/<name>/{files,state,home,logs}`
//! * `vault/<secret>.json` and `journal/<key>.json`

mod artifacts;
mod diagnosis;
mod drift;
mod environment;
mod file_error;
mod file_id;
mod files;
mod folder;
mod journal;
mod logs;
mod network;
mod place;
mod ports;
mod private;
mod process;
mod record;
mod running;
mod start;
mod vault;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{
    Begun, Claim, Claimed, Environments, Kind, Location, Managed, ObjectName, ObjectRef, Objects,
    Observation, Part, PythonEnvironment, Readiness, Removal, RuntimeError, Whereabouts, Workload,
};
use environment::Environment;
use place::Place;
use private::PrivateFolder;
use process::Identity;
use record::Record;

const LOOPBACK: &str = "127.0.0.1";
const GRACE: Duration = Duration::from_secs(10);
/// How often a wait checks files and processes.
const LOOK: Duration = Duration::from_millis(100);
/// How often the programs that processes keep beside them are searched among all processes of the
/// machine.
const SEARCH: Duration = Duration::from_secs(3);

/// The configuration of the runtime `local`.
#[derive(Debug, Clone)]
pub struct LocalRuntime {
    /// The folder of objects; absolute.
    pub data_dir: PathBuf,
    /// The folder of Python environments, shared by all data folders of the user.
    pub cache_dir: PathBuf,
    /// The Python that creates environments.
    pub python: String,
}

impl LocalRuntime {
    /// The folder of the programs of an environment. Creates the environment unless it exists.
    pub async fn programs(
        &self,
        python: &PythonEnvironment,
        stop: &CancellationToken,
    ) -> Result<PathBuf, RuntimeError> {
        let none = BTreeMap::new();
        let made = self.environment(python, &none, None, stop).await;
        made.map(|environment| environment.programs())
    }

    /// The environment itself, for processes with these additional variables that may already run
    /// in another one.
    async fn environment(
        &self,
        wanted: &PythonEnvironment,
        variables: &BTreeMap<String, String>,
        before: Option<&Environment>,
        stop: &CancellationToken,
    ) -> Result<Environment, RuntimeError> {
        PrivateFolder::make(&self.cache_dir, is_in_cache)?;
        let request = environment::Request {
            cache: &self.environments(),
            python: &self.python,
            wanted,
            variables,
            before,
        };
        environment::ensure(request, stop).await
    }

    fn environments(&self) -> PathBuf {
        self.cache_dir.join(ENVIRONMENTS)
    }

    /// An error if another user could replace programs of the environments, which run as this user.
    fn judge_cache(&self) -> Result<(), RuntimeError> {
        PrivateFolder::open(&self.cache_dir, is_in_cache).map(drop)
    }
}

/// The folder of all environments in the cache.
const ENVIRONMENTS: &str = "environments";

/// Whether this is a name that we use in the cache.
fn is_in_cache(name: &OsStr) -> bool {
    name == ENVIRONMENTS
}

#[async_trait]
impl Location for LocalRuntime {
    async fn place(&self) -> Result<String, RuntimeError> {
        Ok(Place::of(&self.data_dir).to_string())
    }

    async fn whereabouts(
        &self,
        object: &ObjectRef,
        place: &str,
    ) -> Result<Whereabouts, RuntimeError> {
        // A record is the best proof: its folder may have been moved, or be the volume of a
        // container. If the other folder also still has a record, this one belongs to another
        // object with the same name.
        let here = Place::of(&self.data_dir);
        let recorded = self.record_path(object).exists();
        let there = here.other_folder(place).map(|data_dir| Self {
            data_dir,
            ..self.clone()
        });
        if recorded && there.is_some_and(|there| there.record_path(object).exists()) {
            return Ok(Whereabouts::Elsewhere);
        }
        Ok(here.sees(place, recorded))
    }

    fn own_folders(&self) -> Vec<PathBuf> {
        vec![self.data_dir.clone(), self.cache_dir.clone()]
    }
}

#[async_trait]
impl Environments for LocalRuntime {
    fn installs_requirements(&self) -> bool {
        true
    }

    fn can_install(&self, requirements: &[String]) -> Result<(), RuntimeError> {
        self.judge_cache()?;
        environment::check_settings(&self.environments(), requirements)
    }

    async fn can_run(&self, python: &PythonEnvironment) -> Result<(), RuntimeError> {
        self.judge_cache()?;
        environment::check(&self.environments(), &self.python, python).await
    }

    async fn prepare(
        &self,
        _: &ObjectRef,
        workload: &Workload,
        stop: &CancellationToken,
    ) -> Result<(), RuntimeError> {
        self.programs(&workload.python, stop).await.map(drop)
    }
}

#[async_trait]
impl Objects for LocalRuntime {
    async fn claim(
        &self,
        object: &ObjectRef,
        _: &CancellationToken,
    ) -> Result<Claimed, RuntimeError> {
        if cfg!(not(unix)) {
            return Err(RuntimeError::Unsupported);
        }
        let lock = self.lock()?;
        let Some(mut record) = self.load(object)? else {
            // A new object must not use the database of an earlier object with the same name.
            self.clear(object)?;
            self.save(object, &Record::new(Identity::own()))?;
            drop(lock);
            let home = self.home(object);
            process::stop_strays(&[&home], std::iter::empty(), GRACE).await?;
            return Ok(Claimed::new(object.clone(), Claim::New));
        };
        match record.owner.take() {
            None => Err(RuntimeError::Exists {
                object: object.clone(),
                place: self.dir(object).display().to_string(),
            }),
            Some(owner) if owner.lives() => Err(RuntimeError::BeingMade {
                object: object.clone(),
                by: format!("process {}", owner.pid),
            }),
            Some(_) => {
                record.owner = Some(Identity::own());
                self.save(object, &record)?;
                Ok(Claimed::new(object.clone(), Claim::Unfinished))
            }
        }
    }

    async fn record_configuration(
        &self,
        object: &Managed,
        configuration: &serde_json::Value,
    ) -> Result<(), RuntimeError> {
        let object = object.object();
        let mut record = self.record(object)?;
        record.owner = None;
        record.changing = false;
        for started in record.processes.values_mut() {
            started.settled = true;
        }
        self.know_database(object, &mut record);
        record.configuration = configuration.clone();
        self.save(object, &record)
    }

    async fn recorded_configurations(
        &self,
        kind: Kind,
    ) -> Result<BTreeMap<ObjectName, serde_json::Value>, RuntimeError> {
        let mut recorded = BTreeMap::new();
        for name in self.names(kind) {
            let object = ObjectRef { kind, name };
            if let Some(record) = self.load(&object)?
                && !record.configuration.is_null()
            {
                recorded.insert(object.name, record.configuration);
            }
        }
        Ok(recorded)
    }

    async fn start(
        &self,
        object: &Managed,
        workload: &Workload,
        stop: &CancellationToken,
    ) -> Result<Begun, RuntimeError> {
        self.start_processes(object.object(), workload, stop).await
    }

    async fn end(&self, object: &ObjectRef) -> Result<(), RuntimeError> {
        // The record keeps the processes: they should run, and are stopped.
        for (name, started) in &self.record(object)?.processes {
            if self.original(object, started).is_none() {
                started.identity.stop(name, GRACE).await?;
            }
        }
        Ok(())
    }

    async fn ready(&self, object: &ObjectRef) -> Result<(), RuntimeError> {
        loop {
            let mut record = self.record(object)?;
            if record.readiness() == Readiness::Ready {
                for started in record.processes.values_mut() {
                    started.whole = true;
                }
                return self.save(object, &record);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn observe(
        &self,
        object: &ObjectRef,
        parts: &[Part],
    ) -> Result<Option<Observation>, RuntimeError> {
        let Some(record) = self.load(object)? else {
            return Ok(None);
        };
        Ok(Some(self.look(object, &record, parts)))
    }

    // Processes get their grace period and are then killed. This is short, and to cancel it halfway
    // would be of no use.
    async fn remove(&self, object: &ObjectRef, how: Removal<'_>) -> Result<(), RuntimeError> {
        let mut former = Vec::new();
        if let Some(record) = self.load(object)? {
            self.end(object).await?;
            former = self.former_homes(object, &record);
        }
        let home = self.home(object);
        let homes: Vec<_> = former.iter().map(|(home, _)| home.as_path()).collect();
        let homes = [&[home.as_path()], &*homes].concat();
        process::stop_strays(&homes, std::iter::empty(), GRACE).await?;
        for (home, started) in &former {
            drift::leave(home, *started);
        }
        for secret in how.secrets {
            self.files().remove(&self.secret_path(secret))?;
        }
        self.clear(object)?;
        self.files().remove(&self.record_path(object))?;
        if how.keep_logs {
            files::sweep(&self.dir(object));
        } else {
            self.files().remove(&self.dir(object))?;
        }
        self.tidy();
        Ok(())
    }

    async fn left_behind(&self, object: &ObjectRef) -> Option<String> {
        let left = process::of_home(&self.home(object));
        let pids: Vec<_> = left.iter().map(ToString::to_string).collect();
        (!pids.is_empty()).then(|| format!("kill {}", pids.join(" ")))
    }
}

#[cfg(test)]
mod tests;
