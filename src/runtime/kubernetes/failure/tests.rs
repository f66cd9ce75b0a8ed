//! The diagnosis for Deployments, pods and events in the form of the API.

use serde_json::{Value as Json, json};

use super::*;

/// A pod with a SuperLink and its gateway, with these fields in its status.
pub(super) fn pod(status: Json) -> Pod {
    serde_json::from_value(json!({
        "metadata": {
            "name": "superlink-main-5d5b887b55-abcde",
            "uid": "u1",
            "creationTimestamp": "2026-01-01T10:00:00Z",
        },
        "spec": {
            "containers": [
                {
                    "name": "superlink",
                    "image": "flwr/superlink:1.42.0",
                    "startupProbe": { "periodSeconds": 1, "failureThreshold": 180 },
                },
                { "name": "gateway", "image": "nginx" },
            ],
            "volumes": [
                { "name": "state", "persistentVolumeClaim": { "claimName": "superlink-main" } },
                { "name": "user-tmp", "ephemeral": {} },
            ],
        },
        "status": status,
    }))
    .unwrap()
}

pub(super) fn container(name: &str, state: Json) -> Json {
    json!({
        "name": name, "image": "docker.io/x", "imageID": "", "ready": false, "restartCount": 0,
        "state": state,
    })
}

pub(super) fn ended(code: i32, reason: &str, seconds: u32) -> Json {
    json!({ "terminated": {
        "exitCode": code,
        "reason": reason,
        "message": "executable file not found in $PATH",
        "startedAt": "2026-01-01T10:00:00Z",
        "finishedAt": format!("2026-01-01T10:{:02}:{:02}Z", seconds / 60, seconds % 60),
    } })
}

pub(super) fn with(container: Json) -> Pod {
    pod(json!({ "phase": "Running", "containerStatuses": [container] }))
}

pub(super) fn event(reason: &str, message: &str, more: Json) -> Event {
    let mut event = json!({
        "metadata": { "name": format!("{reason} {message}") },
        "involvedObject": { "kind": "Pod", "uid": "u1" },
        "reason": reason,
        "message": message,
        "lastTimestamp": "2026-01-01T10:05:00Z",
    });
    for (key, value) in more.as_object().unwrap() {
        event[key] = value.clone();
    }
    serde_json::from_value(event).unwrap()
}

fn unhealthy(message: &str, count: u32, at: &str) -> Event {
    event(
        "Unhealthy",
        message,
        json!({
            "involvedObject": {
                "kind": "Pod", "uid": "u1", "fieldPath": "spec.containers{superlink}",
            },
            "count": count,
            "lastTimestamp": at,
        }),
    )
}

pub(super) fn found(pods: Vec<Pod>, events: Vec<Event>) -> Option<Diagnosis> {
    diagnose(&Snapshot {
        pods: by_name(pods),
        events: by_name(events),
        ..Snapshot::default()
    })
}

#[track_caller]
fn named(pod: Pod, events: Vec<Event>) -> (String, String, bool) {
    let diagnosis = found(vec![pod], events).expect("a diagnosis");
    (
        diagnosis.process.clone(),
        diagnosis.how(),
        diagnosis.kind.judgement().wait != Wait::No,
    )
}

#[track_caller]
pub(super) fn assert_named(pod: Pod, events: Vec<Event>, process: &str, how: &str, may_pass: bool) {
    assert_eq!(
        named(pod, events),
        (process.to_owned(), how.to_owned(), may_pass)
    );
}

#[test]
fn the_memory_that_was_too_little_is_that_of_its_container() {
    let apps = json!({ "name": "superexec", "image": "flwr/superexec:1.42.0" });
    let remedy = |name: &str, beside: bool| {
        let mut killed = with(container(name, ended(137, "OOMKilled", 3)));
        if beside {
            let apps = serde_json::from_value(apps.clone()).unwrap();
            killed.spec.as_mut().unwrap().containers.insert(1, apps);
        }
        found(vec![killed], vec![]).unwrap().remedy.unwrap()
    };
    for (name, beside, attribute) in [
        ("superlink", false, "`kubernetes.resources"),
        ("superlink", true, "`kubernetes.server_resources"),
        ("superexec", true, "`kubernetes.resources"),
        ("gateway", true, "`kubernetes.gateway_resources"),
    ] {
        assert!(remedy(name, beside).contains(attribute), "{name}");
    }
}

