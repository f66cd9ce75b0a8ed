//! What a plan reports about `supernodes`, beyond the checks of the schema: which SuperNodes the
//! SuperLink would accept or refuse for good. Registrations outlive their entry in the
//! configuration, so putting a removed line back may not help: Flower never accepts an unregistered
//! key again.

use std::collections::BTreeMap;

use super::model::Model;
use super::nodes::UNLISTED;
use super::nodes::{LOCATION, PUBLIC_KEY};
use super::storage;
use crate::at;
use crate::flower::version::{FlowerVersion, NodeAuth, row_of};
use crate::pki::NodePublicKey;
use crate::resources::choices::Status;
use crate::resources::{Configured, release, service};
use crate::tfplugin::Plan;
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::schema::Tree;
use crate::tfplugin::value::Value;

/// Warns that any SuperNode can join from outside the cluster if there is no allow-list.
pub(super) fn open_to_outside(
    provider: Option<&Configured>,
    config: &Tree<Model>,
) -> Option<Diagnostic> {
    let has_service = provider.is_none_or(|provider| provider.runtime.has_pods());
    if !has_service
        || config.is_set(at!(Model, supernodes))
        || !service::is_open_to_outside(config, at!(Model, service))
    {
        return None;
    }
    let message = Diagnostic::warning(
        "Any SuperNode may join this SuperLink from outside the cluster",
    )
    .detail(
        "Clients outside the cluster can reach its Service, and without `supernodes` the SuperLink \
         accepts every SuperNode. A SuperNode that joins gets the app and the model of every run, \
         and takes part in it.",
    )
    .detail(
        "List the SuperNodes that may join in `supernodes` (`{}` allows none), or use the Service \
         type `ClusterIP`.",
    );
    Some(message.at(at!(Model, supernodes)))
}

/// An error if the release cannot both check keys and keep its database.
pub(super) fn can_check_keys(plan: &Plan<Model>, version: FlowerVersion) -> Result<()> {
    let row = release::row(version)?;
    let refused = matches!(
        row.node_auth,
        NodeAuth::KeyList {
            database: false,
            ..
        }
    );
    let keeps = storage::is_kept(&plan.planned)?.unwrap_or(true);
    if refused && keeps && plan.planned.is_set(at!(Model, supernodes)) {
        return Err(Diagnostic::error(format!(
            "Flower {version} cannot check node keys and keep its database"
        ))
        .detail(
            "This version reads keys in a thread that cannot use the database, so it would refuse \
             every SuperNode.",
        )
        .detail(
            "Use Flower 1.14 or newer, set `persistence = { enabled = false }`, or remove \
             `supernodes`.",
        )
        .at(at!(Model, supernodes))
        .into());
    }
    Ok(())
}

/// Warns that SuperNodes end if the release reads its list only at its start and has no database to
/// remember them.
pub(super) fn note_memory(plan: &mut Plan<Model>, version: FlowerVersion) -> Result<()> {
    let lists = row_of(version).is_ok_and(|row| row.node_auth != NodeAuth::Registration);
    let changes = lists && !plan.is_create() && plan.changes(at!(Model, supernodes));
    if changes && storage::is_kept(&plan.planned)? == Some(false) {
        plan.notes.push(
            Diagnostic::warning("This change of `supernodes` ends the SuperNodes")
                .detail(format!(
                    "Flower {version} reads its list only at its start, and its database is in \
                     memory. It forgets the connected SuperNodes, and they end."
                ))
                .detail("Once they have ended, apply again to start them.")
                .at(at!(Model, supernodes)),
        );
    }
    Ok(())
}

/// The keys of a list as Flower compares them, by name; `None` for a key that is not known yet.
type Keys = BTreeMap<String, Option<String>>;

fn keys(supernodes: &Value) -> Option<Keys> {
    let Value::Map(entries) = supernodes else {
        return None;
    };
    let pem = |entry: &Value| {
        let key = NodePublicKey::parse(entry.at(PUBLIC_KEY).as_str()?).ok()?;
        key.pem().ok()
    };
    let entries = entries.iter();
    Some(
        entries
            .map(|(name, entry)| (name.clone(), pem(entry)))
            .collect(),
    )
}

