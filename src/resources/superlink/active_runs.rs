//! Runs in progress when a SuperLink must restart. A restart ends them as failed, so the plan shows
//! that it will happen, why, and for how many runs. An update can wait for the runs, or refuse. The
//! provider decides this before it changes anything, so a refused update has no effect.

use std::sync::Arc;
use std::time::Duration;

use super::bring_up::control;
use super::effect::{self, Cause};
use super::model::{Model, OnActiveRuns};
use super::storage;
use super::workload::object;
use crate::at;
use crate::flower::control::{ControlError, RunId, RunListing, SharedReads};
use crate::resources::Configured;
use crate::resources::choices::Status;
use crate::resources::connection_attributes::ControlOutput;
use crate::resources::operation::{Operation, Waited, wait};
use crate::resources::report;
use crate::runtime::RuntimeError;
use crate::tfplugin::diagnostic::{Diagnostic, Result};
use crate::tfplugin::schema::{Attr as _, Tree};
use crate::tfplugin::{Call, Plan};

/// How long a plan waits for the SuperLink's answer, and the maximum age of that answer.
const GLANCE: Duration = Duration::from_secs(2);
const RECENT: Duration = Duration::from_secs(15);
/// How often a waiting update reads the runs.
const LOOK: Duration = Duration::from_secs(1);
/// How many runs a message names.
const NAMED: usize = 10;

/// The runs of a SuperLink that have not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum InProgress {
    These(Vec<RunId>),
    /// The SuperLink did not answer.
    Unknown,
}

/// Warns in the plan that the SuperLink restarts, and what that means for runs.
pub(super) async fn note(provider: Option<&Configured>, plan: &mut Plan<Model>) -> Result<()> {
    let status = plan.prior.get::<Option<Status>>(at!(Model, status))?;
    let runs = matches!(
        status.known().flatten(),
        Some(Status::Running | Status::Changed)
    );
    if plan.is_create() || !runs || !plan.replaced_for().is_empty() || !plan.has_changes() {
        return Ok(());
    }
    let has_pods = provider.is_none_or(|provider| provider.runtime.has_pods());
    let causes = effect::restarts(&plan.prior, &plan.planned, has_pods)?;
    let Some(first) = causes.first() else {
        return Ok(());
    };
    let runs = match provider {
        Some(provider) => {
            let control = plan
                .prior
                .get::<Option<ControlOutput>>(at!(Model, control))?;
            glance(provider, control.known().flatten()).await
        }
        None => InProgress::Unknown,
    };
    let policy = plan.get::<Option<OnActiveRuns>>(at!(Model, on_active_runs))?;
    let policy = policy.known().flatten().unwrap_or_default();
    let keeps = storage::is_kept(&plan.prior)?.unwrap_or(true);
    let note = told(policy, &causes, &runs, keeps);
    plan.notes.push(match first {
        Cause::Attribute(attribute) => note.at(*attribute),
        Cause::Renewal | Cause::Drift => note,
    });
    Ok(())
}

/// Warns which runs end when a SuperLink is removed, if the SuperLink answers at once.
pub(super) async fn warn_of_their_end(call: &Call<Configured>, state: &Model) {
    if state.status.get() != Some(&Status::Running) {
        return;
    }
    let runs = glance(&call.provider, state.control.get().cloned()).await;
    if let InProgress::These(runs) = runs
        && !runs.is_empty()
    {
        call.warn(
            Diagnostic::warning(format!(
                "{} ends with {}",
                capital(&counted(&runs)),
                object(&state.name)
            ))
            .detail(format!(
                "In progress: {}. They were in no state, or their resources do not stop them \
                 (`stop_on_destroy = false`).",
                named(&runs)
            )),
        );
    }
}

/// The runs in progress, if the SuperLink of a state answers at once.
async fn glance(provider: &Configured, control: Option<ControlOutput>) -> InProgress {
    let Some(control) = control else {
        return InProgress::Unknown;
    };
    let Ok(control) = provider.control(&control.into()) else {
        return InProgress::Unknown;
    };
    match tokio::time::timeout(GLANCE, control.runs(RECENT)).await {
        Ok(Ok(listing)) => InProgress::These(in_progress(&listing)),
        Ok(Err(_)) | Err(_) => InProgress::Unknown,
    }
}

fn in_progress(listing: &RunListing) -> Vec<RunId> {
    let runs = listing.runs.values().filter(|run| !run.is_finished());
    let mut ids: Vec<_> = runs.map(|run| run.id).collect();
    ids.sort_unstable();
    ids
}

