//! One line of a `ServerApp`'s log: what Flower's strategies say in it.

use super::metrics::{MetricValue, Metrics};
use super::{ClientFailure, LONGEST_REASON, NodesAwaited, PhaseKind};
use crate::flower::control::NodeId;
use crate::terminal::shortened;

/// What a line tells. The words are those of `flwr` 1.13 to 1.42.
#[derive(Debug, PartialEq)]
pub(super) enum Event<'a> {
    /// A strategy starts; its name, if the line has it.
    Strategy(Option<&'a str>),
    /// How many rounds it will have.
    Rounds(u32),
    /// The metrics of the first model.
    Initial(Metrics),
    Round {
        number: u32,
        of: Option<u32>,
    },
    Sampled {
        phase: PhaseKind,
        nodes: u32,
        available: u32,
    },
    /// Nobody takes part in this phase.
    NotSampled(PhaseKind),
    Received {
        phase: PhaseKind,
        results: u32,
        failures: u32,
    },
    Failed(ClientFailure),
    /// The metrics of the phase that the lines before were about.
    Aggregated(Metrics),
    /// The metrics of an evaluation in the `ServerApp`.
    Server(Metrics),
    /// The same in one line, with its round.
    Evaluated {
        number: u32,
        metrics: Metrics,
    },
    Waiting(NodesAwaited),
    /// The strategy has ended, after this many seconds.
    Finished(f64),
    /// A line about the history of a legacy strategy, or the end of it: an empty message.
    Other(&'a str),
}

/// The level of a line of Flower's logger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Info,
    Other,
}

/// Splits a line into the level and message of Flower's logger; `None` for any other output.
///
/// `INFO :      [ROUND 1]`, with a time before the colon if timestamps are on. The blanks behind
/// the colon fill the level up to eight characters.
pub(super) fn message(line: &str) -> Option<(Level, &str)> {
    let (level, blanks, rest) = match line.as_bytes().first()? {
        b'I' => (Level::Info, ":      ", line.strip_prefix("INFO ")?),
        b'W' => (Level::Other, ":   ", line.strip_prefix("WARNING ")?),
        b'E' => (Level::Other, ":     ", line.strip_prefix("ERROR ")?),
        b'D' => (Level::Other, ":     ", line.strip_prefix("DEBUG ")?),
        b'C' => (Level::Other, ":  ", line.strip_prefix("CRITICAL ")?),
        _ => return None,
    };
    // Blanks at the end of an empty message may be gone.
    let end = rest
        .find(": ")
        .or_else(|| rest.strip_suffix(':').map(str::len))?;
    let (time, message) = rest.split_at_checked(end)?;
    let is_time = time
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b':' | b',' | b' '));
    let message = message.strip_prefix(blanks);
    is_time.then_some((level, message.unwrap_or_default()))
}

/// What the message of a line of level INFO tells.
pub(super) fn event(message: &str) -> Event<'_> {
    parse(message).unwrap_or(Event::Other(message))
}

fn parse(message: &str) -> Option<Event<'_>> {
    let text = message.trim_start_matches(['\t', ' ', '└', '├', '─', '>']);
    match text.as_bytes().first()? {
        b'[' if text == "[INIT]" => Some(Event::Strategy(None)),
        b'[' => round(text),
        b'c' => configured(text),
        b'a' => received(text),
        b'A' => text
            .strip_prefix("Aggregated MetricRecord: ")
            .and_then(Metrics::parse)
            .map(Event::Aggregated),
        b'M' => text
            .strip_prefix("MetricRecord: ")
            .and_then(Metrics::parse)
            .map(Event::Server),
        b'R' => failed(text).or_else(|| finished(text)),
        b'W' => waiting(text),
        b'S' => finished(text).or_else(|| strategy(text)),
        b'N' => text
            .strip_prefix("Number of rounds: ")?
            .parse()
            .ok()
            .map(Event::Rounds),
        b'I' => text
            .strip_prefix("Initial global evaluation results: ")
            .and_then(Metrics::parse)
            .map(Event::Initial),
        b'i' => {
            let text = text.strip_prefix("initial parameters (loss, other metrics): ")?;
            let (loss, metrics) = text.split_once(", ")?;
            Some(Event::Initial(with_loss(loss, metrics)))
        }
        b'f' => progress(text),
        _ => None,
    }
}

/// `[ROUND 1]` or `[ROUND 1/3]`.
fn round(text: &str) -> Option<Event<'_>> {
    let text = text.strip_prefix("[ROUND ")?.strip_suffix(']')?;
    let (number, of) = match text.split_once('/') {
        Some((number, of)) => (number, Some(of.parse().ok()?)),
        None => (text, None),
    };
    Some(Event::Round {
        number: number.parse().ok()?,
        of,
    })
}

fn phase(word: &str) -> Option<PhaseKind> {
    match word {
        "train" | "fit" => Some(PhaseKind::Train),
        "evaluate" => Some(PhaseKind::Evaluate),
        _ => None,
    }
}

