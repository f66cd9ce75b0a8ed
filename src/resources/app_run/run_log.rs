//! Reads the log of a run's ServerApp as progress: in pieces while the run is followed, and
//! completely at its end. Each round that ends becomes one INFO line in Terraform's own log, so
//! `TF_LOG=INFO` shows the progress of a training.

use crate::flower::control::{ControlClient, LogChunk, LogTail, Run, RunId};
use crate::flower::progress::{Metrics, Progress, ProgressReader, Round};
use crate::resources::report::inert;
use crate::terminal::{plain, visible};

/// How many metrics a line shows.
const SHOWN_METRICS: usize = 4;

/// How far the log of a run was read, and what it shows.
#[derive(Debug, Default)]
pub(super) struct RunLog {
    reader: ProgressReader,
    /// The time of the last piece; reading continues after it.
    read: f64,
    /// How many ended rounds were logged.
    told: u64,
    /// The last lines, if a report shows them.
    tail: Option<LogTail>,
    /// Whether the log has ended.
    is_whole: bool,
}

impl RunLog {
    /// A log that keeps this many of the last lines.
    pub(super) fn with_lines(lines: usize) -> Self {
        Self {
            tail: Some(LogTail::of(lines)),
            ..Self::default()
        }
    }

    /// Reads the progress from a run's log.
    pub(super) async fn read(client: &ControlClient, run: &Run) -> Progress {
        let mut log = Self::default();
        log.read_all(client, run).await;
        log.end_of()
    }

    /// Reads as far as possible: to the end of the log if the run has finished.
    pub(super) async fn read_all(&mut self, client: &ControlClient, run: &Run) {
        // Earlier rounds are not logged again.
        self.told = u64::MAX;
        if run.is_finished() {
            self.finish(client, run.id).await;
        } else {
            let read = client
                .log_so_far(run.id, |chunk| self.add(&chunk, run.id))
                .await;
            if let Err(error) = read {
                tracing::warn!(run = %run.id, "its log could not be read: {error}");
            }
        }
    }

    /// What the log told.
    pub(super) fn end_of(self) -> Progress {
        if self.is_whole {
            self.reader.end()
        } else {
            self.reader.so_far()
        }
    }

    /// The last lines of the log.
    pub(super) fn lines(&self) -> Vec<String> {
        self.tail.as_ref().map(LogTail::lines).unwrap_or_default()
    }

    pub(super) const fn progress(&self) -> &Progress {
        self.reader.progress()
    }

    /// Reads until the log ends, which happens when the run ends, and calls `on_round` after each
    /// round. May be cancelled and called again.
    pub(super) async fn follow(
        &mut self,
        client: &ControlClient,
        id: RunId,
        on_round: &mut (dyn FnMut(&Self) + Send),
    ) {
        let Ok(mut log) = client.stream_logs(id, self.read).await else {
            return;
        };
        let mut told = self.told;
        while let Some(Ok(chunk)) = log.next().await {
            self.add(&chunk, id);
            if self.told != told {
                told = self.told;
                on_round(self);
            }
        }
    }

    /// Reads the rest of a finished run's log. Only if that ends is the last round over.
    pub(super) async fn finish(&mut self, client: &ControlClient, id: RunId) {
        let ends = client
            .log_to_end(id, self.read, |chunk| self.add(&chunk, id))
            .await;
        self.is_whole = ends.unwrap_or_else(|error| {
            tracing::warn!(run = %id, "the end of its log could not be read: {error}");
            false
        });
    }

    fn add(&mut self, chunk: &LogChunk, id: RunId) {
        if tracing::enabled!(tracing::Level::DEBUG) {
            for line in plain(&chunk.text).lines() {
                // The bar keeps a line of an app from looking like a line of Terraform's log.
                tracing::debug!(run = %id, "| {}", inert(line));
            }
        }
        self.reader.add(&chunk.text, Some(chunk.latest));
        if let Some(tail) = &mut self.tail {
            tail.add(&chunk.text);
        }
        self.read = self.read.max(chunk.latest);
        self.tell(id);
    }