/// The warning in the plan.
fn told(policy: OnActiveRuns, causes: &[Cause], runs: &InProgress, keeps: bool) -> Diagnostic {
    let because = format!("It restarts because of {}.", listed(causes));
    let end = if keeps {
        "A restart ends the runs in progress as failed."
    } else {
        "A restart ends the runs in progress and loses all runs, because the database is in \
         memory."
    };
    let runs = match runs {
        InProgress::These(runs) if runs.is_empty() => {
            return Diagnostic::warning("The SuperLink restarts").detail(format!(
                "{because} No run is in progress. SuperNodes lose their connection for a moment."
            ));
        }
        InProgress::These(runs) => Some(runs),
        InProgress::Unknown => None,
    };
    let summary = match (policy, runs) {
        (_, None) => "The SuperLink restarts, and runs may be in progress".to_owned(),
        (OnActiveRuns::Restart, Some(runs)) => {
            format!("The SuperLink restarts and ends {}", counted(runs))
        }
        (OnActiveRuns::Wait, Some(runs)) => {
            format!("The SuperLink restarts after {}", counted(runs))
        }
        (OnActiveRuns::Fail, Some(runs)) => {
            format!(
                "Apply will refuse to restart the SuperLink during {}",
                counted(runs)
            )
        }
    };
    let found = match runs {
        Some(runs) => format!("In progress: {}.", named(runs)),
        None => "The SuperLink could not list its runs within two seconds.".to_owned(),
    };
    let remedy = match policy {
        OnActiveRuns::Restart => {
            "To keep them, apply when they have ended, or set `on_active_runs` to `wait` or `fail`."
        }
        OnActiveRuns::Wait => {
            "Apply waits for them as long as `timeouts.update` allows, and changes nothing if they \
             take longer (`on_active_runs = \"wait\"`)."
        }
        OnActiveRuns::Fail => {
            "Apply changes nothing while they are in progress (`on_active_runs = \"fail\"`)."
        }
    };
    Diagnostic::warning(summary)
        .detail(format!("{because} {end}"))
        .detail(found)
        .detail(remedy)
}

/// An error, before anything is changed, if the update would end runs that it must not end.
pub(super) async fn spare(
    call: &Call<Configured>,
    prior: &Model,
    planned: &Model,
    limit: Duration,
) -> Result<()> {
    let policy = planned.on_active_runs.unwrap_or_default();
    let runs = matches!(prior.status.get(), Some(Status::Running | Status::Changed));
    if policy == OnActiveRuns::Restart || !runs {
        return Ok(());
    }
    let has_pods = call.provider.runtime.has_pods();
    let (before, after) = (Tree::new(prior.encode()), Tree::new(planned.encode()));
    let causes = effect::restarts(&before, &after, has_pods)?;
    if causes.is_empty() {
        return Ok(());
    }
    let control = control(call, prior)?;
    let waits = policy == OnActiveRuns::Wait;
    let mut last = Vec::new();
    let ended = wait(&call.stop, limit, until_ended(&control, waits, &mut last)).await;
    let what = format!("{} was not changed", object(&prior.name));
    let because = format!(
        "{} would restart it. Nothing was changed.",
        capital(&listed(&causes))
    );
    match ended {
        Waited::Done(Ok(())) if last.is_empty() => Ok(()),
        Waited::Done(Ok(())) => Err(Diagnostic::error(format!("{what} during {}", counted(&last)))
            .detail(format!("{because} In progress: {}.", named(&last)))
            .detail(
                "Apply again once they have ended, or set `on_active_runs` to `wait` or `restart`.",
            )
            .at(at!(Model, on_active_runs))
            .into()),
        Waited::Done(Err(error)) => Err(report::error(what, &error)
            .detail(format!(
                "{because} The provider could not find out whether runs are in progress."
            ))
            .detail("Set `on_active_runs = \"restart\"` to restart it without this check.")
            .at(at!(Model, on_active_runs))
            .into()),
        Waited::Stopped => Err(report::error(what, &RuntimeError::Interrupted).into()),
        Waited::TimedOut if last.is_empty() => Err(Diagnostic::error(what)
            .detail(format!(
                "{because} The SuperLink did not list its runs within {} s.",
                limit.as_secs()
            ))
            .detail("Set `on_active_runs = \"restart\"` to restart it without this check.")
            .at(at!(Model, on_active_runs))
            .into()),
        Waited::TimedOut => Err(Diagnostic::error(format!("{what} during {}", counted(&last)))
            .detail(format!(
                "{because} After {} s these runs are still in progress: {}.",
                limit.as_secs(),
                named(&last)
            ))
            .detail(format!(
                "Raise `{}`, stop the runs, or set `on_active_runs = \"restart\"`.",
                Operation::Update.attribute()
            ))
            .at(at!(Model, on_active_runs))
            .into()),
    }
}

/// Reads which runs are in progress; if `waits`, repeats this until there are none.
async fn until_ended(
    control: &Arc<SharedReads>,
    waits: bool,
    last: &mut Vec<RunId>,
) -> std::result::Result<(), ControlError> {
    loop {
        match control.client().list_runs().await {
            Ok(listing) => *last = in_progress(&listing),
            Err(error) if waits && error.may_pass() => {
                tokio::time::sleep(LOOK).await;
                continue;
            }
            Err(error) => return Err(error),
        }
        if last.is_empty() || !waits {
            return Ok(());
        }
        tracing::info!("waiting for runs: {}", named(last));
        tokio::time::sleep(LOOK).await;
    }
}

fn listed(causes: &[Cause]) -> String {
    let words: Vec<_> = causes.iter().map(Cause::words).collect();
    match words.as_slice() {
        [rest @ .., last] if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        all => all.concat(),
    }
}

fn counted(runs: &[RunId]) -> String {
    match runs.len() {
        0 => "runs".to_owned(),
        1 => "1 run".to_owned(),
        count => format!("{count} runs"),
    }
}

fn named(runs: &[RunId]) -> String {
    let mut names: Vec<_> = runs.iter().take(NAMED).map(ToString::to_string).collect();
    if runs.len() > NAMED {
        names.push(format!("{} more", runs.len() - NAMED));
    }
    names.join(", ")
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
#[path = "active_runs_tests.rs"]
mod tests;
