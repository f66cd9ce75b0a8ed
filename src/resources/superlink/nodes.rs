//! The allow-list of a SuperLink: which keys are registered with it. Keys that the list names are
//! registered, those it named before and does not any more are unregistered, and nodes that others
//! registered are left alone.

use std::collections::BTreeMap;

use super::model::AllowedNode;
use crate::flower::control::{ControlError, NewNode, Node, NodeId, NodeStatus, SharedReads};
use crate::pki::NodePublicKey;
use crate::resources::report::failed;
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::path::Path;

pub(super) type AllowList = BTreeMap<String, AllowedNode>;
pub(super) type NodeIds = BTreeMap<String, String>;

/// The key of each name, as Flower compares it.
pub(super) fn keys(list: &AllowList) -> Result<BTreeMap<String, String>> {
    let mut found = Diagnostics::default();
    let mut keys: BTreeMap<String, String> = BTreeMap::new();
    for (name, node) in list {
        let at = || Path::attribute("supernodes").key(name).then("public_key");
        match NodePublicKey::parse(&node.public_key).and_then(|key| key.pem()) {
            Ok(pem) => {
                if let Some((other, _)) = keys.iter().find(|(_, known)| **known == pem) {
                    found.push(
                        Diagnostic::error(format!("{other:?} and {name:?} have the same key"))
                            .detail("Each SuperNode needs a key of its own.")
                            .at(at()),
                    );
                }
                keys.insert(name.clone(), pem);
            }
            Err(error) => found.push(failed("This is no SuperNode key", &error).at(at())),
        }
    }
    found.or(keys)
}

/// The list as a file of public keys, one a line.
pub(super) fn key_list(list: &AllowList) -> Result<String> {
    let mut found = Diagnostics::default();
    let mut text = String::new();
    for (name, node) in list {
        match NodePublicKey::parse(&node.public_key).and_then(|key| key.openssh()) {
            Ok(line) => text.extend([line.trim(), "\n"]),
            Err(error) => found.push(
                failed("This is no SuperNode key", &error)
                    .at(Path::attribute("supernodes").key(name).then("public_key")),
            ),
        }
    }
    found.or(text)
}

/// The node ids of the list's names, as the SuperLink has them.
pub(super) fn known(nodes: &[Node], keys: &BTreeMap<String, String>) -> NodeIds {
    keys.iter()
        .filter_map(|(name, pem)| {
            let node = nodes
                .iter()
                .find(|node| node.public_key == *pem && node.status != NodeStatus::Unregistered)?;
            Some((name.clone(), node.id.to_string()))
        })
        .collect()
}

/// Makes the SuperLink's list what it should be. `before` is what we registered earlier.
pub(super) async fn reconcile(
    control: &SharedReads,
    list: &AllowList,
    before: &NodeIds,
) -> Result<NodeIds> {
    let keys = keys(list)?;
    let client = control.client();
    control.forget();
    let nodes = client.list_nodes().await.map_err(unlisted)?;
    let mut ids = known(&nodes, &keys);
    let mut found = Diagnostics::default();
    for (name, pem) in &keys {
        if ids.contains_key(name) {
            continue;
        }
        let node = NewNode {
            public_key: pem.clone(),
            name: Some(name.clone()),
            location: list
                .get(name)
                .and_then(|node| node.location.as_ref().map(ToString::to_string)),
        };
        match client.register_node(&node).await {
            Ok(id) => {
                ids.insert(name.clone(), id.to_string());
            }
            Err(error) => found.push(refused(name, &error)),
        }
    }
    for (name, id) in before {
        let Ok(id) = id.parse::<NodeId>() else {
            continue;
        };
        let wanted = ids.values().any(|wanted| *wanted == id.to_string());
        let registered = nodes
            .iter()
            .any(|node| node.id == id && node.status != NodeStatus::Unregistered);
        if !wanted && registered {
            match client.unregister_node(id).await {
                Ok(()) | Err(ControlError::NotFound(_)) => {}
                Err(error) => found.push(failed(
                    format!("The SuperNode {name:?} was not unregistered"),
                    &error,
                )),
            }
        }
    }
    control.forget();
    found.or(ids)
}

fn unlisted(error: ControlError) -> Diagnostics {
    failed("The SuperLink's nodes could not be listed", &error).into()
}

fn refused(name: &str, error: &ControlError) -> Diagnostic {
    let at = Path::attribute("supernodes").key(name).then("public_key");
    let message = failed(format!("The SuperNode {name:?} was not registered"), error).at(at);
    match error {
        ControlError::KeyInUse(_) => message.detail(
            "The key was registered with this SuperLink before and taken off its list. Change \
             `rotation` of the flower_supernode_key to make a new one.",
        ),
        _ => message,
    }
}
