//! The SuperLink's list of nodes, as proof that a SuperNode has joined: its own log may not say so,
//! and a running process may not be connected. The list shows a killed node as online for a while;
//! the node is back when its last activation has changed.

use std::sync::Arc;
use std::time::Duration;

use super::model::Model;
use crate::at;
use crate::flower::control::{ControlError, Node, NodeId, NodeStatus, SharedReads, Timestamp};
use crate::resources::Configured;
use crate::resources::control_access::control;
use crate::resources::report;
use crate::resources::supernode_key::public_pem;
use crate::runtime::Begun;
use crate::tfplugin::Call;
use crate::tfplugin::diagnostic::{Diagnostics, Result};

/// How often to read the list, and its maximum age.
const LOOK: Duration = Duration::from_millis(500);

/// How the list identifies the node.
enum KnownNode {
    /// The node with this public key, as PEM.
    Key(String),
    Number(NodeId),
    /// A node that only its log can identify.
    Stranger,
}

impl KnownNode {
    fn is(&self, node: &Node) -> bool {
        match self {
            Self::Key(pem) => node.public_key == *pem && node.status != NodeStatus::Unregistered,
            Self::Number(id) => node.id == *id && node.status != NodeStatus::Unregistered,
            Self::Stranger => false,
        }
    }

    /// Whether a list of nodes shows the node as unregistered.
    fn is_revoked(&self, nodes: &[Node]) -> bool {
        nodes.iter().any(|node| {
            node.status == NodeStatus::Unregistered
                && match self {
                    Self::Key(pem) => node.public_key == *pem,
                    Self::Number(id) => node.id == *id,
                    Self::Stranger => false,
                }
        })
    }
}

pub(super) struct NodeMembership {
    control: Arc<SharedReads>,
    known_node: KnownNode,
    before: LastActivation,
    counted: EarlierConnections,
}

/// What the list said about the node before the start.
#[derive(Debug, Clone, PartialEq)]
enum LastActivation {
    /// Unknown: the list could not be read. It may show an earlier process as online.
    Unknown,
    /// The node never joined.
    Never,
    /// The node joined, most recently at this time.
    At(Timestamp),
    /// What the first readable list after the start said, about the node or an earlier process.
    Seen(Connection),
}

impl LastActivation {
    fn of(node: Option<&Node>) -> Self {
        let activated = node.and_then(|node| node.last_activated_at.clone());
        activated.map_or(Self::Never, Self::At)
    }

    /// Whether this online node is the process that was started.
    fn is_over(&mut self, node: &Node) -> bool {
        match self {
            Self::Unknown => {
                *self = Self::Seen(Connection::of(node));
                false
            }
            Self::Never => true,
            Self::At(before) => node.last_activated_at.as_ref() != Some(before),
            Self::Seen(before) => {
                let now = Connection::of(node);
                now.since != before.since || now.outlives(before)
            }
        }
    }
}

/// What the list says about a SuperNode that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No information, or no reason.
    Unexplained,
    /// An earlier process with its key counts as connected, but sends no heartbeats.
    Passing,
    /// Another process with its key sends heartbeats.
    Double,
    /// Its key was unregistered, which is final.
    Revoked,
    /// Its key is not in the list.
    Unlisted,
}

impl NodeMembership {
    /// Reads the list before the start; `None` if there is none.
    pub(super) async fn of(call: &Call<Configured>, model: &Model) -> Result<Option<Self>> {
        let Some(input) = &model.control else {
            return Ok(None);
        };
        let control = control(call, input)?;
        let key = match &model.key {
            Some(secret) => public_pem(call.provider.runtime.as_ref(), secret).await,
            None => None,
        };
        let known_node = match (key, model.node_id.get()) {
            (Some(pem), _) => KnownNode::Key(pem),
            (None, Some(id)) => KnownNode::Number(*id),
            (None, None) => KnownNode::Stranger,
        };
        let mut counted = EarlierConnections::default();
        let before = match control.nodes(LOOK).await {
            Ok(nodes) => {
                let node = nodes.iter().find(|node| known_node.is(node));
                counted.lately = Connection::of_online(node).is_some();
                LastActivation::of(node)
            }
            Err(ControlError::Unsupported { .. }) => return Ok(None),
            Err(error) if error.may_pass() => LastActivation::Unknown,
            Err(error) => return Err(unlisted(&error)),
        };
        Ok(Some(Self {
            control,
            known_node,
            before,
            counted,
        }))
    }

