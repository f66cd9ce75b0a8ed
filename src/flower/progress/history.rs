//! The end of a legacy strategy's log: only there it tells the losses and metrics of the clients.
//!
//! ```text
//! History (loss, distributed):
//!     round 1: 0.5
//! History (metrics, distributed, fit):
//! {'accuracy': [(1, 0.7), (2, 0.8)]}
//! ```
//!
//! Each line has the prefix of the logger, and Python breaks long dictionaries into several lines.

use std::collections::{HashMap, VecDeque};

use super::line::number;
use super::literal::{Literal, literal};
use super::metrics::MetricValue;
use super::{PhaseKind, Round};

/// How much of one dictionary is kept.
const LONGEST: usize = 1 << 20;
/// How many of its values are read.
const MOST_VALUES: usize = 200_000;

/// Reads the lines between `[SUMMARY]` and an empty line.
#[derive(Debug)]
pub(super) struct History {
    section: Option<Section>,
    dictionary: String,
    /// Where a round is: the last one with this number.
    index: HashMap<u32, usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Losses(PhaseKind),
    Metrics(PhaseKind),
    /// The evaluation in the `ServerApp`, which was told round by round.
    Known,
}

impl History {
    /// Begins behind `[SUMMARY]`; no round may begin until the end.
    pub(super) fn of(rounds: &VecDeque<Round>) -> Self {
        let numbers = rounds.iter().enumerate();
        Self {
            section: None,
            dictionary: String::new(),
            index: numbers.map(|(at, round)| (round.number, at)).collect(),
        }
    }

    /// Takes a line.
    pub(super) fn add(&mut self, message: &str, rounds: &mut VecDeque<Round>) {
        let line = message.strip_prefix('\t').unwrap_or(message);
        if let Some(section) = heading(line) {
            self.end(rounds);
            self.section = Some(section);
            return;
        }
        match self.section {
            Some(Section::Losses(phase)) => {
                if let Some((round, loss)) = loss(line) {
                    self.set(rounds, phase, round, "loss", loss);
                }
            }
            Some(Section::Metrics(_)) if self.dictionary.len() + line.len() < LONGEST => {
                self.dictionary.push_str(line);
                self.dictionary.push(' ');
            }
            Some(_) | None => {}
        }
    }

    /// Ends a section.
    pub(super) fn end(&mut self, rounds: &mut VecDeque<Round>) {
        let dictionary = std::mem::take(&mut self.dictionary);
        let Some(Section::Metrics(phase)) = self.section.take() else {
            return;
        };
        let Some((Literal::Dict { entries, .. }, _)) = literal(&dictionary, MOST_VALUES) else {
            return;
        };
        for (name, values) in entries {
            let Literal::List { items, .. } = values else {
                continue;
            };
            let name = name.into_text();
            for item in items {
                if let Some((round, value)) = pair(&item) {
                    self.set(rounds, phase, round, &name, value);
                }
            }
        }
    }

    fn set(
        &self,
        rounds: &mut VecDeque<Round>,
        phase: PhaseKind,
        round: u32,
        name: &str,
        value: MetricValue,
    ) {
        let at = self.index.get(&round);
        if let Some(round) = at.and_then(|at| rounds.get_mut(*at)) {
            round.phase_mut(phase).metrics.set(name.to_owned(), value);
        }
    }
}

fn heading(line: &str) -> Option<Section> {
    let what = line.strip_prefix("History (")?.strip_suffix("):")?;
    Some(match what {
        "loss, distributed" => Section::Losses(PhaseKind::Evaluate),
        "metrics, distributed, fit" => Section::Metrics(PhaseKind::Train),
        "metrics, distributed, evaluate" => Section::Metrics(PhaseKind::Evaluate),
        _ => Section::Known,
    })
}

/// `round 1: 0.5`.
fn loss(line: &str) -> Option<(u32, MetricValue)> {
    let (round, loss) = line.trim_start().strip_prefix("round ")?.split_once(": ")?;
    Some((round.parse().ok()?, number(loss)?))
}

/// `(1, 0.5)`.
fn pair(item: &Literal<'_>) -> Option<(u32, MetricValue)> {
    let Literal::List { items, .. } = item else {
        return None;
    };
    match items.as_slice() {
        [
            Literal::Number(MetricValue::Int(round)),
            Literal::Number(value),
        ] => Some((u32::try_from(*round).ok()?, *value)),
        _ => None,
    }
}
