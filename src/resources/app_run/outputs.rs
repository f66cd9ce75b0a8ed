//! What a run's log shows, as attributes.

use std::collections::{BTreeMap, BTreeSet};

use super::federation::KnownNodes;
use super::model::Model;
use super::run_log::RunLog;
use crate::flower::control::{ControlClient, Node, NodeId, NodeStatus, Run, Usage};
use crate::flower::progress::{LastMetrics, MetricValue, Metrics, Phase, Progress, Round};
use crate::model;
use crate::resources::Configured;
use crate::resources::connection_attributes::ControlInput;
use crate::resources::report::inert;
use crate::terminal::{plain, shortened, visible};
use crate::tfplugin::Call;
use crate::tfplugin::schema::{Computed, computed};
use crate::tfplugin::value::Number;

/// How many client failures the state keeps; the last ones stay.
const MOST_FAILURES: usize = 1000;

/// Metrics by name; null for NaN and infinities, which Terraform's numbers do not have.
pub type Numbers = BTreeMap<String, Option<Number>>;

model! {
    /// A round of training.
    pub struct RoundOutput {
        /// The number of the round, from 1. Round 0 is an evaluation of the model before the first
        /// round.
        round: u32 = computed(),
        /// The name of the strategy, such as `FedAvg`. Null if the log does not name it.
        strategy: Option<String> = computed(),
        /// How long the round took, in seconds, exact to about 3 seconds. Null if the apply did not
        /// follow it.
        seconds: Option<f64> = computed(),
        /// The training on the SuperNodes. Null if the log does not tell of it.
        train: Option<PhaseOutput> = computed(),
        /// The evaluation on the SuperNodes. Null if the log does not tell of it.
        evaluate: Option<PhaseOutput> = computed(),
        /// The metrics of the evaluation in the ServerApp, by name.
        server_metrics: Numbers = computed(),
    }
}

model! {
    /// What the SuperNodes did in a part of a round.
    pub struct PhaseOutput {
        /// How many SuperNodes were asked.
        sampled: Option<u32> = computed(),
        /// How many results came back.
        results: Option<u32> = computed(),
        /// How many SuperNodes replied with an error.
        failures: Option<u32> = computed(),
        /// The aggregated metrics, by name.
        metrics: Numbers = computed(),
    }
}

model! {
    /// The last value of each metric.
    pub struct MetricsOutput {
        /// Of the training on the SuperNodes.
        train: Numbers = computed(),
        /// Of the evaluation on the SuperNodes.
        evaluate: Numbers = computed(),
        /// Of the evaluation in the ServerApp.
        server: Numbers = computed(),
    }
}

model! {
    /// An error with which a SuperNode replied.
    pub struct ClientFailureOutput {
        /// The number of the round.
        round: u32 = computed(),
        /// `train` or `evaluate`.
        phase: String = computed(),
        /// The ID of the SuperNode.
        node_id: NodeId = computed(),
        /// The name of the SuperNode. Null if the SuperLink has none.
        name: Option<String> = computed(),
        /// Flower's reason: the type and text of the exception.
        reason: String = computed(),
    }
}

model! {
    /// What a run used.
    pub struct UsageOutput {
        /// How many bytes the SuperLink sent to SuperNodes for the run.
        bytes_sent: i64 = computed(),
        /// How many bytes the SuperLink received from SuperNodes for the run.
        bytes_received: i64 = computed(),
        /// How long the ClientApps ran, in seconds, all together.
        clientapp_seconds: f64 = computed(),
    }
}

/// What is known of a run's training.
#[derive(Debug, Clone, Default)]
pub struct RunOutputs {
    pub rounds: Computed<Vec<RoundOutput>>,
    pub metrics: Computed<MetricsOutput>,
    pub client_failures: Computed<Vec<ClientFailureOutput>>,
    pub usage: Computed<UsageOutput>,
    pub node_ids: Computed<Vec<NodeId>>,
}

impl RunOutputs {
    /// Reads the log of a run as far as it is written.
    pub async fn of(
        call: &Call<Configured>,
        client: &ControlClient,
        control: &ControlInput,
        run: &Run,
    ) -> Self {
        let progress = RunLog::read(client, run).await;
        let nodes = KnownNodes::of(call, client, control, &progress, false).await;
        let mut outputs = Self::from(&progress, &nodes);
        outputs.usage = run.usage.as_ref().map(usage).into();
        outputs
    }

    /// All outputs but the usage.
    fn from(progress: &Progress, nodes: &KnownNodes) -> Self {
        if !progress.is_known() {
            return Self::default();
        }
        Self {
            rounds: Computed::Known(rounds(progress)),
            metrics: Computed::Known(last(&progress.last_metrics())),
            client_failures: Computed::Known(failures(progress, &nodes.names)),
            usage: Computed::Null,
            node_ids: participants(progress, &nodes.listed).into(),
        }
    }
}

/// Writes what the log shows into the state.
pub(super) fn record(model: &mut Model, progress: &Progress, nodes: &KnownNodes) {
    let outputs = RunOutputs::from(progress, nodes);
    model.rounds = outputs.rounds;
    model.metrics = outputs.metrics;
    model.client_failures = outputs.client_failures;
    model.node_ids = outputs.node_ids;
    if progress.rounds_omitted > 0 {
        tracing::warn!(
            "`rounds` has the last {} rounds; {} earlier ones are left out",
            progress.rounds.len(),
            progress.rounds_omitted
        );
    }
}

