//! SuperNodes that were removed a moment ago. One that did not end well (it was killed, or interrupted
//! while it joined) said no goodbye, and its SuperLink refuses whoever comes with its key until it is
//! forgotten: its successor must know that a refusal will pass. Terraform replaces an object by a removal
//! and a creation in one process, so that what is remembered here is enough; a SuperLink's list of nodes
//! tells the same of any time.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::model::Model;
use super::workload::object;
use crate::flower::exit_meaning::FlowerExit;
use crate::resources::Configured;
use crate::runtime::Failure;
use crate::tfplugin::Call;

/// How long the log of what is removed is waited for.
const GLANCE: Duration = Duration::from_secs(5);

/// As whom a SuperLink knows a SuperNode: by its key, which the vault keeps under this name and entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Identity {
    superlink: String,
    secret: String,
    entry: String,
}

impl Identity {
    /// One without a key is another node each time.
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

    /// Whether a SuperNode of this key has gone.
    pub(super) fn has(&self, model: &Model) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Identity::of(model).is_some_and(|identity| all.contains(&identity))
    }
}

/// Whether the SuperLink may have let in what is removed now. One that was refused is none: to try again
/// would only put off the error.
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
    // One that has said nothing yet may be let in while it ends.
    let log = log.unwrap_or_default();
    FlowerExit::in_log(&log.join("\n")).is_none()
}
