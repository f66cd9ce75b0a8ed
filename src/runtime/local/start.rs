//! Starts a workload: writes its files, and starts those of its processes that do not run as
//! configured.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::super::{
    Begun, Content, Duty, ObjectRef, Port, Process, Readiness, RuntimeError, Workload,
};
use super::file_id::{Database, Program};
use super::record::{Record, Started};
use super::{GRACE, LocalRuntime, drift, environment, logs, ports, process};

impl LocalRuntime {
    /// Starts missing processes, restarts changed ones, and stops those that are no longer
    /// configured.
    pub(super) async fn start_processes(
        &self,
        object: &ObjectRef,
        workload: &Workload,
        stop: &CancellationToken,
    ) -> Result<Begun, RuntimeError> {
        let mut record = self.record(object)?;
        self.can_start(object, workload, &record)?;
        let first = workload.processes.first();
        let variables = first.map(variables).unwrap_or_default();
        let environment = self.environment(
            &workload.python,
            &variables,
            record.environment.as_ref(),
            stop,
        );
        let environment = environment.await?;
        let programs = environment.programs();
        let contents = self.write_files(object, workload)?;
        let basis = format!("{contents} {}", environment.identity());
        record.files = workload.files.keys().cloned().collect();
        if let Some(storage) = &workload.storage {
            let database = record.database.get_or_insert_with(|| Database {
                file: storage.file.to_owned(),
                id: None,
            });
            storage.file.clone_into(&mut database.file);
        }
        let former = self.former_homes(object, &record);
        let wanted: BTreeMap<&str, String> = workload
            .processes
            .iter()
            .map(|process| (process.name, digest(process, &basis)))
            .collect();
        let same = workload.processes.len() == record.processes.len()
            && record.processes.iter().all(|(name, started)| {
                wanted.get(name.as_str()) == Some(&started.digest)
                    && started.program.as_ref().is_none_or(Program::is_same)
                    && self.is_here(object, started)
            })
            && self.has_same_database(object, &record);
        if workload.artifacts {
            self.files().make_folder(&self.artifacts_dir(object))?;
        }
        let mut kept = BTreeMap::new();
        for (name, started) in std::mem::take(&mut record.processes) {
            if same && started.readiness() != Readiness::Stopped {
                kept.insert(name, started);
            } else {
                started.identity.stop(&name, GRACE).await?;
            }
        }
        record.processes = kept;
        record.environment = Some(environment);
        // A process that was started but not recorded would answer instead of a new one.
        let known = record.processes.values().map(|started| &started.identity);
        let home = self.home(object);
        let homes: Vec<_> = former.iter().map(|(home, _)| home.as_path()).collect();
        process::stop_strays(&[&[home.as_path()], &*homes].concat(), known, GRACE).await?;
        for (home, started) in &former {
            drift::leave(home, *started);
        }
        for process in &workload.processes {
            if !record.processes.contains_key(process.name) {
                if process.duty == Duty::Main {
                    are_free(&record.ports)?;
                }
                let digest = digest(process, &basis);
                let started = self.spawn(object, process, &programs, digest)?;
                record.processes.insert(process.name.to_owned(), started);
                // After each one: if we are killed before, the next start ends a process without a
                // record.
                self.save(object, &record)?;
            }
        }
        self.save(object, &record)?;
        let first = workload.processes.first();
        let first = first.and_then(|process| record.processes.get(process.name));
        Ok(match first {
            Some(started) if started.settled => Begun::Unchanged,
            _ => Begun::Started,
        })
    }

    /// An error if a start would do damage.
    fn can_start(
        &self,
        object: &ObjectRef,
        workload: &Workload,
        record: &Record,
    ) -> Result<(), RuntimeError> {
        let mut all = record.processes.values();
        if let Some(path) = all.find_map(|started| self.original(object, started)) {
            return Err(RuntimeError::Copied {
                object: object.clone(),
                path,
            });
        }
        // It would create an empty database, without the runs and nodes.
        match self.lost_database(object, record) {
            Some(path) if workload.storage.is_some() => Err(RuntimeError::StateLost { path }),
            _ => Ok(()),
        }
    }

    /// Writes the files of a workload; returns a digest of their contents.
    fn write_files(&self, object: &ObjectRef, workload: &Workload) -> Result<String, RuntimeError> {
        let folder = self.dir(object).join("files");
        let mut hash = Sha256::new();
        let made = self.files().make_folder(&folder)?;
        for name in made.names()? {
            let name = OsStr::from_bytes(&name);
            if !name
                .to_str()
                .is_some_and(|name| workload.files.contains_key(name))
            {
                self.files().remove(&folder.join(name))?;
            }
        }
        for (name, content) in &workload.files {
            let text = match content {
                Content::Public(text) | Content::Private(text) => Zeroizing::new(text.clone()),
                Content::Secret { name, key } => self.entry(name, key)?,
            };
            hash.update(name.as_bytes());
            hash.update(text.as_bytes());
            self.files().write(&folder.join(name), text.as_bytes())?;
        }
        Ok(hex::encode(hash.finalize()))
    }

    pub(super) fn spawn(
        &self,
        object: &ObjectRef,
        process: &Process,
        programs: &Path,
        digest: String,
    ) -> Result<Started, RuntimeError> {
        let dir = self.dir(object);
        let home = self.home(object);
        for folder in [&home, &dir.join("state"), &dir.join("logs")] {
            self.files().make_folder(folder)?;
        }
        let env = environment::variables(programs, &home, &variables(process));
        let (log, log_from) = logs::open(self.files(), &self.log_path(object, process.name))?;
        let program = programs.join(&process.program);
        let identity = process::spawn(&program, &process.args, &env, &home, &log)?;
        tracing::info!(object = %object, process = process.name, pid = identity.pid, "started");
        Ok(Started {
            identity,
            program: Some(Program::at(&program)),
            digest,
            log_from,
            at: SystemTime::now(),
            keeps: process.keeps.map(str::to_owned),
            whole: false,
            settled: false,
        })
    }
}

/// An error if another process listens on a port of our server: it would answer instead of our
/// server.
fn are_free(ports: &BTreeMap<Port, u16>) -> Result<(), RuntimeError> {
    let taken = ports.iter().find(|(_, port)| !ports::is_free(**port));
    taken.map_or(Ok(()), |(purpose, port)| {
        Err(RuntimeError::PortTaken {
            port: *port,
            purpose: *purpose,
        })
    })
}

/// The process's own variables, including secret ones.
fn variables(process: &Process) -> BTreeMap<String, String> {
    let mut all = process.env.clone();
    all.extend(process.private_env.clone());
    all
}

/// The digest of a process and the common `basis`: files and environment.
fn digest(process: &Process, basis: &str) -> String {
    let mut hash = Sha256::new();
    let env = variables(process);
    let env = env.iter().flat_map(|(key, value)| [key, value]);
    for part in [&process.program]
        .into_iter()
        .chain(&process.args)
        .chain(env)
    {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.update(basis.as_bytes());
    hex::encode(hash.finalize())
}
