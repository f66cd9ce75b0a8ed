//! Opens connections, with TLS if the endpoint uses it, and reports why one failed.
//!
//! The HTTP client uses this as its connector, so all steps before the first byte of a request are
//! our own code: an error here means that nothing was sent. [`Dial`] can replace TCP with another
//! way to a SuperLink, such as a port-forward.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::endpoint::{ControlEndpoint, Trust};
use super::error::ControlError;
use crate::flower::tls::TlsReason;

/// A connection in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A way to open connections to one SuperLink, without TLS, which is added later.
#[async_trait]
pub trait Dial: Send + Sync {
    /// Opens a connection.
    async fn dial(&self) -> io::Result<Box<dyn Duplex>>;

    /// How many calls may use a connection at the same time. A SuperLink handles about as many in
    /// parallel.
    fn at_once(&self) -> usize {
        16
    }
}

/// Connects over TCP.
pub(super) struct Tcp {
    host: String,
    port: u16,
}

impl Tcp {
    pub(super) fn to(endpoint: &ControlEndpoint) -> Self {
        Self {
            host: endpoint.host().to_owned(),
            port: endpoint.port(),
        }
    }
}

#[async_trait]
impl Dial for Tcp {
    async fn dial(&self) -> io::Result<Box<dyn Duplex>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        Ok(Box::new(stream))
    }
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum DialError {
    #[error("{0}")]
    Unreachable(String),
    /// The connection is not allowed; a retry does not help.
    #[error("{0}")]
    NotAllowed(String),
    #[error("{0}")]
    Tls(TlsReason),
}

/// The error of a TLS handshake. A handshake that was broken off may succeed later: a port-forward
/// or proxy closes it, too, while the server behind it is not ready.
fn tls_failed(error: &io::Error) -> DialError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => {
            DialError::Unreachable(format!("the TLS handshake was interrupted: {error}"))
        }
        _ => DialError::Tls(TlsReason::from_io(error)),
    }
}

impl DialError {
    /// The error of a call; nothing was sent.
    pub(super) fn at(self, at: &str) -> ControlError {
        let at = at.to_owned();
        match self {
            Self::Tls(reason) => ControlError::Tls { at, reason },
            Self::NotAllowed(cause) => ControlError::NoAccess { at, cause },
            Self::Unreachable(cause) => ControlError::Unavailable {
                at,
                never_connected: true,
                cause,
            },
        }
    }
}

/// The connector of the HTTP client.
#[derive(Clone)]
pub(super) struct Connector {
    dial: Arc<dyn Dial>,
    trust: Option<Trust>,
    /// Whether TLS negotiates HTTP/2.
    http2: bool,
    deadline: Duration,
}

impl Connector {
    pub(super) fn new(dial: Arc<dyn Dial>, endpoint: &ControlEndpoint, deadline: Duration) -> Self {
        Self {
            dial,
            trust: endpoint.trust().cloned(),
            http2: false,
            deadline,
        }
    }

    /// The connector for HTTP/2, which TLS servers expect to be negotiated.
    pub(super) fn for_http2(mut self) -> Self {
        self.http2 = true;
        self
    }

    pub(super) async fn connect(self) -> Result<TokioIo<Link>, DialError> {
        let opening = async {
            let stream = self.dial.dial().await.map_err(|error| match error.kind() {
                io::ErrorKind::PermissionDenied => DialError::NotAllowed(error.to_string()),
                _ => DialError::Unreachable(error.to_string()),
            })?;
            let Some(trust) = self.trust else {
                return Ok(Link(stream));
            };
            let mut config = trust.config().map_err(DialError::Tls)?;
            if self.http2 {
                Arc::make_mut(&mut config).alpn_protocols = vec![b"h2".to_vec()];
            }
            let stream = TlsConnector::from(config)
                .connect(trust.name, stream)
                .await
                .map_err(|error| tls_failed(&error))?;
            Ok(Link(Box::new(stream)))
        };
        match tokio::time::timeout(self.deadline, opening).await {
            Ok(opened) => opened.map(TokioIo::new),
            Err(_) => Err(DialError::Unreachable(format!(
                "no connection was possible within {:?}",
                self.deadline
            ))),
        }
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Link>;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        Box::pin(self.clone().connect())
    }
}

/// A connection in the form that the HTTP client's pool expects.
pub(super) struct Link(Box<dyn Duplex>);

impl Connection for Link {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
