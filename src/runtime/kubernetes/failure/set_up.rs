//! What stands between a node and the first container: volumes, and the pod's own network.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};
use k8s_openapi::jiff::Timestamp;

use super::container::statuses;
use super::diagnosis::{Diagnosis, condition};
use super::reports::{Reports, latest, words};
use super::words::of_set_up;

/// What was said last, unless the pod has got past it.
pub(super) fn failed(
    pod: &Pod,
    about: &[&Event],
    history: &BTreeMap<String, Timestamp>,
) -> Option<Diagnosis> {
    let begun = |status: &ContainerStatus| {
        let state = status.state.as_ref();
        status.restart_count > 0
            || state.is_some_and(|state| state.running.is_some() || state.terminated.is_some())
    };
    let set_up = condition(pod, "PodReadyToStartContainers");
    if set_up.is_some_and(|(status, _, _)| status == "True") || statuses(pod).any(begun) {
        return None;
    }
    let uid = pod.metadata.uid.clone().unwrap_or_default();
    let until = history.get(&uid).copied();
    let kind = |event: &Event| of_set_up(event.reason.as_deref().unwrap_or_default(), words(event));
    let reports: Vec<&Event> = about
        .iter()
        .filter(|event| kind(event).is_some() && latest(event) > until)
        .copied()
        .collect();
    let last = reports.iter().max_by_key(|event| latest(event))?;
    let found = kind(last)?;
    let same = |event: &&Event| {
        kind(event).map(|one| one.judgement().symptom) == Some(found.judgement().symptom)
    };
    Some(Diagnosis {
        reports: Reports::of(reports.iter().copied().filter(same)),
        set_up: latest(last).map(|at| (uid, at)),
        ..Diagnosis::of_pod(found, words(last))
    })
}

/// Whether these events of the pod, later than the report, say that it got past it: that an attach
/// worked in the end, or an image is pulled, is no warning.
pub(super) fn is_over(events: &[Event], report: Timestamp) -> bool {
    let reasons = [
        "SuccessfulAttachVolume",
        "Pulling",
        "Pulled",
        "Created",
        "Started",
    ];
    let mut later = events.iter().filter(|event| latest(event) > Some(report));
    later.any(|event| {
        let reason = event.reason.as_deref();
        reason.is_some_and(|reason| reasons.contains(&reason))
    })
}
