//! The messages of a streaming call, including its start.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::time::Instant;
use tonic::Code;

use super::response_reader::{Piece, ResponseReader};
use super::{Call, ControlError, Failure, Inner, Service};

/// The service that answered, its response, and the first part of it.
pub(super) type Opened = Result<(Service, ResponseReader, Piece), Failure>;

enum State {
    Opening(BoxFuture<'static, Opened>),
    Open(ResponseReader),
    Ended,
}

pub(super) struct Log {
    inner: Arc<Inner>,
    service: Service,
    call: Call,
    state: State,
}

impl Log {
    /// A stream that is opened by the first call of `next`.
    pub(super) fn new(inner: Arc<Inner>, call: Call, request: Bytes, until: Instant) -> Self {
        let opening = Arc::clone(&inner);
        Self {
            service: inner.service(),
            call,
            state: State::Opening(Box::pin(async move {
                opening.begin(call, &request, until).await
            })),
            inner,
        }
    }

    /// Returns the next message. It is safe to drop the future and call this again.
    pub(super) async fn next(&mut self) -> Option<Result<Bytes, ControlError>> {
        let piece = match &mut self.state {
            State::Ended => return None,
            State::Open(answer) => answer.next().await,
            State::Opening(opening) => match opening.await {
                Ok((service, answer, piece)) => {
                    self.service = service;
                    self.state = State::Open(answer);
                    piece
                }
                Err(failure) => {
                    self.state = State::Ended;
                    return Some(Err(self.failed(failure)));
                }
            },
        };
        let end = match piece {
            Piece::Message(message) => return Some(Ok(message)),
            Piece::End(status) => {
                // Up to 1.15, a SuperLink ends the log of a finished run this way.
                let is_over = self.service == Service::Exec && status.code == Code::Cancelled;
                if is_over {
                    None
                } else {
                    let checked = self.inner.check(self.call, &status);
                    checked.err().map(|failure| self.failed(failure))
                }
            }
            Piece::Cut(cause) => Some(self.inner.lost(self.call, cause)),
            Piece::Odd(cause) => Some(self.inner.unexpected_reply(self.call, cause)),
        };
        self.state = State::Ended;
        end.map(Err)
    }

    fn failed(&self, failure: Failure) -> ControlError {
        match failure {
            Failure::Error(error) => error,
            Failure::NoMethod => self.inner.no_method(self.call),
        }
    }
}
