//! The calls of the Control API, so that a transport can route them and an error can name them.

/// A release by its first two numbers, and how they are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Release(pub(super) (u16, u16), pub(super) &'static str);

/// A call to the Control API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// Ask whether the SuperLink serves.
    Health,
    /// Submit a run.
    StartRun,
    /// Read runs.
    ListRuns,
    /// Stop a run.
    StopRun,
    /// Read a run's log as it grows.
    StreamLogs,
    /// Put a public key on the list of nodes.
    RegisterNode,
    /// Take a node off that list, for good.
    UnregisterNode,
    /// Read the list of nodes.
    ListNodes,
    /// Read the federations.
    ListFederations,
}

impl Call {
    /// The path of the call over HTTP.
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

    /// The name of the call over gRPC, which has none for the question of health.
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

    /// The first release with the call; `None` if all have it.
    pub(super) const fn since(self) -> Option<Release> {
        match self {
            Self::Health | Self::StartRun | Self::ListRuns | Self::StreamLogs => None,
            Self::StopRun => Some(Release((1, 14), "1.14")),
            Self::RegisterNode | Self::UnregisterNode | Self::ListNodes => {
                Some(Release((1, 23), "1.23"))
            }
            Self::ListFederations => Some(Release((1, 24), "1.24")),
        }
    }

    /// Ends the sentence "… refused to".
    pub(super) const fn purpose(self) -> &'static str {
        match self {
            Self::Health => "say whether it is healthy",
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

    /// True if making the call twice is the same as making it once.
    pub const fn is_read(self) -> bool {
        !matches!(
            self,
            Self::StartRun | Self::StopRun | Self::RegisterNode | Self::UnregisterNode
        )
    }
}
