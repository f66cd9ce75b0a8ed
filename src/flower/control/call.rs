//! The calls of the Control API: transports route them, and errors name them.

use crate::flower::version::{FlowerVersion, NodeAuth, first_with};

/// A call to the Control API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// Check the health of the SuperLink.
    Health,
    /// Submit a run.
    StartRun,
    /// Read runs.
    ListRuns,
    /// Stop a run.
    StopRun,
    /// Stream a run's log.
    StreamLogs,
    /// Register a node by its public key.
    RegisterNode,
    /// Unregister a node. This is final.
    UnregisterNode,
    /// List the nodes.
    ListNodes,
    /// List the federations.
    ListFederations,
}

impl Call {
    /// The path of the call in HTTP.
    pub(super) const fn http_path(self) -> &'static str {
        match self {
            Self::Health => "/health",
            Self::StartRun => "/v1/control/start-run",
            Self::ListRuns => "/v1/control/list-runs",
            Self::StopRun => "/v1/control/stop-run",
            Self::StreamLogs => "/v1/control/stream-logs",
            Self::RegisterNode => "/v1/control/register-node",
            Self::UnregisterNode => "/v1/control/unregister-node",
            Self::ListNodes => "/v1/control/list-nodes",
            Self::ListFederations => "/v1/control/list-federations",
        }
    }

    /// The name of the call in gRPC, which has no health check.
    pub(super) const fn grpc_name(self) -> &'static str {
        match self {
            Self::StartRun => "StartRun",
            Self::Health | Self::ListRuns => "ListRuns",
            Self::StopRun => "StopRun",
            Self::StreamLogs => "StreamLogs",
            Self::RegisterNode => "RegisterNode",
            Self::UnregisterNode => "UnregisterNode",
            Self::ListNodes => "ListNodes",
            Self::ListFederations => "ListFederations",
        }
    }

    /// The first release with the call; `None` if all releases have it.
    pub(super) fn since(self) -> Option<FlowerVersion> {
        match self {
            Self::Health | Self::StartRun | Self::ListRuns | Self::StreamLogs => None,
            Self::StopRun => first_with(|row| row.stops_runs),
            Self::RegisterNode | Self::UnregisterNode | Self::ListNodes => {
                first_with(|row| row.node_auth == NodeAuth::Registration)
            }
            Self::ListFederations => first_with(|row| row.has_federations),
        }
    }

    /// The end of the sentence "… refused to".
    pub(super) const fn purpose(self) -> &'static str {
        match self {
            Self::Health => "answer the health check",
            Self::StartRun => "start the run",
            Self::ListRuns => "list runs",
            Self::StopRun => "stop the run",
            Self::StreamLogs => "send the run's log",
            Self::RegisterNode => "register the node",
            Self::UnregisterNode => "unregister the node",
            Self::ListNodes => "list nodes",
            Self::ListFederations => "list federations",
        }
    }

    /// Whether a second call has the same effect as one call.
    pub const fn is_read(self) -> bool {
        !matches!(
            self,
            Self::StartRun | Self::StopRun | Self::RegisterNode | Self::UnregisterNode
        )
    }
}
