//! The Control API over gRPC, which all releases up to 1.36 use: as the service `Control`, up to
//! 1.20 under its earlier name `Exec`.
//!
//! This module reads frames and statuses itself, because a client library turns every failure into
//! a status: the provider must know whether a request was not sent, was answered, or got lost, to
//! decide whether it may submit a run again.

mod connection;
mod greeting;
mod log;
mod response_reader;
mod status;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use prost::Message as _;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tonic::Code;

use super::call::Call;
use super::dial::Dial;
use super::dialect::Dialect;
use super::endpoint::ControlEndpoint;
use super::error::ControlError;
use super::framing::FrameDecoder;
use super::token::Login;
use super::transport::{Frames, Transport, secret_header};
use super::{refusal, wire};
use connection::{Broken, Connections};
use log::{Log, Opened};
use response_reader::{Piece, ResponseReader};
use status::Status;

/// Parallel calls to one SuperLink, not counting streams; it handles about as many in parallel.
const AT_ONCE: usize = 16;
const MAX_REFUSAL: usize = 64 * 1024;
/// A gRPC server sends nothing before the first message, so a stream without data after this time
/// counts as open: its run has printed nothing yet.
const OPENING: Duration = Duration::from_millis(500);

/// The names of the service in different releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    Control,
    Exec,
}

impl Service {
    const fn name(self) -> &'static str {
        match self {
            Self::Control => "flwr.proto.Control",
            Self::Exec => "flwr.proto.Exec",
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::Control => Self::Exec,
            Self::Exec => Self::Control,
        }
    }
}

/// Why a call failed.
enum Failure {
    /// The server does not have the service or the method, so the call had no effect.
    NoMethod,
    Error(ControlError),
}

impl From<ControlError> for Failure {
    fn from(error: ControlError) -> Self {
        Self::Error(error)
    }
}

pub(super) struct Grpc(Arc<Inner>);

struct Inner {
    connections: Connections,
    at: String,
    authority: String,
    /// The token of the account, for SuperLinks with accounts.
    login: Option<Arc<Login>>,
    permits: Semaphore,
    /// The service that answered last; a SuperLink can be upgraded at the same address.
    is_exec: AtomicBool,
    /// Whether a service has answered yet.
    is_known: AtomicBool,
}

impl Grpc {
    pub(super) fn new(endpoint: &ControlEndpoint, dial: Arc<dyn Dial>) -> Self {
        Self(Arc::new(Inner {
            connections: Connections::new(endpoint, dial),
            at: endpoint.at(),
            authority: endpoint.address(),
            login: endpoint.login(),
            permits: Semaphore::new(AT_ONCE),
            is_exec: AtomicBool::new(false),
            is_known: AtomicBool::new(false),
        }))
    }
}

impl Inner {
    fn service(&self) -> Service {
        if self.is_exec.load(Ordering::Relaxed) {
            Service::Exec
        } else {
            Service::Control
        }
    }

    fn remember(&self, service: Service) {
        let is_exec = service == Service::Exec;
        self.is_exec.store(is_exec, Ordering::Relaxed);
        self.is_known.store(true, Ordering::Relaxed);
    }

    /// Makes a call; its deadline starts when the call may start.
    async fn ask(
        &self,
        call: Call,
        message: &Bytes,
        deadline: Duration,
    ) -> Result<Bytes, ControlError> {
        // The semaphore is never closed; if it were, calls would only not be limited.
        let _turn = self.permits.acquire().await.ok();
        let until = Instant::now() + deadline;
        let asking = self.ask_either(call, message, until);
        if let Ok(result) = tokio::time::timeout_at(until, asking).await {
            return result;
        }
        // The connection may be dead without an error.
        self.connections.forget().await;
        Err(ControlError::Timeout {
            at: self.at.clone(),
            call,
            after: deadline,
        })
    }

