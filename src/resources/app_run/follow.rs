//! Following a run: its way to the end, and what that means for the apply.

use std::time::Duration;

use super::model::{Model, OnFailure, Until};
use super::ready::online_words;
use crate::flower::control::{ControlClient, ControlError, Run, RunId, RunStatus, SubStatus};
use crate::resources::Configured;
use crate::resources::report::{noticed, quoted_log};
use crate::resources::timeouts::{Waited, wait};
use crate::tfplugin::Call;
use crate::tfplugin::diagnostic::{Diagnostic, Result};

const LOOK: Duration = Duration::from_millis(500);
/// How long a run's status may go unseen while its log is followed.
const UNSEEN: Duration = Duration::from_secs(20);

/// How following a run ended, and what was seen of it last.
pub(super) struct Followed {
    waited: Waited<std::result::Result<(), ControlError>>,
    last: Option<Run>,
}

/// Follows the run as far as `wait` asks, and writes what it came to into the state.
pub(super) async fn to_the_end(
    call: &Call<Configured>,
    client: &ControlClient,
    id: RunId,
    model: &mut Model,
    limit: Duration,
) -> Followed {
    let wait_for = model.wait.as_ref();
    let goal = wait_for.map_or(Until::Completed, |wait| wait.until);
    let mut last = None;
    let waited = wait(&call.stop, limit, until(client, id, goal, &mut last)).await;
    if let Some(run) = &last {
        record(model, run);
        if run.is_finished() {
            record_log(model, client, id).await;
        }
    }
    if let Waited::Done(Err(ControlError::NotFound(_))) = &waited {
        model.status.set("lost".to_owned());
    }
    Followed { waited, last }
}

/// What it means for the apply.
pub(super) async fn conclude(
    call: &Call<Configured>,
    client: &ControlClient,
    id: RunId,
    model: &Model,
    followed: Followed,
) -> Result<()> {
    match (followed.waited, followed.last) {
        // The run is there, and may go on well: an error would have it replaced.
        (Waited::Done(Err(error)), _) => call.warn(unfollowed(id, &error)),
        (Waited::Done(Ok(())), Some(run)) => return verdict(model, &run, client).await,
        (Waited::Done(Ok(())), None) => {}
        (Waited::Stopped, _) => call.warn(still_running(id, "Terraform was interrupted")),
        (Waited::TimedOut, _) => call.warn(still_running(id, "`timeouts.create` is over")),
    }
    Ok(())
}

/// Waits until the run has come as far as asked; passing disturbances are waited out.
async fn until(
    client: &ControlClient,
    id: RunId,
    until: Until,
    last: &mut Option<Run>,
) -> std::result::Result<(), ControlError> {
    let mut read = 0.0;
    loop {
        match client.run(id).await {
            Ok(run) => {
                let there = run.is_finished()
                    || until == Until::Submitted
                    || (until == Until::Running && run.status == RunStatus::Running);
                *last = Some(run);
                if there {
                    return Ok(());
                }
                if until == Until::Completed {
                    let following = follow_log(client, id, &mut read);
                    let _ = tokio::time::timeout(UNSEEN, following).await;
                }
            }
            Err(error) if error.may_pass() => {}
            Err(error) => return Err(error),
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Passes the ServerApp's log on to ours until it ends, which it does with the run. `read` is how
/// far it was passed on.
async fn follow_log(client: &ControlClient, id: RunId, read: &mut f64) {
    let Ok(mut log) = client.stream_logs(id, *read).await else {
        return;
    };
    while let Some(Ok(chunk)) = log.next().await {
        tracing::debug!(run = %id, "{}", chunk.text);
        *read = log.resume_from();
    }
}

/// Writes what is known of the run into the state.
pub(super) fn record(model: &mut Model, run: &Run) {
    let time = |stamp: &Option<crate::flower::control::Timestamp>| {
        stamp.as_ref().map(|stamp| stamp.as_str().to_owned()).into()
    };
    model.status.set(run.status.as_str().to_owned());
    model.sub_status.set(run.sub_status.as_str().to_owned());
    model.details.set(run.details.clone());
    model.pending_at = time(&run.pending_at);
    model.running_at = time(&run.running_at);
    model.finished_at = time(&run.finished_at);
}

/// Fills in the log's end, once the run is finished.
pub(super) async fn record_log(model: &mut Model, client: &ControlClient, id: RunId) {
    let lines = usize::try_from(model.log_lines).unwrap_or(0);
    match client.log_end(id, lines).await {
        Ok(tail) => model.log_tail.set(tail),
        Err(error) => tracing::warn!(run = %id, "its log could not be read: {error}"),
    }
}

/// What the end of a run means for the apply.
async fn verdict(model: &Model, run: &Run, client: &ControlClient) -> Result<()> {
    if !run.is_finished()
        || run.sub_status == SubStatus::Completed
        || model.on_failure == OnFailure::Record
    {
        return Ok(());
    }
    let nodes = client.list_nodes().await.unwrap_or_default();
    let log = match model.log_tail.get() {
        Some(lines) => quoted_log("The last lines of the ServerApp", lines),
        None => "The log of the ServerApp could not be read.".to_owned(),
    };
    let details = if run.details.is_empty() {
        "Flower gave no details.".to_owned()
    } else {
        format!("Flower's words: {}", run.details)
    };
    Err(Diagnostic::error(format!(
        "The run {} ended as {}",
        run.id,
        run.sub_status.as_str()
    ))
    .detail(format!(
        "Status {}, sub-status {}. {details}",
        run.status.as_str(),
        run.sub_status.as_str()
    ))
    .detail(log)
    .detail(format!(
        "{} What a ClientApp raised stands in the log of its SuperNode.",
        online_words(&nodes)
    ))
    .detail(
        "Mend the app and apply: a new run is submitted in place of this one. To keep a \
                 failed run without an error, set `on_failure = \"record\"`.",
    )
    .into())
}

/// The SuperLink could not tell how the run goes.
fn unfollowed(id: RunId, error: &ControlError) -> Diagnostic {
    noticed(format!("The run {id} could not be followed"), error).detail(
        "It was submitted and left alone. The next plan or apply reads how it goes; nothing is \
         submitted again.",
    )
}

fn still_running(id: RunId, why: &str) -> Diagnostic {
    Diagnostic::warning(format!("The run {id} still goes on"))
        .detail(format!("{why}; the run was left alone."))
        .detail("The next plan or apply reads how it ended; nothing is submitted again.")
}

/// A run ended otherwise than well while no apply waited for it.
pub(super) fn failed_meanwhile(run: &Run) -> Diagnostic {
    Diagnostic::warning(format!(
        "The run {} ended as {}",
        run.id,
        run.sub_status.as_str()
    ))
    .detail(run.details.clone())
    .detail("It is not run again by itself; use `-replace` for that.")
}
