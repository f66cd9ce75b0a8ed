//! Follows a run to its end, and decides what that means for the apply.

use std::time::Duration;

use tokio::time::Instant;

use super::cause::AppParts;
use super::federation::{Federation, KnownNodes, first_dead};
use super::model::{Model, OnStall, Status, Until};
use super::outputs;
use super::run_log::RunLog;
use super::run_report::{LOG_LINES, LiveReport, RunReport};
use super::stall::{self, STALL, Stall, StallWatch};
use super::training;
use super::verdict;
use crate::at;
use crate::flower::control::{ControlClient, ControlError, Run, RunId, RunStatus, SubStatus};
use crate::flower::progress::Progress;
use crate::resources::Configured;
use crate::resources::connection_attributes::ControlInput;
use crate::resources::operation::{Waited, wait};
use crate::resources::report::{self, quoted};
use crate::runtime::Runtime;
use crate::tfplugin::Call;
use crate::tfplugin::diagnostic::{Diagnostic, Result};

/// The process that writes a SuperLink's log.
pub(super) const SUPERLINK: &str = "superlink";
const LOOK: Duration = Duration::from_millis(500);
/// The longest time without reading the status of a run while its log is followed.
const UNSEEN: Duration = Duration::from_secs(20);
/// The shortest time to read the log without a break.
const SEEN: Duration = Duration::from_secs(1);

/// How following a run ended, and what was last seen of the run.
pub(super) struct Followed {
    waited: Waited<std::result::Result<(), Broken>>,
    last: Option<Run>,
    progress: Progress,
    nodes: KnownNodes,
}

/// Why a run could not be followed to its end.
enum Broken {
    /// The SuperLink could not report the status.
    Control(ControlError),
    /// The SuperLink is gone, and the run with it; the text says what is gone.
    Dead(String),
    /// The run made no progress, and `on_stall` says to stop it.
    Stalled(Stall),
}

/// Follows the run as far as `wait` asks, and writes the result into the state.
pub(super) async fn to_the_end(
    call: &Call<Configured>,
    client: &ControlClient,
    id: RunId,
    model: &mut Model,
    limit: Duration,
) -> Followed {
    let mut log = model
        .report
        .as_ref()
        .map_or_else(RunLog::default, |_| RunLog::with_lines(LOG_LINES));
    let mut last = None;
    let runtime = call.provider.runtime.as_ref();
    let control = &model.control;
    let following = Box::pin(async {
        tokio::select! {
            done = until(call, client, id, model, &mut log, &mut last) => done,
            dead = superlink_dies(runtime, control) => Err(Broken::Dead(dead)),
        }
    });
    let waited = wait(&call.stop, limit, following).await;
    let finished = last.as_ref().is_some_and(Run::is_finished);
    if finished {
        log.finish(client, id).await;
    }
    if let Waited::Done(Err(Broken::Stalled(_))) = &waited {
        let _ = tokio::time::timeout(STOP, stop(client, id)).await;
        last = client.run(id).await.ok().or(last);
    }
    if let Some(run) = &last {
        record(model, run);
    }
    if let Waited::Done(Err(Broken::Control(ControlError::NotFound(_)))) = &waited {
        model.status.set(Status::Lost);
    }
    let lines = log.lines();
    let progress = log.end_of();
    let nodes = KnownNodes::of(
        call,
        client,
        &model.control,
        &progress,
        model.report.is_some(),
    );
    let nodes = nodes.await;
    outputs::record(model, &progress, &nodes);
    if let (Some(files), Some(run)) = (&model.report, &last) {
        let mut report = RunReport::of(&model.control, run.clone(), nodes.clone());
        report.progress = progress.clone();
        report.log = lines;
        if let Some(unwritten) = files.write(&report) {
            call.warn(unwritten);
        }
    }
    Followed {
        waited,
        last,
        progress,
        nodes,
    }
}

/// How long a stalled run may take to stop.
const STOP: Duration = Duration::from_secs(30);

