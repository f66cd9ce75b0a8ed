//! The progress of a run, read from the log of its `ServerApp`: rounds, results and failures of the
//! clients, metrics, and the wait for nodes.
//!
//! The Control API says only that a run runs. Flower's strategies log the rest, in words that
//! changed once: with the Message API (from 1.21) and before it (both can be used today). A line
//! that this module does not know is left alone, so an app that logs nothing of this has no rounds:
//! absent values mean "not known", never zero. The text is written by an app, so everything here is
//! bounded: lines, rounds, metrics, failures and their reasons.

mod history;
mod line;
mod literal;
mod metrics;
mod reader;

use std::collections::VecDeque;

use super::control::NodeId;

pub use metrics::{MetricValue, Metrics};
pub use reader::ProgressReader;

/// How many rounds are kept: the last ones.
pub const MOST_ROUNDS: usize = 1000;
/// How many failed clients are kept of one phase of a round.
pub const MOST_FAILURES: usize = 100;
/// How many characters of the reason of a failure are kept.
pub const LONGEST_REASON: usize = 500;

/// What a log has told so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Progress {
    /// The rounds in the order of the log. Round 0 is an evaluation before the first round.
    pub rounds: VecDeque<Round>,
    /// How many earlier rounds are not kept.
    pub rounds_omitted: u64,
    /// The wait for nodes, if that is what the log told last.
    pub waiting: Option<NodesAwaited>,
    /// How often it was told: while it waits, each second.
    pub waits: u64,
    /// How long the strategies took that have ended, in seconds.
    pub seconds: Option<f64>,
    /// How often a round or one of its phases has begun or ended: without a change, nothing moves.
    pub steps: u64,
    /// Whether lines contradict each other, such as two counts of results for one phase. Flower
    /// writes the text of a failed client's exception into the log as it is, and such a text may
    /// imitate Flower's lines.
    pub contradicts: bool,
    /// Whether the log tells of results in training, and in evaluation.
    tells: Tells,
}

/// For which phases the log tells the number of results. A strategy of the app's own may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Tells {
    train: bool,
    evaluate: bool,
}

/// A `ServerApp` waits for this many nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodesAwaited {
    /// How many are connected.
    pub connected: u32,
    /// How many it needs.
    pub required: u32,
}

/// A round of a strategy.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Round {
    /// The strategy, if the log names it.
    pub strategy: Option<String>,
    /// Its number, from 1.
    pub number: u32,
    /// Of how many rounds, if the log tells.
    pub of: Option<u32>,
    /// The training by the clients.
    pub train: Option<Phase>,
    /// The evaluation by the clients.
    pub evaluate: Option<Phase>,
    /// The metrics of the evaluation in the `ServerApp`.
    pub server_metrics: Metrics,
    /// How long it took, if the times in the log tell: in seconds, and as exact as Flower uploads
    /// logs (3 seconds).
    pub seconds: Option<f64>,
    /// Whether it has ended.
    pub ended: bool,
    /// Whether it is of a strategy from before the Message API.
    pub is_legacy: bool,
}

/// Which part of a round the clients work in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhaseKind {
    /// Training.
    Train,
    /// Evaluation.
    Evaluate,
}

impl PhaseKind {
    /// `train` or `evaluate`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Evaluate => "evaluate",
        }
    }
}

/// What the clients did in a part of a round.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Phase {
    /// How many nodes were asked.
    pub sampled: Option<u32>,
    /// Of how many connected nodes.
    pub available: Option<u32>,
    /// How many results came back.
    pub results: Option<u32>,
    /// How many nodes replied with an error.
    pub failures: Option<u32>,
    /// Those of them that the log names; at most [`MOST_FAILURES`].
    pub failed: Vec<ClientFailure>,
    /// The aggregated metrics.
    pub metrics: Metrics,
}

/// A node replied with an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFailure {
    /// The node.
    pub node: NodeId,
    /// Flower's reason, such as `<class 'RuntimeError'>:<'no data'>`.
    pub reason: String,
}

/// Whether a round had results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// At least one result.
    Results,
    /// Nodes were asked, and none replied with a result.
    NoResult,
    /// The log does not tell.
    Unknown,
}

