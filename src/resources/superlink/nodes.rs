//! The allow-list of a SuperLink: the keys that are registered with it. The provider registers the
//! keys in the list and unregisters all others: keys of an earlier list, keys that joined while
//! there was no list, and keys that someone registered through the Control API. The state keeps the
//! node id of each registered key until it is unregistered, however the list changes in between: a
//! forgotten key could join for ever.

use std::collections::BTreeMap;

use super::model::AllowedNode;
use super::model::Model;
use crate::at;
use crate::flower::control::{ControlError, NewNode, Node, NodeId, NodeStatus, SharedReads};
use crate::flower::version::{FlowerVersion, row_of};
use crate::pki::{NodeKeyError, NodePublicKey};
use crate::resources::report;
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::schema::ModelPath;
use crate::tfplugin::schema::refused as refused_text;
use crate::tfplugin::value::Value;

pub(super) type AllowList = BTreeMap<String, AllowedNode>;
pub(super) type NodeIds = BTreeMap<String, NodeId>;

pub(super) const PUBLIC_KEY: ModelPath<AllowedNode> = at!(AllowedNode, public_key);
pub(super) const LOCATION: ModelPath<AllowedNode> = at!(AllowedNode, location);

/// The key for each name, as Flower compares it.
pub(super) fn keys(list: &AllowList) -> Result<BTreeMap<String, String>> {
    let mut found = Diagnostics::default();
    let mut keys: BTreeMap<String, String> = BTreeMap::new();
    for (name, node) in list {
        let at = || at!(Model, supernodes).key(name).then(PUBLIC_KEY);
        match NodePublicKey::parse(&node.public_key).and_then(|key| key.pem()) {
            Ok(pem) => {
                if let Some((other, _)) = keys.iter().find(|(_, known)| **known == pem) {
                    found.push(
                        Diagnostic::error(format!(
                            "The entries {other:?} and {name:?} of `supernodes` have the same key"
                        ))
                        .detail("Each SuperNode needs its own key.")
                        .at(at()),
                    );
                }
                keys.insert(name.clone(), pem);
            }
            Err(error) => found.push(no_key(name, &error).at(at())),
        }
    }
    found.or(keys)
}

/// A list is often a `for` expression, whose entries Terraform does not show, so the message names
/// the entry.
fn no_key(name: &str, error: &NodeKeyError) -> Diagnostic {
    report::error(
        format!("The entry {name:?} of `supernodes` has no SuperNode key"),
        error,
    )
}

/// Errors for known entries with an invalid name, an invalid key or a repeated key.
pub(super) fn check(list: &Value) -> Diagnostics {
    let mut found = Diagnostics::default();
    let Value::Map(entries) = list else {
        return found;
    };
    let mut known = AllowList::new();
    for (name, node) in entries {
        if name.trim().is_empty() || name.contains(char::is_control) {
            let why = "the name of a SuperNode must be one line";
            found.extend(refused_text(name, &why, &at!(Model, supernodes).key(name)));
        }
        if let Some(public_key) = node.at(PUBLIC_KEY).as_str() {
            let public_key = public_key.to_owned();
            let node = AllowedNode {
                public_key,
                location: None,
            };
            known.insert(name.clone(), node);
        }
    }
    found.absorb(keys(&known).map(drop));
    found
}

/// Warns which locations a SuperLink of this release will not show.
pub(super) fn without_place(supernodes: &Value, version: FlowerVersion) -> Vec<Diagnostic> {
    let (Ok(row), Value::Map(entries)) = (row_of(version), supernodes) else {
        return Vec::new();
    };
    if row.node_names {
        return Vec::new();
    }
    let placed = entries.iter().filter(|(_, node)| {
        let location = node.at(LOCATION);
        !location.is_null() && !location.is_unknown()
    });
    placed
        .map(|(name, _)| {
            Diagnostic::warning(format!("The location of {name:?} has no effect"))
                .detail(format!(
                    "Flower {version} does not store it. Flower 1.38 or later does."
                ))
                .at(at!(Model, supernodes).key(name).then(LOCATION))
        })
        .collect()
}

/// A key without a known private half: the point of P-256 with an even y whose x is the SHA-256 of
/// `terraform-provider-flower: the key of nobody 0`.
const NOBODY: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBCqV0J046ZZMDTdixnzZtEzGJz2g2eqxrBK/bLFmUQz/apW+9jCW+jP/l784aayJOH2wjmGr9FKGrLRA1s5zuIA=";

/// The list as a file of public keys, one per line. A SuperLink that reads an empty file ends with
/// a traceback of its database, so an empty list is written with the key `NOBODY`.
pub(super) fn key_list(list: &AllowList) -> Result<String> {
    let mut found = Diagnostics::default();
    let mut text = String::new();
    for (name, node) in list {
        match NodePublicKey::parse(&node.public_key).and_then(|key| key.openssh()) {
            Ok(line) => text.extend([line.trim(), "\n"]),
            Err(error) => found
                .push(no_key(name, &error).at(at!(Model, supernodes).key(name).then(PUBLIC_KEY))),
        }
    }
    if text.is_empty() {
        text.extend([NOBODY, "\n"]);
    }
    found.or(text)
}

