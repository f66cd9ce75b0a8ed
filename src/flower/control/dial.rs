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
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::TcpStream;

use super::endpoint::{ControlEndpoint, Trust};
use super::error::ControlError;
use crate::flower::link::{Duplex, Link};
use crate::flower::tls::{Broken, TlsReason, handshake};

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

impl From<Broken> for DialError {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Off(cause) => Self::Unreachable(cause),
            Broken::Refused(reason) => Self::Tls(reason),
        }
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
                return Ok(Link::direct(stream));
            };
            let mut config = trust.config().map_err(DialError::Tls)?;
            if self.http2 {
                Arc::make_mut(&mut config).alpn_protocols = vec![b"h2".to_vec()];
            }
            let stream = handshake(config, trust.name, stream).await?;
            Ok(Link::direct(stream))
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
