//! Real reports of clusters: `reported.json` contains each report and the expected diagnosis.

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::debounce::Debounce;
use super::kind::{GRACE, Kind};
use super::tests::{container, event, pod, with};
use super::*;

/// A report of a cluster.
#[derive(Deserialize)]
struct Reported {
    /// The source: a cluster of the tests, or the source code of the reporting component.
    from: String,
    /// The reason of a warning about the pod, of a container's state, of the pod's condition or
    /// end, or of its Deployment's condition.
    #[serde(flatten)]
    by: By,
    said: String,
    kind: Kind,
    named: Named,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum By {
    Warning(String),
    Waiting(String),
    Terminated(String),
    Condition(String),
    Failed(String),
    Refused(String),
}

/// When the provider reports it as a failure.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Named {
    AtOnce,
    /// After the reporting component has retried.
    ReportedAgain,
    /// After many reports.
    ReportedOften,
    WhenItsTimeIsOver,
}

impl Reported {
    /// After so many reports, the last one so many seconds after the first.
    fn snapshot(&self, count: u32, over: u32) -> Snapshot {
        let times = json!({
            "count": count,
            "firstTimestamp": "2026-01-01T10:00:00Z",
            "lastTimestamp": format!("2026-01-01T10:{:02}:{:02}Z", over / 60, over % 60),
        });
        let told = |reason: &str, message: &str, about: Json| {
            let mut more = times.clone();
            more["involvedObject"] = about;
            event(reason, message, more)
        };
        let superlink = json!({
            "kind": "Pod", "uid": "u1", "fieldPath": "spec.containers{superlink}",
        });
        let whole = json!({ "kind": "Pod", "uid": "u1" });
        let creating = json!({ "waiting": { "reason": "ContainerCreating" } });
        let mut pods = Vec::new();
        let mut events = Vec::new();
        let mut deployments = Vec::new();
        match &self.by {
            By::Warning(reason) => {
                pods.push(with(container("superlink", creating)));
                events.push(told(reason, &self.said, whole));
            }
            By::Waiting(reason) => {
                let state = json!({ "waiting": { "reason": reason, "message": self.said } });
                pods.push(with(container("superlink", state)));
                let (begin, end) = ("Back-off pulling image", "ErrImagePull: ");
                let message = match self.said.split_once(end) {
                    _ if !reason.contains("Image") => format!("Error: {}", self.said),
                    Some((start, cause)) if start.starts_with(begin) => {
                        format!("Failed to pull image \"x\": {cause}")
                    }
                    _ => format!("Failed to pull image \"x\": {}", self.said),
                };
                events.push(told("Failed", &message, superlink.clone()));
                if reason.contains("Image") {
                    // An event reports it as well, also during the pause.
                    events.push(told("Failed", &format!("Error: {reason}"), superlink));
                }
            }
            By::Terminated(reason) => {
                let ended = json!({ "terminated": {
                    "exitCode": 128, "reason": reason, "message": self.said,
                    "finishedAt": times["lastTimestamp"],
                } });
                let mut status = container("superlink", ended);
                status["restartCount"] = (count - 1).into();
                pods.push(pod(json!({
                    "startTime": "2026-01-01T10:00:00Z", "containerStatuses": [status],
                })));
            }
            By::Condition(reason) => {
                pods.push(pod(json!({ "phase": "Pending", "conditions": [{
                    "type": "PodScheduled", "status": "False", "reason": reason,
                    "message": self.said,
                }] })));
                events.push(told("FailedScheduling", &self.said, whole));
            }
            By::Failed(reason) => {
                for number in 0..count {
                    let status =
                        json!({ "phase": "Failed", "reason": reason, "message": self.said });
                    let mut one = pod(status);
                    one.metadata.name = Some(number.to_string());
                    if number > 0 {
                        let time = json!({ "creationTimestamp": "2026-01-01T10:05:00Z" });
                        let time: Pod =
                            serde_json::from_value(json!({ "metadata": time })).unwrap();
                        one.metadata.creation_timestamp = time.metadata.creation_timestamp;
                    }
                    pods.push(one);
                }
            }
            By::Refused(reason) => {
                deployments.push(
                    serde_json::from_value(json!({
                        "metadata": { "name": "superlink-main", "generation": 1 },
                        "spec": { "selector": {}, "template": {} },
                        "status": { "observedGeneration": 1, "conditions": [{
                            "type": "ReplicaFailure", "status": "True", "reason": reason,
                            "message": self.said,
                            "lastTransitionTime": "2026-01-01T10:00:00Z",
                        }] },
                    }))
                    .unwrap(),
                );
                let set = json!({ "kind": "ReplicaSet", "name": "superlink-main-5d5b887b55" });
                let message = format!("Error creating: {}", self.said);
                events.push(told(reason, &message, set));
            }
        }
        Snapshot {
            deployments: by_name(deployments),
            pods: by_name(pods),
            events: by_name(events),
            ..Snapshot::default()
        }
    }

    /// Whether it is a failure after so many reports over this time, and as long by our own clock.
    fn is_named_after(&self, count: u32, over: u32) -> bool {
        let begun = Instant::now();
        let mut debounce = Debounce::new(WaitPolicy {
            scheduling: None,
            starting: None,
            until: begun + Duration::from_hours(1),
        });
        let mut is_due = |count, at: Duration| {
            let found = diagnose(&self.snapshot(count, over)).expect(&self.said);
            assert_eq!(found.kind, self.kind, "{}", self.said);
            debounce.is_due(Some(&found), begun + at)
        };
        is_due(1, Duration::ZERO) || is_due(count, Duration::from_secs(over.into()))
    }
}

#[test]
fn what_passes_by_itself_is_told_from_what_does_not() {
    let all: Vec<Reported> = serde_json::from_str(include_str!("reported.json")).unwrap();
    assert!(all.len() > 60, "there are {}", all.len());
    let grace = u32::try_from(GRACE.as_secs()).unwrap();
    for one in &all {
        let named = if one.is_named_after(1, 0) {
            Named::AtOnce
        } else if !one.is_named_after(1, grace + 4) && one.is_named_after(2, grace + 4) {
            Named::ReportedAgain
        } else if !one.is_named_after(2, 31) && one.is_named_after(3, 31) {
            Named::ReportedOften
        } else {
            assert!(one.is_named_after(1, 301), "{}", one.said);
            Named::WhenItsTimeIsOver
        };
        assert_eq!(named, one.named, "{} ({})", one.said, one.from);
        // Names, numbers and the count of events may change with each attempt.
        if let By::Warning(reason) = &one.by {
            let combined = format!("(combined from similar events): {}", one.said);
            let pod = with(container("superlink", json!({ "waiting": {} })));
            let events = vec![event(reason, &combined, json!({}))];
            let found = super::tests::found(vec![pod], events).unwrap();
            assert_eq!(found.kind, one.kind, "{combined}");
            assert_eq!(found.words, one.said);
        }
    }
}
