//! The transports of calls to a SuperLink: HTTP for today's releases, gRPC for older ones. Both
//! carry the same messages, so a transport moves bytes and does not decode them.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use http::HeaderValue;

use super::call::Call;
use super::dialect::Dialect;
use super::error::ControlError;

/// The messages of a streaming call. The stream ends without an error only if the server ended it.
pub(super) type Frames = BoxStream<'static, Result<Bytes, ControlError>>;

/// A connection to one SuperLink.
#[async_trait]
pub(super) trait Transport: Send + Sync {
    /// host:port, for messages.
    fn at(&self) -> &str;

    /// What is known of its messages, after the first response.
    fn dialect(&self) -> Dialect;

    /// Checks the health of the SuperLink.
    async fn health(&self, deadline: Duration) -> Result<(), ControlError>;

    /// Sends one message and waits for the response.
    async fn unary(
        &self,
        call: Call,
        request: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, ControlError>;

    /// Sends one message and opens the stream of responses; the deadline covers only the opening.
    async fn stream(
        &self,
        call: Call,
        request: Bytes,
        deadline: Duration,
    ) -> Result<Frames, ControlError>;
}

/// A header that no log shows; `None` if the text is not a valid header.
pub(super) fn secret_header(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