    /// Calls the service that the SuperLink has. A service without the method cannot have executed
    /// the call, so it is safe to call the other service, too.
    async fn ask_either(
        &self,
        call: Call,
        message: &Bytes,
        until: Instant,
    ) -> Result<Bytes, ControlError> {
        let first = self.service();
        for service in [first, first.other()] {
            match self.ask_service(service, call, message, until).await {
                Ok(reply) => {
                    self.remember(service);
                    return Ok(reply);
                }
                Err(Failure::Error(error)) => return Err(error),
                Err(Failure::NoMethod) => {}
            }
        }
        if call.since().is_none() || self.is_known.load(Ordering::Relaxed) {
            return Err(self.no_method(call));
        }
        // Either an old release, or no Control API at all: a call that every release has tells
        // which.
        let health = wire::ListRunsRequest {
            limit: Some(1),
            ..Default::default()
        };
        let health = Bytes::from(health.encode_to_vec());
        Box::pin(self.ask_either(Call::ListRuns, &health, until)).await?;
        Err(self.no_method(call))
    }

    async fn ask_service(
        &self,
        service: Service,
        call: Call,
        message: &Bytes,
        until: Instant,
    ) -> Result<Bytes, Failure> {
        let mut answer = self.open(service, call, message, until).await?;
        let mut reply = None;
        loop {
            match answer.next().await {
                Piece::Message(message) if reply.is_none() => reply = Some(message),
                Piece::Message(_) => {
                    return Err(self.unreadable_reply(call, "it sent two responses").into());
                }
                Piece::End(status) => {
                    self.check(call, &status)?;
                    return reply.ok_or_else(|| {
                        self.unreadable_reply(call, "its response is empty").into()
                    });
                }
                Piece::Cut(cause) => return Err(self.lost(call, cause).into()),
                Piece::Odd(cause) => return Err(self.unreadable_reply(call, cause).into()),
            }
        }
    }

    /// Opens a stream at the service that the SuperLink has, and waits for its first part.
    async fn begin(&self, call: Call, message: &Bytes, until: Instant) -> Opened {
        let first = self.service();
        for service in [first, first.other()] {
            let mut answer = self.open(service, call, message, until).await?;
            let piece = answer.next().await;
            match &piece {
                Piece::End(end) if refusal::is_no_method(end.code, &end.text) => {}
                Piece::Message(_) | Piece::End(_) => {
                    self.remember(service);
                    return Ok((service, answer, piece));
                }
                Piece::Cut(_) | Piece::Odd(_) => return Ok((service, answer, piece)),
            }
        }
        Err(Failure::NoMethod)
    }

