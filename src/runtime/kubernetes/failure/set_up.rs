//! The set-up of a pod on its node before the first container starts: volumes, and the pod's
//! network.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};
use k8s_openapi::jiff::Timestamp;

use super::container::statuses;
use super::diagnosis::{Diagnosis, condition};
use super::reports::{Reports, latest, words};
use super::words::of_set_up;

/// The last reported error, unless the pod has recovered from it.
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

/// Whether these events of the pod, later than the report, show that it has recovered: an attach
/// that succeeds in the end, and the pull of an image, are not warnings.
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
