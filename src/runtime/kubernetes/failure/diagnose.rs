//! Pure functions from the state and events of pods to a diagnosis.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Event, Pod};
use k8s_openapi::jiff::Timestamp;

use super::diagnosis::{Diagnosis, condition};
use super::{container, placement, set_up, volumes};

/// Everything that shows the state of an object.
#[derive(Default)]
pub(super) struct Snapshot {
    /// At most one.
    pub deployments: BTreeMap<String, Deployment>,
    pub pods: BTreeMap<String, Pod>,
    /// The warnings of the namespace.
    pub events: BTreeMap<String, Event>,
    /// By pod UID, the time until which reports about the set-up of the pod are obsolete.
    pub history: BTreeMap<String, Timestamp>,
}

pub(super) fn diagnose(snapshot: &Snapshot) -> Option<Diagnosis> {
    let live = snapshot.pods.values().filter(|pod| is_live(pod));
    let (ended, rest): (Vec<_>, Vec<_>) = live.partition(|pod| placement::was_ended(pod));
    rest.iter()
        .find_map(|pod| in_pod(pod, snapshot))
        .or_else(|| {
            // If there is a pod, an earlier refusal is obsolete; and a pod that is terminating may
            // use the quota for which the next one is refused.
            let none = snapshot.pods.len() == ended.len();
            let mut deployments = snapshot.deployments.values().filter(|_| none);
            deployments.find_map(|one| placement::no_pod(one, &snapshot.events))
        })
        .or_else(|| placement::ended_by_node(&placement::not_replaced(&ended, &rest)))
}

pub(super) fn is_live(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none()
}

/// Why the pod is not ready. A ready pod makes old warnings obsolete.
pub(super) fn in_pod(pod: &Pod, snapshot: &Snapshot) -> Option<Diagnosis> {
    if condition(pod, "Ready").is_some_and(|(status, _, _)| status == "True") {
        return None;
    }
    if placement::was_ended(pod) {
        return placement::ended_by_node(&[pod]);
    }
    let events = &snapshot.events;
    let about: Vec<&Event> = events
        .values()
        .filter(|event| event.involved_object.uid == pod.metadata.uid)
        .collect();
    container::failed(pod, &about)
        .or_else(|| placement::unscheduled(pod, &about))
        .or_else(|| volumes::unprovisioned(pod, events))
        .or_else(|| set_up::failed(pod, &about, &snapshot.history))
        .or_else(|| container::unanswering(pod, &about))
}
