//! The Control API of a SuperLink whose address does not tell the protocol: a health check tries
//! HTTP first, then gRPC.
//!
//! The result is kept until a reply fits neither protocol: a SuperLink can be upgraded at the same
//! address. No other call is sent before, so an error of this check means that nothing was
//! requested.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::call::Call;
use super::dial::Dial;
use super::dialect::Dialect;
use super::endpoint::ControlEndpoint;
use super::error::ControlError;
use super::grpc::Grpc;
use super::http::Http;
use super::transport::{Frames, Transport};

/// How long the health check may take with each protocol.
const CHECK: Duration = Duration::from_secs(5);

pub(super) struct Either {
    http: Http,
    grpc: Grpc,
    spoken: Mutex<Option<Dialect>>,
    /// One call detects the protocol; the others wait for the result.
    turn: tokio::sync::Mutex<()>,
}

impl Either {
    pub(super) fn new(endpoint: &ControlEndpoint, dial: Arc<dyn Dial>) -> Self {
        Self {
            http: Http::new(endpoint, Arc::clone(&dial)),
            grpc: Grpc::new(endpoint, dial),
            spoken: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    fn spoken(&self) -> Option<Dialect> {
        *self.spoken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, spoken: Option<Dialect>) {
        *self.spoken.lock().unwrap_or_else(PoisonError::into_inner) = spoken;
    }

    /// The transport for the detected protocol.
    async fn transport(&self) -> Result<&dyn Transport, ControlError> {
        let _turn = self.turn.lock().await;
        let spoken = match self.spoken() {
            Some(spoken) => spoken,
            None => self.detect().await?,
        };
        self.remember(Some(spoken));
        Ok(match spoken {
            Dialect::Http => &self.http,
            Dialect::Grpc => &self.grpc,
        })
    }

    async fn detect(&self) -> Result<Dialect, ControlError> {
        let over_http = match self.http.health(CHECK).await {
            Ok(()) => return Ok(Dialect::Http),
            Err(error) if is_answer(&error) => return Ok(Dialect::Http),
            Err(error) => error,
        };
        match self.grpc.health(CHECK).await {
            Ok(()) => Ok(Dialect::Grpc),
            Err(error) if is_answer(&error) => Ok(Dialect::Grpc),
            // Newer releases use HTTP, so this error helps more.
            Err(_) => Err(self.call_not_sent(over_http)),
        }
    }

    /// The error of the health check, after which the actual call was not sent.
    fn call_not_sent(&self, error: ControlError) -> ControlError {
        let cause = match error {
            ControlError::LostReply { cause, .. } => cause,
            ControlError::Timeout { after, .. } => {
                format!("it did not answer the health check within {after:?}")
            }
            error => return error,
        };
        ControlError::Unavailable {
            at: self.at().to_owned(),
            never_connected: true,
            cause,
        }
    }

    /// Forgets the protocol if the reply does not fit it: the server has changed.
    fn checked<T>(&self, result: Result<T, ControlError>) -> Result<T, ControlError> {
        if matches!(result, Err(ControlError::Protocol { .. })) {
            self.remember(None);
        }
        result
    }
}

/// Whether the server understood the request and refused it.
const fn is_answer(error: &ControlError) -> bool {
    !matches!(
        error,
        ControlError::Unavailable { .. }
            | ControlError::Tls { .. }
            | ControlError::NoAccess { .. }
            | ControlError::Timeout { .. }
            | ControlError::LostReply { .. }
            | ControlError::Protocol { .. }
    )
}

#[async_trait]
impl Transport for Either {
    fn at(&self) -> &str {
        self.http.at()
    }

    fn dialect(&self) -> Dialect {
        self.spoken().unwrap_or(Dialect::Http)
    }

    async fn health(&self, deadline: Duration) -> Result<(), ControlError> {
        self.checked(self.transport().await?.health(deadline).await)
    }

    async fn unary(
        &self,
        call: Call,
        request: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, ControlError> {
        let transport = self.transport().await?;
        self.checked(transport.unary(call, request, deadline).await)
    }

    async fn stream(
        &self,
        call: Call,
        request: Bytes,
        deadline: Duration,
    ) -> Result<Frames, ControlError> {
        let transport = self.transport().await?;
        self.checked(transport.stream(call, request, deadline).await)
    }
}

#[cfg(test)]
#[path = "either_tests.rs"]
mod tests;
