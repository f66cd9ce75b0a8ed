//! Reports why an object does not run, as soon as the cluster knows it: the provider watches the
//! Deployment, its pods and their events at the same time.

mod container;
mod debounce;
mod diagnose;
mod diagnosis;
mod kind;
mod placement;
mod reports;
mod set_up;
mod symptom;
mod volumes;
mod words;

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim, Pod};
use kube::api::ListParams;
use tokio::time::Instant;

use super::super::{Failure, WaitPolicy};
use super::api::{Api, Object, by_name};
use super::error::ClusterError;
use super::watcher::{Change, Watcher};
use super::{logs, names};
use container::{goes_on, statuses};
use debounce::Debounce;
use diagnose::{Snapshot, diagnose, in_pod, is_live};
use diagnosis::Diagnosis;
use kind::Wait;
pub(super) use placement::gave_up;
pub(super) use reports::{latest, words};
use volumes::{claims, of_claims};

/// How often the age of a diagnosis is checked.
const TICK: Duration = Duration::from_secs(1);
const WARNINGS: &str = "type=Warning";

/// Waits until the object has failed for a known reason.
pub(super) async fn watch(api: &Api, name: &str, wait_policy: WaitPolicy) -> Failure {
    let query = names::query(name);
    let own = format!("metadata.name={name}");
    let mut deployments = Watcher::<Deployment>::new(api, "", &own).stream();
    let mut pods = Watcher::<Pod>::new(api, &query, "").stream();
    let mut events = Watcher::<Event>::new(api, "", WARNINGS).stream();
    let mut debounce = Debounce::new(wait_policy);
    let mut snapshot = Snapshot::default();
    // Which watches have listed their objects: there is no diagnosis before all have.
    let (mut deployment_known, mut pods_known, mut events_known) = (false, false, false);
    loop {
        let known = tokio::select! {
            Some(change) = deployments.next() => {
                absorb(&mut snapshot.deployments, change).map(|known| deployment_known = known)
            }
            Some(change) = pods.next() => {
                absorb(&mut snapshot.pods, change).map(|known| pods_known = known)
            }
            Some(change) = events.next() => {
                // Events only add details to the state of pods: without the right to read them, the
                // state is still known.
                events_known = match absorb(&mut snapshot.events, change) {
                    Ok(known) => known,
                    Err(error) => {
                        tracing::warn!(%error, "the provider may not read events");
                        events = stream::pending().boxed();
                        true
                    }
                };
                Ok(())
            }
            () = tokio::time::sleep(TICK) => Ok(()),
        };
        if let Err(error) = known {
            return Failure {
                process: "pod".to_owned(),
                how: format!("the provider cannot read its status: {error}"),
                log: Vec::new(),
                remedy: error.remedy(),
                out_of_time: false,
            };
        }
        if !(deployment_known && pods_known && events_known) {
            continue;
        }
        let Some(mut diagnosis) = diagnose(&snapshot) else {
            debounce.is_due(None, Instant::now());
            continue;
        };
        if !debounce.is_due(Some(&diagnosis), Instant::now()) {
            continue;
        }
        if debounce.may_ask(&diagnosis, Instant::now()) {
            debounce.answer(it_comes(api, &snapshot).await);
            if !debounce.is_due(Some(&diagnosis), Instant::now()) {
                continue;
            }
        }
        if let Some((pod, report)) = &diagnosis.set_up
            && set_up::is_over(&all_about(api, "uid", pod).await, *report)
        {
            snapshot.history.insert(pod.clone(), *report);
            continue;
        }
        diagnosis.waited = debounce.waited(&diagnosis, Instant::now());
        let mut failure = report(api, &snapshot, diagnosis).await;
        failure.out_of_time = debounce.is_out_of_time();
        return failure;
    }
}

