//! Waits for the first bytes of an HTTP/2 server before a request is sent.
//!
//! Such a server first sends its settings. A server that sends something else, or nothing, is not a
//! gRPC server; it has not received a request, and an error can say what it is.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

/// The length of an HTTP/2 frame header; the fourth byte is the type.
const HEAD: usize = 9;
const SETTINGS: u8 = 4;

/// The first bytes of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Greeting {
    /// Those of an HTTP/2 server.
    Http2,
    /// Something else.
    Other(Vec<u8>),
    /// It closed the connection.
    Nothing,
}

impl Greeting {
    fn of(head: &[u8]) -> Self {
        match head.get(3) {
            None if head.is_empty() => Self::Nothing,
            // A settings frame has the stream ID 0.
            Some(&SETTINGS) if head.len() == HEAD && head.ends_with(&[0; 4]) => Self::Http2,
            _ => Self::Other(head.to_vec()),
        }
    }

    /// Whether the server has sent nothing.
    pub(super) fn is_silence(&self) -> bool {
        *self == Self::Nothing
    }

    /// Why this is not a gRPC server; `None` if it may be one.
    pub(super) fn objection(&self) -> Option<String> {
        match self {
            Self::Http2 => None,
            Self::Nothing => Some(
                "it closed the connection without a response; if it has TLS, the scheme is grpcs"
                    .to_owned(),
            ),
            Self::Other(head) if head.starts_with(b"HTTP/1") => Some(
                "it speaks HTTP/1, not gRPC: from Flower 1.37 on the scheme is http or https"
                    .to_owned(),
            ),
            // A TLS alert.
            Self::Other(head) if head.starts_with(&[21, 3]) => {
                Some("it needs TLS: the scheme is grpcs".to_owned())
            }
            Self::Other(_) => Some("it does not speak gRPC".to_owned()),
        }
    }
}

/// A connection that reports its first bytes once.
pub(super) struct Greeted<T> {
    inner: T,
    head: Vec<u8>,
    report: Option<oneshot::Sender<Greeting>>,
}

impl<T> Greeted<T> {
    pub(super) fn new(inner: T) -> (Self, oneshot::Receiver<Greeting>) {
        let (report, greeting) = oneshot::channel();
        let greeted = Self {
            inner,
            head: Vec::with_capacity(HEAD),
            report: Some(report),
        };
        (greeted, greeting)
    }

    fn hear(&mut self, bytes: &[u8]) {
        if self.report.is_none() {
            return;
        }
        let missing = HEAD - self.head.len();
        self.head.extend(bytes.iter().take(missing));
        let is_end = bytes.is_empty();
        if (is_end || self.head.len() == HEAD)
            && let Some(report) = self.report.take()
        {
            let _ = report.send(Greeting::of(&self.head));
        }
    }
}

impl<T> Drop for Greeted<T> {
    fn drop(&mut self) {
        if let Some(report) = self.report.take() {
            let _ = report.send(Greeting::of(&self.head));
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Greeted<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buf);
        match &read {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => self.hear(buf.filled().get(before..).unwrap_or_default()),
            Poll::Ready(Err(_)) => self.hear(&[]),
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Greeted<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::io::AsyncReadExt;

    async fn greeted(said: &[u8]) -> Greeting {
        let (mut connection, greeting) = Greeted::new(said);
        let mut buffer = [0; 4];
        while connection.read(&mut buffer).await.is_ok_and(|n| n > 0) {}
        greeting.await.unwrap()
    }

    #[tokio::test]
    async fn a_server_is_known_by_its_first_words() {
        let settings = [0, 0, 6, 4, 0, 0, 0, 0, 0, 1, 2];
        assert_eq!(greeted(&settings).await, Greeting::Http2);
        assert_eq!(greeted(b"").await, Greeting::Nothing);
        for (said, objection) in [
            (&b"HTTP/1.1 400 Bad Request"[..], "from Flower 1.37 on"),
            (&[21, 3, 3, 0, 2, 2, 10], "needs TLS"),
            (b"SSH-2.0-OpenSSH_9.6\r\n", "does not speak gRPC"),
            (b"", "without a response"),
        ] {
            let said = greeted(said).await.objection().unwrap();
            assert!(said.contains(objection), "{said}");
        }
    }

    proptest! {
        #[test]
        fn noise_is_kept_to_its_first_bytes(noise in prop::collection::vec(any::<u8>(), 0..40)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            if let Greeting::Other(head) = runtime.block_on(greeted(&noise)) {
                prop_assert!(noise.starts_with(&head) && head.len() <= HEAD);
            }
        }
    }
}
