//! Streams a run's log.
//!
//! The stream survives broken connections: it asks again for the text after the last piece, so
//! nothing is lost or repeated. A silent stream is reopened every minute, because a dead connection
//! looks exactly like a run that prints nothing.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use prost::Message as _;
use tokio::time::Instant;

use super::call::Call;
use super::client::ControlClient;
use super::error::ControlError;
use super::run_id::RunId;
use super::transport::Frames;
use super::wire;
use crate::terminal::{Lines, uncoloured};

const SILENCE: Duration = Duration::from_mins(1);
const BETWEEN_TRIES: Duration = Duration::from_secs(1);
const TRIES: u32 = 5;
/// The log so far arrives at once as one message; for a run that printed nothing, there is no
/// message.
const TAIL_FIRST: Duration = Duration::from_secs(2);
const END: Duration = Duration::from_secs(15);
/// How long to read a log that should end but does not.
const LONGEST_END: Duration = Duration::from_mins(2);
const TAIL_MORE: Duration = Duration::from_millis(300);
/// How long to read the log of a run that has not ended.
const LONGEST_TAIL: Duration = Duration::from_secs(10);

/// A piece of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct LogChunk {
    /// The output of the `ServerApp` without colours; it may end in the middle of a line.
    pub text: String,
    /// The timestamp with which the next request continues after this piece.
    pub latest: f64,
}

impl ControlClient {
    /// Streams a run's log from this timestamp on (0 for all of it), until the run has ended.
    pub async fn stream_logs(&self, id: RunId, after: f64) -> Result<LogStream, ControlError> {
        LogStream::open(self.clone(), id, after).await
    }

    /// Passes on what a run has printed so far, without waiting for more.
    pub async fn log_so_far(
        &self,
        id: RunId,
        mut add: impl FnMut(LogChunk),
    ) -> Result<(), ControlError> {
        // A SuperLink may not respond before there is output, and a log may grow without end.
        let reading = async {
            let mut logs = self.stream_logs(id, 0.0).await?;
            let mut wait = TAIL_FIRST;
            while let Ok(Some(chunk)) = tokio::time::timeout(wait, logs.next()).await {
                wait = TAIL_MORE;
                add(chunk?);
            }
            Ok(())
        };
        let read = tokio::time::timeout(LONGEST_TAIL, reading).await;
        read.unwrap_or(Ok(()))
    }

    /// Passes on the log of a finished run after this timestamp; `false` if it does not end in time.
    pub async fn log_to_end(
        &self,
        id: RunId,
        after: f64,
        mut add: impl FnMut(LogChunk),
    ) -> Result<bool, ControlError> {
        let mut logs = self.stream_logs(id, after).await?;
        let until = Instant::now() + LONGEST_END;
        while Instant::now() < until {
            match tokio::time::timeout(END, logs.next()).await {
                Ok(Some(chunk)) => add(chunk?),
                Ok(None) => return Ok(true),
                Err(_) => break,
            }
        }
        Ok(false)
    }

    /// The last lines so far, without waiting for more.
    pub async fn log_tail(&self, id: RunId, lines: usize) -> Result<Vec<String>, ControlError> {
        tail(self.clone(), id, lines).await
    }

    /// The last lines of a finished run; this waits for the whole log.
    pub async fn log_end(&self, id: RunId, lines: usize) -> Result<Vec<String>, ControlError> {
        end(self.clone(), id, lines).await
    }
}

/// The pieces of one run's log, in order.
pub struct LogStream {
    client: ControlClient,
    run: RunId,
    after: f64,
    frames: Option<Frames>,
    failures: u32,
    ended: bool,
    between_tries: Duration,
}

impl LogStream {
    pub(super) async fn open(
        client: ControlClient,
        run: RunId,
        after: f64,
    ) -> Result<Self, ControlError> {
        let mut stream = Self {
            client,
            run,
            after,
            frames: None,
            failures: 0,
            ended: false,
            between_tries: BETWEEN_TRIES,
        };
        stream.reopen().await?;
        Ok(stream)
    }

