//! Differences between releases in messages that are otherwise the same.
//!
//! The provider does not ask for the release: a SuperLink can be upgraded at the same address. It
//! first decodes a reply with the newest message definition, and falls back to the older one if
//! that does not fit.

use prost::{DecodeError, Message as _};

use super::federation::Federation;
use super::node::Node;
use super::wire;

/// What the transport tells about the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Any release with gRPC.
    Grpc,
    /// The releases with HTTP, whose messages are all the same.
    Http,
}

impl Dialect {
    /// Whether the SuperLink may need [`super::run::EARLY_FEDERATION`] to start a run.
    pub(super) fn may_want_federation(self) -> bool {
        self == Self::Grpc
    }

    /// Whether a listing may use `skip`, which some releases with gRPC ignore.
    pub(super) fn may_skip(self) -> bool {
        self == Self::Http
    }

    pub(super) fn nodes(self, reply: &[u8]) -> Result<Vec<Node>, DecodeError> {
        let read = wire::ListNodesResponse::decode(reply);
        let shifted = match (self, &read) {
            (Self::Http, _) => false,
            (Self::Grpc, Err(_)) => true,
            // Every node has a key, but in 1.23 it is in another field.
            (Self::Grpc, Ok(reply)) => reply.nodes_info.iter().any(|n| n.public_key.is_empty()),
        };
        if shifted {
            let reply = wire::ListNodesResponse23::decode(reply)?;
            return Ok(reply.nodes_info.into_iter().map(shifted_node).collect());
        }
        Ok(read?.nodes_info.into_iter().map(Node::from_wire).collect())
    }

    pub(super) fn federations(self, reply: &[u8]) -> Result<Vec<Federation>, DecodeError> {
        let read = wire::ListFederationsResponse::decode(reply);
        let is_early = match (self, &read) {
            (Self::Http, _) => false,
            // The accounts of 1.26 are where later releases have a bool, and its description is
            // where they have members, each with an account.
            (Self::Grpc, Err(_)) => true,
            (Self::Grpc, Ok(reply)) => {
                let mut members = reply.federations.iter().flat_map(|one| &one.members);
                members.any(|member| member.account.is_none())
            }
        };
        if is_early {
            let reply = wire::ListFederationsResponse26::decode(reply)?;
            return Ok(reply.federations.into_iter().map(early).collect());
        }
        let federations = read?.federations.into_iter();
        Ok(federations.map(Federation::from_wire).collect())
    }
}

fn early(federation: wire::Federation26) -> Federation {
    Federation::from_wire(wire::Federation {
        name: federation.name,
        description: federation.description,
        ..Default::default()
    })
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
