//! SuperNodes as the SuperLink's list holds them.

use std::fmt;
use std::str::FromStr;

use super::run::Timestamp;
use super::wire;

/// Number of a SuperNode; like a run's, write it as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u64);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a text is no number of a SuperNode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a node ID is a whole number, such as `flower_supernode.NAME.node_id`")]
pub struct NotANodeId;

impl FromStr for NodeId {
    type Err = NotANodeId;

    /// Only as it is written back: no sign, no leading zero.
    fn from_str(text: &str) -> Result<Self, NotANodeId> {
        let id = text.parse().map(Self).map_err(|_| NotANodeId)?;
        if id.to_string() == text {
            Ok(id)
        } else {
            Err(NotANodeId)
        }
    }
}

/// A node to put on the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNode {
    /// Public key as PEM (`BEGIN PUBLIC KEY`), byte for byte as the node's key gives it.
    pub public_key: String,
    /// A name to show; stored from 1.38.
    pub name: Option<String>,
    /// A place to show; stored from 1.38.
    pub location: Option<String>,
}

/// What a node is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeStatus {
    /// On the list, never seen.
    Registered,
    /// Connected.
    Online,
    /// Was connected.
    Offline,
    /// Taken off the list.
    Unregistered,
    /// A status of a newer release.
    Other(String),
}

impl NodeStatus {
    /// Flower's word for it.
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

/// A node on the list.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Its number.
    pub id: NodeId,
    /// What it is doing.
    pub status: NodeStatus,
    /// Public key as PEM; of an unregistered node that came by itself, the key it made up.
    pub public_key: String,
    /// The name given to it.
    pub name: Option<String>,
    /// The place given to it.
    pub location: Option<String>,
    /// When it was put on the list.
    pub registered_at: Option<Timestamp>,
    /// When it last connected.
    pub last_activated_at: Option<Timestamp>,
    /// Until when it counts as connected, in Unix seconds; later with each of its heartbeats.
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
