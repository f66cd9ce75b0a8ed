//! The one HTTP/2 connection to a SuperLink: opened on demand, shared by all calls, and reopened
//! after it broke.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::super::dial::{Connector, Dial, DialError};
use super::super::endpoint::ControlEndpoint;
use super::greeting::Greeted;
use crate::error_chain::error_chain;

const CONNECT: Duration = Duration::from_secs(10);
/// Large enough for a log or a long listing to arrive without pauses.
const WINDOW: u32 = 4 * 1024 * 1024;
/// The text of a status is in a header.
const HEADERS: u32 = 64 * 1024;

/// Why there is no response to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Broken {
    /// The request was not sent.
    Never(DialError),
    /// The request was not sent, because the server is not a gRPC server.
    Stranger(String),
    /// The request was sent.
    Lost(String),
}

pub(super) struct Connections {
    connector: Connector,
    current: Mutex<Option<SendRequest<Full<Bytes>>>>,
}

impl Connections {
    pub(super) fn new(endpoint: &ControlEndpoint, dial: Arc<dyn Dial>) -> Self {
        Self {
            connector: Connector::new(dial, endpoint, CONNECT).for_http2(),
            current: Mutex::new(None),
        }
    }

    /// Opens a connection unless there is one.
    pub(super) async fn ready(&self, until: Instant) -> Result<(), Broken> {
        self.sender(until).await.map(|_| ())
    }

    /// Sends a request and waits for the headers of the response.
    pub(super) async fn send(
        &self,
        mut request: Request<Full<Bytes>>,
        until: Instant,
    ) -> Result<Response<Incoming>, Broken> {
        let mut tries = 0;
        loop {
            let mut sender = self.sender(until).await?;
            let mut error = match sender.try_send_request(request).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            // A returned request was not sent: the connection had just ended.
            match error.take_message() {
                Some(unsent) if tries == 0 => {
                    tries += 1;
                    request = unsent;
                    self.forget().await;
                }
                Some(_) => {
                    return Err(Broken::Never(DialError::Unreachable(error_chain(
                        error.error(),
                    ))));
                }
                None => return Err(lost(error.error())),
            }
        }
    }

    /// Makes the next request open a new connection; running ones keep theirs.
    pub(super) async fn forget(&self) {
        self.current.lock().await.take();
    }

    async fn sender(&self, until: Instant) -> Result<SendRequest<Full<Bytes>>, Broken> {
        let finding = async {
            let mut current = self.current.lock().await;
            if let Some(sender) = current.as_ref().filter(|sender| !sender.is_closed()) {
                return Ok(sender.clone());
            }
            let sender = self.connect().await?;
            *current = Some(sender.clone());
            Ok(sender)
        };
        let late = |_| Err(unreachable("no connection in time"));
        tokio::time::timeout_at(until, finding)
            .await
            .unwrap_or_else(late)
    }

    /// A connection whose server has confirmed that it uses HTTP/2.
    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Broken> {
        let link = self.connector.clone().connect().await;
        let link = link.map_err(Broken::Never)?.into_inner();
        let (link, greeting) = Greeted::new(link);
        let (sender, connection) = Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .max_header_list_size(HEADERS)
            .handshake(TokioIo::new(link))
            .await
            .map_err(|error| unreachable(&error_chain(&error)))?;
        tokio::spawn(connection);
        match tokio::time::timeout(CONNECT, greeting).await {
            Ok(Ok(greeting)) => greeting.objection().map_or(Ok(sender), |objection| {
                if greeting.is_silence() {
                    Err(unreachable(&objection))
                } else {
                    Err(Broken::Stranger(objection))
                }
            }),
            Ok(Err(_)) => Err(unreachable("the connection broke at once")),
            Err(_) => Err(unreachable(&format!(
                "it accepted the connection but sent nothing for {CONNECT:?}"
            ))),
        }
    }
}

fn unreachable(cause: &str) -> Broken {
    Broken::Never(DialError::Unreachable(cause.to_owned()))
}

fn lost(error: &hyper::Error) -> Broken {
    match reset(error) {
        // HTTP/2 guarantees that the server did not process such a request.
        Some(h2::Reason::REFUSED_STREAM) => unreachable("it accepts no more requests"),
        _ => Broken::Lost(error_chain(error)),
    }
}

/// The reason with which the server reset one request, if it did.
pub(super) fn reset(error: &hyper::Error) -> Option<h2::Reason> {
    let error = error.source()?.downcast_ref::<h2::Error>()?;
    error
        .reason()
        .filter(|_| error.is_reset() && error.is_remote())
}
