//! What the state of pods, and what was said about them, comes to: pure functions.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Event, Pod};
use k8s_openapi::jiff::Timestamp;

use super::kind::Kind;
use super::reports::Reports;
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

/// What is wrong, before its log was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Diagnosis {
    pub kind: Kind,
    pub process: String,
    /// The same for as long as it lasts: `words` may change from one attempt to the next.
    pub what: String,
    pub words: String,
    pub remedy: Option<&'static str>,
    pub reports: Reports,
    /// The pod, and when the last report about its set-up was.
    pub set_up: Option<(String, Timestamp)>,
    /// The pod whose log tells more.
    pub log_of: Option<String>,
    /// The claims that it is about.
    pub claims: Vec<String>,
}

impl Diagnosis {
    pub(super) fn of_pod(kind: Kind, words: &str) -> Self {
        let judgement = kind.judgement();
        Self {
            kind,
            process: "pod".to_owned(),
            what: judgement.what.to_owned(),
            words: words.to_owned(),
            remedy: judgement.remedy,
            reports: Reports::default(),
            set_up: None,
            log_of: None,
            claims: Vec::new(),
        }
    }

    pub(super) fn how(&self) -> String {
        if self.words.is_empty() {
            self.what.clone()
        } else {
            format!("{}: {}", self.what, self.words)
        }
    }
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

/// The status, reason and message of a condition.
pub(super) fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let found = conditions.iter().find(|one| one.type_ == kind)?;
    let text = |text: &'a Option<String>| text.as_deref().unwrap_or_default();
    Some((&found.status, text(&found.reason), text(&found.message)))
}
