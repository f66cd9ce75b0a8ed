//! Submits a run exactly once, even if the reply is lost.
//!
//! Flower has no key that would identify a second submission as a repetition. So a submission is
//! repeated only if it certainly did not arrive. If it may have arrived, the provider lists the
//! runs of the SuperLink: if exactly one matches, it is this run; if none matches, the submission
//! did not arrive; if several match, this is an error that names them, because starting a training
//! twice is worse than stopping.
//!
//! An app of Flower Hub is fetched by the SuperLink before it creates the run. Until then no list
//! shows whether the submission arrived, so it is never repeated.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{Duration, Instant, SystemTime};

use thiserror::Error;
use time::OffsetDateTime;

use super::client::ControlClient;
use super::error::ControlError;
use super::run::{Run, RunListing};
use super::run_id::RunId;
use super::run_status::SubStatus;
use super::start_run::StartRun;
use crate::flower::run_config::{ConfigValue, RunConfig};

/// The remedy if several runs could be the submitted one.
const SEVERAL: &str = "Stop the unwanted runs with `flwr stop` and apply again: the apply \
                       continues the remaining run, or submits a new run if all of them were \
                       stopped. Or import your run, as URL#RUN.";

/// How many of the newest runs to check; others may have been submitted in the same minute.
const NEWEST_RUNS: usize = 200;

/// A run to submit, and the data to recognise it afterwards.
#[derive(Debug, Clone)]
pub struct Submission {
    /// The run.
    pub start: StartRun,
    /// The local time right before the first try; stored if the process may end in between.
    pub since: SystemTime,
    /// Runs that belong to other submissions.
    pub known: BTreeSet<RunId>,
}

/// A submitted run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitted {
    /// The SuperLink confirmed the start.
    New(RunId),
    /// The reply was lost, and this run matches.
    Adopted(RunId),
}

impl Submitted {
    /// The run ID.
    pub const fn run_id(self) -> RunId {
        match self {
            Self::New(id) | Self::Adopted(id) => id,
        }
    }
}

/// Why there is no run, or why the provider cannot tell which one it is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SubmitError {
    /// The SuperLink refused or was unreachable. There is no run.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// Several runs match.
    #[error(
        "{lost}; afterwards the SuperLink has several runs that could be this one: {}",
        list(ids)
    )]
    Ambiguous {
        /// The error with which the reply was lost.
        lost: ControlError,
        /// The runs.
        ids: Vec<RunId>,
    },
    /// It is unknown whether there is a run.
    #[error("{lost}; the provider could not find out whether the run was started: {looking}")]
    Unresolved {
        /// The error with which the reply was lost.
        lost: ControlError,
        /// Why the search failed.
        looking: ControlError,
    },
    /// The reply was lost, and there is no run yet, but there may be one when the SuperLink has
    /// fetched the app.
    #[error(
        "{0}; the SuperLink has no such run yet, but it may still fetch the app from Flower Hub \
         and start the run afterwards"
    )]
    MayFollow(ControlError),
    /// The reply was lost twice, but there is no run.
    #[error("{0}; this happened twice, and the SuperLink has no such run")]
    LostTwice(ControlError),
}

impl SubmitError {
    /// The remedy, if there is one.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Control(error) | Self::LostTwice(error) => error.remedy(),
            Self::Ambiguous { .. } => Some(SEVERAL.to_owned()),
            Self::MayFollow(_) => Some(
                "Apply again after three minutes. The apply first checks whether the run exists."
                    .to_owned(),
            ),
            Self::Unresolved { .. } => Some(
                "Apply again when the SuperLink is reachable. The apply first checks whether the \
                 run exists."
                    .to_owned(),
            ),
        }
    }
}

/// Submits the run.
pub async fn submit(
    client: &ControlClient,
    submission: &Submission,
) -> Result<Submitted, SubmitError> {
    submit_with(client, submission, &RetryDelays::USUAL).await
}

/// Finds a run that may have been submitted, for example by a process that was killed. The run is
/// claimed: no other submission finds it again.
pub async fn find_lost(
    client: &ControlClient,
    submission: &Submission,
) -> Result<Option<RunId>, FindError> {
    let turn = client.ledger.turn(submission.start.app_key());
    let _turn = turn.lock().await;
    find_run(client, submission).await
}

/// Why the search for a run failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FindError {
    /// The SuperLink did not answer.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// Several runs match.
    #[error("several runs could be this one: {}", list(.0))]
    Several(Vec<RunId>),
}

impl FindError {
    /// The remedy, if there is one.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Control(error) => error.remedy(),
            Self::Several(_) => Some(SEVERAL.to_owned()),
        }
    }
}

/// The pauses between tries.
struct RetryDelays {
    /// Before the next try to connect.
    connect: &'static [Duration],
    /// Before the next search: a request may still be on its way.
    look: &'static [Duration],
}

impl RetryDelays {
    const USUAL: Self = Self {
        connect: &[
            Duration::from_millis(500),
            Duration::from_secs(1),
            Duration::from_secs(2),
            Duration::from_secs(4),
        ],
        look: &[
            Duration::from_millis(300),
            Duration::from_secs(1),
            Duration::from_secs(3),
        ],
    };
}

