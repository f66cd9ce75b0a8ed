//! What keeps volumes from a pod.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ContainerStatus, Event, PersistentVolumeClaim, Pod};
use kube::ResourceExt as _;

use super::trouble::{Trouble, condition, latest, statuses, words};

pub(super) const NO_VOLUME: &str = "Check the StorageClass (`persistence.storage_class`) and its provisioner, and the claims in \
     `kubernetes.volumes`.";

/// Where a volume is made for a pod that has a place, the pod itself tells nothing.
pub(super) fn unprovisioned(pod: &Pod, events: &BTreeMap<String, Event>) -> Option<Trouble> {
    if pod.spec.as_ref()?.node_name.is_some() {
        return None;
    }
    let since = pod.metadata.creation_timestamp.as_ref()?.0;
    let claims = claims(pod);
    let said = events.values().find(|event| {
        let about = &event.involved_object;
        about.kind.as_deref() == Some("PersistentVolumeClaim")
            && about
                .name
                .as_ref()
                .is_some_and(|name| claims.contains(name))
            && event.reason.as_deref() == Some("ProvisioningFailed")
            && latest(event).is_some_and(|at| at >= since)
    })?;
    Some(Trouble::of_place(
        "its volume cannot be made",
        words(said),
        NO_VOLUME,
    ))
}

/// The names of the claims that a pod uses.
pub(super) fn claims(pod: &Pod) -> Vec<String> {
    let volumes = pod
        .spec
        .iter()
        .flat_map(|spec| spec.volumes.iter().flatten());
    volumes
        .filter_map(|volume| match &volume.persistent_volume_claim {
            Some(claim) => Some(claim.claim_name.clone()),
            None => volume
                .ephemeral
                .as_ref()
                .map(|_| format!("{}-{}", pod.name_any(), volume.name)),
        })
        .collect()
}

/// What is known of the claims that are waited for; where some do not exist, of those alone.
pub(super) fn of_claims(
    claims: &[(String, Option<PersistentVolumeClaim>)],
    events: &BTreeMap<String, Event>,
) -> Vec<String> {
    let missing = claims.iter().filter(|(_, claim)| claim.is_none());
    let missing: Vec<_> = missing
        .map(|(name, _)| format!("there is no PersistentVolumeClaim {name:?}"))
        .collect();
    if !missing.is_empty() {
        return missing;
    }
    let there = claims.iter().filter_map(|(_, claim)| claim.as_ref());
    there.filter_map(|claim| of_claim(claim, events)).collect()
}

fn of_claim(claim: &PersistentVolumeClaim, events: &BTreeMap<String, Event>) -> Option<String> {
    let phase = claim.status.as_ref().and_then(|one| one.phase.as_deref());
    if phase == Some("Bound") {
        return None;
    }
    let spec = claim.spec.as_ref();
    let class = match spec.and_then(|one| one.storage_class_name.as_deref()) {
        Some(class) => format!("of the StorageClass {class:?}"),
        None => "without a StorageClass".to_owned(),
    };
    let said = events
        .values()
        .filter(|event| event.involved_object.uid == claim.metadata.uid)
        .max_by_key(|event| latest(event))
        .map(|event| format!(" ({})", words(event)));
    Some(format!(
        "the PersistentVolumeClaim {:?} {class} is {}{}",
        claim.name_any(),
        phase.unwrap_or("new"),
        said.unwrap_or_default()
    ))
}

/// What stands between a node and the first container.
pub(super) fn not_set_up(pod: &Pod, about: &[&Event]) -> Option<Trouble> {
    let begun = |status: &ContainerStatus| {
        let state = status.state.as_ref();
        status.restart_count > 0
            || state.is_some_and(|state| state.running.is_some() || state.terminated.is_some())
    };
    let set_up = condition(pod, "PodReadyToStartContainers");
    if set_up.is_some_and(|(status, _, _)| status == "True") || statuses(pod).any(begun) {
        return None;
    }
    let reasons = |event: &&&Event| {
        matches!(
            event.reason.as_deref(),
            Some("FailedMount" | "FailedAttachVolume" | "FailedCreatePodSandBox")
        )
    };
    let last = about
        .iter()
        .filter(reasons)
        .max_by_key(|event| latest(event))?;
    Some(if is_attach(last) {
        Trouble::of_place(
            "a volume cannot be attached",
            words(last),
            "Look at the node that still has it, and at the CSI driver. Where that only takes its time, \
             set `kubernetes.scheduling_timeout`.",
        )
    } else if last.reason.as_deref() == Some("FailedCreatePodSandBox") {
        Trouble::of_pod(
            "its pod cannot be set up",
            words(last),
            "Look at the node: its network plugin or RuntimeClass.",
        )
    } else {
        Trouble::of_pod(
            "a volume cannot be mounted",
            words(last),
            "Check that the Secret, ConfigMap or claim in `kubernetes.volumes` exists.",
        )
    })
}

/// Whether a volume could not be brought to the node: that is tried again, and may take minutes.
pub(super) fn is_attach(event: &Event) -> bool {
    match event.reason.as_deref() {
        Some("FailedAttachVolume") => true,
        Some("FailedMount") => words(event).starts_with("Unable to attach or mount volumes"),
        _ => false,
    }
}
