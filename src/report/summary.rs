//! The few facts that a reader looks for first, the same in HTML and Markdown.

use super::numbers::{bytes, counted, duration};
use super::times::{between, parse};
use super::{Report, Run};
use crate::flower::progress::{Outcome, Phase, Round};

/// How many different states of nodes are counted: Flower has four.
const MOST_STATES: usize = 6;

/// What the headline says of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Headline {
    /// The status in a few words; a word that Flower made up is not escaped.
    pub(super) status: String,
    pub(super) tone: Tone,
    /// What a reader must not overlook although the status does not say it.
    pub(super) warning: Option<String>,
}

/// Whether a status is good news. Colour and sign of the headline follow it, beside the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Bad,
    Warning,
    Neutral,
}

impl Tone {
    /// The class in the style sheet.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Warning => "warning",
            Self::Neutral => "neutral",
        }
    }

    /// A sign that differs without colours.
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Good => "✓",
            Self::Bad => "✕",
            Self::Warning => "!",
            Self::Neutral => "•",
        }
    }
}

/// A fact with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) value: String,
    /// More about the value.
    pub(super) more: Option<String>,
}

/// The headline of a report.
pub(super) fn headline(report: &Report<'_>) -> Headline {
    let (mut status, mut tone) = status(&report.run);
    // A run whose last round brought nothing has not gone well, although Flower completed it.
    let fruitless = fruitless_round(report);
    if fruitless.is_some() {
        status.push_str(" – the last round had no result");
        if tone == Tone::Good {
            tone = Tone::Warning;
        }
    } else if tone == Tone::Good
        && let Some((doubt, weaker)) = doubt(report)
    {
        status.push_str(doubt);
        tone = weaker;
    }
    Headline {
        status,
        tone,
        warning: fruitless.or_else(|| wait_for_nodes(report)),
    }
}

/// Why a run that Flower completed may not have trained well.
fn doubt(report: &Report<'_>) -> Option<(&'static str, Tone)> {
    let last = report.progress.last_metrics();
    if report.progress.has_failures() {
        Some((" – some nodes failed", Tone::Warning))
    } else if last.not_finite().next().is_some() {
        Some((" – the last metrics are not all numbers", Tone::Warning))
    } else if !report.progress.is_known() {
        Some((" – nothing is known of its rounds", Tone::Neutral))
    } else {
        None
    }
}

fn status(run: &Run<'_>) -> (String, Tone) {
    let (status, tone) = match (run.status, run.sub_status.unwrap_or_default()) {
        ("finished", "completed") => ("Completed", Tone::Good),
        ("finished", "failed") => ("Failed", Tone::Bad),
        ("finished", "stopped") => ("Stopped before its end", Tone::Warning),
        ("finished", "") => ("Finished; Flower does not tell how", Tone::Neutral),
        ("finished", other) => return (format!("Finished: {other}"), Tone::Neutral),
        ("running", _) => ("Running", Tone::Neutral),
        ("starting", _) => ("Starting: the ServerApp is being prepared", Tone::Neutral),
        ("pending", _) => ("Pending: the run waits for a SuperExec", Tone::Neutral),
        ("lost", _) => (
            "Lost: the SuperLink does not list this run any more",
            Tone::Bad,
        ),
        ("", _) => ("Status not known", Tone::Neutral),
        (other, _) => return (other.to_owned(), Tone::Neutral),
    };
    (status.to_owned(), tone)
}

/// What to say of a last round without a result.
fn fruitless_round(report: &Report<'_>) -> Option<String> {
    let last = report.progress.trained().next_back()?;
    (report.progress.outcome(last) == Outcome::NoResult).then(|| {
        let (number, phase) = (last.number, last.train.as_ref().or(last.evaluate.as_ref()));
        match phase.and_then(|phase| phase.sampled) {
            Some(1) => format!("The node asked in round {number} returned no result."),
            Some(nodes) if nodes > 1 => {
                format!("None of the {nodes} nodes asked in round {number} returned a result.")
            }
            Some(_) | None => format!("No node asked in round {number} returned a result."),
        }
    })
}

fn wait_for_nodes(report: &Report<'_>) -> Option<String> {
    let nodes = report.progress.waiting?;
    (!has_ended(&report.run)).then(|| {
        format!(
            "The ServerApp waits for nodes: {} connected, {} required.",
            nodes.connected, nodes.required
        )
    })
}

fn has_ended(run: &Run<'_>) -> bool {
    matches!(run.status, "finished" | "lost")
}

/// The key facts that are known.
pub(super) fn facts(report: &Report<'_>) -> Vec<Fact> {
    let fact = |name, value, more| Fact { name, value, more };
    let mut facts = Vec::new();
    if let Some((value, more)) = rounds(report) {
        facts.push(fact("Rounds", value, more));
    }
    if let Some((name, seconds)) = ran(report) {
        facts.push(fact(name, duration(seconds), waited(&report.run)));
    }
    if !report.nodes.is_empty() {
        facts.push(fact(
            "Nodes",
            report.nodes.len().to_string(),
            states(report),
        ));
    }
    if let Some(failures) = failures(report) {
        let more = "replies with an error, all rounds".to_owned();
        facts.push(fact("Client failures", failures.to_string(), Some(more)));
    }
    if let Some(usage) = report.usage {
        let received = format!("{} received from the nodes", bytes(usage.bytes_received));
        facts.push(fact(
            "Sent to the nodes",
            bytes(usage.bytes_sent),
            Some(received),
        ));
        let more = Some("all nodes together".to_owned());
        facts.push(fact(
            "ClientApp time",
            duration(usage.clientapp_seconds),
            more,
        ));
    }
    facts
}

