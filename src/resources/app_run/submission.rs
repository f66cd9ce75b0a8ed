//! Submitting a run once, also across a provider that is killed: a note in the runtime says that a
//! submission is under way and, once that is known, which run it became. The next apply takes such
//! runs over instead of submitting them again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::model::Model;
use crate::flower::control::{
    ControlClient, ControlError, RunId, StartRun, Submission, SubmitError, find_lost, submit,
};
use crate::resources::Configured;
use crate::resources::report::failed;
use crate::runtime::{JournalEntry, Runtime, RuntimeError};
use crate::tfplugin::Call;
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::value::to_json;

/// Tells apart what one process submits within a millisecond.
static SUBMISSIONS: AtomicU64 = AtomicU64::new(0);
const NOT_SUBMITTED: &str = "The run was not submitted";

/// A run that is destroyed is not to be taken over again, whatever was left of its submission.
pub(super) async fn forget_run(runtime: &dyn Runtime, model: &Model, id: RunId) {
    let notes = runtime.notes(&note_prefix(model)).await.unwrap_or_default();
    for left in notes.iter().filter(|left| run(left) == Some(id)) {
        let _ = runtime.drop_note(&left.key).await;
    }
}

/// A run that was submitted, and the note that says so.
pub(super) struct Submitted {
    pub id: RunId,
    note: String,
}

impl Submitted {
    /// Once the run is in the state, the note has done its work.
    pub(super) async fn forget(&self, runtime: &dyn Runtime) {
        let _ = runtime.drop_note(&self.note).await;
    }
}

/// Submits the run, or takes over the one that a killed provider submitted.
pub(super) async fn submit_once(
    call: &Call<Configured>,
    client: &ControlClient,
    model: &Model,
    start: StartRun,
) -> Result<Submitted> {
    let runtime = call.provider.runtime.as_ref();
    let explain = |error: RuntimeError| Diagnostics::from(failed(NOT_SUBMITTED, &error));
    let prefix = note_prefix(model);
    let notes = runtime.notes(&prefix).await.map_err(explain)?;
    let mut submission = Submission {
        start,
        since: SystemTime::now(),
        known: notes.iter().filter_map(run).collect(),
    };
    let count = SUBMISSIONS.fetch_add(1, Ordering::Relaxed);
    let now = submission.since.duration_since(SystemTime::UNIX_EPOCH);
    let now = now.unwrap_or_default().as_millis();
    let note = format!("{prefix}{now:x}-{:x}-{count:x}", std::process::id());
    for left in notes.iter().filter(|entry| !entry.owner_lives) {
        let id = if let Some(id) = run(left) {
            known(client, id).await?.filter(|id| client.take(*id))
        } else {
            submission.since = since(left).unwrap_or(submission.since);
            lost(client, &submission).await?
        };
        if let Some(id) = id {
            call.warn(
                Diagnostic::warning(format!("The run {id} was taken over"))
                    .detail("An earlier apply had submitted it and was killed."),
            );
            write(runtime, model, &note, submission.since, Some(id))
                .await
                .map_err(explain)?;
            let _ = runtime.drop_note(&left.key).await;
            return Ok(Submitted { id, note });
        }
    }
    // Notes of other processes may stand for runs that are being submitted now; those left behind
    // were looked after.
    submission.since = SystemTime::now();
    write(runtime, model, &note, submission.since, None)
        .await
        .map_err(explain)?;
    match submit(client, &submission).await {
        Ok(submitted) => {
            let id = submitted.run_id();
            // Without it the run is found by what it is, as long as there is one like it.
            let _ = write(runtime, model, &note, submission.since, Some(id)).await;
            for left in notes.iter().filter(|left| !left.owner_lives) {
                let _ = runtime.drop_note(&left.key).await;
            }
            Ok(Submitted { id, note })
        }
        Err(error) => {
            // Only when it is certain that there is no run may the next apply forget this one.
            if matches!(&error, SubmitError::Control(_)) {
                let _ = runtime.drop_note(&note).await;
            }
            Err(failed(NOT_SUBMITTED, &error).into())
        }
    }
}

/// The run, if the SuperLink still knows it.
async fn known(client: &ControlClient, id: RunId) -> Result<Option<RunId>> {
    match client.run(id).await {
        Ok(_) => Ok(Some(id)),
        Err(ControlError::NotFound(_)) => Ok(None),
        Err(error) => Err(failed(NOT_SUBMITTED, &error).on("control").into()),
    }
}

/// The run of a submission that was cut before its number was known.
async fn lost(client: &ControlClient, submission: &Submission) -> Result<Option<RunId>> {
    let found = find_lost(client, submission).await;
    found.map_err(|error| {
        Diagnostic::error("A run of an earlier, killed apply could not be found again")
            .detail(format!("{error}."))
            .detail("Nothing was submitted.")
            .into()
    })
}

async fn write(
    runtime: &dyn Runtime,
    model: &Model,
    note: &str,
    since: SystemTime,
    id: Option<RunId>,
) -> std::result::Result<(), RuntimeError> {
    let since = since
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let id = id.map(|id| id.to_string());
    let note_text = json!({ "since": since, "run": id });
    let control = &model.control.url;
    runtime.write_note(note, &note_text, control).await
}

fn run(entry: &JournalEntry) -> Option<RunId> {
    entry.note.get("run")?.as_str()?.parse().ok()
}

fn since(entry: &JournalEntry) -> Option<SystemTime> {
    let seconds = entry.note.get("since")?.as_u64()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// What tells one declared run from another. Several may be declared alike.
fn note_prefix(model: &Model) -> String {
    let mut hash = Sha256::new();
    let run_config = model
        .run_config
        .as_ref()
        .map(|config| to_json(&config.0).to_string());
    let triggers = model.triggers.clone().unwrap_or_default();
    for part in [
        model.control.url.as_str(),
        model.fab_hash.get().map_or("", String::as_str),
        run_config.as_deref().unwrap_or_default(),
        model.federation.as_deref().unwrap_or_default(),
        &format!("{triggers:?}"),
    ] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let hash = hex::encode(hash.finalize());
    format!("run-{}-", hash.get(..24).unwrap_or(&hash))
}
