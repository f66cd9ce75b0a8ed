//! A transport that fails on demand, for faults that a real server does not produce on demand.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
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

/// Every call waits for this before its reply, and after it.
type Gate = dyn Fn(bool) -> BoxFuture<'static, Result<(), ControlError>> + Send + Sync;

/// Replies from a script, whose input is the call, its message and the number of earlier calls.
#[derive(Clone)]
pub(crate) struct Fake {
    script: Arc<Script>,
    streams: Arc<StreamScript>,
    gate: Option<Arc<Gate>>,
    dialect: Dialect,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Fake {
    pub(crate) fn new(
        script: impl Fn(Call, &Bytes, usize) -> Result<Bytes, ControlError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            script: Arc::new(script),
            streams: Arc::new(|_, _| Ok(Vec::new())),
            gate: None,
            dialect: Dialect::Http,
            calls: Arc::default(),
        }
    }

    pub(crate) fn streaming(
        mut self,
        script: impl Fn(&Bytes, usize) -> Result<Vec<Result<Bytes, ControlError>>, ControlError>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.streams = Arc::new(script);
        self
    }

    /// Adds a gate: every call waits for it before its reply (`true`) and after it (`false`).
    pub(crate) fn gated(
        mut self,
        gate: impl Fn(bool) -> BoxFuture<'static, Result<(), ControlError>> + Send + Sync + 'static,
    ) -> Self {
        self.gate = Some(Arc::new(gate));
        self
    }

    async fn pass(&self, is_before: bool) -> Result<(), ControlError> {
        match &self.gate {
            Some(gate) => gate(is_before).await,
            None => Ok(()),
        }
    }

