//! Claims and mounts in the form of the API.

use serde_json::json;

use super::tests::{assert_named, container, event, found, pod, with};
use super::*;

#[test]
fn a_claim_is_told_with_its_class_and_what_was_said_of_it() {
    let claim = |phase: &str| -> PersistentVolumeClaim {
        serde_json::from_value(json!({
            "metadata": { "name": "superlink-main", "uid": "c2" },
            "spec": { "storageClassName": "fast" },
            "status": { "phase": phase },
        }))
        .unwrap()
    };
    let about = |uid: &str, message: &str| {
        let about =
            json!({ "kind": "PersistentVolumeClaim", "name": "superlink-main", "uid": uid });
        event(
            "ProvisioningFailed",
            message,
            json!({ "involvedObject": about }),
        )
    };
    let events = by_name(vec![
        about("c1", "that of old"),
        about("c2", "\"fast\" not found"),
    ]);
    let words = |claims: &[(&str, Option<&str>)]| {
        let claims: Vec<_> = claims
            .iter()
            .map(|(name, phase)| ((*name).to_owned(), phase.map(claim)))
            .collect();
        of_claims(&claims, &events)
    };
    let pending = ("superlink-main", Some("Pending"));
    assert_eq!(
        words(&[pending]),
        [
            "the PersistentVolumeClaim \"superlink-main\" of the StorageClass \"fast\" is Pending \
          (\"fast\" not found)"
        ]
    );
    assert_eq!(
        words(&[pending, ("data", None)]),
        ["there is no PersistentVolumeClaim \"data\""]
    );
    assert_eq!(words(&[("superlink-main", Some("Bound"))]), [""; 0]);
    // If a node was found, only the events of the claim show that nothing creates the volume.
    let pending = || pod(json!({ "phase": "Pending" }));
    let old = json!({ "lastTimestamp": "2026-01-01T09:00:00Z",
        "involvedObject": { "kind": "PersistentVolumeClaim", "name": "superlink-main" } });
    let old = event("ProvisioningFailed", "that of old", old);
    assert_eq!(found(vec![pending()], vec![old.clone()]), None);
    let how = "its volume cannot be created: no space";
    assert_named(
        pending(),
        vec![old, about("c2", "no space")],
        "pod",
        how,
        true,
    );
}

#[test]
fn a_mount_is_told_until_there_is_something_to_start_containers_in() {
    let fails = || vec![event("FailedMount", "secret \"x\" not found", json!({}))];
    let creating = container(
        "superlink",
        json!({ "waiting": { "reason": "ContainerCreating" } }),
    );
    let how = "a volume cannot be mounted: secret \"x\" not found";
    assert_named(with(creating.clone()), fails(), "pod", how, true);
    let pulling = pod(json!({
        "containerStatuses": [creating],
        "conditions": [{ "type": "PodReadyToStartContainers", "status": "True" }],
    }));
    assert_eq!(found(vec![pulling], fails()), None);
    let starting = with(container("superlink", json!({ "running": {} })));
    assert_eq!(found(vec![starting], fails()), None);
    let attach = || event("FailedAttachVolume", "Multi-Attach error", json!({}));
    let how = "a volume cannot be attached: Multi-Attach error";
    assert_named(
        with(container("superlink", json!({ "waiting": {} }))),
        vec![attach()],
        "pod",
        how,
        true,
    );
    // The event was about another pod.
    let mut other = with(container("superlink", json!({ "waiting": {} })));
    other.metadata.uid = Some("u2".to_owned());
    assert_eq!(found(vec![other], fails()), None);
}
