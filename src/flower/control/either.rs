//! The Control API of a SuperLink of which neither its address nor its configuration says what it
//! speaks: it is asked over HTTP whether it is healthy, and one that does not answer in HTTP is asked
//! over gRPC.
//!
//! What was found out is remembered until something answers that speaks neither: a SuperLink can be
//! upgraded behind its address. No call is made before, so that a failure here means that nothing was
//! asked for.

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

/// How long either way may take to say whether it is spoken.
const LOOK: Duration = Duration::from_secs(5);

pub(super) struct Either {
    http: Http,
    grpc: Grpc,
    spoken: Mutex<Option<Dialect>>,
    /// One looks, and the others wait for what it finds.
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

    /// The transport that is spoken there.
    async fn transport(&self) -> Result<&dyn Transport, ControlError> {
        let _turn = self.turn.lock().await;
        let spoken = match self.spoken() {
            Some(spoken) => spoken,
            None => self.look().await?,
        };
        self.remember(Some(spoken));
        Ok(match spoken {
            Dialect::Http => &self.http,
            Dialect::Grpc => &self.grpc,
        })
    }

    async fn look(&self) -> Result<Dialect, ControlError> {
        let over_http = match self.http.health(LOOK).await {
            Ok(()) => return Ok(Dialect::Http),
            Err(error) if is_answer(&error) => return Ok(Dialect::Http),
            Err(error) => error,
        };
        match self.grpc.health(LOOK).await {
            Ok(()) => Ok(Dialect::Grpc),
            Err(error) if is_answer(&error) => Ok(Dialect::Grpc),
            // HTTP is what is spoken from now on, so that its words help more.
            Err(_) => Err(self.unasked(over_http)),
        }
    }

    /// Only whether it is healthy was asked: whatever was to be asked next was not sent.
    fn unasked(&self, error: ControlError) -> ControlError {
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

    /// What answers is another one than before if it speaks otherwise.
    fn noted<T>(&self, result: Result<T, ControlError>) -> Result<T, ControlError> {
        if matches!(result, Err(ControlError::Protocol { .. })) {
            self.remember(None);
        }
        result
    }
}

/// True if the server understood the question and refused to answer it.
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
        self.noted(self.transport().await?.health(deadline).await)
    }

    async fn unary(
        &self,
        call: Call,
        request: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, ControlError> {
        let transport = self.transport().await?;
        self.noted(transport.unary(call, request, deadline).await)
    }

    async fn stream(
        &self,
        call: Call,
        request: Bytes,
        deadline: Duration,
    ) -> Result<Frames, ControlError> {
        let transport = self.transport().await?;
        self.noted(transport.stream(call, request, deadline).await)
    }
}

#[cfg(test)]
#[path = "either_tests.rs"]
mod tests;