/// The node ids of the names in the list, and of the nodes that we registered `before` and that are
/// still registered although the list does not contain them.
pub(super) fn ours(nodes: &[Node], keys: &BTreeMap<String, String>, before: &NodeIds) -> NodeIds {
    let mut ids = known(nodes, keys);
    for (name, id) in before {
        let named = keys.contains_key(name) || ids.values().any(|known| known == id);
        if !named && is_registered(nodes, *id) {
            ids.insert(name.clone(), *id);
        }
    }
    ids
}

fn is_registered(nodes: &[Node], id: NodeId) -> bool {
    nodes
        .iter()
        .any(|node| node.status != NodeStatus::Unregistered && node.id == id)
}

/// The prefix of the name of a node that no list contains.
pub(super) const UNLISTED: &str = "unlisted-";

/// Registered nodes that are not in `known`, under their names from `before`. A node without such a
/// name joined before there was a list, or someone else registered it.
pub(super) fn others(nodes: &[Node], known: &NodeIds, before: &NodeIds) -> NodeIds {
    let registered = nodes
        .iter()
        .filter(|node| node.status != NodeStatus::Unregistered);
    let ids = registered.map(|node| node.id);
    ids.filter(|id| !known.values().any(|known| known == id))
        .map(|id| {
            let name = before.iter().find(|(_, known)| **known == id);
            let name = name.map_or_else(|| format!("{UNLISTED}{id}"), |(name, _)| name.clone());
            (name, id)
        })
        .collect()
}

/// The node ids of the names in the list, as the SuperLink has them.
fn known(nodes: &[Node], keys: &BTreeMap<String, String>) -> NodeIds {
    keys.iter()
        .filter_map(|(name, pem)| {
            let node = nodes
                .iter()
                .find(|node| node.public_key == *pem && node.status != NodeStatus::Unregistered)?;
            Some((name.clone(), node.id))
        })
        .collect()
}

/// Reconciles the SuperLink's registrations with the list. `ids` are our earlier registrations, and
/// are up to date at every moment, also if a call fails or the operation is cancelled. Without a
/// list, nothing is registered or unregistered. If the SuperLink does not answer for one key, the
/// other keys are not tried: each call would take as long.
pub(super) async fn reconcile(
    control: &SharedReads,
    list: Option<&AllowList>,
    ids: &mut NodeIds,
) -> Diagnostics {
    let mut found = Diagnostics::default();
    if list.is_none() && ids.is_empty() {
        return found;
    }
    let Some(keys) = found.absorb(list.map_or_else(|| Ok(BTreeMap::new()), keys)) else {
        return found;
    };
    let client = control.client();
    control.forget();
    let nodes = match client.list_nodes().await {
        Ok(nodes) => nodes,
        Err(error) => {
            let what = "The SuperNodes could not be listed";
            found.push(report::error(what, &error));
            return found;
        }
    };
    let Some(list) = list else {
        *ids = ours(&nodes, &keys, ids);
        return found;
    };
    let mut wanted = known(&nodes, &keys);
    let unwanted = others(&nodes, &wanted, ids);
    // A name whose key has changed keeps its old node id until that is unregistered; the new node
    // is found by its key.
    *ids = wanted.clone();
    ids.extend(unwanted.clone());
    let mut answers = true;
    for (name, pem) in &keys {
        if wanted.contains_key(name) || !answers {
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
                wanted.insert(name.clone(), id);
                ids.entry(name.clone()).or_insert(id);
            }
            Err(error) => {
                answers = !error.may_pass();
                found.push(refused(name, &error));
            }
        }
    }
    for (name, id) in unwanted {
        if !answers {
            break;
        }
        match client.unregister_node(id).await {
            Ok(()) | Err(ControlError::NotFound(_)) => {
                match wanted.get(&name) {
                    Some(id) => ids.insert(name, *id),
                    None => ids.remove(&name),
                };
            }
            Err(error) => {
                answers = !error.may_pass();
                found.push(report::error(
                    format!("The SuperNode {name:?} was not unregistered"),
                    &error,
                ));
            }
        }
    }
    control.forget();
    found
}

fn refused(name: &str, error: &ControlError) -> Diagnostic {
    let at = at!(Model, supernodes).key(name).then(PUBLIC_KEY);
    let message = report::error(format!("The SuperNode {name:?} was not registered"), error).at(at);
    match error {
        ControlError::KeyInUse(_) => message.detail(
            "The key was registered with this SuperLink earlier and then unregistered. Change \
             `rotation` of the flower_supernode_key to create a new key.",
        ),
        _ => message,
    }
}

#[cfg(test)]
#[path = "nodes_tests.rs"]
mod tests;
