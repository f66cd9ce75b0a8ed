//! Submits a run exactly once, also when the reply is lost.
//!
//! Flower has no key by which a second submission would be recognized as the first. So a submission is
//! repeated only where it certainly did not arrive. Where it may have arrived, the SuperLink is asked
//! which runs it has: one that is exactly ours is adopted, none means that it did not arrive, and
//! several are an error that names them, because starting a training twice is worse than stopping.

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

/// What to do when several runs could be the one that was submitted.
const SEVERAL: &str = "Stop the unwanted runs with `flwr stop` and apply again: the apply \
                       continues the remaining run, or submits a new run if all of them were \
                       stopped. Or import your run, as URL#RUN.";

/// The newest runs looked at; others of the same minute are among them.
const LOOK_AT: usize = 200;

/// A run to submit, and what is needed to recognize it afterwards.
#[derive(Debug, Clone)]
pub struct Submission {
    /// The run.
    pub start: StartRun,
    /// Taken from our clock right before the first try, and kept if the process may end in between.
    pub since: SystemTime,
    /// Runs that are known to be others'.
    pub known: BTreeSet<RunId>,
}

/// A submitted run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitted {
    /// The SuperLink said that it started it.
    New(RunId),
    /// The reply was lost, and this is the run it would have named.
    Adopted(RunId),
}

impl Submitted {
    /// Its number.
    pub const fn run_id(self) -> RunId {
        match self {
            Self::New(id) | Self::Adopted(id) => id,
        }
    }
}

/// Why there is no run, or none that can be named.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SubmitError {
    /// The SuperLink said no, or could not be reached at all. There is no run.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// Several runs could be ours.
    #[error(
        "{lost}; afterwards the SuperLink has several runs that could be this one: {}",
        list(ids)
    )]
    Ambiguous {
        /// How the reply was lost.
        lost: ControlError,
        /// The runs.
        ids: Vec<RunId>,
    },
    /// It cannot be found out whether there is a run.
    #[error("{lost}; the provider could not find out whether the run was started: {looking}")]
    Unresolved {
        /// How the reply was lost.
        lost: ControlError,
        /// Why looking failed.
        looking: ControlError,
    },
    /// The reply was lost twice, and there is no run.
    #[error("{0}; this happened twice, and the SuperLink has no such run")]
    LostTwice(ControlError),
}

impl SubmitError {
    /// What to do about it.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Control(error) | Self::LostTwice(error) => error.remedy(),
            Self::Ambiguous { .. } => Some(SEVERAL.to_owned()),
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
    submit_paced(client, submission, &Pace::USUAL).await
}

/// Looks for a run of which it is not known whether it was submitted, for instance by a process that
/// was killed. The run found is taken: it is never found again by another submission.
pub async fn find_lost(
    client: &ControlClient,
    submission: &Submission,
) -> Result<Option<RunId>, FindError> {
    let turn = client.ledger.turn(submission.start.fab_hash());
    let _turn = turn.lock().await;
    look_once(client, submission).await
}

/// How looking for a run can fail.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FindError {
    /// The SuperLink did not answer.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// Several runs could be the one.
    #[error("several runs could be this one: {}", list(.0))]
    Several(Vec<RunId>),
}

impl FindError {
    /// What to do about it.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Control(error) => error.remedy(),
            Self::Several(_) => Some(SEVERAL.to_owned()),
        }
    }
}

/// How long to wait where.
struct Pace {
    /// Before another try to connect.
    connect: &'static [Duration],
    /// Before another look for the run: a request may still be on its way.
    look: &'static [Duration],
}

impl Pace {
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

async fn submit_paced(
    client: &ControlClient,
    submission: &Submission,
    pace: &Pace,
) -> Result<Submitted, SubmitError> {
    let turn = client.ledger.turn(submission.start.fab_hash());
    let _turn = turn.lock().await;
    let mut lost_before = false;
    loop {
        let lost = match start(client, &submission.start, pace).await {
            Ok(id) => {
                client.ledger.take(id);
                return Ok(Submitted::New(id));
            }
            Err(error) if error.outcome_unknown() => error,
            Err(error) => return Err(error.into()),
        };
        if let Some(id) = look(client, submission, pace, &lost).await? {
            return Ok(Submitted::Adopted(id));
        }
        if lost_before {
            return Err(SubmitError::LostTwice(lost));
        }
        lost_before = true;
    }
}

/// Tries again only while there is no connection at all.
async fn start(
    client: &ControlClient,
    start: &StartRun,
    pace: &Pace,
) -> Result<RunId, ControlError> {
    for pause in pace.connect {
        match client.start_run(start).await {
            Err(error @ ControlError::Unavailable { .. }) if error.never_sent() => {
                tokio::time::sleep(*pause).await;
            }
            result => return result,
        }
    }
    client.start_run(start).await
}

async fn look(
    client: &ControlClient,
    submission: &Submission,
    pace: &Pace,
    lost: &ControlError,
) -> Result<Option<RunId>, SubmitError> {
    let mut failed = None;
    for pause in pace.look {
        tokio::time::sleep(*pause).await;
        match look_once(client, submission).await {
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

async fn look_once(
    client: &ControlClient,
    submission: &Submission,
) -> Result<Option<RunId>, FindError> {
    let asked = SystemTime::now();
    let clock = Instant::now();
    let listing = client.newest_runs(LOOK_AT).await?;
    let not_before = on_servers_clock(submission.since, asked, clock.elapsed(), &listing);
    let mut runs: Vec<&Run> = listing
        .runs
        .values()
        .filter(|run| is_ours(run, submission, not_before))
        .filter(|run| !client.ledger.is_taken(run.id))
        .collect();
    if runs.len() > 1 {
        // Whoever was told that there are several has stopped those that are not wanted.
        runs.retain(|run| run.sub_status != SubStatus::Stopped);
    }
    let mut ids: Vec<RunId> = runs.iter().map(|run| run.id).collect();
    ids.sort_unstable();
    match ids.as_slice() {
        [] => Ok(None),
        [id] => {
            client.ledger.take(*id);
            Ok(Some(*id))
        }
        _ => Err(FindError::Several(ids)),
    }
}

/// Our moment as the SuperLink's clock would show it, at the earliest. The two clocks are compared
/// through its answer, which took `took` to get here, so that much is the error.
fn on_servers_clock(
    since: SystemTime,
    asked: SystemTime,
    took: Duration,
    listing: &RunListing,
) -> OffsetDateTime {
    let ahead = listing
        .server_now
        .as_ref()
        .and_then(super::Timestamp::moment)
        .map_or(time::Duration::ZERO, |now| {
            now - OffsetDateTime::from(asked)
        });
    OffsetDateTime::from(since) + ahead - took - Duration::from_millis(250)
}

fn is_ours(run: &Run, submission: &Submission, not_before: OffsetDateTime) -> bool {
    let start = &submission.start;
    // A run whose time cannot be read could be ours, and must not be passed over.
    let late_enough = run
        .pending_at
        .as_ref()
        .and_then(super::Timestamp::moment)
        .is_none_or(|pending| pending >= not_before);
    late_enough
        && run.fab_hash == start.fab_hash()
        // Releases before 1.24 have no federations and start the run all the same.
        && (start.federation.is_empty()
            || run.federation.is_empty()
            || run.federation == start.federation)
        && is_same(&run.override_config, &start.overrides)
        && !submission.known.contains(&run.id)
}

/// Equal in type and value; unlike with `==`, a NaN equals itself.
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