/// `configure_train: Sampled 2 nodes (out of 3)`, or the legacy words of it.
fn configured(text: &str) -> Option<Event<'_>> {
    let (word, rest) = text.strip_prefix("configure_")?.split_once(": ")?;
    let phase = phase(word)?;
    if rest.starts_with("no clients selected") {
        return Some(Event::NotSampled(phase));
    }
    let rest = rest
        .strip_prefix("Sampled ")
        .or_else(|| rest.strip_prefix("strategy sampled "))?;
    let (nodes, rest) = rest.split_once(' ')?;
    let (_, available) = rest.strip_suffix(')')?.split_once(" (out of ")?;
    Some(Event::Sampled {
        phase,
        nodes: nodes.parse().ok()?,
        available: available.parse().ok()?,
    })
}

/// `aggregate_train: Received 2 results and 1 failures`.
fn received(text: &str) -> Option<Event<'_>> {
    let (word, rest) = text.strip_prefix("aggregate_")?.split_once(": ")?;
    let rest = rest
        .strip_prefix("Received ")
        .or_else(|| rest.strip_prefix("received "))?;
    let (results, failures) = rest
        .strip_suffix(" failures")?
        .split_once(" results and ")?;
    Some(Event::Received {
        phase: phase(word)?,
        results: results.parse().ok()?,
        failures: failures.parse().ok()?,
    })
}

/// `Received error in reply from node 7: <class 'RuntimeError'>:<'no data'>`.
fn failed(text: &str) -> Option<Event<'_>> {
    let text = text.strip_prefix("Received error in reply from node ")?;
    let (node, reason) = text.split_once(": ")?;
    Some(Event::Failed(ClientFailure {
        node: NodeId(node.parse().ok()?),
        reason: shortened(reason.trim(), LONGEST_REASON).into_owned(),
    }))
}

/// `Waiting for nodes to connect: 1 connected (minimum required: 2).`
fn waiting(text: &str) -> Option<Event<'_>> {
    let text = text.strip_prefix("Waiting for nodes to connect: ")?;
    let (connected, rest) = text.split_once(" connected (minimum required: ")?;
    Some(Event::Waiting(NodesAwaited {
        connected: connected.parse().ok()?,
        required: rest.trim_end_matches(").").parse().ok()?,
    }))
}

/// `Strategy execution finished in 27.95s`, or `Run finished 3 round(s) in 27.95s`.
fn finished(text: &str) -> Option<Event<'_>> {
    let seconds = text
        .strip_prefix("Strategy execution finished in ")
        .or_else(|| {
            let (_, seconds) = text
                .strip_prefix("Run finished ")?
                .split_once(" round(s) in ")?;
            Some(seconds)
        })?;
    let seconds: f64 = seconds.strip_suffix('s')?.parse().ok()?;
    seconds.is_finite().then_some(Event::Finished(seconds))
}

/// `Starting FedAvg strategy:`, or the legacy `Starting Flower ServerApp, config: num_rounds=3, …`.
fn strategy(text: &str) -> Option<Event<'_>> {
    let text = text.strip_prefix("Starting ")?;
    if let Some(config) = text.strip_prefix("Flower ServerApp, config: ") {
        let rounds = config.strip_prefix("num_rounds=")?;
        let (rounds, _) = rounds.split_once(',').unwrap_or((rounds, ""));
        return rounds.parse().ok().map(Event::Rounds);
    }
    let name = text.strip_suffix(" strategy:")?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    is_name.then_some(Event::Strategy(Some(name)))
}

/// `fit progress: (1, 0.5, {'accuracy': 0.8}, 12.3)`: round, loss, metrics and seconds.
fn progress(text: &str) -> Option<Event<'_>> {
    let text = text.strip_prefix("fit progress: (")?.strip_suffix(')')?;
    let (number, text) = text.split_once(", ")?;
    let (loss, text) = text.split_once(", ")?;
    let (metrics, _) = text.rsplit_once(", ")?;
    Some(Event::Evaluated {
        number: number.parse().ok()?,
        metrics: with_loss(loss, metrics),
    })
}

/// Legacy strategies report the loss apart from the other metrics.
fn with_loss(loss: &str, metrics: &str) -> Metrics {
    let mut all = Metrics::default();
    if let Some(loss) = number(loss) {
        all.set("loss".to_owned(), loss);
    }
    let metrics = Metrics::parse(metrics).unwrap_or_default();
    for (name, value) in metrics.iter() {
        all.set(name.to_owned(), value);
    }
    all.omitted += metrics.omitted;
    all
}

/// A number as Python or numpy writes it.
pub(super) fn number(text: &str) -> Option<MetricValue> {
    match super::literal::literal(text, 8)? {
        (super::literal::Literal::Number(value), _) => Some(value),
        _ => None,
    }
}
