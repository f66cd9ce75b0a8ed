//! Why an object has no pod on a node.

use serde_json::json;

use super::tests::{assert_named, container, ended, event, found, pod, with};
use super::*;

fn unscheduled(message: &str) -> Pod {
    pod(json!({ "phase": "Pending", "conditions": [{
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message,
    }] }))
}

#[test]
fn a_pod_without_a_node_is_told_why() {
    assert_named(
        unscheduled("0/1 nodes are available: 1 Insufficient cpu. preemption: not helpful."),
        vec![],
        "pod",
        "no node accepts it: 0/1 nodes are available: 1 Insufficient cpu",
        true,
    );
    let volume = unscheduled("pod has unbound immediate PersistentVolumeClaims. not found");
    let diagnosis = found(vec![volume], vec![]).unwrap();
    assert_eq!(diagnosis.what(), "its volume does not exist");
    assert_eq!(
        diagnosis.claims,
        ["superlink-main", "superlink-main-5d5b887b55-abcde-user-tmp"]
    );
}

#[test]
fn an_eviction_is_told_in_the_words_of_the_node() {
    let evicted = pod(json!({
        "phase": "Failed", "reason": "Evicted", "message": "The node was low on memory",
        "containerStatuses": [container("superlink", ended(137, "Error", 9))],
    }));
    let how = "the node evicted it (Evicted): The node was low on memory";
    assert_named(evicted.clone(), vec![], "pod", how, true);
    // A replacement exists, and may succeed.
    let creating = json!({ "waiting": { "reason": "ContainerCreating" } });
    let mut next = with(container("superlink", creating));
    next.metadata.name = Some("superlink-main-5d5b887b55-fghij".to_owned());
    assert_eq!(found(vec![evicted.clone(), next.clone()], vec![]), None);
    // Unless the node rejects every pod.
    let all = ["k", "l", "m"].map(|letter| {
        let mut one = evicted.clone();
        one.metadata.name = Some(format!("superlink-main-5d5b887b55-{letter}"));
        one
    });
    let all = all.into_iter().chain([next]).collect();
    let diagnosis = found(all, vec![]).unwrap();
    assert_eq!(
        (diagnosis.how().as_str(), diagnosis.reports.count),
        (how, 3)
    );
}

fn refused(message: &str, generation: i64) -> Deployment {
    serde_json::from_value(json!({
        "metadata": { "name": "superlink-main", "generation": generation },
        "spec": { "selector": {}, "template": {} },
        "status": {
            "observedGeneration": 2,
            "conditions": [{ "type": "ReplicaFailure", "status": "True", "message": message }],
        },
    }))
    .unwrap()
}

#[test]
fn a_refusal_is_told_in_the_words_of_the_last_attempt() {
    let of = |set: &str, message: &str, at: &str| {
        let about = json!({
            "involvedObject": { "kind": "ReplicaSet", "name": set },
            "lastTimestamp": at,
        });
        event("FailedCreate", message, about)
    };
    let mut stale = refused("exceeded quota: pods", 2);
    let conditions = stale.status.as_mut().unwrap().conditions.as_mut().unwrap();
    conditions[0].last_transition_time =
        serde_json::from_value(json!("2026-01-01T10:05:00Z")).unwrap();
    let words = |events: Vec<Event>| {
        let snapshot = Snapshot {
            deployments: by_name(vec![stale.clone()]),
            events: by_name(events),
            ..Snapshot::default()
        };
        diagnose(&snapshot).unwrap().how()
    };
    let ours = "superlink-main-5d5b887b55";
    let first = of(
        ours,
        "Error creating: exceeded quota: pods",
        "2026-01-01T10:05:00Z",
    );
    let last = of(
        ours,
        "Error creating: exceeded quota: memory",
        "2026-01-01T11:00:00Z",
    );
    assert_eq!(words(vec![]), "a quota is used up: exceeded quota: pods");
    assert_eq!(
        words(vec![first, last]),
        "a quota is used up: exceeded quota: memory"
    );
    // Earlier events, and those of another object, do not count.
    let old = of(ours, "Error creating: no", "2026-01-01T10:00:00Z");
    let other = of(
        "superlink-main-b-5d5b887b55",
        "Error creating: no",
        "2026-01-01T12:00:00Z",
    );
    assert_eq!(
        words(vec![old, other]),
        "a quota is used up: exceeded quota: pods"
    );
}

#[test]
fn a_pod_that_is_refused_is_told_for_as_long_as_there_is_none() {
    let snapshot = |generation, pods| Snapshot {
        deployments: by_name(vec![refused("exceeded quota: small", generation)]),
        pods: by_name(pods),
        ..Snapshot::default()
    };
    let diagnosis = diagnose(&snapshot(2, vec![])).unwrap();
    assert_eq!(diagnosis.how(), "a quota is used up: exceeded quota: small");
    // The controller has not seen the newest Deployment yet.
    assert_eq!(diagnose(&snapshot(3, vec![])), None);
    let creating = json!({ "waiting": { "reason": "ContainerCreating" } });
    let pod = with(container("superlink", creating));
    assert_eq!(diagnose(&snapshot(2, vec![pod.clone()])), None);
    // The previous pod still uses its share of the quota.
    let mut ends = pod;
    ends.metadata.deletion_timestamp = ends.metadata.creation_timestamp.clone();
    assert_eq!(diagnose(&snapshot(2, vec![ends])), None);
    for (message, what) in [
        (
            "failed quota: q: must specify cpu",
            "a quota needs its resource settings",
        ),
        (
            "violates PodSecurity",
            "the namespace does not allow such a pod",
        ),
        ("no PriorityClass", "its pod cannot be created"),
    ] {
        let deployments = by_name(vec![refused(message, 2)]);
        let snapshot = Snapshot {
            deployments,
            ..Snapshot::default()
        };
        assert_eq!(diagnose(&snapshot).unwrap().what(), what);
    }
}
