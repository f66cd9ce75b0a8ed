//! `flower_supernodes`: the SuperNodes that a SuperLink knows.

use super::{SHARED, time};
use crate::choice_attribute;
use crate::flower::control::{Node, NodeId, NodeStatus};
use crate::pki::NodePublicKey;
use crate::resources::Configured;
use crate::resources::connection_attributes::ControlInput;
use crate::resources::connection_checks;
use crate::resources::control_access::control;
use crate::resources::report;
use crate::tfplugin::diagnostic::{Diagnostics, Result};
use crate::tfplugin::schema::{Computed, Tree, computed, optional, required};
use crate::tfplugin::{Call, DataSource};
use crate::{at, model};

model! {
    /// The SuperNodes of a SuperLink, sorted by their IDs, no matter who registered them.
    pub struct Model {
        /// The SuperLink: `flower_superlink.NAME.control`, or an object that you write yourself.
        control: ControlInput = required(),
        /// Return only SuperNodes with this status: `registered` (never connected), `online`,
        /// `offline` or `unregistered`. Default: all.
        status: Option<Status> = optional(),
        /// The SuperNodes.
        supernodes: Computed<Vec<Item>> = computed(),
    }
}

model! {
    /// A SuperNode.
    pub struct Item {
        /// The node ID, as a string: it can be larger than the numbers that JSON holds exactly.
        node_id: NodeId = computed(),
        /// The name under which the SuperNode was registered.
        name: Option<String> = computed(),
        /// The location with which the SuperNode was registered.
        location: Option<String> = computed(),
        /// The public key in OpenSSH format, as in `flower_supernode_key`. A SuperNode that
        /// connected without a `key` shows a key that it generated itself.
        public_key: String = computed(),
        /// The status: `registered` (never connected), `online`, `offline` or `unregistered`.
        status: NodeStatus = computed(),
        /// When the SuperNode last came online.
        last_activated_at: Option<String> = computed(),
    }
}

/// A status to filter by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Registered,
    Online,
    Offline,
    Unregistered,
}

choice_attribute!(Status {
    "registered" => Self::Registered => Self::Registered,
    "online" => Self::Online => Self::Online,
    "offline" => Self::Offline => Self::Offline,
    "unregistered" => Self::Unregistered => Self::Unregistered,
});

impl Status {
    fn is(self, status: &NodeStatus) -> bool {
        *status
            == match self {
                Self::Registered => NodeStatus::Registered,
                Self::Online => NodeStatus::Online,
                Self::Offline => NodeStatus::Offline,
                Self::Unregistered => NodeStatus::Unregistered,
            }
    }
}

/// The data source `flower_supernodes`.
pub struct Supernodes;

impl DataSource for Supernodes {
    type Model = Model;
    type Provider = Configured;

    const TYPE: &'static str = "flower_supernodes";

    fn validate(config: &Tree<Model>) -> Diagnostics {
        connection_checks::control(config, at!(Model, control))
    }

    async fn read(call: Call<Configured>, mut config: Model) -> Result<Model> {
        let nodes = control(&call, &config.control)?.nodes(SHARED).await;
        let nodes = nodes.map_err(|error| {
            report::error("The SuperNodes could not be listed", &error).at(at!(Model, control))
        })?;
        let mut found: Vec<&Node> = nodes
            .iter()
            .filter(|node| config.status.is_none_or(|status| status.is(&node.status)))
            .collect();
        found.sort_by_key(|node| node.id);
        config.supernodes.set(found.into_iter().map(item).collect());
        Ok(config)
    }
}

/// The key as an OpenSSH line; a key of an unknown kind stays as PEM, as the SuperLink returns it.
fn openssh(pem: &str) -> String {
    NodePublicKey::parse(pem)
        .and_then(|key| key.openssh())
        .unwrap_or_else(|_| pem.to_owned())
}

fn item(node: &Node) -> Item {
    Item {
        node_id: node.id,
        name: node.name.clone(),
        location: node.location.clone(),
        public_key: openssh(&node.public_key),
        status: node.status.clone(),
        last_activated_at: time(node.last_activated_at.as_ref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{NodeKey, NodeKeyAlgorithm};

    #[test]
    fn a_key_is_written_as_its_resource_writes_it() {
        for algorithm in [
            NodeKeyAlgorithm::EcdsaP256,
            NodeKeyAlgorithm::EcdsaP384,
            NodeKeyAlgorithm::EcdsaP521,
        ] {
            let key = NodeKey::generate(algorithm).unwrap();
            let pem = key.public_pem().unwrap();
            assert_eq!(openssh(&pem), key.public_openssh().unwrap());
        }
        assert_eq!(openssh("of another kind"), "of another kind");
    }
}