    /// The next piece; `None` after the SuperLink ended the log: because the run has ended, or
    /// because the SuperLink stops. The status of the run tells which.
    pub async fn next(&mut self) -> Option<Result<LogChunk, ControlError>> {
        while !self.ended {
            let Some(frames) = &mut self.frames else {
                if let Err(error) = self.reopen().await
                    && let Some(error) = self.failed(error).await
                {
                    return Some(Err(error));
                }
                continue;
            };
            match tokio::time::timeout(SILENCE, frames.next()).await {
                Err(_) => self.frames = None,
                Ok(None) => self.ended = true,
                Ok(Some(Ok(frame))) => return Some(self.chunk(&frame)),
                Ok(Some(Err(error))) => {
                    if let Some(error) = self.failed(error).await {
                        return Some(Err(error));
                    }
                }
            }
        }
        None
    }

    /// The timestamp with which a new request continues after everything returned so far.
    pub const fn resume_from(&self) -> f64 {
        self.after
    }

    async fn reopen(&mut self) -> Result<(), ControlError> {
        let request = wire::StreamLogsRequest {
            run_id: self.run.0,
            after_timestamp: self.after,
        };
        let frames = self
            .client
            .stream(Call::StreamLogs, request.encode_to_vec().into())
            .await?;
        self.frames = Some(frames);
        Ok(())
    }

    /// Counts a failure; returns it if it ends the stream.
    async fn failed(&mut self, error: ControlError) -> Option<ControlError> {
        self.frames = None;
        self.failures += 1;
        if error.may_pass() && self.failures < TRIES {
            tokio::time::sleep(self.between_tries).await;
            return None;
        }
        self.ended = true;
        Some(error)
    }

    fn chunk(&mut self, frame: &Bytes) -> Result<LogChunk, ControlError> {
        let message = wire::StreamLogsResponse::decode(frame.as_ref()).map_err(|error| {
            self.ended = true;
            self.client.unexpected_reply(Call::StreamLogs, error)
        })?;
        self.failures = 0;
        self.after = self.after.max(message.latest_timestamp);
        Ok(LogChunk {
            text: uncoloured(&message.log_output),
            latest: message.latest_timestamp,
        })
    }
}

/// The last lines that a run has printed so far.
pub(super) async fn tail(
    client: ControlClient,
    run: RunId,
    lines: usize,
) -> Result<Vec<String>, ControlError> {
    let mut tail = LogTail::of(lines);
    client
        .log_so_far(run, |chunk| tail.add(&chunk.text))
        .await?;
    Ok(tail.end())
}

/// The last lines of a finished run: the SuperLink ends such a log.
pub(super) async fn end(
    client: ControlClient,
    run: RunId,
    lines: usize,
) -> Result<Vec<String>, ControlError> {
    let mut tail = LogTail::of(lines);
    let mut is_empty = true;
    let add = |chunk: LogChunk| {
        tail.add(&chunk.text);
        is_empty = false;
    };
    let ends = client.log_to_end(run, 0.0, add).await?;
    // If the log does not end, its lines are enough; without any line, the connection may be slow.
    if !ends && is_empty {
        return Err(ControlError::Timeout {
            at: client.at().to_owned(),
            call: Call::StreamLogs,
            after: END,
        });
    }
    Ok(tail.end())
}

/// The last lines of a log that arrives in pieces.
#[derive(Debug, Default)]
pub struct LogTail {
    most: usize,
    kept: VecDeque<String>,
    lines: Lines,
}

impl LogTail {
    /// Keeps this many lines.
    pub fn of(most: usize) -> Self {
        Self {
            most,
            kept: VecDeque::new(),
            lines: Lines::default(),
        }
    }

    /// Reads a piece.
    pub fn add(&mut self, text: &str) {
        let Self { most, kept, lines } = self;
        lines.add(text.as_bytes(), |line| {
            keep(kept, line, *most);
            None::<()>
        });
    }

