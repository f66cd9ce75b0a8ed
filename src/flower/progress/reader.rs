//! Reads a log that arrives in pieces.

use memchr::memchr;

use super::history::History;
use super::line::{Event, Level, event, message};
use super::{
    ClientFailure, LONGEST_REASON, MOST_FAILURES, MOST_ROUNDS, Metrics, Phase, PhaseKind, Progress,
    Round,
};
use crate::terminal::shortened;

/// How many bytes of a line are kept.
const LONGEST_LINE: usize = 64 << 10;
/// How many ends of legacy strategies are read in one log.
const MOST_SUMMARIES: u32 = 100;

/// Reads a log piece by piece; a piece may end anywhere.
#[derive(Debug, Default)]
pub struct ProgressReader {
    progress: Progress,
    /// The beginning of the current line.
    begun: Vec<u8>,
    strategy: Option<String>,
    rounds: Option<u32>,
    /// The number of the round that may follow.
    next: Option<u32>,
    /// The phase that the last lines were about.
    phase: Option<PhaseKind>,
    /// Whether the last line was a failure, whose reason may have more lines.
    reason_is_open: bool,
    history: Option<History>,
    summaries: u32,
    clock: Clock,
}

/// The times of the pieces, for how long rounds take.
#[derive(Debug, Default)]
struct Clock {
    /// The time of the current piece.
    now: Option<f64>,
    /// Which piece it is.
    piece: u64,
    /// In which piece the current round began, and the time of it.
    began: Option<(u64, f64)>,
}

impl ProgressReader {
    /// Reads a piece without colour codes. `at` is the time of its last line in seconds, if known.
    pub fn add(&mut self, piece: &str, at: Option<f64>) {
        self.clock.now = at;
        self.clock.piece += 1;
        let mut rest = piece.as_bytes();
        while let Some(end) = memchr(b'\n', rest) {
            let (line, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            rest = after.get(1..).unwrap_or_default();
            if self.begun.is_empty() {
                self.line(line);
            } else {
                self.keep(line);
                let line = std::mem::take(&mut self.begun);
                self.line(&line);
            }
        }
        self.keep(rest);
    }

    /// What was read so far.
    pub const fn progress(&self) -> &Progress {
        &self.progress
    }

    /// What was read of a log that may go on.
    pub fn so_far(self) -> Progress {
        self.progress
    }

    /// The log has ended, and with it the last round.
    pub fn end(mut self) -> Progress {
        let line = std::mem::take(&mut self.begun);
        self.line(&line);
        self.end_history();
        self.end_round();
        self.progress
    }

    /// How many bytes the current line takes.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.begun.capacity()
    }

    fn keep(&mut self, part: &[u8]) {
        let room = LONGEST_LINE
            .saturating_sub(self.begun.len())
            .min(part.len());
        self.begun.extend(part.get(..room).unwrap_or_default());
    }

    fn line(&mut self, line: &[u8]) {
        // Most lines of a chatty app are not Flower's.
        let may_be_flowers = line.first().is_some_and(|first| b"IWEDC".contains(first));
        if !may_be_flowers && !self.reason_is_open {
            return;
        }
        let line = line.get(..LONGEST_LINE).unwrap_or(line);
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end_matches('\r');
        match message(line) {
            Some((Level::Info, message)) => {
                self.reason_is_open = false;
                self.event(event(message));
            }
            Some((Level::Other, _)) => self.reason_is_open = false,
            None if self.reason_is_open => self.continue_reason(line),
            None => {}
        }
    }

