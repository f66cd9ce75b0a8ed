//! The Control API as protobuf over HTTP/1.1, which all releases since 1.37 use.
//!
//! Connections are kept and shared, but not as long as the SuperLink keeps them: it closes idle
//! ones after five seconds, and a request that is sent at this moment would look like a lost reply.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::Semaphore;

use super::call::Call;
use super::dial::{Connector, Dial, DialError};
use super::dialect::Dialect;
use super::endpoint::ControlEndpoint;
use super::error::ControlError;
use super::framing::{FrameDecoder, MAX_FRAME};
use super::refusal;
use super::token::Login;
use super::transport::{Frames, Transport, secret_header};
use crate::error_chain::error_chain;

const IDLE: Duration = Duration::from_secs(4);
const CONNECT: Duration = Duration::from_secs(10);
const MAX_REPLY: usize = 64 * 1024 * 1024;
const MAX_REFUSAL: usize = 64 * 1024;

const UNARY: &str = "application/protobuf";
const STREAM: &str = "application/flower-protobuf-stream";

pub(super) struct Http {
    client: Client<Connector, Full<Bytes>>,
    at: String,
    authority: String,
    /// The `Authorization` header, for SuperLinks with accounts.
    login: Option<Arc<Login>>,
    permits: Semaphore,
}

impl Http {
    pub(super) fn new(endpoint: &ControlEndpoint, dial: Arc<dyn Dial>) -> Self {
        let at_once = dial.at_once();
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(at_once)
            .build(Connector::new(dial, endpoint, CONNECT));
        Self {
            client,
            at: endpoint.at(),
            authority: endpoint.address(),
            login: endpoint.login(),
            permits: Semaphore::new(at_once),
        }
    }

    /// Sends a request and returns a successful response.
    async fn send(&self, call: Call, request: Bytes) -> Result<Response<Incoming>, ControlError> {
        let (method, body_type) = match call {
            Call::Health => (Method::GET, None),
            _ => (Method::POST, Some(UNARY)),
        };
        // The connector adds TLS; the HTTP client sees a plain address.
        let mut builder = Request::builder()
            .method(method)
            .uri(format!("http://{}{}", self.authority, call.http_path()))
            .header(header::ACCEPT_ENCODING, "identity")
            .header(
                header::USER_AGENT,
                concat!("terraform-provider-flower/", env!("CARGO_PKG_VERSION")),
            );
        let login = self.login.as_ref().map(|token| token.current());
        let login = login.and_then(|token| secret_header(&format!("Bearer {}", *token)));
        if let Some(login) = login {
            builder = builder.header(header::AUTHORIZATION, login);
        }
        if let Some(body_type) = body_type {
            builder = builder.header(header::CONTENT_TYPE, body_type);
        }
        let request = builder
            .body(Full::new(request))
            .map_err(|error| self.protocol(call, error.to_string()))?;
        let response = self
            .client
            .request(request)
            .await
            .map_err(|error| self.failed(call, &error))?;
        let status = response.status();
        if status == StatusCode::OK {
            return Ok(response);
        }
        let body = Limited::new(response.into_body(), MAX_REFUSAL)
            .collect()
            .await
            .map(http_body_util::Collected::to_bytes)
            .unwrap_or_default();
        Err(refusal::from_http(&self.at, call, status.as_u16(), &body))
    }

    /// An error of the HTTP client: of our connector, before anything was sent, or a later one.
    fn failed(&self, call: Call, error: &ClientError) -> ControlError {
        if error.is_connect() {
            let dial = error
                .source()
                .and_then(|source| source.downcast_ref::<DialError>())
                .cloned()
                .unwrap_or_else(|| DialError::Unreachable(error_chain(error)));
            return dial.at(&self.at);
        }
        let inner = error
            .source()
            .and_then(|source| source.downcast_ref::<hyper::Error>());
        let cause = error_chain(error);
        // A server that sends data first, such as a gRPC server. It is unknown whether it made the
        // change.
        let speaks_first = call.is_read() && cause.contains("unexpected message from connection");
        if speaks_first || inner.is_some_and(hyper::Error::is_parse) {
            return self.protocol(call, format!("its response is not HTTP: {cause}"));
        }
        self.lost(call, cause)
    }