    /// Finds out why the node was refused.
    pub(super) async fn refusal(&mut self) -> Refusal {
        match self.control.nodes(LOOK).await {
            Ok(nodes) => {
                let found = nodes.iter().find(|node| self.known_node.is(node));
                if found.is_none() && self.known_node.is_revoked(&nodes) {
                    return Refusal::Revoked;
                }
                self.counted.judge(Connection::of_online(found))
            }
            // The reason can be read later.
            Err(error) if error.may_pass() => Refusal::Passing,
            Err(_) => Refusal::Unexplained,
        }
    }

    /// Whether the node can be found without its id.
    pub(super) const fn knows_it(&self) -> bool {
        !matches!(self.known_node, KnownNode::Stranger)
    }

    /// Waits until the node with this id is online.
    pub(super) async fn sees(&self, id: NodeId) -> Result<()> {
        let known_node = KnownNode::Number(id);
        self.until(|node| known_node.is(node)).await.map(drop)
    }

    /// Waits until the node is online and, if it was restarted, has come back. Returns its id.
    pub(super) async fn sees_it(&self, begun: Begun) -> Result<NodeId> {
        let mut before = self.before.clone();
        self.until(|node| {
            self.known_node.is(node) && (begun == Begun::Unchanged || before.is_over(node))
        })
        .await
    }

