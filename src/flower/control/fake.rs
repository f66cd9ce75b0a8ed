//! A transport that fails on demand: for faults that a real server does not produce when asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use prost::Message as _;

use super::call::Call;
use super::client::{ControlClient, Deadlines};
use super::dialect::Dialect;
use super::error::ControlError;
use super::transport::{Frames, Transport};
use super::wire;

type Script = dyn Fn(Call, &Bytes, usize) -> Result<Bytes, ControlError> + Send + Sync;
type StreamScript =
    dyn Fn(&Bytes, usize) -> Result<Vec<Result<Bytes, ControlError>>, ControlError> + Send + Sync;

/// Answers with a script, which is given the call, its message and how often it was made before.
#[derive(Clone)]
pub(super) struct Fake {
    script: Arc<Script>,
    streams: Arc<StreamScript>,
    slow: Duration,
    dialect: Dialect,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Fake {
    pub(super) fn new(
        script: impl Fn(Call, &Bytes, usize) -> Result<Bytes, ControlError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            script: Arc::new(script),
            streams: Arc::new(|_, _| Ok(Vec::new())),
            slow: Duration::ZERO,
            dialect: Dialect::Http,
            calls: Arc::default(),
        }
    }

    pub(super) fn streaming(
        mut self,
        script: impl Fn(&Bytes, usize) -> Result<Vec<Result<Bytes, ControlError>>, ControlError>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.streams = Arc::new(script);
        self
    }

    pub(super) fn speaking(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    pub(super) fn slow(mut self, by: Duration) -> Self {
        self.slow = by;
        self
    }

    pub(super) fn client(&self) -> ControlClient {
        ControlClient::over(Arc::new(self.clone()), Deadlines::default())
    }

    pub(super) fn count(&self, call: Call) -> usize {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|made| **made == call).count()
    }

    fn record(&self, call: Call) -> usize {
        let before = self.count(call);
        self.calls.lock().unwrap().push(call);
        before
    }
}

#[async_trait]
impl Transport for Fake {
    fn at(&self) -> &'static str {
        "fake:1"
    }

    fn dialect(&self) -> Dialect {
        self.dialect
    }

    async fn health(&self, _: Duration) -> Result<(), ControlError> {
        Ok(())
    }

    async fn unary(&self, call: Call, request: Bytes, _: Duration) -> Result<Bytes, ControlError> {
        let before = self.record(call);
        tokio::time::sleep(self.slow).await;
        (self.script)(call, &request, before)
    }

    async fn stream(
        &self,
        call: Call,
        request: Bytes,
        _: Duration,
    ) -> Result<Frames, ControlError> {
        let before = self.record(call);
        (self.streams)(&request, before).map(|items| stream::iter(items).boxed())
    }
}

/// What a SuperLink with runs 0 to `total` answers to this request.
pub(super) fn list_of(request: &Bytes, total: u64) -> Bytes {
    let request = wire::ListRunsRequest::decode(request.clone()).unwrap();
    let skip = request.skip.unwrap_or(0);
    let end = total.min(skip + request.limit.unwrap_or(20));
    let run_dict = (skip..end)
        .map(|id| {
            let run = wire::Run {
                run_id: id,
                ..Default::default()
            };
            (id, run)
        })
        .collect();
    wire::ListRunsResponse {
        run_dict,
        now: "2026-11-24T10:00:00+00:00".to_owned(),
    }
    .encode_to_vec()
    .into()
}

pub(super) fn lost(call: Call) -> ControlError {
    ControlError::LostReply {
        at: "fake:1".to_owned(),
        call,
        cause: "connection reset".to_owned(),
    }
}

pub(super) fn unreachable() -> ControlError {
    ControlError::Unavailable {
        at: "fake:1".to_owned(),
        never_connected: true,
        cause: "connection refused".to_owned(),
    }
}