    pub(super) fn speaking(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    pub(super) fn slow(self, by: Duration) -> Self {
        self.gated(move |is_before| {
            Box::pin(async move {
                if is_before {
                    tokio::time::sleep(by).await;
                }
                Ok(())
            })
        })
    }

    pub(crate) fn client(&self) -> ControlClient {
        ControlClient::over(Arc::new(self.clone()), Deadlines::default())
    }

    pub(crate) fn count(&self, call: Call) -> usize {
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
        self.pass(true).await
    }

    async fn unary(&self, call: Call, request: Bytes, _: Duration) -> Result<Bytes, ControlError> {
        let before = self.record(call);
        self.pass(true).await?;
        let answer = (self.script)(call, &request, before);
        self.pass(false).await?;
        answer
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

/// A SuperLink with nodes, each with its ID, key and status.
#[derive(Clone, Default)]
pub(crate) struct Registry {
    nodes: Arc<Mutex<Vec<(u64, String, String)>>>,
    refused: Arc<Mutex<Option<Call>>>,
}

impl Registry {
    /// Another SuperLink with the same nodes.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::default();
        copy.nodes
            .lock()
            .unwrap()
            .clone_from(&self.nodes.lock().unwrap());
        copy
    }

    pub(crate) fn client(&self) -> ControlClient {
        self.slow_client(Duration::ZERO)
    }

    /// A client whose calls take this long.
    pub(crate) fn slow_client(&self, by: Duration) -> ControlClient {
        let registry = self.clone();
        let fake = Fake::new(move |call, request, _| registry.answer(call, request));
        fake.slow(by).client()
    }

    /// Registers a node, as another user would.
    pub(crate) fn add(&self, key: &str) -> u64 {
        let mut nodes = self.nodes.lock().unwrap();
        let id = nodes.len() as u64 + 1;
        nodes.push((id, key.to_owned(), "registered".to_owned()));
        id
    }

    /// Makes this call fail from now on, or no call.
    pub(crate) fn refuse(&self, call: Option<Call>) {
        *self.refused.lock().unwrap() = call;
    }

    /// The IDs of the nodes that may connect.
    pub(crate) fn registered(&self) -> Vec<u64> {
        let nodes = self.nodes.lock().unwrap();
        let registered = nodes.iter().filter(|node| node.2 == "registered");
        registered.map(|node| node.0).collect()
    }

    /// The list of nodes; a node is online if `activated` returns a time for its key.
    pub(crate) fn list(&self, activated: impl Fn(&str) -> Option<String>) -> Bytes {
        let nodes = self.nodes.lock().unwrap();
        let nodes = nodes.iter().map(|(id, key, status)| {
            let may_connect = status == "registered";
            let last_activated_at = Some(key)
                .filter(|_| may_connect)
                .and_then(|key| activated(key));
            wire::NodeInfo {
                node_id: *id,
                public_key: Bytes::copy_from_slice(key.as_bytes()),
                status: match &last_activated_at {
                    Some(_) => "online".to_owned(),
                    None => status.clone(),
                },
                last_activated_at,
                ..Default::default()
            }
        });
        wire::ListNodesResponse {
            nodes_info: nodes.collect(),
            ..Default::default()
        }
        .encode_to_vec()
        .into()
    }

    /// The ID of the node with this key that may connect.
    pub(crate) fn id_of(&self, key: &str) -> Option<u64> {
        let nodes = self.nodes.lock().unwrap();
        let mut nodes = nodes.iter();
        let found = nodes.find(|node| node.1 == key && node.2 == "registered");
        found.map(|node| node.0)
    }

    /// Whether a node with this key was ever registered.
    pub(crate) fn knows(&self, key: &str) -> bool {
        self.nodes.lock().unwrap().iter().any(|node| node.1 == key)
    }

    pub(crate) fn answer(&self, call: Call, request: &Bytes) -> Result<Bytes, ControlError> {
        if *self.refused.lock().unwrap() == Some(call) {
            return Err(lost(call));
        }
        let request = request.clone();
        let answer = match call {
            Call::ListNodes => return Ok(self.list(|_| None)),
            Call::RegisterNode => {
                let request = wire::RegisterNodeRequest::decode(request).unwrap();
                let id = self.add(std::str::from_utf8(&request.public_key).unwrap());
                wire::RegisterNodeResponse { node_id: Some(id) }.encode_to_vec()
            }
            Call::UnregisterNode => {
                let request = wire::UnregisterNodeRequest::decode(request).unwrap();
                let mut nodes = self.nodes.lock().unwrap();
                let mut nodes = nodes.iter_mut();
                let node = nodes.find(|node| node.0 == request.node_id).unwrap();
                "unregistered".clone_into(&mut node.2);
                wire::UnregisterNodeResponse {}.encode_to_vec()
            }
            other => panic!("{other:?} is no call about nodes"),
        };
        Ok(answer.into())
    }
}

/// A run in a listing.
pub(crate) fn run(id: u64, status: &str, sub_status: &str) -> wire::Run {
    wire::Run {
        run_id: id,
        status: Some(wire::RunStatus {
            status: status.to_owned(),
            sub_status: sub_status.to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// A listing with these runs, for any request.
pub(crate) fn listed(runs: impl IntoIterator<Item = wire::Run>) -> Bytes {
    let run_dict = runs.into_iter().map(|run| (run.run_id, run)).collect();
    wire::ListRunsResponse {
        run_dict,
        ..Default::default()
    }
    .encode_to_vec()
    .into()
}

/// A list of nodes with these IDs and statuses.
pub(crate) fn nodes(nodes: &[(u64, &str)]) -> Bytes {
    let node = |(node_id, status): &(u64, &str)| wire::NodeInfo {
        node_id: *node_id,
        status: (*status).to_owned(),
        ..Default::default()
    };
    wire::ListNodesResponse {
        nodes_info: nodes.iter().map(node).collect(),
        ..Default::default()
    }
    .encode_to_vec()
    .into()
}

/// The reply to a started run with this ID.
pub(crate) fn started(id: u64) -> Bytes {
    wire::StartRunResponse {
        run_id: Some(id),
        ..Default::default()
    }
    .encode_to_vec()
    .into()
}

/// The reply of a SuperLink with the runs 0 to `total`.
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

pub(crate) fn lost(call: Call) -> ControlError {
    ControlError::LostReply {
        at: "fake:1".to_owned(),
        call,
        cause: "connection reset".to_owned(),
    }
}

pub(crate) fn unreachable() -> ControlError {
    ControlError::Unavailable {
        at: "fake:1".to_owned(),
        never_connected: true,
        cause: "connection refused".to_owned(),
    }
}
