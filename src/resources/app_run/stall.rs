//! Detects a run that makes no progress: nothing began or ended for a while, and the run waits for
//! nodes or was never started. Flower's strategies wait for nodes without a limit, and the run
//! stays `running`, so it looks like slow training.

use std::time::Duration;

use tokio::time::Instant;

use super::federation::{Federation, dead_now, quiet_level};
use super::model::{Model, OnClientFailure, OnStall};
use super::ready::{missing_words, online_words};
use super::simulation;
use crate::at;
use crate::flower::control::{ControlClient, RunStatus};
use crate::flower::progress::{NodesAwaited, Progress};
use crate::runtime::Runtime;
use crate::tfplugin::diagnostic::{Diagnostic, Result};

/// The default of `wait.stall_timeout`.
pub(super) const STALL: Duration = Duration::from_mins(5);

/// How long a log line about waiting stays valid: Flower writes one each second.
const SAID: Duration = Duration::from_secs(45);

/// What a stalled run waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stall {
    /// It waits for nodes; how many, if the log shows it.
    Nodes(Option<NodesAwaited>),
    /// Nothing starts it; the value is its status.
    Start(RunStatus),
}

/// Watches whether a run makes progress.
#[derive(Debug)]
pub(super) struct StallWatch {
    limit: Duration,
    since: Instant,
    seen: Option<(RunStatus, u64)>,
    /// When the log last said that the run waits, and how often it had said so.
    waits: Option<(Instant, u64)>,
    told: bool,
}

impl StallWatch {
    pub(super) fn new(limit: Duration, now: Instant) -> Self {
        Self {
            limit,
            since: now,
            seen: None,
            waits: None,
            told: false,
        }
    }

    pub(super) const fn limit(&self) -> Duration {
        self.limit
    }

    /// Checks a run. Returns what the run waits for if it made no progress for the limit; only once
    /// per stall.
    pub(super) fn look(
        &mut self,
        status: &RunStatus,
        progress: &Progress,
        now: Instant,
    ) -> Option<Stall> {
        let seen = (status.clone(), progress.steps);
        if self.seen.as_ref() != Some(&seen) {
            self.seen = Some(seen);
            self.since = now;
            self.told = false;
        }
        if progress.waits > self.waits.map_or(0, |(_, waits)| waits) {
            self.waits = Some((now, progress.waits));
        }
        let waits = match status {
            RunStatus::Pending | RunStatus::Starting => Some(Stall::Start(status.clone())),
            RunStatus::Running if self.says_that_it_waits(progress, now) => {
                Some(Stall::Nodes(progress.waiting))
            }
            RunStatus::Running if progress.waits_silently() => Some(Stall::Nodes(None)),
            _ => None,
        };
        if waits.is_none() {
            // The run works. A later wait is measured from its own start.
            self.since = now;
        }
        let stalled = waits.filter(|_| !self.told && now.duration_since(self.since) >= self.limit);
        self.told |= stalled.is_some();
        stalled
    }

    /// Whether the wait continues. An app's own strategy may end it without a log line.
    fn says_that_it_waits(&self, progress: &Progress, now: Instant) -> bool {
        let said = self.waits.map(|(at, _)| now.duration_since(at));
        progress.waiting.is_some() && said.is_some_and(|ago| ago < SAID)
    }
}

impl Stall {
    /// What the run waits for and what a person should check, in sentences.
    pub(super) async fn explained(
        &self,
        runtime: &dyn Runtime,
        client: &ControlClient,
        model: &Model,
        limit: Duration,
    ) -> String {
        let mut sentences = vec![self.summary(limit)];
        sentences.extend(nodes_words(runtime, client, model).await);
        sentences.push(self.remedy(model.control.simulation.is_some()).to_owned());
        sentences.join(" ")
    }

    fn summary(&self, limit: Duration) -> String {
        let time = words_of(limit);
        match self {
            Self::Nodes(Some(nodes)) => format!(
                "The ServerApp has waited {time} for SuperNodes: {} of the {} that it \
                 needs are connected.",
                nodes.connected, nodes.required
            ),
            Self::Nodes(None) => format!(
                "The ServerApp began a round and has asked no SuperNode for {time}: it \
                 waits for more SuperNodes to connect."
            ),
            Self::Start(status) => format!(
                "The run has been {} for {time}: no SuperExec has started its ServerApp.",
                status.as_str()
            ),
        }
    }

    const fn remedy(&self, is_simulated: bool) -> &'static str {
        match self {
            Self::Nodes(_) if is_simulated => {
                "Raise `simulation.num_supernodes` of the `flower_superlink`, or lower the minimum \
                 number of nodes in the app's strategy (`min_available_nodes`, `min_train_nodes`)."
            }
            Self::Nodes(_) => {
                "Start the missing SuperNodes, or lower the minimum number of nodes in the app's \
                 strategy (`min_available_nodes`, `min_train_nodes`)."
            }
            Self::Start(_) => "Read the log of the SuperLink and of its SuperExec.",
        }
    }
}

