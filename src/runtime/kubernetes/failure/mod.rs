//! Names what keeps an object from running, as soon as the cluster knows it: its Deployment, its pods,
//! and what was said about them in events, are watched side by side.

mod seen;
mod trouble;
mod volumes;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim, Pod};
use kube::api::ListParams;

use super::super::{Failure, Patience};
use super::api::{Api, Object, by_name};
use super::changes::{Change, Changes};
use super::error::ClusterError;
use super::{logs, names};
use seen::{Attaches, Seen, node_comes};
use trouble::{Outlook, Scene, Trouble, find, goes_on, in_pod, is_live, statuses};
pub(super) use trouble::{gave_up, latest, words};
use volumes::of_claims;

/// How often the age of what was found is looked at.
const TICK: Duration = Duration::from_secs(1);
const WARNINGS: &str = "type=Warning";

/// Waits until the object has failed in a way that can be named.
pub(super) async fn watch(api: &Api, name: &str, patience: Patience) -> Failure {
    let query = names::query(name);
    let own = format!("metadata.name={name}");
    let mut deployments = Changes::<Deployment>::new(api, "", &own).stream();
    let mut pods = Changes::<Pod>::new(api, &query, "").stream();
    let mut events = Changes::<Event>::new(api, "", WARNINGS).stream();
    let mut seen = Seen::new(patience);
    let mut attaches = Attaches::default();
    let mut scene = Scene::default();
    // What is in sight: of what is not, nothing is said.
    let (mut deployment_known, mut pods_known, mut events_known) = (false, false, false);
    loop {
        let known = tokio::select! {
            Some(change) = deployments.next() => {
                absorb(&mut scene.deployments, change).map(|known| deployment_known = known)
            }
            Some(change) = pods.next() => {
                absorb(&mut scene.pods, change).map(|known| pods_known = known)
            }
            Some(change) = events.next() => {
                // They add words to what pods tell: without the right to see them there is still
                // the rest.
                events_known = match absorb(&mut scene.events, change) {
                    Ok(known) => known,
                    Err(error) => {
                        tracing::warn!(%error, "events are not shown to us");
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
                how: format!("how it fares is not shown to us: {error}"),
                log: Vec::new(),
                advice: error.remedy(),
            };
        }
        if !(deployment_known && pods_known && events_known) {
            continue;
        }
        attaches.forget_aged(&mut scene.events, Instant::now());
        let trouble = find(&scene);
        if !seen.lasts(trouble.as_ref(), Instant::now()) {
            continue;
        }
        let Some(mut trouble) = trouble else {
            continue;
        };
        if seen.may_ask(&trouble, Instant::now()) {
            seen.answer(a_node_comes(api, &scene).await);
            if !seen.lasts(Some(&trouble), Instant::now()) {
                continue;
            }
        }
        if let Some(seconds) = seen.waited(&trouble, Instant::now()) {
            trouble.what = format!("{} (after {seconds} s)", trouble.what);
        }
        return report(api, &scene, trouble).await;
    }
}

/// Whether somebody is making a node for a pod that has none.
async fn a_node_comes(api: &Api, scene: &Scene) -> bool {
    let events = api.all::<Event>();
    for pod in scene.pods.values().filter(|pod| is_live(pod)) {
        let uid = pod.metadata.uid.as_deref().unwrap_or_default();
        let about = ListParams::default().fields(&format!("involvedObject.uid={uid}"));
        // Where it cannot be asked, nothing is known of one.
        if let Ok(found) = events.list(&about).await
            && node_comes(&found.items)
        {
            return true;
        }
    }
    false
}

/// The pods of the object that wait out a pause after a failure, by name. One that starts is none, and
/// neither is one that runs and is silent: it may be at work, and its probes end it if it hangs.
pub(super) async fn failed_pods(api: &Api, name: &str) -> Result<Vec<String>, ClusterError> {
    let pods = api.list::<Pod>(&names::query(name)).await?;
    let pods = by_name(pods.items);
    if pods.is_empty() {
        return Ok(Vec::new());
    }
    let warnings = ListParams::default().fields(WARNINGS);
    let events = api.all::<Event>().list(&warnings).await;
    let events = events.map_or_else(|_| BTreeMap::new(), |events| by_name(events.items));
    let has_failed = |pod: &Pod| {
        let trouble = in_pod(pod, &events);
        trouble.is_some_and(|trouble| trouble.outlook != Outlook::Starting) && !all_go_on(pod)
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

/// Takes in a change; whether it is in sight now. Errors but for a refusal are told by whoever else
/// uses the cluster.
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

async fn report(api: &Api, scene: &Scene, mut trouble: Trouble) -> Failure {
    let mut claims = Vec::new();
    for name in &trouble.claims {
        if let Ok(found) = api.get::<PersistentVolumeClaim>(name).await {
            claims.push((name.clone(), found));
        }
    }
    for words in of_claims(&claims, &scene.events) {
        trouble.words = format!("{}; {words}", trouble.words);
    }
    let log = match &trouble.log_of {
        Some(pod) => logs::of_pod(api, pod, &trouble.process, Failure::LINES).await,
        None => Vec::new(),
    };
    Failure {
        how: trouble.how(),
        process: trouble.process,
        log,
        advice: trouble.advice.map(str::to_owned),
    }
}

#[cfg(test)]
mod seen_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod volume_tests;
