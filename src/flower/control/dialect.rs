//! What differs between releases in messages that otherwise stay the same.
//!
//! A client that is told the release uses its tables. One that is not tries the newest first, and what
//! an answer cannot be read with is followed by the table it was written with.

use prost::{DecodeError, Message as _};

use super::call::Call;
use super::federation::Federation;
use super::node::Node;
use super::wire;
use crate::flower::version::FlowerVersion;

/// The name without which 1.24 and 1.25 start no run.
pub(super) const EARLY_FEDERATION: &str = "default";

/// The tables of one release, or of any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    release: Option<(u16, u16)>,
    is_grpc: bool,
}

impl Dialect {
    /// Of whatever release is on the other side.
    pub(super) const fn any(is_grpc: bool) -> Self {
        Self {
            release: None,
            is_grpc,
        }
    }

    pub(super) fn of(self, version: FlowerVersion) -> Self {
        Self {
            release: Some(version.release()),
            ..self
        }
    }

    /// The release that a call came with, if this one is older.
    pub(super) fn lacks(self, call: Call) -> Option<&'static str> {
        let since = call.since()?;
        self.release
            .is_some_and(|release| release < since.0)
            .then_some(since.1)
    }

    /// What to name a federation for which the user has no name.
    pub(super) fn default_federation(self) -> &'static str {
        match self.release {
            Some((1, 24 | 25)) => EARLY_FEDERATION,
            _ => "",
        }
    }

    /// True if the SuperLink may be one that starts no run without that name, and we do not know.
    pub(super) fn may_want_federation(self) -> bool {
        self.is_grpc && self.release.is_none()
    }

    /// True if a listing can be cut to a number of runs.
    pub(super) fn has_limit(self) -> bool {
        self.release.is_none_or(|release| release >= (1, 27))
    }

    /// True if a listing can begin further on.
    pub(super) fn has_skip(self) -> bool {
        let newest = !self.is_grpc;
        self.release.map_or(newest, |release| release >= (1, 40))
    }

    pub(super) fn nodes(self, reply: &[u8]) -> Result<Vec<Node>, DecodeError> {
        let shifted = || {
            let reply = wire::ListNodesResponse23::decode(reply)?;
            Ok(reply.nodes_info.into_iter().map(shifted_node).collect())
        };
        if self.release == Some((1, 23)) {
            return shifted();
        }
        let is_sure = self.release.is_some() || !self.is_grpc;
        match wire::ListNodesResponse::decode(reply) {
            // Every node has a key, and in 1.23 it is where this table does not look.
            Ok(reply) if is_sure || reply.nodes_info.iter().all(|n| !n.public_key.is_empty()) => {
                Ok(reply.nodes_info.into_iter().map(Node::from_wire).collect())
            }
            Err(error) if is_sure => Err(error),
            Ok(_) | Err(_) => shifted(),
        }
    }

    pub(super) fn federations(self, reply: &[u8]) -> Result<Vec<Federation>, DecodeError> {
        let early = || {
            let reply = wire::ListFederationsResponse24::decode(reply)?;
            Ok(reply
                .federations
                .into_iter()
                .map(early_federation)
                .collect())
        };
        if matches!(self.release, Some((1, 24..=26))) {
            return early();
        }
        match wire::ListFederationsResponse::decode(reply) {
            Ok(reply) => {
                let federations = reply.federations.into_iter();
                Ok(federations.map(Federation::from_wire).collect())
            }
            Err(_) if self.release.is_none() && self.is_grpc => early(),
            Err(error) => Err(error),
        }
    }
}

fn shifted_node(node: wire::NodeInfo23) -> Node {
    Node::from_wire(wire::NodeInfo {
        node_id: node.node_id,
        owner_name: String::new(),
        status: node.status,
        registered_at: node.registered_at,
        last_activated_at: node.last_activated_at,
        last_deactivated_at: node.last_deactivated_at,
        unregistered_at: node.unregistered_at,
        online_until: node.online_until,
        public_key: node.public_key,
        location: None,
        name: None,
    })
}

fn early_federation(federation: wire::Federation24) -> Federation {
    Federation {
        name: federation.name,
        description: federation.description,
        archived: false,
        simulation: false,
    }
}

#[cfg(test)]
#[path = "dialect_tests.rs"]
mod tests;
