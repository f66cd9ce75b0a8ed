//! The client of one SuperLink: typed calls with deadlines, over any transport.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;

use super::call::Call;
use super::dial::{Dial, Tcp};
use super::either::Either;
use super::endpoint::{ControlEndpoint, Protocol};
use super::error::{Answer, ControlError};
use super::federation::Federation;
use super::grpc::Grpc;
use super::http::Http;
use super::node::{NewNode, Node, NodeId};
use super::run::{EARLY_FEDERATION, Run, RunListing, Timestamp};
use super::run_id::RunId;
use super::start_run::StartRun;
use super::submit_ledger::SubmitLedger;
use super::transport::{Frames, Transport};
use super::wire;
use crate::flower::version::FAB_LIMIT;

/// Runs per request; Flower's default is 20.
const PAGE: usize = 1000;
/// The maximum number of runs in a listing, so that one read stays cheap.
const MOST_RUNS: usize = 10_000;

/// How long calls may take, from the moment when they may start until the whole reply is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// For the health check.
    pub health: Duration,
    /// For reads and small changes.
    pub call: Duration,
    /// For submitting a run, including the upload of the bundle.
    pub submit: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            health: Duration::from_secs(5),
            call: Duration::from_secs(30),
            submit: Duration::from_mins(2),
        }
    }
}

/// The client of the Control API of one SuperLink. Clones share connections.
#[derive(Clone)]
pub struct ControlClient {
    transport: Arc<dyn Transport>,
    deadlines: Deadlines,
    pub(super) ledger: Arc<SubmitLedger>,
}

impl ControlClient {
    /// A client for this endpoint. It sends nothing before the first call.
    pub fn connect(endpoint: &ControlEndpoint) -> Self {
        Self::connect_over(endpoint, Arc::new(Tcp::to(endpoint)), Deadlines::default())
    }

    /// A client with its own way to open connections, or with other deadlines.
    pub fn connect_over(
        endpoint: &ControlEndpoint,
        dial: Arc<dyn Dial>,
        deadlines: Deadlines,
    ) -> Self {
        let transport: Arc<dyn Transport> = match endpoint.protocol() {
            Protocol::Http => Arc::new(Http::new(endpoint, dial)),
            Protocol::Grpc => Arc::new(Grpc::new(endpoint, dial)),
            Protocol::Either => Arc::new(Either::new(endpoint, dial)),
        };
        Self::over(transport, deadlines)
    }

    pub(super) fn over(transport: Arc<dyn Transport>, deadlines: Deadlines) -> Self {
        Self {
            transport,
            deadlines,
            ledger: Arc::default(),
        }
    }

    /// host:port, for messages.
    pub fn at(&self) -> &str {
        self.transport.at()
    }

    /// Checks the health of the SuperLink. A SuperExec that died does not count.
    pub async fn health(&self) -> Result<(), ControlError> {
        self.transport.health(self.deadlines.health).await
    }

    /// Submits a run once. After an error for which [`ControlError::outcome_unknown`] is true the
    /// run may exist; [`super::submit`] handles this.
    pub async fn start_run(&self, start: &StartRun) -> Result<RunId, ControlError> {
        let mut request = start.to_wire();
        let mut reply = self.submit(&request).await;
        if request.federation.is_empty()
            && self.transport.dialect().may_want_federation()
            && matches!(reply, Err(ControlError::FederationMissing(_)))
        {
            EARLY_FEDERATION.clone_into(&mut request.federation);
            reply = self.submit(&request).await;
        }
        let run_id = reply?.run_id.map(RunId);
        run_id.ok_or_else(|| self.no_run(start))
    }

    /// The error for a reply without a run, which contains no reason.
    fn no_run(&self, start: &StartRun) -> ControlError {
        let answer = |words: String| Answer {
            at: self.at().to_owned(),
            call: Call::StartRun,
            words,
        };
        let Some(bytes) = start.fab_len() else {
            return ControlError::Refused(answer(format!(
                "it started no run and gave no reason; its log contains the reason. Either the \
                 app of Flower Hub has more than {FAB_LIMIT} bytes, or this is Flower 1.24, which \
                 fetches no apps"
            )));
        };
        if u64::try_from(bytes).unwrap_or(u64::MAX) > FAB_LIMIT {
            return ControlError::TooLarge(answer(format!(
                "it accepts app bundles of up to {FAB_LIMIT} bytes, but this one has {bytes}"
            )));
        }
        ControlError::Refused(answer(
            "it started no run and gave no reason; its log contains the reason".to_owned(),
        ))
    }

    async fn submit(
        &self,
        request: &wire::StartRunRequest,
    ) -> Result<wire::StartRunResponse, ControlError> {
        self.ask(Call::StartRun, request, self.deadlines.submit)
            .await
    }

    /// The newest runs, at most `limit`.
    pub async fn newest_runs(&self, limit: usize) -> Result<RunListing, ControlError> {
        self.page(limit, 0).await
    }

    /// All runs of this account, or the newest ten thousand.
    pub async fn list_runs(&self) -> Result<RunListing, ControlError> {
        let mut listing = self.page(PAGE, 0).await?;
        if !listing.complete && !self.transport.dialect().may_skip() {
            return self.page(MOST_RUNS, 0).await;
        }
        while !listing.complete && listing.runs.len() < MOST_RUNS {
            let known = listing.runs.len();
            let mut page = self.page(PAGE, known).await?;
            listing.runs.extend(page.runs.drain());
            listing.server_now = page.server_now;
            listing.complete = page.complete;
            if listing.runs.len() == known && !page.complete {
                // A release without `skip` sends the same runs again.
                return self.page(MOST_RUNS, 0).await;
            }
        }
        Ok(listing)
    }