fn rounds(report: &Report<'_>) -> Option<(String, Option<String>)> {
    let progress = report.progress;
    let trained = progress.trained().count() as u64 + progress.rounds_omitted;
    let last = progress.trained().next_back()?;
    let value = match last.of {
        // With several strategies the number of the last round is not the number of rounds.
        Some(of) if trained == u64::from(last.number) => format!("{trained} of {of}"),
        Some(_) | None => trained.to_string(),
    };
    let failed = |round: &&Round| progress.outcome(round) == Outcome::NoResult;
    let more = match progress.trained().filter(failed).count() {
        0 => last
            .strategy
            .as_deref()
            .map(|strategy| format!("strategy {strategy}")),
        without => Some(format!("{without} without a result")),
    };
    Some((value, more))
}

/// How long the run ran or runs, and what this is called.
fn ran(report: &Report<'_>) -> Option<(&'static str, f64)> {
    let run = &report.run;
    let began = parse(run.running_at?)?;
    if let Some(ended) = run.finished_at {
        return Some(("Ran for", between(began, parse(ended)?)?));
    }
    if has_ended(run) {
        return None;
    }
    Some(("Has run for", between(began, parse(report.written_at)?)?))
}

fn waited(run: &Run<'_>) -> Option<String> {
    let seconds = between(parse(run.pending_at?)?, parse(run.running_at?)?)?;
    Some(format!("after {} of preparation", duration(seconds)))
}

/// How many nodes are in each state, in the order of the list.
fn states(report: &Report<'_>) -> Option<String> {
    let mut states: Vec<(&str, u64)> = Vec::new();
    for node in report.nodes {
        let known = states.iter_mut().find(|(state, _)| *state == node.state);
        if let Some((_, count)) = known {
            *count += 1;
        } else if states.len() < MOST_STATES {
            states.push((node.state, 1));
        }
    }
    let states = states
        .iter()
        .map(|(state, count)| format!("{count} {state}"));
    Some(states.collect::<Vec<_>>().join(", "))
}

/// What a report says of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RoundOutcome {
    Results,
    NoResult,
    /// Round 0 has no clients.
    ServerOnly,
    /// The run still runs, so the round may get results.
    UnderWay,
    Unknown,
}

impl RoundOutcome {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Results => "results",
            Self::NoResult => "✕ no result",
            Self::ServerOnly => "server evaluation",
            Self::UnderWay => "under way",
            Self::Unknown => "not known",
        }
    }

    /// The class in the style sheet.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Results => "plain",
            Self::NoResult => "bad",
            Self::ServerOnly | Self::UnderWay | Self::Unknown => "muted",
        }
    }
}

/// The outcome of a round.
pub(super) fn outcome(report: &Report<'_>, round: &Round) -> RoundOutcome {
    match report.progress.outcome(round) {
        Outcome::Results => RoundOutcome::Results,
        Outcome::NoResult => RoundOutcome::NoResult,
        Outcome::Unknown if round.number == 0 => RoundOutcome::ServerOnly,
        Outcome::Unknown if !round.ended && !has_ended(&report.run) => RoundOutcome::UnderWay,
        Outcome::Unknown => RoundOutcome::Unknown,
    }
}

/// How many replies with an error the log counts in all rounds. `None` if it counts none at all.
pub(super) fn failures(report: &Report<'_>) -> Option<u64> {
    let phases = report.progress.rounds.iter().flat_map(Round::phases);
    let counts = phases.filter_map(|(_, phase)| phase_failures(phase));
    counts.reduce(|sum, count| sum + count)
}

/// How many failures a phase had: counted, or at least named by the log.
pub(super) fn phase_failures(phase: &Phase) -> Option<u64> {
    let named = phase.failed.len() as u64;
    let counted = phase.failures.map(u64::from);
    counted
        .or((named > 0).then_some(named))
        .map(|count| count.max(named))
}

/// What a report says of rounds that are not kept. `None` if all are.
pub(super) fn omitted_rounds(report: &Report<'_>) -> Option<String> {
    let omitted = report.progress.rounds_omitted;
    (omitted > 0).then(|| {
        let rounds = counted(omitted, "earlier round is", "earlier rounds are");
        format!("{rounds} not kept: the provider keeps the last ones.")
    })
}

/// Why there are no rounds.
pub(super) const NO_ROUNDS: &str = "The log names no rounds: the app's strategy does not log them, \
    the log level is above INFO, or no round has begun.";
/// Why there are no metrics.
pub(super) const NO_METRICS: &str =
    "The log has no metrics: no round has reported one, or the app's strategy does not log them.";