    fn lost(&self, call: Call, cause: String) -> ControlError {
        ControlError::LostReply {
            at: self.at.clone(),
            call,
            cause,
        }
    }

    fn protocol(&self, call: Call, cause: String) -> ControlError {
        ControlError::Protocol {
            at: self.at.clone(),
            call,
            cause,
        }
    }

    fn expect_type(
        &self,
        call: Call,
        response: &Response<Incoming>,
        expected: &str,
    ) -> Result<(), ControlError> {
        let found = response
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .unwrap_or("none");
        if found == expected {
            return Ok(());
        }
        Err(self.protocol(
            call,
            format!("its response has the type {found}, not {expected}"),
        ))
    }

    /// Runs a call; its deadline starts when the call may start.
    async fn in_turn<T>(
        &self,
        call: Call,
        deadline: Duration,
        work: impl Future<Output = Result<T, ControlError>> + Send,
    ) -> Result<T, ControlError> {
        // The semaphore is never closed; if it were, calls would only not be limited.
        let _turn = self.permits.acquire().await.ok();
        tokio::time::timeout(deadline, work)
            .await
            .unwrap_or_else(|_| {
                Err(ControlError::Timeout {
                    at: self.at.clone(),
                    call,
                    after: deadline,
                })
            })
    }
}

#[async_trait]
impl Transport for Http {
    fn at(&self) -> &str {
        &self.at
    }

    fn dialect(&self) -> Dialect {
        Dialect::Http
    }

    async fn health(&self, deadline: Duration) -> Result<(), ControlError> {
        let asking = async { self.send(Call::Health, Bytes::new()).await.map(|_| ()) };
        self.in_turn(Call::Health, deadline, asking).await
    }

    async fn unary(
        &self,
        call: Call,
        request: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, ControlError> {
        let asking = async {
            let response = self.send(call, request).await?;
            self.expect_type(call, &response, UNARY)?;
            let body = Limited::new(response.into_body(), MAX_REPLY);
            match body.collect().await {
                Ok(body) => Ok(body.to_bytes()),
                Err(error) if call.is_read() && error.is::<http_body_util::LengthLimitError>() => {
                    Err(self.protocol(
                        call,
                        format!("its response is longer than {MAX_REPLY} bytes"),
                    ))
                }
                Err(error) => Err(self.lost(call, error.to_string())),
            }
        };
        self.in_turn(call, deadline, asking).await
    }

    async fn stream(
        &self,
        call: Call,
        request: Bytes,
        deadline: Duration,
    ) -> Result<Frames, ControlError> {
        let asking = async {
            let response = self.send(call, request).await?;
            self.expect_type(call, &response, STREAM)?;
            Ok(response.into_body())
        };
        let body = self.in_turn(call, deadline, asking).await?;
        let reader = FrameReader {
            body,
            decoder: FrameDecoder::new(MAX_FRAME),
            at: self.at.clone(),
            call,
            ended: false,
        };
        Ok(Box::pin(stream::unfold(reader, |mut reader| async {
            reader.next().await.map(|item| (item, reader))
        })))
    }
}

/// Reads messages from the body of a streaming response.
struct FrameReader {
    body: Incoming,
    decoder: FrameDecoder,
    at: String,
    call: Call,
    ended: bool,
}

impl FrameReader {
    async fn next(&mut self) -> Option<Result<Bytes, ControlError>> {
        while !self.ended {
            match self.decoder.next_frame() {
                Ok(Some(frame)) => return Some(Ok(frame)),
                Ok(None) => {}
                Err(error) => {
                    self.ended = true;
                    return Some(Err(ControlError::Protocol {
                        at: self.at.clone(),
                        call: self.call,
                        cause: error.to_string(),
                    }));
                }
            }
            let cause = match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.decoder.push(data);
                    }
                    continue;
                }
                Some(Err(error)) => error_chain(&error),
                None if self.decoder.is_at_boundary() => return None,
                None => "the last message is incomplete".to_owned(),
            };
            self.ended = true;
            return Some(Err(ControlError::LostReply {
                at: self.at.clone(),
                call: self.call,
                cause,
            }));
        }
        None
    }
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