    /// One run.
    pub async fn run(&self, id: RunId) -> Result<Run, ControlError> {
        let request = wire::ListRunsRequest {
            run_id: Some(id.0),
            ..Default::default()
        };
        let mut reply: wire::ListRunsResponse = self.call(Call::ListRuns, &request).await?;
        // Releases up to 1.18 answer with an empty list if the run ID is unknown.
        reply
            .run_dict
            .remove(&id.0)
            .map(Run::from_wire)
            .ok_or_else(|| {
                ControlError::NotFound(Answer {
                    at: self.at().to_owned(),
                    call: Call::ListRuns,
                    words: format!("it knows no run {id}"),
                })
            })
    }

    /// Stops a run.
    pub async fn stop_run(&self, id: RunId) -> Result<(), ControlError> {
        let request = wire::StopRunRequest { run_id: id.0 };
        let reply: wire::StopRunResponse = self.call(Call::StopRun, &request).await?;
        if reply.success {
            return Ok(());
        }
        Err(ControlError::Refused(Answer {
            at: self.at().to_owned(),
            call: Call::StopRun,
            words: format!("it did not change the status of run {id}"),
        }))
    }

    /// Claims a run by its ID; `false` if a submission of this process already has it.
    pub fn take(&self, id: RunId) -> bool {
        self.ledger.claim(id)
    }

    /// Registers a node, so that it may connect.
    pub async fn register_node(&self, node: &NewNode) -> Result<NodeId, ControlError> {
        let request = wire::RegisterNodeRequest {
            public_key: Bytes::copy_from_slice(node.public_key.as_bytes()),
            location: node.location.clone(),
            name: node.name.clone(),
        };
        let reply: wire::RegisterNodeResponse = self.call(Call::RegisterNode, &request).await?;
        reply.node_id.map(NodeId).ok_or_else(|| {
            self.unexpected_reply(Call::RegisterNode, "it gave the SuperNode no node ID")
        })
    }

    /// Unregisters a node. Its key can never be registered there again.
    pub async fn unregister_node(&self, id: NodeId) -> Result<(), ControlError> {
        let request = wire::UnregisterNodeRequest { node_id: id.0 };
        let _: wire::UnregisterNodeResponse = self.call(Call::UnregisterNode, &request).await?;
        Ok(())
    }

    /// All nodes of this account, including unregistered ones.
    pub async fn list_nodes(&self) -> Result<Vec<Node>, ControlError> {
        let reply = self
            .send(
                Call::ListNodes,
                &wire::ListNodesRequest {},
                self.deadlines.call,
            )
            .await?;
        let dialect = self.transport.dialect();
        dialect
            .nodes(&reply)
            .map_err(|error| self.unexpected_reply(Call::ListNodes, error))
    }

    /// All federations of this account.
    pub async fn list_federations(&self) -> Result<Vec<Federation>, ControlError> {
        let reply = self
            .send(
                Call::ListFederations,
                &wire::ListFederationsRequest {},
                self.deadlines.call,
            )
            .await?;
        let dialect = self.transport.dialect();
        dialect
            .federations(&reply)
            .map_err(|error| self.unexpected_reply(Call::ListFederations, error))
    }

    pub(super) async fn stream(&self, call: Call, request: Bytes) -> Result<Frames, ControlError> {
        self.transport
            .stream(call, request, self.deadlines.call)
            .await
    }

    /// The error for a reply that no SuperLink sends.
    pub(super) fn unexpected_reply(&self, call: Call, cause: impl fmt::Display) -> ControlError {
        let (at, cause) = (self.at().to_owned(), cause.to_string());
        if call.is_read() {
            ControlError::Protocol { at, call, cause }
        } else {
            // It is unknown whether the server made the change.
            ControlError::LostReply { at, call, cause }
        }
    }

    async fn page(&self, limit: usize, skip: usize) -> Result<RunListing, ControlError> {
        let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let request = wire::ListRunsRequest {
            run_id: None,
            limit: Some(number(limit)),
            skip: (skip > 0).then(|| number(skip)),
        };
        let reply: wire::ListRunsResponse = self.call(Call::ListRuns, &request).await?;
        // A reply with more runs comes from a release without `limit`: it has all runs.
        let complete = reply.run_dict.len() != limit;
        let runs: HashMap<RunId, Run> = reply
            .run_dict
            .into_values()
            .map(|run| (RunId(run.run_id), Run::from_wire(run)))
            .collect();
        Ok(RunListing {
            runs,
            server_now: Timestamp::parse(reply.now),
            complete,
        })
    }

    async fn call<Reply: Message + Default>(
        &self,
        call: Call,
        request: &impl Message,
    ) -> Result<Reply, ControlError> {
        self.ask(call, request, self.deadlines.call).await
    }

    async fn ask<Reply: Message + Default>(
        &self,
        call: Call,
        request: &impl Message,
        deadline: Duration,
    ) -> Result<Reply, ControlError> {
        let reply = self.send(call, request, deadline).await?;
        Reply::decode(reply).map_err(|error| self.unexpected_reply(call, error))
    }

    async fn send(
        &self,
        call: Call,
        request: &impl Message,
        deadline: Duration,
    ) -> Result<Bytes, ControlError> {
        let request = Bytes::from(request.encode_to_vec());
        let reply = self.transport.unary(call, request.clone(), deadline).await;
        // A read may be repeated; a SuperLink that just restarted has closed our connections.
        if call.is_read() && matches!(reply, Err(ControlError::LostReply { .. })) {
            return self.transport.unary(call, request, deadline).await;
        }
        reply
    }
}

impl fmt::Debug for ControlClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ControlClient({})", self.at())
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
