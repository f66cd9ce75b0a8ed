//! The SuperLink's list of nodes, as proof that a SuperNode was let in: its own log may be silent, and
//! a process that runs may be one that dials nobody. A node that was killed is shown online for a while;
//! it has come back when its last activation is another one.

use std::sync::Arc;
use std::time::Duration;

use super::Model;
use crate::flower::control::{ControlError, Node, NodeStatus, SharedReads, Timestamp};
use crate::resources::Configured;
use crate::resources::reach::control;
use crate::resources::report::failed;
use crate::resources::supernode_key::public_pem;
use crate::runtime::Begun;
use crate::tfplugin::Call;
use crate::tfplugin::diagnostic::{Diagnostics, Result};

/// How often the list is looked at, and how old it may be.
const LOOK: Duration = Duration::from_millis(500);

/// Who is looked for.
enum Who {
    /// The node with this public key, as PEM.
    Key(String),
    Number(String),
    /// Whom only its log can tell.
    Stranger,
}

impl Who {
    fn is(&self, node: &Node) -> bool {
        match self {
            Self::Key(pem) => node.public_key == *pem && node.status != NodeStatus::Unregistered,
            Self::Number(id) => node.id.to_string() == *id,
            Self::Stranger => false,
        }
    }
}

pub(super) struct Witness {
    control: Arc<SharedReads>,
    who: Who,
    /// When it was let in last, before it was started.
    before: Option<Timestamp>,
}

impl Witness {
    /// Looks before the start; `None` where there is no list.
    pub(super) async fn of(call: &Call<Configured>, model: &Model) -> Result<Option<Self>> {
        let Some(input) = &model.control else {
            return Ok(None);
        };
        let control = control(call, input)?;
        let key = match &model.key {
            Some(secret) => public_pem(call.provider.runtime.as_ref(), secret).await,
            None => None,
        };
        let who = match (key, model.node_id.get()) {
            (Some(pem), _) => Who::Key(pem),
            (None, Some(id)) => Who::Number(id.clone()),
            (None, None) => Who::Stranger,
        };
        let nodes = match control.nodes(LOOK).await {
            Ok(nodes) => nodes,
            Err(ControlError::Unsupported { .. }) => return Ok(None),
            Err(error) if error.may_pass() => Arc::default(),
            Err(error) => return Err(unlisted(&error)),
        };
        let before = nodes.iter().find(|node| who.is(node));
        let before = before.and_then(|node| node.last_activated_at.clone());
        Ok(Some(Self {
            control,
            who,
            before,
        }))
    }

    /// Whether it can be found without its number.
    pub(super) const fn knows_it(&self) -> bool {
        !matches!(self.who, Who::Stranger)
    }

    /// Waits until the node of this number is online.
    pub(super) async fn sees(&self, id: &str) -> Result<()> {
        let who = Who::Number(id.to_owned());
        self.until(|node| who.is(node)).await.map(drop)
    }

    /// Waits until the node is online and, if it was started anew, has come back; its number.
    pub(super) async fn sees_it(&self, begun: Begun) -> Result<String> {
        self.until(|node| {
            let is_back = node.last_activated_at != self.before || self.before.is_none();
            self.who.is(node) && (begun == Begun::GoesOn || is_back)
        })
        .await
    }

    async fn until(&self, found: impl Fn(&Node) -> bool + Send + Sync) -> Result<String> {
        loop {
            match self.control.nodes(LOOK).await {
                Ok(nodes) => {
                    let mut online = nodes.iter().filter(|one| one.status == NodeStatus::Online);
                    if let Some(node) = online.find(|node| found(node)) {
                        return Ok(node.id.to_string());
                    }
                }
                Err(error) if error.may_pass() => {}
                Err(error) => return Err(unlisted(&error)),
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn unlisted(error: &ControlError) -> Diagnostics {
    failed("The SuperLink's nodes could not be listed", error)
        .on("control")
        .into()
}
