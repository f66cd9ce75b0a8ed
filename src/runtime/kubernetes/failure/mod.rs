//! Names what keeps an object from running, as soon as the cluster knows it: its Deployment, its pods,
//! and what was said about them in events, are watched side by side.

mod trouble;
mod volumes;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim, Pod};
use kube::api::{ListParams, WatchEvent, WatchParams};

use super::super::Failure;
use super::api::{Api, Object};
use super::error::ClusterError;
use super::{logs, names};
pub(super) use trouble::gave_up;
use trouble::{Scene, Trouble, find, in_pod, is_live};
use volumes::of_claims;

/// What may pass by itself is named only when it lasted as long.
const GRACE: Duration = Duration::from_secs(8);
/// How often the age of what was found is looked at.
const TICK: Duration = Duration::from_secs(1);
const WATCH_SECONDS: u32 = 290;
const LINES: usize = 20;
const WARNINGS: &str = "type=Warning";

type Changes<K> = BoxStream<'static, kube::Result<WatchEvent<K>>>;

/// Waits until the object has failed in a way that can be named.
pub(super) async fn watch(api: &Api, name: &str) -> Failure {
    let mut seen = Seen::default();
    loop {
        match follow(api, name, &mut seen).await {
            Ok(Some(failure)) => return failure,
            Err(error @ ClusterError::Forbidden { .. }) => {
                return Failure {
                    process: "pod".to_owned(),
                    how: format!("how it fares is not shown to us: {error}"),
                    log: Vec::new(),
                    advice: error.remedy(),
                };
            }
            // A watch that ended is begun again; of other errors whoever else uses the cluster tells.
            Ok(None) | Err(_) => tokio::time::sleep(TICK).await,
        }
    }
}

/// The pods of the object that wait out a pause after a failure, by name.
pub(super) async fn failed_pods(api: &Api, name: &str) -> Result<Vec<String>, ClusterError> {
    let pods = api.list::<Pod>(&names::query(name)).await?;
    let pods = by_name(pods.items);
    if pods.is_empty() {
        return Ok(Vec::new());
    }
    let warnings = ListParams::default().fields(WARNINGS);
    let events = api.all::<Event>().list(&warnings).await;
    let events = events.map_or_else(|_| BTreeMap::new(), |events| by_name(events.items));
    let failed = pods
        .into_iter()
        .filter(|(_, pod)| is_live(pod) && in_pod(pod, &events).is_some());
    Ok(failed.map(|(name, _)| name).collect())
}

/// Since when the same trouble has been seen.
#[derive(Default)]
struct Seen(Option<(String, Instant)>);

impl Seen {
    /// Whether the trouble is one, and not a moment's.
    fn lasts(&mut self, trouble: Option<&Trouble>, now: Instant) -> bool {
        let Some(trouble) = trouble else {
            self.0 = None;
            return false;
        };
        let name = format!("{} {}", trouble.process, trouble.what);
        let since = match &self.0 {
            Some((before, since)) if *before == name => *since,
            _ => {
                self.0 = Some((name, now));
                now
            }
        };
        !trouble.may_pass || now.duration_since(since) >= GRACE
    }
}

async fn follow(api: &Api, name: &str, seen: &mut Seen) -> Result<Option<Failure>, ClusterError> {
    let own = format!("metadata.name={name}");
    let query = names::query(name);
    let (deployments, mut deployment_changes) = begin::<Deployment>(api, "", &own).await?;
    let (pods, mut pod_changes) = begin::<Pod>(api, &query, "").await?;
    // Events add words to what pods tell: without the right to see them there is still the rest.
    let (events, mut event_changes) = match begin::<Event>(api, "", WARNINGS).await {
        Err(ClusterError::Forbidden { words }) => {
            tracing::warn!(words, "events are not shown to us");
            (BTreeMap::new(), stream::pending().boxed())
        }
        begun => begun?,
    };
    let mut scene = Scene {
        deployments,
        pods,
        events,
    };
    loop {
        let trouble = find(&scene);
        if seen.lasts(trouble.as_ref(), Instant::now())
            && let Some(trouble) = trouble
        {
            return Ok(Some(report(api, &scene, trouble).await));
        }
        let goes_on = tokio::select! {
            change = deployment_changes.try_next() => absorb(&mut scene.deployments, change),
            change = pod_changes.try_next() => absorb(&mut scene.pods, change),
            change = event_changes.try_next() => absorb(&mut scene.events, change),
            () = tokio::time::sleep(TICK) => true,
        };
        if !goes_on {
            return Ok(None);
        }
    }
}

/// What is there, and what changes from then on.
async fn begin<K: Object>(
    api: &Api,
    labels: &str,
    fields: &str,
) -> Result<(BTreeMap<String, K>, Changes<K>), ClusterError> {
    let all = api.all::<K>();
    let kind = <K as k8s_openapi::Resource>::KIND;
    let list = ListParams::default().labels(labels).fields(fields);
    let list = all.list(&list).await;
    let list = list.map_err(|error| api.failed(error, kind))?;
    let at = list.metadata.resource_version.unwrap_or_default();
    let watch = WatchParams::default()
        .labels(labels)
        .fields(fields)
        .timeout(WATCH_SECONDS);
    let changes = all.watch(&watch, &at).await;
    let changes = changes.map_err(|error| api.failed(error, kind))?;
    Ok((by_name(list.items), changes.boxed()))
}

fn by_name<K: Object>(items: Vec<K>) -> BTreeMap<String, K> {
    items
        .into_iter()
        .map(|item| (item.meta().name.clone().unwrap_or_default(), item))
        .collect()
}

/// Takes in a change; `false` when the watch must be begun again.
fn absorb<K: Object>(
    all: &mut BTreeMap<String, K>,
    change: kube::Result<Option<WatchEvent<K>>>,
) -> bool {
    let name = |item: &K| item.meta().name.clone().unwrap_or_default();
    match change {
        Ok(Some(WatchEvent::Added(item) | WatchEvent::Modified(item))) => {
            all.insert(name(&item), item);
        }
        Ok(Some(WatchEvent::Deleted(item))) => {
            all.remove(&name(&item));
        }
        Ok(Some(WatchEvent::Bookmark(_))) => {}
        Ok(Some(WatchEvent::Error(_)) | None) | Err(_) => return false,
    }
    true
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
        Some(pod) => logs::of_pod(api, pod, &trouble.process, LINES).await,
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
mod tests;
#[cfg(test)]
mod volume_tests;