/// Whether a controller is creating a node or a volume for a pod without a node.
async fn it_comes(api: &Api, snapshot: &Snapshot) -> bool {
    for pod in snapshot.pods.values().filter(|pod| is_live(pod)) {
        let uid = pod.metadata.uid.as_deref().unwrap_or_default();
        if placement::comes(&all_about(api, "uid", uid).await) {
            return true;
        }
        let since = pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
        for claim in claims(pod) {
            let mut said = all_about(api, "name", &claim).await;
            said.retain(|event| latest(event) >= since);
            if placement::comes(&said) {
                return true;
            }
        }
    }
    false
}

/// All events about an object, not only warnings. If they cannot be read, there are none.
async fn all_about(api: &Api, field: &str, value: &str) -> Vec<Event> {
    let about = ListParams::default().fields(&format!("involvedObject.{field}={value}"));
    let found = api.all::<Event>().list(&about).await;
    found.map(|found| found.items).unwrap_or_default()
}

/// The names of the object's pods that wait for a restart after a failure. A pod that is starting
/// does not count, nor one that runs and does not answer: it may be busy, and its probes end it if
/// it hangs.
pub(super) async fn failed_pods(api: &Api, name: &str) -> Result<Vec<String>, ClusterError> {
    let pods = api.list::<Pod>(&names::query(name)).await?;
    let pods = by_name(pods.items);
    if pods.is_empty() {
        return Ok(Vec::new());
    }
    let warnings = ListParams::default().fields(WARNINGS);
    let events = api.all::<Event>().list(&warnings).await;
    let snapshot = Snapshot {
        events: events.map_or_else(|_| BTreeMap::new(), |events| by_name(events.items)),
        ..Snapshot::default()
    };
    let has_failed = |pod: &Pod| {
        let wait = in_pod(pod, &snapshot).map(|found| found.kind.judgement().wait);
        wait.is_some_and(|wait| wait != Wait::Starting) && !all_go_on(pod)
    };
    let failed = pods
        .into_iter()
        .filter(|(_, pod)| is_live(pod) && has_failed(pod));
    Ok(failed.map(|(name, _)| name).collect())
}

fn all_go_on(pod: &Pod) -> bool {
    let mut all = statuses(pod).peekable();
    all.peek().is_some() && all.all(goes_on)
}

/// Stores a change; the result is whether the objects are known now. Only a refusal is an error
/// here: all other errors are reported by the other calls to the cluster.
fn absorb<K: Object>(
    all: &mut BTreeMap<String, K>,
    change: Result<Change<K>, ClusterError>,
) -> Result<bool, ClusterError> {
    let name = |item: &K| item.meta().name.clone().unwrap_or_default();
    match change {
        Ok(Change::All(items)) => *all = by_name(items),
        Ok(Change::Is(item)) => drop(all.insert(name(&item), item)),
        Ok(Change::Gone(item)) => drop(all.remove(&name(&item))),
        Err(error @ ClusterError::Forbidden { .. }) => return Err(error),
        Err(_) => return Ok(false),
    }
    Ok(true)
}

async fn report(api: &Api, snapshot: &Snapshot, mut diagnosis: Diagnosis) -> Failure {
    let mut claims = Vec::new();
    for name in &diagnosis.claims {
        if let Ok(found) = api.get::<PersistentVolumeClaim>(name).await {
            claims.push((name.clone(), found));
        }
    }
    for words in of_claims(&claims, &snapshot.events) {
        diagnosis.words = format!("{}; {words}", diagnosis.words);
    }
    let log = match &diagnosis.log_of {
        Some(pod) => logs::of_pod(api, pod, &diagnosis.process, Failure::LINES).await,
        None => Vec::new(),
    };
    Failure {
        how: diagnosis.how(),
        process: diagnosis.process,
        log,
        remedy: diagnosis.remedy.map(str::to_owned),
        out_of_time: false,
    }
}

#[cfg(test)]
mod debounce_tests;
#[cfg(test)]
mod placement_tests;
#[cfg(test)]
mod reported_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod volume_tests;
