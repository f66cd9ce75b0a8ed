//! What differs between releases in messages that otherwise stay the same.
//!
//! Nobody is asked for the release: a SuperLink can be upgraded behind its address. The newest table is
//! tried first, and an answer that it does not fit is read with the one it was written with.

use prost::{DecodeError, Message as _};

use super::node::Node;
use super::wire;

/// What is known of the messages from what carries them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Of any release that speaks gRPC.
    Grpc,
    /// Of those that speak HTTP, which are all alike.
    Http,
}

impl Dialect {
    /// True if the SuperLink may be one that starts no run without [`super::run::EARLY_FEDERATION`].
    pub(super) fn may_want_federation(self) -> bool {
        self == Self::Grpc
    }

    /// True if a listing may begin further on; some of those who are asked do so in vain.
    pub(super) fn may_skip(self) -> bool {
        self == Self::Http
    }

    pub(super) fn nodes(self, reply: &[u8]) -> Result<Vec<Node>, DecodeError> {
        let read = wire::ListNodesResponse::decode(reply);
        let shifted = match (self, &read) {
            (Self::Http, _) => false,
            (Self::Grpc, Err(_)) => true,
            // Every node has a key, and in 1.23 it is where this table does not look.
            (Self::Grpc, Ok(reply)) => reply.nodes_info.iter().any(|n| n.public_key.is_empty()),
        };
        if shifted {
            let reply = wire::ListNodesResponse23::decode(reply)?;
            return Ok(reply.nodes_info.into_iter().map(shifted_node).collect());
        }
        Ok(read?.nodes_info.into_iter().map(Node::from_wire).collect())
    }
}

fn shifted_node(node: wire::NodeInfo23) -> Node {
    Node::from_wire(wire::NodeInfo {
        node_id: node.node_id,
        status: node.status,
        registered_at: node.registered_at,
        last_activated_at: node.last_activated_at,
        online_until: node.online_until,
        public_key: node.public_key,
        location: None,
        name: None,
    })
}

#[cfg(test)]
#[path = "era_tests.rs"]
mod tests;