pub fn usage(usage: &Usage) -> UsageOutput {
    UsageOutput {
        bytes_sent: i64::try_from(usage.bytes_sent).unwrap_or(i64::MAX),
        bytes_received: i64::try_from(usage.bytes_received).unwrap_or(i64::MAX),
        clientapp_seconds: usage.clientapp_seconds,
    }
}

/// The approximate number of bytes of metrics that the state keeps.
const MOST_METRICS: usize = 1 << 20;
/// The size of a number without its name.
const NUMBER: usize = 24;

/// All rounds. If the metrics are too large, earlier rounds have none.
fn rounds(progress: &Progress) -> Vec<RoundOutput> {
    let mut room = MOST_METRICS;
    let mut rounds = Vec::with_capacity(progress.rounds.len());
    for one in progress.rounds.iter().rev() {
        let mut shown = round(one);
        room = room.saturating_sub(shown.size());
        if room == 0 {
            shown.drop_metrics();
        }
        rounds.push(shown);
    }
    if room == 0 {
        tracing::warn!("`rounds` has the metrics of the last rounds only: they are too many");
    }
    rounds.reverse();
    rounds
}

impl RoundOutput {
    fn metrics(&mut self) -> impl Iterator<Item = &mut Numbers> {
        let phases = [&mut self.train, &mut self.evaluate].into_iter().flatten();
        let phases = phases.map(|phase| &mut phase.metrics);
        phases.chain(std::iter::once(&mut self.server_metrics))
    }

    fn size(&mut self) -> usize {
        let names = self.metrics().flat_map(|metrics| metrics.keys());
        names.map(|name| name.len() + NUMBER).sum()
    }

    fn drop_metrics(&mut self) {
        self.metrics().for_each(BTreeMap::clear);
    }
}

fn round(round: &Round) -> RoundOutput {
    RoundOutput {
        round: round.number,
        strategy: round.strategy.clone(),
        seconds: round.seconds,
        train: round.train.as_ref().map(phase),
        evaluate: round.evaluate.as_ref().map(phase),
        server_metrics: numbers(&round.server_metrics),
    }
}

fn phase(phase: &Phase) -> PhaseOutput {
    PhaseOutput {
        sampled: phase.sampled,
        results: phase.results,
        failures: phase.failures,
        metrics: numbers(&phase.metrics),
    }
}

fn last(last: &LastMetrics<'_>) -> MetricsOutput {
    let numbers = |metrics: Option<&Metrics>| metrics.map(numbers).unwrap_or_default();
    MetricsOutput {
        train: numbers(last.train),
        evaluate: numbers(last.evaluate),
        server: numbers(last.server),
    }
}

fn numbers(metrics: &Metrics) -> Numbers {
    metrics
        .iter()
        .map(|(name, value)| (inert(&visible(name)), number(value)))
        .collect()
}

/// As text, so that 0.1 keeps its exact decimal value.
fn number(value: MetricValue) -> Option<Number> {
    match value {
        MetricValue::Int(int) => Some(Number::Int(int)),
        MetricValue::Float(float) if float.is_finite() => Some(Number::Decimal(float.to_string())),
        MetricValue::Float(_) => None,
    }
}

fn failures(progress: &Progress, names: &BTreeMap<NodeId, String>) -> Vec<ClientFailureOutput> {
    let all: Vec<_> = progress
        .rounds
        .iter()
        .flat_map(|round| {
            let phases = round.phases();
            phases.flat_map(move |(kind, phase)| {
                let failed = phase.failed.iter();
                failed.map(move |failure| (round.number, kind, failure))
            })
        })
        .collect();
    let from = all.len().saturating_sub(MOST_FAILURES);
    let kept = all.into_iter().skip(from);
    kept.map(|(round, kind, failure)| ClientFailureOutput {
        round,
        phase: kind.as_str().to_owned(),
        node_id: failure.node,
        name: names.get(&failure.node).cloned(),
        reason: inert(&visible(&failure.reason)),
    })
    .collect()
}

/// The nodes that took part, if that is certain: every round sampled all connected nodes, and the
/// same number is online now. The log does not name the nodes that replied with results.
fn participants(progress: &Progress, nodes: &[Node]) -> Option<Vec<NodeId>> {
    let online = nodes
        .iter()
        .filter(|node| node.status == NodeStatus::Online);
    let online: BTreeSet<_> = online.map(|node| node.id).collect();
    let count = u32::try_from(online.len()).ok().filter(|count| *count > 0);
    let mut phases = progress.trained().flat_map(Round::phases).peekable();
    phases.peek()?;
    let asked_all = phases
        .filter(|(_, phase)| phase.sampled != Some(0))
        .all(|(_, phase)| phase.sampled == count && phase.available == count);
    asked_all.then(|| online.into_iter().collect())
}

/// How many characters of Flower's details are kept: an exception may fill a whole page.
const DETAILS: usize = 1000;

/// Flower's details about the end of a run.
pub(super) fn details(run: &Run) -> String {
    let lines = plain(&run.details);
    let lines: Vec<_> = lines.lines().map(str::trim_end).collect();
    shortened(lines.join("\n").trim(), DETAILS).into_owned()
}
