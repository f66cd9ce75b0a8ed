//! Following a run: its way to the end, and what that means for the apply.

use std::time::Duration;

use super::federation::{Federation, dead_now, first_dead};
use super::model::{Model, Status, Until};
use super::ready::online_words;
use super::verdict::{self, AppParts};
use crate::at;
use crate::flower::control::{ControlClient, ControlError, Run, RunId, RunStatus};
use crate::resources::Configured;
use crate::resources::connection_attributes::ControlInput;
use crate::resources::operation::{Waited, wait};
use crate::resources::report::{self, quoted};
use crate::runtime::Runtime;
use crate::terminal::{plain, shortened};
use crate::tfplugin::Call;
use crate::tfplugin::diagnostic::{Diagnostic, Result};

/// The process that writes a SuperLink's log.
pub(super) const SUPERLINK: &str = "superlink";
const LOOK: Duration = Duration::from_millis(500);
/// How long a run's status may go unseen while its log is followed.
const UNSEEN: Duration = Duration::from_secs(20);

/// How following a run ended, and what was seen of it last.
pub(super) struct Followed {
    waited: Waited<std::result::Result<(), Broken>>,
    last: Option<Run>,
}

/// Why a run could not be followed to its end.
enum Broken {
    /// The SuperLink could not tell how it goes.
    Control(ControlError),
    /// The SuperLink is gone, and the run with it; what is gone.
    Dead(String),
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
    let runtime = call.provider.runtime.as_ref();
    let control = &model.control;
    let following = async {
        tokio::select! {
            done = until(client, id, goal, &mut last) => done.map_err(Broken::Control),
            dead = superlink_dies(runtime, control) => Err(Broken::Dead(dead)),
        }
    };
    let waited = wait(&call.stop, limit, following).await;
    if let Some(run) = &last {
        record(model, run);
    }
    if let Waited::Done(Err(Broken::Control(ControlError::NotFound(_)))) = &waited {
        model.status.set(Status::Lost);
    }
    Followed { waited, last }
}

/// Waits until the SuperLink that is asked so is seen to be dead, for ever where others run it.
pub(super) async fn superlink_dies(runtime: &dyn Runtime, control: &ControlInput) -> String {
    match Federation::of(runtime, control).await {
        Some(federation) => {
            let superlink = &federation.superlink.object;
            let dead = first_dead(runtime, &[superlink]).await;
            match runtime.log_place(superlink, SUPERLINK).await {
                Some(place) => format!("{dead}. Its log: {place}"),
                None => dead,
            }
        }
        None => std::future::pending().await,
    }
}

/// What it means for the apply.
pub(super) async fn conclude(
    call: &Call<Configured>,
    client: &ControlClient,
    id: RunId,
    model: &Model,
    parts: &AppParts,
    followed: Followed,
) -> Result<()> {
    match (followed.waited, followed.last) {
        // The run is there, and may go on well: an error would have it replaced.
        (Waited::Done(Err(Broken::Control(error))), _) => call.warn(unfollowed(id, &error)),
        (Waited::Done(Err(Broken::Dead(dead))), _) => {
            return Err(without_superlink(id, &dead).into());
        }
        (Waited::Done(Ok(())), Some(run)) => {
            return verdict::of(call, client, model, parts, &run).await;
        }
        (Waited::Done(Ok(())), None) => {}
        (Waited::Stopped, _) => call.warn(still_running(id, "Terraform was interrupted")),
        (Waited::TimedOut, _) => {
            let still = still_running(id, "`timeouts.create` has passed");
            call.warn(with_what_it_waits_for(call, client, id, model, still).await);
        }
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
        tracing::debug!(run = %id, "{}", plain(&chunk.text));
        *read = log.resume_from();
    }
}