/// What is registered and stays registered. Empty for a release that reads a list, and for a
/// SuperLink that is replaced or does not keep its database.
struct Registered<'a> {
    ids: &'a BTreeMap<String, Value>,
    keys: Keys,
}

impl<'a> Registered<'a> {
    fn of(plan: &'a Plan<Model>) -> Result<Option<Self>> {
        let registers = |tree: &Tree<Model>| -> Result<bool> {
            let version = tree.get::<Option<FlowerVersion>>(at!(Model, flower_version))?;
            let row = version.known().flatten().and_then(|one| row_of(one).ok());
            Ok(row.is_some_and(|row| row.node_auth == NodeAuth::Registration))
        };
        let status = plan
            .prior
            .get::<Option<Status>>(at!(Model, status))?
            .known();
        let stays = plan.replaced_for().is_empty()
            && status != Some(Some(Status::Lost))
            && storage::is_kept(&plan.prior)? == Some(true)
            && storage::is_kept(&plan.planned)? == Some(true)
            && registers(&plan.prior)?
            && registers(&plan.planned)?;
        let Value::Map(ids) = plan.prior.value(at!(Model, nodes)) else {
            return Ok(None);
        };
        let keys = keys(plan.prior.value(at!(Model, supernodes))).unwrap_or_default();
        Ok(stays.then_some(Self { ids, keys }))
    }

    /// The name under which a key is registered.
    fn name_of(&self, pem: &str) -> Option<&str> {
        let mut keys = self.keys.iter();
        let (name, _) = keys.find(|(_, key)| key.as_deref() == Some(pem))?;
        self.ids.contains_key(name).then_some(name.as_str())
    }
}

/// Plans `nodes` as far as it is known: a key that stays registered keeps its node id.
pub(super) fn foresee(plan: &mut Plan<Model>) -> Result<()> {
    let Some(registered) = Registered::of(plan)? else {
        return Ok(());
    };
    let supernodes = plan.planned.value(at!(Model, supernodes));
    let ids = match keys(supernodes) {
        Some(keys) => {
            let id = |pem: Option<String>| {
                let name = registered.name_of(&pem?)?;
                registered.ids.get(name).cloned()
            };
            let keys = keys.into_iter();
            keys.map(|(name, pem)| (name, id(pem).unwrap_or(Value::UNKNOWN)))
                .collect()
        }
        // Without a list, the SuperNodes of an earlier list stay registered.
        None if supernodes.is_null() => registered.ids.clone(),
        None => return Ok(()),
    };
    plan.planned.set(at!(Model, nodes), Value::Map(ids));
    Ok(())
}

/// Warns which keys this SuperLink will refuse for good.
pub(super) fn note_revoked(plan: &mut Plan<Model>) -> Result<()> {
    let notes = revocations(plan)?;
    plan.notes.extend(notes);
    Ok(())
}

fn revocations(plan: &Plan<Model>) -> Result<Vec<Diagnostic>> {
    let mut notes = Vec::new();
    let Some(registered) = Registered::of(plan)? else {
        return Ok(notes);
    };
    if plan.prior.value(at!(Model, supernodes)).is_null()
        && plan.planned.is_set(at!(Model, supernodes))
    {
        notes.push(guests_leave());
    }
    let Some(after) = keys(plan.planned.value(at!(Model, supernodes))) else {
        return Ok(notes);
    };
    let stays = |pem: &Option<String>| pem.is_some() && after.values().any(|one| one == pem);
    let (unlisted, revoked): (Vec<&str>, Vec<&str>) = registered
        .ids
        .keys()
        .filter(|name| match registered.keys.get(*name) {
            Some(pem) => !stays(pem),
            // For a SuperNode of an earlier list, only its name is known.
            None => !after.contains_key(*name),
        })
        .map(String::as_str)
        .partition(|name| name.starts_with(UNLISTED));
    if !unlisted.is_empty() {
        notes.push(strangers_leave(&unlisted));
    }
    if let Some(first) = revoked.first() {
        let at = at!(Model, supernodes).key(first);
        notes.push(keys_burn(&revoked).at(at));
    }
    Ok(notes)
}

