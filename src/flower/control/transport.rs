//! What carries a call to a SuperLink. HTTP is the one of today's releases; gRPC carried the same
//! messages before, so a transport moves bytes, and what they mean is not its business.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use http::HeaderValue;

use super::call::Call;
use super::dialect::Dialect;
use super::error::ControlError;

/// Messages of a streaming call. It ends without an error only where the server ended it.
pub(super) type Frames = BoxStream<'static, Result<Bytes, ControlError>>;

/// One way to reach one SuperLink.
#[async_trait]
pub(super) trait Transport: Send + Sync {
    /// host:port, for messages.
    fn at(&self) -> &str;

    /// What is known of the messages that it carries, once there was an answer.
    fn dialect(&self) -> Dialect;

    /// Succeeds if the SuperLink serves.
    async fn health(&self, deadline: Duration) -> Result<(), ControlError>;

    /// Sends one message and waits for one.
    async fn unary(
        &self,
        call: Call,
        request: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, ControlError>;

    /// Sends one message and opens the stream of answers; the deadline covers the opening only.
    async fn stream(
        &self,
        call: Call,
        request: Bytes,
        deadline: Duration,
    ) -> Result<Frames, ControlError>;
}

/// A header that no log shows; `None` for a text that no header can hold.
pub(super) fn secret_header(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