    /// Logs the rounds that have ended since the last call.
    fn tell(&mut self, id: RunId) {
        let progress = self.reader.progress();
        let ended = progress.rounds.iter().filter(|round| round.ended);
        let known = u64::try_from(ended.clone().count()).unwrap_or(u64::MAX);
        let all = progress.rounds_omitted + known;
        let new = usize::try_from(all.saturating_sub(self.told)).unwrap_or(usize::MAX);
        let skipped = usize::try_from(known)
            .unwrap_or(usize::MAX)
            .saturating_sub(new);
        for round in ended.skip(skipped) {
            tracing::info!(run = %id, "{}", line(round));
        }
        self.told = all.max(self.told);
    }
}

/// A round as one line: `round 2 of 3: train 2 results, 1 failure (loss 0.5)`.
fn line(round: &Round) -> String {
    let of = round.of.map(|of| format!(" of {of}")).unwrap_or_default();
    let mut parts = Vec::new();
    for (kind, phase) in round.phases() {
        let failures = phase.failures.filter(|failures| *failures > 0);
        let counts = [
            phase.results.map(|count| counted(count, "result")),
            failures.map(|count| counted(count, "failure")),
        ];
        let counts: Vec<_> = counts.into_iter().flatten().collect();
        let counts = format!("{} {}", kind.as_str(), counts.join(", "));
        parts.push(format!("{}{}", counts.trim_end(), shown(&phase.metrics)));
    }
    if !round.server_metrics.is_empty() {
        parts.push(format!("server{}", shown(&round.server_metrics)));
    }
    if let Some(seconds) = round.seconds {
        parts.push(format!("{seconds:.0} s"));
    }
    format!("round {}{of}: {}", round.number, parts.join("; "))
}

fn shown(metrics: &Metrics) -> String {
    if metrics.is_empty() {
        return String::new();
    }
    let values = metrics.iter().take(SHOWN_METRICS);
    let values =
        values.map(|(name, value)| format!("{} {}", inert(&visible(name)), short(value.as_f64())));
    format!(" ({})", values.collect::<Vec<_>>().join(", "))
}

/// A number without hundreds of zeros: exponents for very large and very small ones.
fn short(value: f64) -> String {
    if value == 0.0 || (1e-5..1e15).contains(&value.abs()) || !value.is_finite() {
        value.to_string()
    } else {
        format!("{value:e}")
    }
}

/// `1 result`, `2 results`.
pub(super) fn counted(count: u32, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use prost::Message as _;

    use super::*;
    use crate::flower::control::fake::{Fake, run};
    use crate::flower::control::wire;
    use crate::flower::progress::Outcome;

    fn piece(text: &str) -> Bytes {
        let piece = wire::StreamLogsResponse {
            log_output: text.to_owned(),
            latest_timestamp: 1.0,
        };
        piece.encode_to_vec().into()
    }

    #[tokio::test]
    async fn a_log_that_breaks_off_says_nothing_of_its_last_round() {
        const LOG: &str = "INFO :      [ROUND 1/2]\n\
             INFO :      configure_train: Sampled 2 nodes (out of 2)\n\
             INFO :      aggregate_train: Received 2 results and 0 failures\n\
             INFO :      [ROUND 2/2]\n\
             INFO :      configure_train: Sampled 2 nodes (out of 2)\n";
        for (is_whole, last) in [(true, Outcome::NoResult), (false, Outcome::Unknown)] {
            let fake = Fake::new(|_, _, _| unreachable!()).streaming(move |_, _| {
                let broken = (!is_whole).then(|| Ok(Bytes::from_static(&[0xFF; 8])));
                Ok(std::iter::once(Ok(piece(LOG))).chain(broken).collect())
            });
            let finished = Run::from_wire(run(7, "finished", "completed"));
            let progress = RunLog::read(&fake.client(), &finished).await;
            let outcomes = progress.rounds.iter().map(|round| progress.outcome(round));
            let outcomes: Vec<_> = outcomes.collect();
            assert_eq!(outcomes, [Outcome::Results, last], "{is_whole}");
        }
    }

    #[test]
    fn a_round_is_one_short_line() {
        let mut reader = ProgressReader::default();
        reader.add(
            "INFO :      [ROUND 2/3]\n\
             INFO :      configure_train: Sampled 3 nodes (out of 3)\n\
             INFO :      aggregate_train: Received 2 results and 1 failures\n\
             INFO :      Aggregated MetricRecord: {'loss': 1.5e300, 'b': 0.25, '##vso[x': 1}\n",
            None,
        );
        assert_eq!(
            line(&reader.end().rounds[0]),
            "round 2 of 3: train 2 results, 1 failure (loss 1.5e300, b 0.25, # #vso[x 1)"
        );
    }
}
