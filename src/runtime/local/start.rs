//! Bringing a workload about: its files, and its processes as far as they are not what they should be.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::super::{
    Begun, Content, Duty, ObjectRef, Port, Process, RuntimeError, Standing, Workload,
};
use super::record::Started;
use super::{GRACE, LocalRuntime, logs, ports, process};

impl LocalRuntime {
    /// Starts what is missing, restarts what changed, stops what is not wanted any more.
    pub(super) async fn start_processes(
        &self,
        workload: &Workload,
        stop: &CancellationToken,
    ) -> Result<Begun, RuntimeError> {
        let object = &workload.object;
        let programs = self.programs(&workload.python, stop).await?;
        let contents = self.write_files(workload)?;
        let mut record = self.record(object)?;
        let wanted: BTreeMap<&str, String> = workload
            .processes
            .iter()
            .map(|process| (process.name, digest(process, &contents, &programs)))
            .collect();
        let same = workload.processes.len() == record.processes.len()
            && record
                .processes
                .iter()
                .all(|(name, started)| wanted.get(name.as_str()) == Some(&started.digest));
        let mut kept = BTreeMap::new();
        for (name, started) in std::mem::take(&mut record.processes) {
            if same && started.standing() != Standing::Down {
                kept.insert(name, started);
            } else {
                started.identity.stop(&name, GRACE).await?;
            }
        }
        record.processes = kept;
        // What was started and not recorded would answer in place of what is started now.
        let known = record.processes.values().map(|started| &started.identity);
        process::stop_strays(&self.home(object), known, GRACE).await?;
        for process in &workload.processes {
            if !record.processes.contains_key(process.name) {
                if process.duty == Duty::Main {
                    are_free(&record.ports)?;
                }
                let digest = digest(process, &contents, &programs);
                let started = self.spawn(object, process, &programs, digest)?;
                record.processes.insert(process.name.to_owned(), started);
                // After each: one that is not recorded when we are killed is ended by the next start.
                self.save(object, &record)?;
            }
        }
        self.save(object, &record)?;
        let first = workload.processes.first();
        let first = first.and_then(|process| record.processes.get(process.name));
        Ok(match first {
            Some(started) if started.settled => Begun::GoesOn,
            _ => Begun::Anew,
        })
    }

    /// Writes the files of a workload; a digest of what they hold.
    fn write_files(&self, workload: &Workload) -> Result<String, RuntimeError> {
        let folder = self.dir(&workload.object).join("files");
        let mut hash = Sha256::new();
        self.files().remove(&folder)?;
        for (name, content) in &workload.files {
            let text = match content {
                Content::Public(text) => Zeroizing::new(text.clone()),
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
        let path = std::env::var("PATH").unwrap_or_default();
        let mut env: BTreeMap<String, String> = [
            ("PATH", format!("{}:{path}", programs.display())),
            ("HOME", home.display().to_string()),
            ("LANG", "C.UTF-8".to_owned()),
            ("PYTHONUNBUFFERED", "1".to_owned()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into();
        env.extend(process.env.clone());
        let (log, log_from) = logs::open(self.files(), &self.log_path(object, process.name))?;
        let program = programs.join(&process.program);
        let identity = process::spawn(&program, &process.args, &env, &home, &log)?;
        tracing::info!(object = %object, process = process.name, pid = identity.pid, "started");
        Ok(Started {
            identity,
            digest,
            log_from,
            at: SystemTime::now(),
            keeps: process.keeps.map(str::to_owned),
            whole: false,
            settled: false,
        })
    }
}

/// An error when somebody else listens where a server of ours is to listen: it would answer in our
/// place.
fn are_free(ports: &BTreeMap<Port, u16>) -> Result<(), RuntimeError> {
    let taken = ports.iter().find(|(_, port)| !ports::is_free(**port));
    taken.map_or(Ok(()), |(purpose, port)| {
        Err(RuntimeError::PortTaken {
            port: *port,
            purpose: *purpose,
        })
    })
}

fn digest(process: &Process, contents: &str, programs: &Path) -> String {
    let mut hash = Sha256::new();
    let env = process.env.iter().flat_map(|(key, value)| [key, value]);
    for part in [&process.program]
        .into_iter()
        .chain(&process.args)
        .chain(env)
    {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.update(contents.as_bytes());
    hash.update(programs.as_os_str().as_encoded_bytes());
    hex::encode(hash.finalize())
}
