//! The SuperLink of a SuperNode, if this runtime has both. Its recorded configuration shows which
//! keys it accepts, even if the SuperNode has no `control`. So the provider can distinguish a key
//! that was removed from the list from a key whose earlier process counts as connected; the
//! SuperLink's message does not distinguish them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::model::Model;
use super::node_membership::Refusal;
use crate::flower::control::{NodeStatus, SharedReads};
use crate::pki::NodePublicKey;
use crate::resources::Configured;
use crate::resources::connection_attributes::{ControlInput, FleetInput};
use crate::resources::recorded_configuration;
use crate::resources::superlink::{self, AllowedNode};
use crate::resources::superlink_id::SuperlinkId;
use crate::resources::supernode_key::public_pem;
use crate::runtime::Kind;
use crate::tfplugin::Call;

/// The maximum age of its list of nodes.
const RECENT: Duration = Duration::from_secs(1);

pub(super) struct Registrar {
    /// The key of the SuperNode, as PEM.
    key: String,
    /// The keys of the allow-list by name; `None` if every SuperNode may join.
    allowed: Option<BTreeMap<String, String>>,
    control: Option<Arc<SharedReads>>,
}

impl Registrar {
    /// `None` if the SuperLink or the SuperNode's key does not belong to this runtime.
    pub(super) async fn of(call: &Call<Configured>, model: &Model) -> Option<Self> {
        let runtime = call.provider.runtime.as_ref();
        let key = public_pem(runtime, model.key.as_ref()?).await?;
        let superlinks = runtime
            .recorded_configurations(Kind::Superlink)
            .await
            .ok()?;
        let mut superlinks = recorded_configuration::readable::<superlink::Model>(superlinks);
        let (_, superlink) = superlinks.find(|(_, one)| is_dialled(one, &model.superlink))?;
        let control = superlink.control.get().cloned().map(ControlInput::from);
        let control = control.and_then(|input| call.provider.control(&input).ok());
        Some(Self {
            key,
            allowed: superlink.supernodes.as_ref().map(allowed),
            control,
        })
    }

    /// The entry of `supernodes` with the SuperNode's key.
    pub(super) fn entry(&self) -> Option<&str> {
        let mut allowed = self.allowed.iter().flatten();
        let (name, _) = allowed.find(|(_, key)| **key == self.key)?;
        Some(name)
    }

    /// Why the key is refused, if the allow-list shows it.
    pub(super) async fn refusal(&self) -> Refusal {
        if self.allowed.is_none() || self.entry().is_some() {
            return Refusal::Unexplained;
        }
        let nodes = match &self.control {
            Some(control) => control.nodes(RECENT).await.ok(),
            None => None,
        };
        let mut nodes = nodes.iter().flat_map(|nodes| nodes.iter());
        let is_revoked = nodes
            .any(|node| node.public_key == self.key && node.status == NodeStatus::Unregistered);
        if is_revoked {
            Refusal::Revoked
        } else {
            Refusal::Unlisted
        }
    }
}

/// Whether the SuperNode connects to this SuperLink: by its id, or by its address and authority.
fn is_dialled(superlink: &superlink::Model, fleet: &FleetInput) -> bool {
    let id = superlink.superlink_id.get();
    SuperlinkId::same(id, fleet.superlink_id.as_ref()).unwrap_or_else(|| {
        superlink.fleet.get().is_some_and(|own| {
            own.address == fleet.address && own.ca_certificate == fleet.ca_certificate
        })
    })
}

/// The keys of an allow-list, as PEM.
fn allowed(list: &BTreeMap<String, AllowedNode>) -> BTreeMap<String, String> {
    let pem = |node: &AllowedNode| NodePublicKey::parse(&node.public_key).ok()?.pem().ok();
    let entries = list.iter();
    entries
        .filter_map(|(name, node)| Some((name.clone(), pem(node)?)))
        .collect()
}

#[cfg(test)]
#[path = "registrar_tests.rs"]
mod tests;
