//! The notes about runs that are not in a state yet. A note lives until the run is known to be in a
//! state or its SuperLink is gone. Terraform can die before it stores the last response, so an
//! interrupted apply leaves its note, and a later refresh that finds the run in a state deletes it.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::Configured;
use crate::flower::control::RunId;
use crate::runtime::{Runtime, RuntimeError};

/// The prefix of the keys of these notes.
pub const SUBMISSIONS: &str = "run-";

/// The content of a note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The URL of the SuperLink.
    control: String,
    /// Seconds since 1970 by our clock, taken before the first try.
    since: u64,
    pub outcome: Outcome,
}

/// The result of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    NotKnownYet,
    Run(RunId),
}

impl Note {
    pub fn new(control: &str, since: SystemTime) -> Self {
        let since = since.duration_since(SystemTime::UNIX_EPOCH);
        Self {
            control: control.to_owned(),
            since: since.unwrap_or_default().as_secs(),
            outcome: Outcome::NotKnownYet,
        }
    }

    pub fn since(&self) -> SystemTime {
        let since = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(self.since));
        since.unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// The run, if it is known.
    pub const fn run(&self) -> Option<RunId> {
        match self.outcome {
            Outcome::NotKnownYet => None,
            Outcome::Run(id) => Some(id),
        }
    }

    pub fn read(key: &str, written: &serde_json::Value) -> Result<Self, RuntimeError> {
        Self::deserialize(written).map_err(|error| damaged(key, &error))
    }

    pub async fn write(&self, runtime: &dyn Runtime, key: &str) -> Result<(), RuntimeError> {
        let written = serde_json::to_value(self).map_err(|error| damaged(key, &error))?;
        runtime.write_note(key, &written, &self.control).await
    }
}

fn damaged(key: &str, error: &serde_json::Error) -> RuntimeError {
    RuntimeError::DamagedNote {
        note: key.to_owned(),
        cause: error.to_string(),
    }
}

/// Deletes the notes of an earlier apply about a run that is in a state.
pub async fn settle_run(provider: &Configured, id: RunId) {
    let of_the_run = |note: &Note| note.run() == Some(id);
    let keys = select(provider.earlier_notes().await, of_the_run);
    drop_all(provider.runtime.as_ref(), keys).await;
}

/// Deletes the notes about runs of a SuperLink that is gone.
pub async fn settle_superlink(runtime: &dyn Runtime, url: &str) {
    let notes = runtime.read_notes(SUBMISSIONS).await.unwrap_or_default();
    drop_all(runtime, select(&notes, |note| note.control == url)).await;
}

/// Deletes one note without a known run, because the user imported the run: the oldest of those
/// whose keys start with `prefix`.
pub async fn settle_import(runtime: &dyn Runtime, prefix: &str) {
    let notes = runtime.read_notes(prefix).await.unwrap_or_default();
    let unnamed = |(key, written): (&String, &serde_json::Value)| {
        let note = Note::deserialize(written).ok()?;
        note.run().is_none().then(|| (note.since, key.clone()))
    };
    let oldest = notes.iter().filter_map(unnamed).min();
    drop_all(runtime, oldest.map(|(_, key)| key)).await;
}

type Written = std::collections::BTreeMap<String, serde_json::Value>;

/// The keys of the matching notes. A note that cannot be read stays: the code that needs it reports
/// that.
fn select(notes: &Written, says: impl Fn(&Note) -> bool) -> Vec<String> {
    notes
        .iter()
        .filter(|(_, written)| Note::deserialize(*written).is_ok_and(|note| says(&note)))
        .map(|(key, _)| key.clone())
        .collect()
}

async fn drop_all(runtime: &dyn Runtime, keys: impl IntoIterator<Item = String>) {
    for key in keys {
        // The next refresh, or the removal of the SuperLink, deletes what remains.
        let _ = runtime.drop_note(&key).await;
    }
}
