//! The claims of a pod, and why their volumes are not created.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim, Pod};
use kube::ResourceExt as _;

use super::diagnosis::Diagnosis;
use super::kind::Kind;
use super::reports::{latest, words};

/// A volume that is created for a pod which already has a node: the pod itself reports nothing.
pub(super) fn unprovisioned(pod: &Pod, events: &BTreeMap<String, Event>) -> Option<Diagnosis> {
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
    Some(Diagnosis::of_pod(Kind::VolumeNotMade, words(said)))
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

/// The details of the claims that the pod waits for. If some do not exist, only those are listed.
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
