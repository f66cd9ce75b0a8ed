//! Failures of processes on this machine, and the end of their logs.

use tokio::time::Instant;

use async_trait::async_trait;

use super::super::{Diagnosis, Failure, ObjectRef, Readiness, RuntimeError, WaitPolicy};
use super::record::Started;
use super::{LOOK, LocalRuntime, SEARCH, logs};
use crate::terminal::Lines;

#[async_trait]
impl Diagnosis for LocalRuntime {
    async fn watch_failure(&self, object: &ObjectRef, _: WaitPolicy) -> Failure {
        let mut next_search = Instant::now() + SEARCH;
        loop {
            let searches = Instant::now() >= next_search;
            if searches {
                next_search = Instant::now() + SEARCH;
            }
            let failed = |started: &Started| {
                !started.identity.lives() || (searches && started.readiness() == Readiness::Stopped)
            };
            if let Ok(record) = self.record(object)
                && let Some((name, started)) = record.processes.iter().find(|(_, one)| failed(one))
            {
                // The last lines may not have been written yet.
                tokio::time::sleep(LOOK).await;
                let log = logs::tail(
                    &self.log_path(object, name),
                    started.log_from,
                    Failure::LINES,
                );
                let remedy = record.environment.as_ref().and_then(|one| one.blamed(&log));
                return Failure {
                    process: name.clone(),
                    how: started.end(),
                    log,
                    remedy,
                    out_of_time: false,
                };
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn wait_log(
        &self,
        object: &ObjectRef,
        process: &str,
        found: &(dyn for<'a> Fn(&'a str) -> Option<String> + Sync),
    ) -> Result<String, RuntimeError> {
        let path = self.log_path(object, process);
        let record = self.record(object)?;
        let mut position = record.processes.get(process).map_or(0, |one| one.log_from);
        let mut lines = Lines::default();
        loop {
            let (piece, end) = logs::read_from(&path, position);
            position = end;
            if let Some(answer) = lines.add(&piece, found) {
                return Ok(answer);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn log_tail(
        &self,
        object: &ObjectRef,
        process: &str,
        lines: usize,
    ) -> Result<Vec<String>, RuntimeError> {
        let record = self.record(object)?;
        let from = record.processes.get(process).map_or(0, |one| one.log_from);
        Ok(logs::tail(&self.log_path(object, process), from, lines))
    }

    async fn log_place(&self, object: &ObjectRef, process: &str) -> Option<String> {
        Some(self.log_path(object, process).display().to_string())
    }
}