impl Progress {
    /// Whether the log told of any round.
    pub fn is_known(&self) -> bool {
        !self.rounds.is_empty()
    }

    /// Whether a node failed in any round.
    pub fn has_failures(&self) -> bool {
        let mut phases = self.rounds.iter().flat_map(Round::phases);
        phases.any(|(_, phase)| !phase.failed.is_empty())
    }

    /// The rounds of training: without the evaluation before the first one.
    pub fn trained(&self) -> impl DoubleEndedIterator<Item = &Round> {
        self.rounds.iter().filter(|round| round.number > 0)
    }

    /// Whether a legacy strategy began a round and has asked no node yet: it waits for nodes
    /// without a word.
    pub fn waits_silently(&self) -> bool {
        self.rounds.back().is_some_and(|round| {
            let asked = round.train.is_some() || round.evaluate.is_some();
            round.is_legacy && !round.ended && !asked
        })
    }

    /// Whether a round had results: of its training, or of its evaluation where it did not train.
    pub fn outcome(&self, round: &Round) -> Outcome {
        let asked = |phase: &&Phase| phase.sampled != Some(0);
        let train = round.train.as_ref().filter(asked);
        let (phase, tells) = match (train, round.evaluate.as_ref().filter(asked)) {
            (Some(train), _) => (train, self.tells.train),
            (None, Some(evaluate)) => (evaluate, self.tells.evaluate),
            (None, None) => return Outcome::Unknown,
        };
        match phase.results {
            Some(0) => Outcome::NoResult,
            Some(_) => Outcome::Results,
            // No node replied at all: then Flower does not log a line. A strategy that never logs
            // one is another matter.
            None if round.ended && tells && phase.metrics.is_empty() => Outcome::NoResult,
            None => Outcome::Unknown,
        }
    }

    /// The last value of each metric, under `train`, `evaluate` and `server`.
    pub fn last_metrics(&self) -> LastMetrics<'_> {
        let last = |of: fn(&Round) -> Option<&Metrics>| {
            let mut metrics = self.rounds.iter().rev().filter_map(of);
            metrics.find(|metrics| !metrics.is_empty())
        };
        LastMetrics {
            train: last(|round| round.train.as_ref().map(|phase| &phase.metrics)),
            evaluate: last(|round| round.evaluate.as_ref().map(|phase| &phase.metrics)),
            server: last(|round| Some(&round.server_metrics)),
        }
    }
}

/// The metrics of the last rounds that had any.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LastMetrics<'a> {
    /// Of the training.
    pub train: Option<&'a Metrics>,
    /// Of the evaluation by the clients.
    pub evaluate: Option<&'a Metrics>,
    /// Of the evaluation in the `ServerApp`.
    pub server: Option<&'a Metrics>,
}

impl<'a> LastMetrics<'a> {
    /// The metrics that are NaN or an infinity, each with its source.
    pub fn not_finite(&self) -> impl Iterator<Item = (&'static str, &'a str, MetricValue)> {
        let sources = [
            ("train", self.train),
            ("evaluate", self.evaluate),
            ("server", self.server),
        ];
        sources.into_iter().flat_map(|(source, metrics)| {
            let all = metrics.into_iter().flat_map(Metrics::iter);
            let found = all.filter(|(_, value)| !value.is_finite());
            found.map(move |(name, value)| (source, name, value))
        })
    }
}

impl Round {
    /// The phase of this kind.
    pub fn phase(&self, kind: PhaseKind) -> Option<&Phase> {
        match kind {
            PhaseKind::Train => self.train.as_ref(),
            PhaseKind::Evaluate => self.evaluate.as_ref(),
        }
    }

    fn phase_mut(&mut self, kind: PhaseKind) -> &mut Phase {
        match kind {
            PhaseKind::Train => self.train.get_or_insert_default(),
            PhaseKind::Evaluate => self.evaluate.get_or_insert_default(),
        }
    }

    /// Its phases that the log told of.
    pub fn phases(&self) -> impl Iterator<Item = (PhaseKind, &Phase)> {
        [PhaseKind::Train, PhaseKind::Evaluate]
            .into_iter()
            .filter_map(|kind| Some((kind, self.phase(kind)?)))
    }
}

#[cfg(test)]
mod tests;