/// `90 s`, or `5 min`.
fn words_of(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds < 120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

/// An error if a stalled run is to be stopped but its SuperLink does not log that it waits.
pub(super) async fn check(runtime: &dyn Runtime, model: &Model) -> Result<()> {
    let wait = model.wait.as_ref();
    let (what, attribute) = if wait.and_then(|wait| wait.on_stall) == Some(OnStall::Error) {
        (
            "A run that waits for SuperNodes would not be noticed",
            at!(Model, wait.on_stall),
        )
    } else if model.on_client_failure == Some(OnClientFailure::Error) {
        (
            "SuperNodes that fail would not be noticed",
            at!(Model, on_client_failure),
        )
    } else {
        return Ok(());
    };
    match quiet_level(runtime, &model.control).await {
        Some(level) => Err(Diagnostic::error(what)
            .detail(format!(
                "`{attribute}` needs the ServerApp's log, where Flower writes at level INFO. The \
                 `log_level` of the SuperLink is `{}`.",
                level.variable()
            ))
            .detail(format!(
                "Remove `log_level` from the `flower_superlink`, or `{attribute}` from the run. \
                 Nothing was submitted."
            ))
            .at(attribute)
            .into()),
        None => Ok(()),
    }
}

/// Which SuperNodes are online, are missing, or have ended: a stopped SuperNode looks like slow
/// training.
pub(super) async fn nodes_words(
    runtime: &dyn Runtime,
    client: &ControlClient,
    model: &Model,
) -> Vec<String> {
    if let Some(simulated) = simulation::words(model) {
        return vec![simulated];
    }
    let mut sentences = Vec::new();
    if let Some(federation) = Federation::of(runtime, &model.control).await {
        let supernodes = federation.supernodes.iter().map(|one| &one.object);
        let supernodes: Vec<_> = supernodes.collect();
        if let Some((object, how)) = dead_now(runtime, &supernodes).await {
            sentences.push(format!("{object} {how}."));
        }
    }
    if let Ok(nodes) = client.list_nodes().await {
        sentences.push(online_words(&nodes));
        sentences.extend(missing_words(model, &nodes));
    }
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flower::progress::ProgressReader;

    const WAITS: &str =
        "INFO :      Waiting for nodes to connect: 1 connected (minimum required: 2).\n";

    #[test]
    fn a_run_that_waits_for_nodes_stalls_once() {
        let begin = Instant::now();
        let mut watch = StallWatch::new(Duration::from_mins(1), begin);
        let mut reader = ProgressReader::default();
        let mut look = |lines: &str, seconds| {
            reader.add(lines, None);
            let now = begin + Duration::from_secs(seconds);
            watch.look(&RunStatus::Running, reader.progress(), now)
        };
        assert_eq!(look("INFO :      [ROUND 1/3]\n", 0), None);
        assert_eq!(look(WAITS, 1), None);
        assert_eq!(look(WAITS, 30), None);
        let nodes = NodesAwaited {
            connected: 1,
            required: 2,
        };
        assert_eq!(look(WAITS, 60), Some(Stall::Nodes(Some(nodes))));
        assert_eq!(look(WAITS, 600), None);
        // Training is never a stall, however long it takes.
        let sampled = "INFO :      configure_train: Sampled 2 nodes (out of 2)\n";
        assert_eq!(look(sampled, 601), None);
        assert_eq!(look("", 6000), None);
        // A wait that ends without a log line is not a wait.
        assert_eq!(look(WAITS, 6001), None);
        assert_eq!(look("", 6100), None);
        // A legacy strategy waits without a log line.
        assert_eq!(look("INFO :      [ROUND 2]\n", 7000), None);
        assert_eq!(look("", 7061), Some(Stall::Nodes(None)));
    }

    #[test]
    fn a_run_that_nobody_starts_stalls() {
        let begin = Instant::now();
        let mut watch = StallWatch::new(Duration::from_mins(1), begin);
        let progress = Progress::default();
        let later = begin + Duration::from_secs(61);
        assert_eq!(watch.look(&RunStatus::Pending, &progress, begin), None);
        assert_eq!(
            watch.look(&RunStatus::Pending, &progress, later),
            Some(Stall::Start(RunStatus::Pending))
        );
        // An app that logs nothing is never stalled.
        assert_eq!(watch.look(&RunStatus::Running, &progress, later), None);
        let much_later = later + Duration::from_hours(9);
        assert_eq!(watch.look(&RunStatus::Running, &progress, much_later), None);
    }
}
