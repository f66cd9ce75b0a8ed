//! Leases on records and notes. A lease has a holder, which changes a heartbeat every few seconds
//! as long as it is alive. The provider watches whether the heartbeat changes and never compares
//! times: the clocks of two machines may differ, and a proxy may answer for the API server.

use std::collections::BTreeMap;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams};
use serde_json::{Value as Json, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::super::RuntimeError;
use super::api::{Api, named};
use super::error::ClusterError;
use super::names::{HOLDER, MANAGER, RENEWED, SETTLED};

/// How often a holder changes its heartbeat, with one small request each time.
const RENEW: Duration = Duration::from_secs(3);
/// How long a heartbeat may stay unchanged before its holder counts as dead: four renewals were
/// missed.
const STALE: Duration = Duration::from_secs(12);

/// The leases of this runtime. One task renews each.
pub(super) struct Leases {
    id: String,
    held: Mutex<BTreeMap<String, Lease>>,
}

#[derive(Default)]
struct Lease {
    task: Option<JoinHandle<()>>,
    lost: Arc<AtomicBool>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Whether the object of a record is settled, that is, in a state.
pub(super) fn is_settled(record: &ConfigMap) -> bool {
    record.annotations().contains_key(SETTLED)
}

/// Who holds an object.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Nobody,
    Us,
    Another { renewed: String },
}

/// The state of another holder's lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeaseState {
    /// The holder is alive.
    Lives,
    Died,
    /// The lease was released, or another holder has it now: read it again.
    Passed,
}

impl Default for Leases {
    fn default() -> Self {
        // Two runtimes in one process are two holders: each has its own objects.
        let now = OffsetDateTime::now_utc().unix_timestamp_nanos();
        let id = std::hash::RandomState::new().hash_one((std::process::id(), now));
        Self {
            id: format!("{id:016x}"),
            held: Mutex::default(),
        }
    }
}

impl Leases {
    fn held(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Lease>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves the name within this runtime; `false` if it is already reserved.
    pub(super) fn reserve(&self, name: &str) -> bool {
        let mut held = self.held();
        if held.contains_key(name) {
            return false;
        }
        held.insert(name.to_owned(), Lease::default());
        true
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.held().contains_key(name)
    }

    /// Whether another holder assumed that we were dead, and has taken the lease over.
    pub(super) fn is_lost(&self, name: &str) -> bool {
        let held = self.held();
        held.get(name)
            .is_some_and(|lease| lease.lost.load(Ordering::Relaxed))
    }

    /// Renews the lease from now on.
    pub(super) fn keep(&self, api: &Api, name: &str) {
        let lost = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(renew(
            api.clone(),
            name.to_owned(),
            self.id.clone(),
            Arc::clone(&lost),
        ));
        let lease = Lease {
            task: Some(task),
            lost,
        };
        self.held().insert(name.to_owned(), lease);
    }

    /// Releases the lease; whether it was held.
    pub(super) fn release(&self, name: &str) -> bool {
        self.held().remove(name).is_some()
    }

    /// The annotations of a lease that we hold.
    pub(super) fn marks(&self) -> Json {
        json!({ HOLDER: self.id, RENEWED: now() })
    }

    pub(super) fn holder(&self, found: &ConfigMap) -> Holder {
        match found.annotations().get(HOLDER) {
            None => Holder::Nobody,
            Some(holder) if *holder == self.id => Holder::Us,
            Some(_) => Holder::Another {
                renewed: renewed(found).unwrap_or_default().to_owned(),
            },
        }
    }

    /// Takes over a lease, unless it has changed since it was read; `false` if it has.
    pub(super) async fn take(&self, api: &Api, found: &ConfigMap) -> Result<bool, ClusterError> {
        let patch = json!({ "metadata": {
            "resourceVersion": found.metadata.resource_version,
            "annotations": self.marks(),
        }});
        match merge(api, &found.name_any(), &patch).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(false),
            Err(error) => Err(api.failed(error, &named::<ConfigMap>(&found.name_any()))),
        }
    }
}