    /// The whole lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.kept.iter().cloned().collect()
    }

    /// The lines of a log that has ended.
    pub fn end(mut self) -> Vec<String> {
        if let Some(line) = self.lines.rest() {
            keep(&mut self.kept, &line, self.most);
        }
        self.kept.into()
    }
}

fn keep(kept: &mut VecDeque<String>, line: &str, most: usize) {
    kept.push_back(line.trim_end().to_owned());
    if kept.len() > most {
        kept.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fake::{Fake, lost};
    use super::*;

    fn message(text: &str, latest: f64) -> Bytes {
        wire::StreamLogsResponse {
            log_output: text.to_owned(),
            latest_timestamp: latest,
        }
        .encode_to_vec()
        .into()
    }

    fn after(request: &Bytes) -> f64 {
        wire::StreamLogsRequest::decode(request.clone())
            .unwrap()
            .after_timestamp
    }

    async fn opened(fake: &Fake) -> LogStream {
        let mut logs = LogStream::open(fake.client(), RunId(1), 0.0).await.unwrap();
        logs.between_tries = Duration::ZERO;
        logs
    }

    #[tokio::test]
    async fn a_broken_stream_goes_on_behind_the_last_piece() {
        let fake = Fake::new(|_, _, _| unreachable!()).streaming(|request, before| {
            match (before, after(request)) {
                (0, 0.0) => Ok(vec![Ok(message("one", 10.0)), Err(lost(Call::StreamLogs))]),
                (1, 10.0) => Err(lost(Call::StreamLogs)),
                (2, 10.0) => Ok(vec![Ok(message("\u{1b}[92mtwo\u{1b}[0m", 20.0))]),
                other => panic!("{other:?}"),
            }
        });
        let mut logs = opened(&fake).await;
        let mut texts = Vec::new();
        while let Some(piece) = logs.next().await {
            texts.push(piece.unwrap().text);
        }
        assert_eq!(texts, ["one", "two"]);
    }

    #[tokio::test]
    async fn a_stream_that_always_breaks_ends_with_the_error() {
        let fake = Fake::new(|_, _, _| unreachable!())
            .streaming(|_, _| Ok(vec![Err(lost(Call::StreamLogs))]));
        let mut logs = opened(&fake).await;
        assert_eq!(logs.next().await, Some(Err(lost(Call::StreamLogs))));
        assert_eq!(logs.next().await, None);
        assert_eq!(fake.count(Call::StreamLogs), 5);
    }

    #[tokio::test]
    async fn a_message_that_is_none_ends_the_stream() {
        let fake = Fake::new(|_, _, _| unreachable!())
            .streaming(|_, _| Ok(vec![Ok(Bytes::from_static(&[0xFF; 8]))]));
        let mut logs = opened(&fake).await;
        assert!(matches!(
            logs.next().await,
            Some(Err(ControlError::Protocol { .. }))
        ));
        assert_eq!(logs.next().await, None);
    }

    #[tokio::test]
    async fn the_tail_is_the_last_lines_of_all_pieces() {
        let fake = Fake::new(|_, _, _| unreachable!()).streaming(|_, _| {
            Ok(vec![
                Ok(message("a\nb  \nhal", 1.0)),
                Ok(message("f\n1%\r2", 2.0)),
                Ok(message("%", 3.0)),
            ])
        });
        let lines = fake.client().log_tail(RunId(1), 3).await.unwrap();
        assert_eq!(lines, ["b", "half", "2%"]);
    }

    proptest! {
        #[test]
        fn noise_is_pieces_and_then_an_end(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..6),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let size: usize = frames.iter().map(Vec::len).sum();
            let fake = Fake::new(|_, _, _| unreachable!()).streaming(move |_, _| {
                Ok(frames.iter().map(|frame| Ok(frame.clone().into())).collect())
            });
            let text = runtime.block_on(async {
                let mut logs = opened(&fake).await;
                let mut text = 0;
                while let Some(piece) = logs.next().await {
                    text += piece.map_or(0, |piece| piece.text.len());
                }
                text
            });
            prop_assert!(text <= size);
            prop_assert_eq!(fake.count(Call::StreamLogs), 1);
        }
    }
}