#[test]
fn an_end_is_told_at_once() {
    for (state, how) in [
        (ended(1, "Error", 3), "it ended with exit status: 1"),
        (
            ended(137, "OOMKilled", 3),
            "it was killed because it used more memory than its limit",
        ),
        (
            ended(128, "StartError", 0),
            "it cannot be started: image \"flwr/superlink:1.42.0\", executable file not found in $PATH",
        ),
    ] {
        assert_named(
            with(container("superlink", state.clone())),
            vec![],
            "superlink",
            how,
            false,
        );
        // The same while it waits for a restart, and while it restarts.
        for now in [
            json!({ "waiting": { "reason": "CrashLoopBackOff" } }),
            json!({ "running": {} }),
        ] {
            let mut again = container("superlink", now);
            again["lastState"] = state.clone();
            assert_named(with(again), vec![], "superlink", how, false);
        }
    }
}

#[test]
fn a_restart_that_was_recovered_from_is_no_failure() {
    let mut status = container("superlink", json!({ "running": {} }));
    status["lastState"] = ended(1, "Error", 3);
    status["ready"] = true.into();
    assert_eq!(found(vec![with(status)], vec![]), None);
}

#[test]
fn what_runs_and_was_well_is_silent_and_has_not_failed() {
    // The container ran out of memory once, recovered, and is too busy to answer.
    let mut status = container(
        "superlink",
        json!({ "running": { "startedAt": "2026-01-01T10:00:00Z" } }),
    );
    status["started"] = true.into();
    status["restartCount"] = 1.into();
    status["lastState"] = ended(137, "OOMKilled", 3);
    let silence = unhealthy("Readiness probe failed: timeout", 9, "2026-01-01T10:05:00Z");
    let diagnosis = found(vec![with(status.clone())], vec![silence]).unwrap();
    assert_eq!(diagnosis.what(), "it does not answer its health probe");
    assert!(all_go_on(&with(status.clone())));
    // While it restarts, it has not recovered.
    status["started"] = false.into();
    assert!(!all_go_on(&with(status.clone())));
    let diagnosis = found(vec![with(status)], vec![]).unwrap();
    assert!(
        diagnosis.what().contains("more memory"),
        "{}",
        diagnosis.what()
    );
    let waits = json!({ "waiting": { "reason": "CrashLoopBackOff" } });
    assert!(!all_go_on(&with(container("superlink", waits))));
    assert!(!all_go_on(&pod(json!({}))));
}

#[test]
fn the_process_that_others_depend_on_is_blamed_first() {
    let end = ended(1, "Error", 3);
    let both = [
        container("gateway", end.clone()),
        container("superlink", end),
    ];
    let pod = pod(json!({ "containerStatuses": both }));
    assert_eq!(named(pod, vec![]).0, "superlink");
}

#[test]
fn who_was_ended_for_not_answering_is_told_so() {
    let liveness = unhealthy("Liveness probe failed: timeout", 6, "2026-01-01T10:01:00Z");
    let how = "it was ended (exit status: 137) because it did not answer its health probe: Liveness probe failed: \
         timeout";
    let end = |code, seconds| with(container("superlink", ended(code, "Error", seconds)));
    assert_named(
        end(137, 70),
        vec![liveness.clone()],
        "superlink",
        how,
        false,
    );
    // That was before its last restart.
    let before = unhealthy("Liveness probe failed: timeout", 6, "2026-01-01T09:59:00Z");
    let plain = "it ended with exit status: 137";
    assert_named(end(137, 70), vec![before], "superlink", plain, false);
    // Probes fail at every start; the kubelet waits until all of them have failed.
    let startup = unhealthy("Startup probe failed: refused", 25, "2026-01-01T10:03:00Z");
    assert_named(
        end(137, 70),
        vec![startup.clone()],
        "superlink",
        plain,
        false,
    );
    let how = how.replace(
        "Liveness probe failed: timeout",
        "Startup probe failed: refused",
    );
    assert_named(end(137, 211), vec![startup], "superlink", &how, false);
}

