//! SuperNodes as the SuperLink lists them.

use std::fmt;
use std::str::FromStr;

use super::run::Timestamp;
use super::wire;

/// The ID of a SuperNode; as for a run, write it as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u64);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A text that is not a node ID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a node ID is a whole number, such as `flower_supernode.NAME.node_id`")]
pub struct NotANodeId;

impl FromStr for NodeId {
    type Err = NotANodeId;

    /// Accepts only the canonical form: no sign, no leading zero.
    fn from_str(text: &str) -> Result<Self, NotANodeId> {
        let id = text.parse().map(Self).map_err(|_| NotANodeId)?;
        if id.to_string() == text {
            Ok(id)
        } else {
            Err(NotANodeId)
        }
    }
}

/// A node to register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNode {
    /// The public key as PEM (`BEGIN PUBLIC KEY`), byte for byte as the key encodes it.
    pub public_key: String,
    /// The name to show; stored since 1.38.
    pub name: Option<String>,
    /// The location to show; stored since 1.38.
    pub location: Option<String>,
}

/// The status of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeStatus {
    /// Registered, but never connected.
    Registered,
    /// Connected.
    Online,
    /// Was connected before.
    Offline,
    /// Unregistered.
    Unregistered,
    /// A status of a newer release.
    Other(String),
}

impl NodeStatus {
    /// Flower's name of the status.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Registered => "registered",
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Unregistered => "unregistered",
            Self::Other(word) => word,
        }
    }
}

impl From<&str> for NodeStatus {
    fn from(word: &str) -> Self {
        match word {
            "registered" => Self::Registered,
            "online" => Self::Online,
            "offline" => Self::Offline,
            "unregistered" => Self::Unregistered,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// A node in the list.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The node ID.
    pub id: NodeId,
    /// The status.
    pub status: NodeStatus,
    /// The public key as PEM; a node that connected without a `key` has one that it generated
    /// itself.
    pub public_key: String,
    /// The name from the registration.
    pub name: Option<String>,
    /// The location from the registration.
    pub location: Option<String>,
    /// When it was registered.
    pub registered_at: Option<Timestamp>,
    /// When it last connected.
    pub last_activated_at: Option<Timestamp>,
    /// Until when it counts as connected, in Unix seconds; each heartbeat moves this time.
    pub online_until: Option<f64>,
}

impl Node {
    pub(super) fn from_wire(node: wire::NodeInfo) -> Self {
        Self {
            id: NodeId(node.node_id),
            status: node.status.as_str().into(),
            public_key: String::from_utf8_lossy(&node.public_key).into_owned(),
            name: node.name,
            location: node.location,
            registered_at: Timestamp::parse(node.registered_at),
            last_activated_at: node.last_activated_at.and_then(Timestamp::parse),
            online_until: node.online_until,
        }
    }
}
