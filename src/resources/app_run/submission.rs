//! Submits a run exactly once, even if the provider is killed: a note in the runtime records that a
//! submission has started and, when it is known, the id of its run. The next apply takes over such
//! a run instead of submitting it again.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};

use super::model::Model;
use super::source::hub;
use crate::at;
use crate::flower::control::{
    ControlClient, ControlError, RunId, StartRun, Submission, SubmitError, find_lost, submit,
};
use crate::resources::journal::{self, Note, Outcome, SUBMISSIONS};
use crate::resources::report;
use crate::runtime::{Runtime, RuntimeError};
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::schema::Attr as _;
use crate::tfplugin::value::to_json;

/// Distinguishes the submissions of one process within a millisecond.
static COUNT: AtomicU64 = AtomicU64::new(0);
/// How long a SuperLink may fetch an app from Flower Hub before it creates the run: two requests of
/// a minute each, and some time.
const FETCHING: Duration = Duration::from_mins(3);
const NOT_SUBMITTED: &str = "The run was not submitted";

/// A note of an earlier submission.
struct Left {
    key: String,
    note: Note,
    owner_lives: bool,
}

/// A run that was submitted, and its note.
#[derive(Debug)]
pub(super) struct Submitted {
    pub id: RunId,
    /// An earlier apply submitted it.
    pub taken_over: bool,
    note: String,
}

impl Submitted {
    fn new(id: RunId, note: String) -> Self {
        Self {
            id,
            taken_over: false,
            note,
        }
    }

    /// Deletes the note, which is not needed once the run is in the state.
    pub(super) async fn forget(&self, runtime: &dyn Runtime) {
        let _ = runtime.drop_note(&self.note).await;
    }
}

/// Settles one submission whose run id was lost, because the run was imported.
pub(super) async fn settle_import(runtime: &dyn Runtime, model: &Model) {
    journal::settle_import(runtime, &note_prefix(model)).await;
}

/// Submits the run, or takes over the run that a killed provider submitted.
pub(super) async fn submit_once(
    runtime: &dyn Runtime,
    client: &ControlClient,
    model: &Model,
    start: StartRun,
) -> Result<Submitted> {
    let prefix = note_prefix(model);
    let notes = left(runtime, &prefix).await.map_err(explain)?;
    let mut submission = Submission {
        start,
        since: SystemTime::now(),
        known: known_runs(&notes),
    };
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = submission.since.duration_since(SystemTime::UNIX_EPOCH);
    let now = now.unwrap_or_default().as_millis();
    let key = format!("{prefix}{now:x}-{:x}-{count:x}", std::process::id());
    for left in notes.iter().filter(|left| !left.owner_lives) {
        submission.since = left.note.since();
        if let Some(id) = found_again(client, left, &submission).await? {
            let mut note = left.note.clone();
            note.outcome = Outcome::Run(id);
            note.write(runtime, &key).await.map_err(explain)?;
            let _ = runtime.drop_note(&left.key).await;
            return Ok(Submitted {
                taken_over: true,
                ..Submitted::new(id, key)
            });
        }
    }
    // Notes of other processes may belong to runs that are being submitted now; the notes of dead
    // processes were handled above.
    submission.since = SystemTime::now();
    let mut note = Note::new(&model.control.url, submission.since);
    note.write(runtime, &key).await.map_err(explain)?;
    match submit(client, &submission).await {
        Ok(submitted) => {
            let id = submitted.run_id();
            note.outcome = Outcome::Run(id);
            // If the note cannot be written, the run is found by its properties, if only one run
            // has them.
            let _ = note.write(runtime, &key).await;
            for left in notes.iter().filter(|left| !left.owner_lives) {
                let _ = runtime.drop_note(&left.key).await;
            }
            Ok(Submitted::new(id, key))
        }
        Err(error) => {
            // The next apply may forget this submission only if there is certainly no run.
            if matches!(&error, SubmitError::Control(_)) {
                let _ = runtime.drop_note(&key).await;
            }
            let message = report::error(NOT_SUBMITTED, &error);
            Err(hub::refused(&model.source, &error, message).into())
        }
    }
}

/// The run of an earlier submission, if the SuperLink knows one.
async fn found_again(
    client: &ControlClient,
    left: &Left,
    submission: &Submission,
) -> Result<Option<RunId>> {
    match left.note.outcome {
        Outcome::Run(id) => match client.run(id).await {
            Ok(_) => Ok(Some(id).filter(|id| client.take(*id))),
            Err(ControlError::NotFound(_)) => Ok(None),
            Err(error) => Err(report::error(NOT_SUBMITTED, &error)
                .at(at!(Model, control))
                .into()),
        },
        Outcome::NotKnownYet => {
            let found = find_lost(client, submission).await.map_err(|error| {
                let what = "The run of an earlier, killed apply was not found";
                report::error(what, &error)
                    .detail("Nothing was submitted.")
                    .at(at!(Model, control))
            })?;
            if found.is_none() && submission.start.is_fetched() {
                let age = SystemTime::now().duration_since(left.note.since());
                still_fetching(age.unwrap_or_default())?;
            }
            Ok(found)
        }
    }
}

/// An error as long as the run of an earlier submission can still appear.
fn still_fetching(age: Duration) -> Result<()> {
    let rest = FETCHING.saturating_sub(age);
    if rest.is_zero() {
        return Ok(());
    }
    Err(Diagnostic::error(NOT_SUBMITTED)
        .detail(
            "An earlier apply submitted this run and did not get the reply. The SuperLink has no \
             such run yet, but it may still fetch the app from Flower Hub and start the run \
             afterwards. A second submission could start a second training.",
        )
        .detail(format!("Apply again in {} s.", rest.as_secs() + 1))
        .at(at!(Model, source.hub))
        .into())
}

async fn left(runtime: &dyn Runtime, prefix: &str) -> std::result::Result<Vec<Left>, RuntimeError> {
    let notes = runtime.notes(prefix).await?.into_iter();
    notes
        .map(|entry| {
            Ok(Left {
                note: Note::read(&entry.key, &entry.note)?,
                key: entry.key,
                owner_lives: entry.owner_lives,
            })
        })
        .collect()
}

fn known_runs(notes: &[Left]) -> BTreeSet<RunId> {
    notes.iter().filter_map(|left| left.note.run()).collect()
}

fn explain(error: RuntimeError) -> Diagnostics {
    report::error(NOT_SUBMITTED, &error).into()
}

/// The properties that distinguish one declared run from another. Several runs may be declared
/// alike.
fn note_prefix(model: &Model) -> String {
    let mut hash = Sha256::new();
    let run_config = model
        .run_config
        .as_ref()
        .map(|config| to_json(&config.0).to_string());
    let triggers = model.triggers.clone().unwrap_or_default();
    // The hash of an app of Flower Hub is not known before its run.
    let hub = model.source.hub.as_ref().map(ToString::to_string);
    let app = hub.as_deref().or(model.fab_hash.get().map(String::as_str));
    for part in [
        model.control.superlink(),
        app.unwrap_or_default(),
        run_config.as_deref().unwrap_or_default(),
        model.federation.as_deref().unwrap_or_default(),
        &format!("{triggers:?}"),
    ] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    if let Some(simulation) = &model.control.simulation {
        hash.update(to_json(&simulation.encode()).to_string().as_bytes());
    }
    let hash = hex::encode(hash.finalize());
    format!("{SUBMISSIONS}{}-", hash.get(..24).unwrap_or(&hash))
}

#[cfg(test)]
#[path = "submission_tests.rs"]
mod tests;
