//! What a plan says of `supernodes`, beyond what the schema says: whom the SuperLink would let in or turn
//! away for good. Registrations outlive their entry in the configuration, so that what looks like a line
//! that can be put back may be a key that Flower never accepts again.

use super::storage;
use crate::flower::version::{FlowerVersion, NodeAuth, row_of};
use crate::resources::{Configured, pod, release};
use crate::tfplugin::Plan;
use crate::tfplugin::diagnostic::{Diagnostic, Result};
use crate::tfplugin::schema::Tree;

/// Says that any SuperNode may join from outside the cluster, where nothing keeps strangers out.
pub(super) fn open_to_outside(provider: Option<&Configured>, config: &Tree) -> Option<Diagnostic> {
    let has_service = provider.is_none_or(|provider| provider.runtime.has_pods());
    if !has_service || config.is_set("supernodes") || !pod::is_open_to_outside(config) {
        return None;
    }
    let message = Diagnostic::warning(
        "Any SuperNode may join this SuperLink from outside the cluster",
    )
    .detail(
        "Its Service is reached from outside the cluster, and without `supernodes` the SuperLink \
             lets in every SuperNode. Whoever joins gets the app and the model of every run, and \
             takes part in it.",
    )
    .detail(
        "List the SuperNodes that may join in `supernodes` (`{}` lets in none), or use the Service \
             type `ClusterIP`.",
    );
    Some(message.on("supernodes"))
}

/// An error where the release cannot check keys and keep its database, too.
pub(super) fn can_check_keys(plan: &Plan, version: FlowerVersion) -> Result<()> {
    let row = release::row(version)?;
    let refused = matches!(
        row.node_auth,
        NodeAuth::KeyList {
            database: false,
            ..
        }
    );
    let keeps = storage::is_kept(&plan.planned)?.unwrap_or(true);
    if refused && keeps && plan.planned.is_set("supernodes") {
        return Err(Diagnostic::error(format!(
            "Flower {version} cannot check node keys and keep its database"
        ))
        .detail(
            "It looks keys up in a thread that must not use the database, and would refuse every \
             SuperNode.",
        )
        .detail(
            "Use Flower 1.14 or newer, set `persistence = { enabled = false }`, or leave \
             `supernodes` out.",
        )
        .on("supernodes")
        .into());
    }
    Ok(())
}

/// Says that SuperNodes end where a release that reads its list once, at its start, has nothing else to
/// remember them by.
pub(super) fn note_memory(plan: &mut Plan, version: FlowerVersion) -> Result<()> {
    let lists = row_of(version).is_ok_and(|row| row.node_auth != NodeAuth::Registration);
    let changes = lists && !plan.is_create() && plan.changes("supernodes");
    if changes && storage::is_kept(&plan.planned)? == Some(false) {
        plan.notes.push(
            Diagnostic::warning("The SuperNodes end with this change of `supernodes`")
                .detail(format!(
                    "Flower {version} reads its list once, at its start, and its database is in \
                     memory: it forgets the SuperNodes that are connected, and they end."
                ))
                .detail("Once they have ended, apply again to start them.")
                .on("supernodes"),
        );
    }
    Ok(())
}

#[cfg(test)]
#[path = "allow_list_tests.rs"]
mod tests;