/// The warning for the first list of a SuperLink that had none.
fn guests_leave() -> Diagnostic {
    Diagnostic::warning("Unlisted SuperNodes will be refused for good")
        .detail(
            "There was no list, so every SuperNode could join. Apply unregisters those that \
             `supernodes` does not name, and this SuperLink never accepts their keys again.",
        )
        .at(at!(Model, supernodes))
}

fn strangers_leave(unlisted: &[&str]) -> Diagnostic {
    let ids = unlisted.iter();
    let ids: Vec<_> = ids.map(|name| name.trim_start_matches(UNLISTED)).collect();
    Diagnostic::warning("SuperNodes that `supernodes` does not name may join")
        .detail(format!(
            "They were registered while there was no list, or by someone else: {}. Apply \
             unregisters them, and this SuperLink never accepts their keys again.",
            ids.join(", ")
        ))
        .detail("To keep one of them, add its public key to `supernodes` first.")
        .at(at!(Model, supernodes))
}

fn keys_burn(revoked: &[&str]) -> Diagnostic {
    let names: Vec<_> = revoked.iter().map(|name| format!("{name:?}")).collect();
    let names = names.join(", ");
    let is_one = revoked.len() == 1;
    Diagnostic::warning(if is_one {
        format!("The old key of {names} will be refused for good")
    } else {
        format!("The old keys of {names} will be refused for good")
    })
    .detail(
        "It is removed from `supernodes`, or replaced there by another key. Apply unregisters it, and \
         this SuperLink never accepts an unregistered key again.",
    )
    .detail(
        "To add a removed SuperNode again later, change the `rotation` of its \
         `flower_supernode_key` then.",
    )
}

/// An error for a changed location: Flower stores the location when it registers a key, and has no
/// call to change it.
pub(super) fn keeps_locations(plan: &Plan<Model>) -> Result<()> {
    let version = plan.get::<Option<FlowerVersion>>(at!(Model, flower_version))?;
    let row = version.known().flatten().and_then(|one| row_of(one).ok());
    let is_stored = row.is_some_and(|row| row.node_names);
    let Some(registered) = Registered::of(plan)?.filter(|_| is_stored) else {
        return Ok(());
    };
    let mut found = Diagnostics::default();
    let (before, after) = (
        plan.prior.value(at!(Model, supernodes)),
        plan.planned.value(at!(Model, supernodes)),
    );
    for (name, pem) in keys(after).unwrap_or_default() {
        let Some(old) = pem.as_deref().and_then(|pem| registered.name_of(pem)) else {
            continue;
        };
        let (new, old) = (location(after, &name), location(before, old));
        if new.is_unknown() || place(new) == place(old) {
            continue;
        }
        let old = old.as_str().map_or("without a location".to_owned(), |old| {
            format!("with the location {old:?}")
        });
        found.push(
            Diagnostic::error(format!("The location of {name:?} cannot change"))
                .detail(format!(
                    "Flower stores a location only when a key is registered, and this key was \
                     registered {old}."
                ))
                .detail(
                    "Undo the change, or change the `rotation` of its `flower_supernode_key`: \
                     apply then registers the new key with the new location.",
                )
                .at(at!(Model, supernodes).key(&name).then(LOCATION)),
        );
    }
    found.or(())
}

/// The location of an entry; null if it has none.
fn location<'a>(list: &'a Value, name: &str) -> &'a Value {
    let Value::Map(entries) = list else {
        return &Value::Null;
    };
    entries
        .get(name)
        .map_or(&Value::Null, |node| node.at(LOCATION))
}

/// The numbers of a location, in any notation.
fn place(value: &Value) -> Option<Vec<Option<f64>>> {
    let numbers = value.as_str()?.split(',');
    Some(numbers.map(|number| number.trim().parse().ok()).collect())
}

#[cfg(test)]
#[path = "allow_list_tests.rs"]
mod tests;