    /// Sends a request and waits for the headers of its response.
    async fn open(
        &self,
        service: Service,
        call: Call,
        message: &Bytes,
        until: Instant,
    ) -> Result<ResponseReader, Failure> {
        let name = format!("{}/{}", service.name(), call.grpc_name());
        // The connector adds TLS; HTTP/2 sees a plain address.
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("http://{}/{name}", self.authority))
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, "trailers")
            .header(
                header::USER_AGENT,
                concat!("terraform-provider-flower/", env!("CARGO_PKG_VERSION")),
            );
        let login = self.login.as_ref().map(|token| token.current());
        if let Some(login) = login.and_then(|token| secret_header(token.as_str())) {
            request = request.header("flwr-oidc-access-token", login);
        }
        let request = request
            .body(Full::new(FrameDecoder::grpc_frame(message)))
            .map_err(|error| self.unexpected_reply(call, error))?;
        let response = self.connections.send(request, until).await;
        let response = response.map_err(|broken| self.broken(call, broken))?;
        let status = response.status();
        if status != StatusCode::OK {
            let body = Limited::new(response.into_body(), MAX_REFUSAL)
                .collect()
                .await
                .map(http_body_util::Collected::to_bytes)
                .unwrap_or_default();
            return Err(refusal::from_http(&self.at, call, status.as_u16(), &body).into());
        }
        let kind = response.headers().get(header::CONTENT_TYPE);
        if !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc")) {
            return Err(self
                .unexpected_reply(call, "its response does not have the content type of gRPC")
                .into());
        }
        Ok(ResponseReader::new(response))
    }

    /// The status with which the server ended a call.
    fn check(&self, call: Call, status: &Status) -> Result<(), Failure> {
        match (status.code, status.text.as_str()) {
            (Code::Ok, _) => Ok(()),
            (code, text) if refusal::is_no_method(code, text) => Err(Failure::NoMethod),
            (code, text) if call.since().is_some() && refusal::is_no_handler(code, text) => {
                Err(Failure::NoMethod)
            }
            (code, text) => Err(refusal::from_grpc(&self.at, call, code, text).into()),
        }
    }

    fn broken(&self, call: Call, broken: Broken) -> ControlError {
        match broken {
            Broken::Never(error) => error.at(&self.at),
            Broken::Stranger(cause) => self.unexpected_reply(call, cause),
            Broken::Lost(cause) => self.lost(call, cause),
        }
    }

    fn no_method(&self, call: Call) -> ControlError {
        match call.since() {
            Some(since) => ControlError::Unsupported {
                at: self.at.clone(),
                call,
                since,
            },
            None => self.unexpected_reply(
                call,
                "it uses gRPC but has no Control API; this may be another port of the SuperLink",
            ),
        }
    }

    /// The error for a reply that cannot be decoded. It is unknown whether the server made the
    /// change.
    fn unreadable_reply(&self, call: Call, cause: impl ToString) -> ControlError {
        if call.is_read() {
            self.unexpected_reply(call, cause)
        } else {
            self.lost(call, cause)
        }
    }

    fn unexpected_reply(&self, call: Call, cause: impl ToString) -> ControlError {
        ControlError::Protocol {
            at: self.at.clone(),
            call,
            cause: cause.to_string(),
        }
    }

    fn lost(&self, call: Call, cause: impl ToString) -> ControlError {
        ControlError::LostReply {
            at: self.at.clone(),
            call,
            cause: cause.to_string(),
        }
    }
}

#[async_trait]
impl Transport for Grpc {
    fn at(&self) -> &str {
        &self.0.at
    }

    fn dialect(&self) -> Dialect {
        Dialect::Grpc
    }

    /// gRPC has no health check here, so this uses the cheapest read that every release has.
    async fn health(&self, deadline: Duration) -> Result<(), ControlError> {
        let request = wire::ListRunsRequest {
            limit: Some(1),
            ..Default::default()
        };
        let request = Bytes::from(request.encode_to_vec());
        self.0
            .ask(Call::Health, &request, deadline)
            .await
            .map(|_| ())
    }

    async fn unary(
        &self,
        call: Call,
        request: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, ControlError> {
        self.0.ask(call, &request, deadline).await
    }

    async fn stream(
        &self,
        call: Call,
        request: Bytes,
        deadline: Duration,
    ) -> Result<Frames, ControlError> {
        let inner = Arc::clone(&self.0);
        let until = Instant::now() + deadline;
        if !inner.is_known.load(Ordering::Relaxed) {
            self.health(deadline).await?;
        }
        let ready = inner.connections.ready(until).await;
        ready.map_err(|broken| inner.broken(call, broken))?;
        let mut log = Log::new(inner, call, request, until);
        // A refusal arrives at once, and is the error of this call, not of the stream.
        let first = tokio::time::timeout(OPENING, log.next()).await.ok();
        let head = match first {
            Some(Some(Err(error))) => return Err(error),
            Some(message) => message,
            None => None,
        };
        let rest = stream::unfold(log, |mut log| async {
            log.next().await.map(|item| (item, log))
        });
        Ok(Box::pin(stream::StreamExt::chain(stream::iter(head), rest)))
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