/// Writes what is known of the run into the state.
pub(super) fn record(model: &mut Model, run: &Run) {
    let time = |stamp: &Option<crate::flower::control::Timestamp>| {
        stamp.as_ref().map(|stamp| stamp.as_str().to_owned()).into()
    };
    model.status.set(run.status.clone().into());
    model.sub_status.set(run.sub_status.clone());
    model.details.set(details(run));
    model.pending_at = time(&run.pending_at);
    model.running_at = time(&run.running_at);
    model.finished_at = time(&run.finished_at);
}

/// How much of Flower's words is kept: an exception may carry a whole page.
const DETAILS: usize = 1000;

/// Flower's words about the end of a run.
fn details(run: &Run) -> String {
    let lines = plain(&run.details);
    let lines: Vec<_> = lines.lines().map(str::trim_end).collect();
    shortened(lines.join("\n").trim(), DETAILS).into_owned()
}

/// The same as it stands in a message: an app can write into it.
pub(super) fn words(run: &Run) -> String {
    let details = details(run);
    if details.is_empty() {
        "Flower gave no details.".to_owned()
    } else {
        quoted("Flower's message", &details)
    }
}

/// The SuperLink could not tell how the run goes.
fn unfollowed(id: RunId, error: &ControlError) -> Diagnostic {
    report::warning(format!("The run {id} could not be followed"), error).detail(
        "The run was submitted and continues. The next plan or apply reads its status and submits \
         nothing again.",
    )
}

/// The SuperLink ended under the run.
fn without_superlink(id: RunId, dead: &str) -> Diagnostic {
    Diagnostic::error(format!("The run {id} lost its SuperLink"))
        .detail(format!("{dead}."))
        .detail(
            "Read the SuperLink's log, then apply. The apply starts or creates the SuperLink and \
             submits a new run that replaces this one.",
        )
        .at(at!(Model, control))
}

fn still_running(id: RunId, why: &str) -> Diagnostic {
    Diagnostic::warning(format!("The run {id} is still in progress"))
        .detail(format!("{why}; the run continues."))
        .detail("The next plan or apply reads its result and submits nothing again.")
}

/// Adds what a person needs to judge whether the run goes on well: a SuperNode that stopped looks like
/// slow training.
async fn with_what_it_waits_for(
    call: &Call<Configured>,
    client: &ControlClient,
    id: RunId,
    model: &Model,
    mut message: Diagnostic,
) -> Diagnostic {
    let runtime = call.provider.runtime.as_ref();
    if let Some(federation) = Federation::of(runtime, &model.control).await {
        let nodes: Vec<_> = federation
            .supernodes
            .iter()
            .map(|one| &one.object)
            .collect();
        if let Some((node, how)) = dead_now(runtime, &nodes).await {
            message = message.detail(format!("{node} {how}."));
        }
    }
    if let Ok(nodes) = client.list_nodes().await {
        message = message.detail(online_words(&nodes));
    }
    message.remedy(last_lines(client, id, model, Log::Grows).await)
}

/// Whether a run's log grows still: of one that is over, all is waited for.
#[derive(Clone, Copy)]
enum Log {
    Grows,
    IsWhole,
}

/// The last lines of the ServerApp's log, where they can be read.
async fn last_lines(client: &ControlClient, id: RunId, model: &Model, log: Log) -> Option<String> {
    let lines = usize::try_from(model.log_lines).unwrap_or(usize::MAX);
    let read = match log {
        Log::Grows => client.log_tail(id, lines).await,
        Log::IsWhole => client.log_end(id, lines).await,
    };
    read.ok().map(|log| verdict::shown(&log, model.log_lines))
}

/// A run ended otherwise than well while no apply waited for it.
pub(super) async fn failed_meanwhile(
    client: &ControlClient,
    model: &Model,
    run: &Run,
) -> Diagnostic {
    Diagnostic::warning(format!(
        "The run {} ended as {}",
        run.id,
        run.sub_status.as_str()
    ))
    .detail(words(run))
    .remedy(last_lines(client, run.id, model, Log::IsWhole).await)
    .detail("The provider does not submit it again by itself. To run it again, use `-replace`.")
}