/// Stops a run, and waits for its end. A run that has ended or is not known needs no stop.
pub(super) async fn stop(
    client: &ControlClient,
    id: RunId,
) -> std::result::Result<(), ControlError> {
    match client.stop_run(id).await {
        Err(ControlError::AlreadyFinished(_) | ControlError::NotFound(_)) => return Ok(()),
        done => done?,
    }
    while !client.run(id).await?.is_finished() {
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// Waits until the SuperLink at this `control` is dead; for ever if this runtime does not run it.
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

/// Decides what the outcome means for the apply.
pub(super) async fn conclude(
    call: &Call<Configured>,
    client: &ControlClient,
    id: RunId,
    model: &Model,
    parts: &AppParts,
    followed: Followed,
) -> Result<()> {
    let Followed {
        waited,
        last,
        progress,
        nodes,
    } = followed;
    match (waited, last) {
        // The run exists and may still succeed; after an error, Terraform would replace it.
        (Waited::Done(Err(Broken::Control(error))), _) => call.warn(unfollowed(id, &error)),
        (Waited::Done(Err(Broken::Dead(dead))), _) => {
            return Err(without_superlink(id, &dead).into());
        }
        (Waited::Done(Err(Broken::Stalled(stall))), last) => {
            let runtime = call.provider.runtime.as_ref();
            let limit = stall_limit(model);
            let why = stall.explained(runtime, client, model, limit).await;
            let stopped = last.as_ref().is_some_and(Run::is_finished);
            return Err(stalled(id, &why, stopped).into());
        }
        (Waited::Done(Ok(())), Some(run)) => {
            let failures = training::told(&progress, &nodes.names);
            verdict::of(call, client, model, parts, &run, &failures).await?;
            if run.is_finished() && run.sub_status == SubStatus::Completed {
                return training::judge(call, id, model, parts, &progress, &nodes.names).await;
            }
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

/// Waits until the run has reached `wait.until`; temporary failures do not end the wait.
async fn until(
    call: &Call<Configured>,
    client: &ControlClient,
    id: RunId,
    model: &Model,
    log: &mut RunLog,
    last: &mut Option<Run>,
) -> std::result::Result<(), Broken> {
    let wait = model.wait.as_ref();
    let until = wait.map_or(Until::Completed, |wait| wait.until);
    let mut watch = StallWatch::new(stall_limit(model), Instant::now());
    let mut report = LiveReport::of(model);
    loop {
        match client.run(id).await {
            Ok(run) => {
                let there = run.is_finished()
                    || until == Until::Submitted
                    || (until == Until::Running && run.status == RunStatus::Running);
                let status = run.status.clone();
                report.saw(call, client, model, &run).await;
                *last = Some(run);
                if there {
                    return Ok(());
                }
                if let Some(stall) = watch.look(&status, log.progress(), Instant::now()) {
                    if wait.and_then(|wait| wait.on_stall) == Some(OnStall::Error) {
                        return Err(Broken::Stalled(stall));
                    }
                    let runtime = call.provider.runtime.as_ref();
                    let why = stall.explained(runtime, client, model, watch.limit());
                    tracing::warn!(run = %id, "{}", why.await);
                }
                if until == Until::Completed {
                    // Until it runs, its status is all that a report can show.
                    let unseen = match status {
                        RunStatus::Running => UNSEEN.min(watch.limit().max(SEEN)),
                        _ => SEEN,
                    };
                    let mut write = |log: &RunLog| report.write(log);
                    let following = log.follow(client, id, &mut write);
                    let _ = tokio::time::timeout(unseen, following).await;
                }
            }
            Err(error) if error.may_pass() => {}
            Err(error) => return Err(Broken::Control(error)),
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn stall_limit(model: &Model) -> Duration {
    let wait = model.wait.as_ref();
    let limit = wait.and_then(|wait| wait.stall_timeout.as_ref());
    limit.map_or(STALL, crate::tfplugin::GoDuration::get)
}

/// Writes what is known of the run into the state.
pub(super) fn record(model: &mut Model, run: &Run) {
    let time = |stamp: &Option<crate::flower::control::Timestamp>| {
        stamp.as_ref().map(|stamp| stamp.as_str().to_owned()).into()
    };
    model.status.set(run.status.clone().into());
    model.sub_status.set(run.sub_status.clone());
    model.details.set(outputs::details(run));
    model.pending_at = time(&run.pending_at);
    model.running_at = time(&run.running_at);
    model.finished_at = time(&run.finished_at);
    model.usage = run.usage.as_ref().map(outputs::usage).into();
    if model.source.hub.is_some() && !run.fab_hash.is_empty() {
        model.fab_hash.set(run.fab_hash.clone());
    }
}

/// The summary of a message about a run that did not end well.
pub(super) fn ended_as(id: RunId, how: &SubStatus) -> String {
    format!("The run {id} ended as {}", how.as_str())
}

/// Flower's details for a message. An app can write into them.
pub(super) fn words(run: &Run) -> String {
    let details = outputs::details(run);
    if details.is_empty() {
        "Flower gave no details.".to_owned()
    } else {
        quoted("Flower's message", &details)
    }
}

/// The warning for a SuperLink that could not report the status of the run.
fn unfollowed(id: RunId, error: &ControlError) -> Diagnostic {
    report::warning(format!("The run {id} could not be followed"), error).detail(
        "The run was submitted and continues. The next plan or apply reads its status and submits \
         nothing again.",
    )
}

/// The error for a SuperLink that ended during the run.
fn without_superlink(id: RunId, dead: &str) -> Diagnostic {
    Diagnostic::error(format!("The run {id} lost its SuperLink"))
        .detail(format!("{dead}."))
        .detail(
            "Read the SuperLink's log, then apply. The apply starts or creates the SuperLink and \
             submits a new run that replaces this one.",
        )
        .at(at!(Model, control))
}

/// The error for a run that made no progress and was stopped.
fn stalled(id: RunId, why: &str, stopped: bool) -> Diagnostic {
    let end = if stopped {
        "The provider stopped the run."
    } else {
        "The provider asked the SuperLink to stop the run, but it did not stop within 30 s."
    };
    Diagnostic::error(format!("The run {id} stalled"))
        .detail(why)
        .detail(format!(
            "{end} The next apply submits a new run that replaces this one. To let a run wait \
             longer, raise `wait.stall_timeout` or remove `wait.on_stall`."
        ))
        .at(at!(Model, wait.on_stall))
}

fn still_running(id: RunId, why: &str) -> Diagnostic {
    Diagnostic::warning(format!("The run {id} is still in progress"))
        .detail(format!("{why}; the run continues."))
        .detail("The next plan or apply reads its result and submits nothing again.")
}

/// Adds what a person needs to judge whether the run makes progress: a stopped SuperNode looks like
/// slow training.
async fn with_what_it_waits_for(
    call: &Call<Configured>,
    client: &ControlClient,
    id: RunId,
    model: &Model,
    mut message: Diagnostic,
) -> Diagnostic {
    let runtime = call.provider.runtime.as_ref();
    for sentence in stall::nodes_words(runtime, client, model).await {
        message = message.detail(sentence);
    }
    message.remedy(last_lines(client, id, model, Log::Grows).await)
}

/// Whether a run's log still grows. If the run is over, the whole log is read.
#[derive(Clone, Copy)]
enum Log {
    Grows,
    IsWhole,
}

/// The last lines of the ServerApp's log, if they can be read.
async fn last_lines(client: &ControlClient, id: RunId, model: &Model, log: Log) -> Option<String> {
    let lines = usize::try_from(model.log_lines).unwrap_or(usize::MAX);
    let read = match log {
        Log::Grows => client.log_tail(id, lines).await,
        Log::IsWhole => client.log_end(id, lines).await,
    };
    read.ok().map(|log| verdict::shown(&log, model.log_lines))
}

/// Handles a run that ended while no apply waited for it: records what its log shows, and warns if
/// the run did not end well.
pub(super) async fn ended_meanwhile(
    call: &Call<Configured>,
    client: &ControlClient,
    model: &mut Model,
    run: &Run,
) {
    let (progress, nodes) = if let Some(files) = &model.report {
        // The apply that wrote it last did not see the end.
        let report = RunReport::read(call, client, &model.control, run.clone()).await;
        if let Some(unwritten) = files.write(&report) {
            call.warn(unwritten);
        }
        (report.progress, report.nodes)
    } else {
        let progress = RunLog::read(client, run).await;
        let nodes = KnownNodes::of(call, client, &model.control, &progress, false).await;
        (progress, nodes)
    };
    outputs::record(model, &progress, &nodes);
    if run.sub_status == SubStatus::Completed {
        training::judge_later(call, run.id, model, &progress, &nodes.names).await;
    } else {
        call.warn(failed_meanwhile(client, model, run).await);
    }
}

/// What a later plan says of a run that went wrong. A refresh does not see whether Terraform has
/// tainted the run.
pub(super) const NOT_AGAIN: &str = "If this plan replaces the run, as it does after an apply that \
     failed, the apply submits a new one. Otherwise the provider does not submit it again by itself: \
     use `-replace`.";

async fn failed_meanwhile(client: &ControlClient, model: &Model, run: &Run) -> Diagnostic {
    Diagnostic::warning(ended_as(run.id, &run.sub_status))
        .detail(words(run))
        .remedy(last_lines(client, run.id, model, Log::IsWhole).await)
        .detail(NOT_AGAIN)
}
