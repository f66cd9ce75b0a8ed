//! SuperNodes that were removed a short time ago. A SuperNode that was killed, or interrupted while
//! it joined, did not disconnect, and its SuperLink refuses any process with its key until it
//! forgets the connection. The successor must know that this refusal is temporary. Terraform
//! replaces an object by a removal and a creation in one process, so memory is enough; a
//! SuperLink's list of nodes also shows earlier connections.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::model::Model;
use super::workload::object;
use crate::flower::exit_meaning::FlowerExit;
use crate::resources::Configured;
use crate::runtime::Failure;
use crate::tfplugin::Call;

/// How long to wait for the log of the removed SuperNode.
const GLANCE: Duration = Duration::from_secs(5);

/// How a SuperLink identifies a SuperNode: by its key, which the vault keeps under this name and
/// entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Identity {
    superlink: String,
    secret: String,
    entry: String,
}

impl Identity {
    /// A SuperNode without a key is another node each time.
    fn of(model: &Model) -> Option<Self> {
        model.key.as_ref().map(|key| Self {
            superlink: model.superlink.address.clone(),
            secret: key.name.clone(),
            entry: key.key.clone(),
        })
    }
}

#[derive(Debug, Default)]
pub struct RecentlyRemoved(Mutex<BTreeSet<Identity>>);

impl RecentlyRemoved {
    pub(super) fn remember(&self, model: &Model) {
        let identity = Identity::of(model);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(identity);
    }

    /// Whether a SuperNode with this key was removed.
    pub(super) fn has(&self, model: &Model) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Identity::of(model).is_some_and(|identity| all.contains(&identity))
    }
}

/// Whether the SuperLink may have accepted the SuperNode that is removed now. If it was refused,
/// the answer is no: another try would only delay the error.
pub(super) async fn may_be_known(call: &Call<Configured>, model: &Model) -> bool {
    if model.key.is_none() {
        return false;
    }
    if model.node_id.get().is_some() {
        return true;
    }
    let (runtime, object) = (&call.provider.runtime, object(&model.name));
    let log = runtime.log_tail(&object, "supernode", Failure::LINES);
    let log = tokio::select! {
        log = tokio::time::timeout(GLANCE, log) => log.ok().and_then(Result::ok),
        () = call.stop.cancelled() => None,
    };
    // A SuperNode that has logged nothing yet may still join while it ends.
    let log = log.unwrap_or_default();
    FlowerExit::in_log(&log.join("\n")).is_none()
}