async fn submit_with(
    client: &ControlClient,
    submission: &Submission,
    delays: &RetryDelays,
) -> Result<Submitted, SubmitError> {
    let turn = client.ledger.turn(submission.start.app_key());
    let _turn = turn.lock().await;
    let mut lost_before = false;
    loop {
        let lost = match start(client, &submission.start, delays).await {
            Ok(id) => {
                client.ledger.claim(id);
                return Ok(Submitted::New(id));
            }
            Err(error) if error.outcome_unknown() => error,
            Err(error) => return Err(error.into()),
        };
        if let Some(id) = find_run_with_retries(client, submission, delays, &lost).await? {
            return Ok(Submitted::Adopted(id));
        }
        if submission.start.is_fetched() {
            return Err(SubmitError::MayFollow(lost));
        }
        if lost_before {
            return Err(SubmitError::LostTwice(lost));
        }
        lost_before = true;
    }
}

/// Retries only while there is no connection at all.
async fn start(
    client: &ControlClient,
    start: &StartRun,
    delays: &RetryDelays,
) -> Result<RunId, ControlError> {
    for pause in delays.connect {
        match client.start_run(start).await {
            Err(error @ ControlError::Unavailable { .. }) if error.never_sent() => {
                tokio::time::sleep(*pause).await;
            }
            result => return result,
        }
    }
    client.start_run(start).await
}

async fn find_run_with_retries(
    client: &ControlClient,
    submission: &Submission,
    delays: &RetryDelays,
    lost: &ControlError,
) -> Result<Option<RunId>, SubmitError> {
    let mut failed = None;
    for pause in delays.look {
        tokio::time::sleep(*pause).await;
        match find_run(client, submission).await {
            Ok(Some(id)) => return Ok(Some(id)),
            Ok(None) => failed = None,
            Err(FindError::Several(ids)) => {
                return Err(SubmitError::Ambiguous {
                    lost: lost.clone(),
                    ids,
                });
            }
            Err(FindError::Control(error)) => failed = Some(error),
        }
    }
    match failed {
        None => Ok(None),
        Some(looking) => Err(SubmitError::Unresolved {
            lost: lost.clone(),
            looking,
        }),
    }
}

async fn find_run(
    client: &ControlClient,
    submission: &Submission,
) -> Result<Option<RunId>, FindError> {
    let asked = SystemTime::now();
    let clock = Instant::now();
    let listing = client.newest_runs(NEWEST_RUNS).await?;
    let not_before = on_servers_clock(submission.since, asked, clock.elapsed(), &listing);
    let mut runs: Vec<&Run> = listing
        .runs
        .values()
        .filter(|run| matches(run, submission, not_before))
        .filter(|run| !client.ledger.is_claimed(run.id))
        .collect();
    if runs.len() > 1 {
        // After the error about several runs, the user has stopped the unwanted ones.
        runs.retain(|run| run.sub_status != SubStatus::Stopped);
    }
    let mut ids: Vec<RunId> = runs.iter().map(|run| run.id).collect();
    ids.sort_unstable();
    match ids.as_slice() {
        [] => Ok(None),
        [id] => {
            client.ledger.claim(*id);
            Ok(Some(*id))
        }
        _ => Err(FindError::Several(ids)),
    }
}

/// A local time as a time of the SuperLink's clock, at the earliest. The reply contains the
/// SuperLink's time, and took `round_trip` to arrive, so the difference of the clocks is only known
/// within this time.
fn on_servers_clock(
    since: SystemTime,
    asked: SystemTime,
    round_trip: Duration,
    listing: &RunListing,
) -> OffsetDateTime {
    let ahead = listing
        .server_now
        .as_ref()
        .and_then(super::Timestamp::moment)
        .map_or(time::Duration::ZERO, |now| {
            now - OffsetDateTime::from(asked)
        });
    OffsetDateTime::from(since) + ahead - round_trip - Duration::from_millis(250)
}

fn matches(run: &Run, submission: &Submission, not_before: OffsetDateTime) -> bool {
    let start = &submission.start;
    // A run without a readable time may match, and must not be skipped.
    let late_enough = run
        .pending_at
        .as_ref()
        .and_then(super::Timestamp::moment)
        .is_none_or(|pending| pending >= not_before);
    late_enough
        && start.is_app_of(run)
        // Releases before 1.24 have no federations, but start the run.
        && (start.federation.is_empty()
            || run.federation.is_empty()
            || run.federation == start.federation)
        && is_same(&run.override_config, &start.overrides)
        && !submission.known.contains(&run.id)
}

/// Equal in type and value; a NaN equals itself, unlike with `==`.
fn is_same(a: &RunConfig, b: &RunConfig) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .all(|((key_a, a), (key_b, b))| key_a == key_b && is_same_value(a, b))
}

fn is_same_value(a: &ConfigValue, b: &ConfigValue) -> bool {
    match (a, b) {
        (ConfigValue::Float(a), ConfigValue::Float(b)) => a.to_bits() == b.to_bits(),
        _ => a == b,
    }
}

fn list(ids: &[RunId]) -> String {
    let mut text = String::new();
    for id in ids {
        let comma = if text.is_empty() { "" } else { ", " };
        let _ = write!(text, "{comma}{id}");
    }
    text
}

#[cfg(test)]
#[path = "submit_tests.rs"]
mod tests;
