//! Why an object has no pod on a node: the API server refuses the pod, the scheduler finds no node,
//! or the node has ended the pod.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Event, Pod};
use k8s_openapi::jiff::Timestamp;

use super::diagnosis::{Diagnosis, condition};
use super::kind::Kind;
use super::reports::{Reports, latest, words};
use super::symptom::Detail;
use super::volumes::claims;
use super::words::{of_refusal, of_scheduling};

/// Whether the node has evicted the pod or rejected it.
pub(super) fn was_ended(pod: &Pod) -> bool {
    let status = pod.status.as_ref();
    status.is_some_and(|one| one.phase.as_deref() == Some("Failed") && one.reason.is_some())
}

/// The ended pods that have no replacement. A replacement may succeed, unless several pods in a row
/// have ended in the last minute.
pub(super) fn not_replaced<'a>(ended: &[&'a Pod], rest: &[&Pod]) -> Vec<&'a Pod> {
    let Some(newest) = rest.iter().filter_map(|pod| since(pod)).max() else {
        return ended.to_vec();
    };
    let just_now =
        |pod: &&&Pod| since(pod).is_some_and(|at| newest.as_second() - at.as_second() < 60);
    let ended: Vec<_> = ended.iter().filter(just_now).copied().collect();
    if ended.len() > 2 { ended } else { Vec::new() }
}

fn since(pod: &Pod) -> Option<Timestamp> {
    pod.metadata.creation_timestamp.as_ref().map(|time| time.0)
}

/// The node's message about the last of these pods.
pub(super) fn ended_by_node(pods: &[&Pod]) -> Option<Diagnosis> {
    let last = pods.iter().max_by_key(|pod| since(pod))?;
    let first = pods.iter().min_by_key(|pod| since(pod))?;
    let status = last.status.as_ref()?;
    let kind = Kind::EndedByNode;
    let reason = status.reason.as_deref()?;
    let count = u32::try_from(pods.len()).unwrap_or(u32::MAX);
    let reports = match (since(first), since(last)) {
        (Some(from), Some(to)) => Reports::between(count, from, to),
        _ => Reports::default(),
    };
    let words = status.message.as_deref().unwrap_or_default();
    Some(Diagnosis {
        detail: Detail::Reason(reason.to_owned()),
        reports,
        ..Diagnosis::of_pod(kind, words)
    })
}

pub(super) fn unscheduled(pod: &Pod, about: &[&Event]) -> Option<Diagnosis> {
    let ("False", reason, said) = condition(pod, "PodScheduled")? else {
        return None;
    };
    let kind = match reason {
        "Unschedulable" if is_freed(pod) => Kind::NodeIsFreed,
        "Unschedulable" => of_scheduling(said),
        "SchedulerError" => Kind::SchedulerFailed,
        _ => return None,
    };
    // The rest of the message is about preemption, which is not relevant here.
    let said = said.split_once(". ").map_or(said, |(first, _)| first);
    let reports = about
        .iter()
        .filter(|event| event.reason.as_deref() == Some("FailedScheduling"));
    Some(Diagnosis {
        claims: match kind {
            Kind::VolumeMissing | Kind::VolumePending | Kind::VolumeElsewhere => claims(pod),
            _ => Vec::new(),
        },
        reports: Reports::of(reports.copied()),
        ..Diagnosis::of_pod(kind, said)
    })
}

/// Whether pods of lower priority are being preempted for this pod.
fn is_freed(pod: &Pod) -> bool {
    let status = pod.status.as_ref();
    let node = status.and_then(|one| one.nominated_node_name.as_deref());
    node.is_some_and(|node| !node.is_empty())
}

/// Whether these events announce a new node for a pod, or a volume for its claim.
pub(super) fn comes(events: &[Event]) -> bool {
    let reasons = [
        // From the cluster-autoscaler, and from Karpenter.
        "TriggeredScaleUp",
        "Nominated",
        // From a provisioner, and from the controller that waits for it.
        "Provisioning",
        "ExternalProvisioning",
    ];
    let mut all = events.iter().filter_map(|event| event.reason.as_deref());
    all.any(|reason| reasons.contains(&reason))
}

/// Why the Deployment has no pod. Only reports about its current version count.
pub(super) fn no_pod(
    deployment: &Deployment,
    events: &BTreeMap<String, Event>,
) -> Option<Diagnosis> {
    let status = deployment.status.as_ref()?;
    if status.observed_generation < deployment.metadata.generation {
        return None;
    }
    let conditions = status.conditions.iter().flatten();
    let mut failures =
        conditions.filter(|one| one.type_ == "ReplicaFailure" && one.status == "True");
    let failure = failures.next()?;
    let since = failure.last_transition_time.as_ref().map(|time| time.0);
    let of_it = events.values().filter(|event| {
        event.reason.as_deref() == Some("FailedCreate")
            && is_of(event, deployment)
            && latest(event) >= since
    });
    let of_it: Vec<_> = of_it.collect();
    // The condition keeps the message of the first refusal, even if the reason has changed since.
    let last = of_it.iter().max_by_key(|event| latest(event));
    let said = last.map_or_else(
        || failure.message.as_deref().unwrap_or_default(),
        |event| words(event),
    );
    let said = said.strip_prefix("Error creating: ").unwrap_or(said);
    Some(Diagnosis {
        reports: Reports::of(of_it.iter().copied()),
        ..Diagnosis::of_pod(of_refusal(said), said)
    })
}

/// Whether the event is about a `ReplicaSet` of the Deployment.
fn is_of(event: &Event, deployment: &Deployment) -> bool {
    let about = &event.involved_object;
    let name = deployment.metadata.name.as_deref().unwrap_or_default();
    let hash = about.name.as_deref().and_then(|one| one.strip_prefix(name));
    about.kind.as_deref() == Some("ReplicaSet")
        && hash
            .and_then(|hash| hash.strip_prefix('-'))
            .is_some_and(|hash| !hash.contains('-'))
}

/// Whether the controller pauses its attempts to create a pod, and needs a change to try again.
pub(in super::super) fn gave_up(deployment: &Deployment) -> bool {
    no_pod(deployment, &BTreeMap::new()).is_some()
}