    /// Adds a line to the reason of the last failure: exceptions have several.
    fn continue_reason(&mut self, line: &str) {
        let phase = self.phase;
        let known = self
            .open()
            .zip(phase)
            .map(|(round, phase)| round.phase_mut(phase));
        let last = known.and_then(|known| known.failed.last_mut());
        if let Some(failure) = last.filter(|failure| failure.reason.len() < LONGEST_REASON) {
            let reason = format!("{}\n{}", failure.reason, line.trim_end());
            failure.reason = shortened(&reason, LONGEST_REASON).into_owned();
        } else {
            self.reason_is_open = false;
        }
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Other(message) => {
                self.other(message);
                return;
            }
            Event::Waiting(nodes) => {
                self.progress.waiting = Some(nodes);
                self.progress.waits += 1;
                return;
            }
            Event::Rounds(rounds) => {
                self.rounds = Some(rounds);
                return;
            }
            _ => {}
        }
        self.progress.waiting = None;
        self.progress.steps += 1;
        match event {
            Event::Strategy(name) => {
                self.end_round();
                self.strategy = name.map(str::to_owned);
                self.rounds = self.rounds.take().filter(|_| name.is_none());
                self.next = None;
            }
            Event::Initial(metrics) => self.begin(0, None, metrics),
            Event::Round { number, of } => {
                self.progress.contradicts |= self.next.is_some_and(|next| next != number);
                self.next = number.checked_add(1);
                self.begin(number, of, Metrics::default());
            }
            Event::Sampled {
                phase,
                nodes,
                available,
            } => self.sampled(phase, nodes, Some(available)),
            Event::NotSampled(phase) => self.sampled(phase, 0, None),
            Event::Received {
                phase,
                results,
                failures,
            } => self.received(phase, results, failures),
            Event::Failed(failure) => self.failed(failure),
            Event::Aggregated(metrics) => {
                if let Some(phase) = self.phase {
                    self.in_phase(phase, |known| known.metrics = metrics);
                }
            }
            Event::Server(metrics) => {
                if let Some(round) = self.open() {
                    round.server_metrics = metrics;
                }
            }
            Event::Evaluated { number, metrics } => {
                if let Some(round) = self.open().filter(|round| round.number == number) {
                    round.server_metrics = metrics;
                }
            }
            Event::Finished(seconds) => {
                self.end_round();
                // A round that follows is of no strategy.
                self.next = Some(0);
                *self.progress.seconds.get_or_insert(0.0) += seconds;
            }
            Event::Other(_) | Event::Waiting(_) | Event::Rounds(_) => {}
        }
    }

    /// A line that matters only at the end of a legacy strategy.
    fn other(&mut self, message: &str) {
        if message == "[SUMMARY]" && self.summaries < MOST_SUMMARIES {
            self.end_round();
            self.summaries += 1;
            self.history = Some(History::of(&self.progress.rounds));
        } else if message.is_empty() {
            self.end_history();
        } else if let Some(history) = &mut self.history {
            history.add(message, &mut self.progress.rounds);
        }
    }

    fn end_history(&mut self) {
        if let Some(mut history) = self.history.take() {
            history.end(&mut self.progress.rounds);
        }
    }

    /// Nodes were asked: once for each phase of a round, and for the training first.
    fn sampled(&mut self, phase: PhaseKind, nodes: u32, available: Option<u32>) {
        let is_new = self.open().is_some_and(|round| {
            round.evaluate.is_none() && (phase == PhaseKind::Evaluate || round.train.is_none())
        });
        if is_new {
            self.phase = Some(phase);
            self.in_phase(phase, |known| {
                known.sampled = Some(nodes);
                known.available = available;
            });
        } else {
            self.progress.contradicts = true;
        }
    }

    /// Results came back. The count stands before the reasons of failures, which others write: a
    /// later count of the same phase is not Flower's.
    fn received(&mut self, phase: PhaseKind, results: u32, failures: u32) {
        let current = self.phase;
        let is_new = self.open().is_some_and(|round| {
            let known = round
                .phase(phase)
                .is_some_and(|known| known.results.is_some());
            !known && (current.is_none() || current == Some(phase) || round.evaluate.is_none())
        });
        if !is_new {
            self.progress.contradicts = true;
            return;
        }
        self.phase = Some(phase);
        match phase {
            PhaseKind::Train => self.progress.tells.train = true,
            PhaseKind::Evaluate => self.progress.tells.evaluate = true,
        }
        self.in_phase(phase, |known| {
            known.results = Some(results);
            known.failures = Some(failures);
        });
    }

    /// A node replied with an error: as many as were counted.
    fn failed(&mut self, failure: ClientFailure) {
        let phase = self.phase;
        let known = self.open().zip(phase);
        let Some((known, kind)) = known else {
            self.progress.contradicts = true;
            return;
        };
        let known = known.phase_mut(kind);
        let counted = usize::try_from(known.failures.unwrap_or(0)).unwrap_or(usize::MAX);
        let is_counted = known.failed.len() < counted;
        let is_kept = is_counted && known.failed.len() < MOST_FAILURES;
        if is_kept {
            known.failed.push(failure);
        }
        self.reason_is_open = is_kept;
        self.progress.contradicts |= !is_counted;
    }

    fn begin(&mut self, number: u32, of: Option<u32>, server_metrics: Metrics) {
        self.end_history();
        self.end_round();
        let rounds = &mut self.progress.rounds;
        if rounds.len() >= MOST_ROUNDS {
            rounds.pop_front();
            self.progress.rounds_omitted += 1;
        }
        rounds.push_back(Round {
            strategy: self.strategy.clone(),
            number,
            of: of.or(self.rounds),
            server_metrics,
            ended: number == 0,
            is_legacy: of.is_none() && number > 0,
            ..Round::default()
        });
        self.phase = None;
        self.clock.begin();
    }

    /// The round that has not ended.
    fn open(&mut self) -> Option<&mut Round> {
        let last = self.progress.rounds.back_mut();
        last.filter(|round| !round.ended)
    }

    fn in_phase(&mut self, phase: PhaseKind, change: impl FnOnce(&mut Phase)) {
        if let Some(round) = self.open() {
            change(round.phase_mut(phase));
        }
    }

    fn end_round(&mut self) {
        let seconds = self.clock.end();
        if let Some(round) = self.open() {
            round.ended = true;
            round.seconds = seconds;
        }
    }
}

impl Clock {
    fn begin(&mut self) {
        // A piece with several beginnings is of a log that was read late.
        let several = self.began.is_some_and(|(piece, _)| piece == self.piece);
        self.began = self
            .now
            .map(|now| (self.piece, if several { f64::NAN } else { now }));
    }

    /// How long the round took, if it ended in a later piece.
    fn end(&self) -> Option<f64> {
        let (_, began) = self.began.filter(|(piece, _)| *piece < self.piece)?;
        let seconds = self.now? - began;
        (seconds.is_finite() && seconds >= 0.0).then_some(seconds)
    }
}