#[test]
fn what_a_container_waits_for_is_told_when_it_lasts() {
    for (reason, message, how, may_pass) in [
        (
            "ErrImagePull",
            "not found",
            "its image cannot be pulled: image \"flwr/superlink:1.42.0\", ErrImagePull: not found",
            true,
        ),
        (
            "ImagePullBackOff",
            "ImagePullBackOff: not found",
            "its image cannot be pulled: image \"flwr/superlink:1.42.0\", ImagePullBackOff: not found",
            true,
        ),
        (
            "InvalidImageName",
            "InvalidImageName",
            "its image cannot be used: image \"flwr/superlink:1.42.0\", InvalidImageName",
            false,
        ),
        (
            "CreateContainerConfigError",
            "secret \"x\" not found",
            "its settings name a Secret or ConfigMap that does not exist: image \"flwr/superlink:1.42.0\", \
             CreateContainerConfigError: secret \"x\" not found",
            true,
        ),
    ] {
        let state = json!({ "waiting": { "reason": reason, "message": message } });
        let pod = with(container("superlink", state));
        assert_named(pod, vec![], "superlink", how, may_pass);
    }
    let creating = json!({ "waiting": { "reason": "ContainerCreating" } });
    assert_eq!(
        found(vec![with(container("superlink", creating))], vec![]),
        None
    );
}

#[test]
fn silence_counts_once_it_has_answered() {
    let mut status = container(
        "superlink",
        json!({ "running": { "startedAt": "2026-01-01T10:00:00Z" } }),
    );
    let probe = |kind: &str, count| {
        let message = format!("{kind} probe failed: timeout");
        vec![unhealthy(&message, count, "2026-01-01T10:05:00Z")]
    };
    // Before that, it is still starting, or it never will.
    status["started"] = false.into();
    let yet = found(vec![with(status.clone())], probe("Startup", 25)).unwrap();
    assert_eq!(yet.kind.judgement().wait, Wait::Starting);
    assert_eq!(
        yet.how(),
        "it has not answered its health probe yet: Startup probe failed: timeout"
    );
    let mut gateway = status.clone();
    gateway["name"] = "gateway".into();
    assert_eq!(found(vec![with(gateway)], vec![]), None);
    status["started"] = true.into();
    assert_eq!(found(vec![with(status.clone())], vec![]), None);
    let how = "it does not answer its health probe: Liveness probe failed: timeout";
    let events = probe("Liveness", 3);
    let diagnosis = found(vec![with(status.clone())], events.clone()).unwrap();
    assert_eq!(diagnosis.reports.count, 3);
    assert_named(with(status.clone()), events, "superlink", how, true);
    status["ready"] = true.into();
    assert_eq!(found(vec![with(status)], probe("Liveness", 3)), None);
}

#[test]
fn what_was_said_of_a_pod_that_stands_is_history() {
    let mut stands = with(container("superlink", json!({ "running": {} })));
    let ready = json!([{ "type": "Ready", "status": "True" }]);
    let status = stands.status.as_mut().unwrap();
    status.conditions = serde_json::from_value(ready).unwrap();
    let events = vec![
        event("FailedMount", "not found", json!({})),
        unhealthy("Liveness probe failed: timeout", 9, "2026-01-01T10:05:00Z"),
    ];
    assert_eq!(found(vec![stands], events), None);
}

#[test]
fn a_pod_that_goes_is_not_looked_at() {
    let mut goes = with(container("superlink", ended(1, "Error", 3)));
    goes.metadata.deletion_timestamp = goes.metadata.creation_timestamp.clone();
    assert_eq!(found(vec![goes], vec![]), None);
}