/// Watches another holder's lease until its state is known.
pub(super) async fn watch(
    api: &Api,
    found: &ConfigMap,
    stop: &CancellationToken,
) -> Result<LeaseState, RuntimeError> {
    let name = found.name_any();
    let lease_state = api.until(&name, |now: Option<&ConfigMap>| lease_state(found, now));
    tokio::select! {
        lease_state = tokio::time::timeout(STALE, lease_state) => match lease_state {
            Ok(lease_state) => Ok(lease_state?),
            Err(_) => Ok(LeaseState::Died),
        },
        () = stop.cancelled() => Err(RuntimeError::Interrupted),
    }
}

/// The state of the lease in `before`; `None` while it is unchanged.
fn lease_state(before: &ConfigMap, now: Option<&ConfigMap>) -> Option<LeaseState> {
    let holder = |of: &ConfigMap| of.annotations().get(HOLDER).cloned();
    match now {
        Some(now)
            if !is_settled(now) && now.uid() == before.uid() && holder(now) == holder(before) =>
        {
            (renewed(now) != renewed(before)).then_some(LeaseState::Lives)
        }
        _ => Some(LeaseState::Passed),
    }
}

/// Renews a lease until it is released, lost or deleted.
async fn renew(api: Api, name: String, id: String, lost: Arc<AtomicBool>) {
    loop {
        tokio::time::sleep(RENEW).await;
        let patch = json!({ "metadata": { "annotations": { RENEWED: now() } } });
        let Ok(renewed) = tokio::time::timeout(RENEW, merge(&api, &name, &patch)).await else {
            continue;
        };
        match renewed {
            Ok(found) if found.annotations().get(HOLDER) == Some(&id) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => return,
            Ok(_) => {
                tracing::warn!(name, "another apply has taken this over");
                lost.store(true, Ordering::Relaxed);
                return;
            }
            Err(error) => tracing::warn!(name, %error, "the claim could not be renewed"),
        }
    }
}

/// Changes an object of ours with a merge patch, whichever manager changed it last.
pub(super) async fn merge(api: &Api, name: &str, patch: &Json) -> kube::Result<ConfigMap> {
    let as_us = PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let all = api.all::<ConfigMap>();
    all.patch(name, &as_us, &Patch::Merge(patch)).await
}

fn renewed(found: &ConfigMap) -> Option<&str> {
    found.annotations().get(RENEWED).map(String::as_str)
}

/// The time is for people; the provider only needs a text that differs each time.
fn now() -> String {
    let now = OffsetDateTime::now_utc();
    now.format(&Rfc3339)
        .unwrap_or_else(|_| now.unix_timestamp_nanos().to_string())
}

#[cfg(test)]
mod tests {
    use super::super::names::SETTLED;
    use super::*;

    fn record(uid: &str, annotations: Json) -> ConfigMap {
        let metadata = json!({ "name": "r", "uid": uid, "annotations": annotations });
        serde_json::from_value(json!({ "metadata": metadata })).unwrap()
    }

    #[test]
    fn a_holder_lives_when_its_mark_changes() {
        let held = |holder: &str, at: &str| record("1", json!({ HOLDER: holder, RENEWED: at }));
        let before = held("them", "a");
        assert_eq!(lease_state(&before, Some(&before)), None);
        assert_eq!(
            lease_state(&before, Some(&held("them", "b"))),
            Some(LeaseState::Lives)
        );
        for passed in [
            held("others", "b"),
            record("1", json!({ SETTLED: "true" })),
            record(
                "1",
                json!({ HOLDER: "them", RENEWED: "b", SETTLED: "true" }),
            ),
            record("2", json!({ HOLDER: "them", RENEWED: "a" })),
        ] {
            assert_eq!(
                lease_state(&before, Some(&passed)),
                Some(LeaseState::Passed)
            );
        }
        assert_eq!(lease_state(&before, None), Some(LeaseState::Passed));
    }

    #[test]
    fn two_runtimes_of_one_process_are_two_holders() {
        let (one, other) = (Leases::default(), Leases::default());
        let held = record("1", one.marks());
        assert_eq!(one.holder(&held), Holder::Us);
        assert!(matches!(other.holder(&held), Holder::Another { .. }));
        assert_eq!(one.holder(&record("1", json!({}))), Holder::Nobody);
    }

    #[test]
    fn one_runtime_makes_an_object_once_at_a_time() {
        let leases = Leases::default();
        assert!(leases.reserve("a"));
        assert!(!leases.reserve("a"));
        assert!(leases.release("a"));
        assert!(!leases.release("a"));
        assert!(leases.reserve("a"));
    }
}
