//! What the state of pods, and what was said about them, comes to: pure functions.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Event, Pod};
use k8s_openapi::jiff::Timestamp;

use super::diagnosis::{Diagnosis, condition};
use super::{container, placement, set_up, volumes};

/// All that tells how an object fares.
#[derive(Default)]
pub(super) struct Snapshot {
    /// One at most.
    pub deployments: BTreeMap<String, Deployment>,
    pub pods: BTreeMap<String, Pod>,
    /// The warnings of the namespace.
    pub events: BTreeMap<String, Event>,
    /// Until when what was said of the set-up of a pod is history, by the pod's UID.
    pub history: BTreeMap<String, Timestamp>,
}

pub(super) fn diagnose(snapshot: &Snapshot) -> Option<Diagnosis> {
    let live = snapshot.pods.values().filter(|pod| is_live(pod));
    let (ended, rest): (Vec<_>, Vec<_>) = live.partition(|pod| placement::was_ended(pod));
    rest.iter()
        .find_map(|pod| in_pod(pod, snapshot))
        .or_else(|| {
            // Where there is a pod, why there once was none is history; and one that ends may hold
            // what the next one is refused for.
            let none = snapshot.pods.len() == ended.len();
            let mut deployments = snapshot.deployments.values().filter(|_| none);
            deployments.find_map(|one| placement::no_pod(one, &snapshot.events))
        })
        .or_else(|| placement::ended_by_node(&placement::not_replaced(&ended, &rest)))
}

pub(super) fn is_live(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none()
}

/// What keeps the pod from being ready; a pod that stands makes old warnings history.
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