    async fn until(&self, mut found: impl FnMut(&Node) -> bool + Send) -> Result<NodeId> {
        loop {
            match self.control.nodes(LOOK).await {
                Ok(nodes) => {
                    let mut online = nodes.iter().filter(|one| one.status == NodeStatus::Online);
                    if let Some(node) = online.find(|node| found(node)) {
                        return Ok(node.id);
                    }
                }
                Err(error) if error.may_pass() => {}
                Err(error) => return Err(unlisted(&error)),
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// A connection as the list shows it.
#[derive(Debug, Clone, PartialEq)]
struct Connection {
    since: Option<Timestamp>,
    /// Until when it counts as connected, in Unix seconds.
    until: f64,
}

impl Connection {
    /// The connection of an online node.
    fn of(node: &Node) -> Self {
        Self {
            since: node.last_activated_at.clone(),
            until: node.online_until.unwrap_or_default(),
        }
    }

    fn of_online(node: Option<&Node>) -> Option<Self> {
        let online = node.filter(|node| node.status == NodeStatus::Online);
        online.map(Self::of)
    }

    /// Whether it is the same connection as before, with a later heartbeat: each heartbeat extends
    /// the time that it counts as connected, and a dead process sends none.
    fn outlives(&self, before: &Self) -> bool {
        self.since == before.since && self.until > before.until
    }
}

/// Whether an earlier process counts as connected.
#[derive(Default)]
struct EarlierConnections {
    /// Whether it did at the last read.
    lately: bool,
    /// The connection that the list showed after the first refusal. A connection from before the
    /// start belongs to a process of that time.
    first: Option<Connection>,
}

impl EarlierConnections {
    /// A new connection may belong to one of our pods that is terminating.
    fn judge(&mut self, now: Option<Connection>) -> Refusal {
        // The SuperLink may have forgotten it between the refusal and this read.
        let lately = std::mem::replace(&mut self.lately, now.is_some());
        let Some(now) = now else {
            return if lately {
                Refusal::Passing
            } else {
                Refusal::Unexplained
            };
        };
        match &self.first {
            Some(first) if now.outlives(first) => return Refusal::Double,
            Some(first) if first.since == now.since => {}
            _ => self.first = Some(now),
        }
        Refusal::Passing
    }
}

fn unlisted(error: &ControlError) -> Diagnostics {
    report::error("The SuperNodes could not be listed", error)
        .at(at!(Model, control))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(activated: &str, online_until: f64) -> Node {
        Node {
            id: NodeId(7),
            status: NodeStatus::Online,
            public_key: String::new(),
            name: None,
            location: None,
            registered_at: None,
            last_activated_at: Timestamp::parse(activated.to_owned()),
            online_until: Some(online_until),
        }
    }

    #[test]
    fn it_is_back_when_it_was_let_in_again() {
        let (then, now) = ("2026-11-27T10:00:00+00:00", "2026-11-27T11:00:00+00:00");
        assert!(LastActivation::of(None).is_over(&node(now, 60.0)));
        let mut before = LastActivation::of(Some(&node(then, 60.0)));
        assert!(
            !before.is_over(&node(then, 90.0)),
            "the old one, while it ended"
        );
        assert!(before.is_over(&node(now, 60.0)));
    }

    #[test]
    fn a_list_that_could_not_be_read_proves_nothing_of_one_that_is_online() {
        let (then, now) = ("2026-11-27T10:00:00+00:00", "2026-11-27T11:00:00+00:00");
        for (later, is_over) in [
            (node(then, 60.0), false),
            (node(then, 90.0), true),
            (node(now, 60.0), true),
        ] {
            let mut before = LastActivation::Unknown;
            assert!(!before.is_over(&node(then, 60.0)));
            assert_eq!(before.is_over(&later), is_over, "{later:?}");
        }
    }

    fn connection(since: &str, until: f64) -> Option<Connection> {
        Connection::of_online(Some(&node(since, until)))
    }

    #[test]
    fn what_is_heard_of_again_is_another_process() {
        let (then, now) = ("2026-11-27T10:00:00+00:00", "2026-11-27T11:00:00+00:00");
        let mut counted = EarlierConnections::default();
        for (connection, refusal) in [
            (connection(then, 60.0), Refusal::Passing),
            (connection(then, 60.0), Refusal::Passing),
            // A terminating pod connected once more.
            (connection(now, 90.0), Refusal::Passing),
            (connection(now, 90.0), Refusal::Passing),
            (connection(now, 120.0), Refusal::Double),
        ] {
            assert_eq!(counted.judge(connection.clone()), refusal, "{connection:?}");
        }
    }

    #[test]
    fn a_key_that_was_unregistered_is_revoked_unless_it_is_listed_again() {
        let with = |key: &str, status: NodeStatus| Node {
            public_key: key.to_owned(),
            status,
            ..node("", 0.0)
        };
        let gone = || with("a", NodeStatus::Unregistered);
        let key = KnownNode::Key("a".to_owned());
        assert!(key.is_revoked(&[gone()]) && !key.is(&gone()));
        assert!(!key.is_revoked(&[with("b", NodeStatus::Unregistered)]));
        assert!(!key.is_revoked(&[with("a", NodeStatus::Online)]));
        assert!(KnownNode::Number(NodeId(7)).is_revoked(&[gone()]));
        assert!(!KnownNode::Stranger.is_revoked(&[gone()]));
    }

    #[test]
    fn what_was_forgotten_since_is_tried_once_more() {
        let then = "2026-11-27T10:00:00+00:00";
        let mut counted = EarlierConnections::default();
        for (connection, refusal) in [
            (None, Refusal::Unexplained),
            (connection(then, 60.0), Refusal::Passing),
            (None, Refusal::Passing),
            (None, Refusal::Unexplained),
        ] {
            assert_eq!(counted.judge(connection.clone()), refusal, "{connection:?}");
        }
    }
}
