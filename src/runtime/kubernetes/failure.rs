//! Names what keeps an object from running, as soon as the cluster knows it: its pods, and what was
//! said about them in events, are watched side by side.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};
use kube::ResourceExt as _;
use kube::api::{ListParams, WatchEvent, WatchParams};
use tokio::time::Instant;

use super::super::Failure;
use super::api::{Api, Object};
use super::{logs, names};

/// What may pass by itself is named only when it lasted as long.
const GRACE: Duration = Duration::from_secs(8);
/// How often the age of what was found is looked at.
const TICK: Duration = Duration::from_secs(1);
const WATCH_SECONDS: u32 = 290;
const LINES: usize = 20;

/// Waits until the object has failed in a way that can be named.
pub(super) async fn watch(api: &Api, name: &str) -> Failure {
    let mut seen = Seen::default();
    loop {
        // A listing or watch that fails is begun again: whoever else uses the cluster says why.
        if let Some(failure) = follow(api, name, &mut seen).await {
            return failure;
        }
        tokio::time::sleep(TICK).await;
    }
}

/// Since when the same trouble has been seen.
#[derive(Default)]
struct Seen(Option<(String, Instant)>);

impl Seen {
    fn lasts(&mut self, trouble: &str) -> Duration {
        match &self.0 {
            Some((before, since)) if before == trouble => since.elapsed(),
            _ => {
                self.0 = Some((trouble.to_owned(), Instant::now()));
                Duration::ZERO
            }
        }
    }
}

async fn follow(api: &Api, name: &str, seen: &mut Seen) -> Option<Failure> {
    let of_pods = names::query(name);
    let pods = ListParams::default().labels(&of_pods);
    let pods = api.all::<Pod>().list(&pods).await.ok()?;
    let warnings = ListParams::default().fields("type=Warning");
    let events = api.all::<Event>().list(&warnings).await.ok()?;
    let pod_watch = WatchParams::default()
        .labels(&of_pods)
        .timeout(WATCH_SECONDS);
    let event_watch = WatchParams::default()
        .fields("type=Warning")
        .timeout(WATCH_SECONDS);
    let version = |meta: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ListMeta| {
        meta.resource_version.clone().unwrap_or_default()
    };
    let (pods_at, events_at) = (version(&pods.metadata), version(&events.metadata));
    let mut pods = by_name(pods.items);
    let mut events = by_name(events.items);
    events.retain(|_, event| is_about(event, name));
    let pod_changes = api.all::<Pod>();
    let mut pod_changes = pod_changes.watch(&pod_watch, &pods_at).await.ok()?.boxed();
    let event_changes = api.all::<Event>();
    let event_changes = event_changes.watch(&event_watch, &events_at).await.ok()?;
    let mut event_changes = event_changes.boxed();
    loop {
        if let Some(trouble) = find(&pods, &events) {
            let lasting = !trouble.may_pass || seen.lasts(&trouble.how) >= GRACE;
            if lasting {
                return Some(report(api, trouble).await);
            }
        } else {
            seen.0 = None;
        }
        tokio::select! {
            change = pod_changes.try_next() => absorb(&mut pods, change.ok()??)?,
            change = event_changes.try_next() => {
                absorb(&mut events, change.ok()??)?;
                events.retain(|_, event| is_about(event, name));
            }
            () = tokio::time::sleep(TICK) => {}
        }
    }
}

fn by_name<K: Object>(items: Vec<K>) -> BTreeMap<String, K> {
    items
        .into_iter()
        .map(|item| (item.meta().name.clone().unwrap_or_default(), item))
        .collect()
}

/// Takes in a change; `None` when the watch must be begun again.
fn absorb<K: Object>(all: &mut BTreeMap<String, K>, change: WatchEvent<K>) -> Option<()> {
    let name = |item: &K| item.meta().name.clone().unwrap_or_default();
    match change {
        WatchEvent::Added(item) | WatchEvent::Modified(item) => {
            all.insert(name(&item), item);
        }
        WatchEvent::Deleted(item) => {
            all.remove(&name(&item));
        }
        WatchEvent::Bookmark(_) => {}
        WatchEvent::Error(_) => return None,
    }
    Some(())
}

/// Whether an event is about the object's Deployment, a ReplicaSet or pod of it, or its volume.
fn is_about(event: &Event, name: &str) -> bool {
    let about = event.involved_object.name.as_deref().unwrap_or_default();
    about == name
        || about
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('-'))
            .is_some_and(|rest| {
                // The hash of a ReplicaSet, and the end of a pod's name.
                let mut parts = rest.split('-');
                let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric());
                parts.next().is_some_and(plain)
                    && parts.next().is_none_or(plain)
                    && parts.next().is_none()
            })
}

/// What is wrong, before its log was read.
#[derive(Debug, PartialEq, Eq)]
struct Trouble {
    process: String,
    how: String,
    advice: Option<&'static str>,
    /// It is often gone a moment later.
    may_pass: bool,
    /// The pod whose log tells more.
    log_of: Option<String>,
}

async fn report(api: &Api, trouble: Trouble) -> Failure {
    let log = match &trouble.log_of {
        Some(pod) => logs::of_pod(api, pod, &trouble.process, LINES).await,
        None => Vec::new(),
    };
    Failure {
        process: trouble.process,
        how: trouble.how,
        log,
        advice: trouble.advice.map(str::to_owned),
    }
}

/// Whether a container of the pod has ended with an error, or waits to be started again after one.
pub(super) fn has_crashed(pod: &Pod) -> bool {
    statuses(pod).any(|status| crash(pod, status).is_some())
}

fn statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    pod.status
        .iter()
        .flat_map(|status| status.container_statuses.iter().flatten())
}

fn find(pods: &BTreeMap<String, Pod>, events: &BTreeMap<String, Event>) -> Option<Trouble> {
    let live = || {
        pods.values()
            .filter(|pod| pod.metadata.deletion_timestamp.is_none())
    };
    for pod in live() {
        let found = statuses(pod).find_map(|status| crash(pod, status));
        if let Some(found) = found.or_else(|| statuses(pod).find_map(|status| waiting(pod, status)))
        {
            return Some(found);
        }
    }
    if let Some(found) = live().find_map(unschedulable) {
        return Some(with_volume_events(found, events));
    }
    // A pod that stands makes old warnings history.
    if live().any(is_ready) {
        return None;
    }
    events
        .values()
        .filter(|event| {
            let about = &event.involved_object;
            // What was said of a pod that is gone is history, too.
            about.kind.as_deref() != Some("Pod")
                || about
                    .name
                    .as_ref()
                    .is_some_and(|name| pods.contains_key(name))
        })
        .find_map(from_event)
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn crash(pod: &Pod, status: &ContainerStatus) -> Option<Trouble> {
    let ended = |state: &Option<k8s_openapi::api::core::v1::ContainerState>| {
        state.as_ref().and_then(|state| state.terminated.clone())
    };
    let end = ended(&status.state).or_else(|| ended(&status.last_state))?;
    let reason = end.reason.as_deref().unwrap_or_default();
    let (how, advice) = match reason {
        "OOMKilled" => (
            "it was killed because it used more memory than its limit".to_owned(),
            Some("Raise `kubernetes.resources.limits.memory`."),
        ),
        "StartError" | "ContainerCannotRun" => (
            format!(
                "it cannot be started: {}",
                end.message.as_deref().unwrap_or(reason)
            ),
            Some("Check that the image is one of Flower's, of this release."),
        ),
        _ => (
            format!("it ended with exit status: {}", end.exit_code),
            None,
        ),
    };
    Some(Trouble {
        process: status.name.clone(),
        how,
        advice,
        may_pass: false,
        log_of: Some(pod.name_any()),
    })
}

fn waiting(_: &Pod, status: &ContainerStatus) -> Option<Trouble> {
    let waiting = status.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref()?;
    let words = waiting.message.clone().unwrap_or_default();
    let (what, advice, may_pass) = match reason {
        "ErrImagePull" | "ImagePullBackOff" => (
            "its image cannot be pulled",
            "Check the name in `kubernetes.image`, that the registry is reached from the nodes, and \
             `kubernetes.image_pull_secrets`.",
            true,
        ),
        "InvalidImageName" | "ErrImageNeverPull" => (
            "its image cannot be used",
            "Check `kubernetes.image` and `kubernetes.image_pull_policy`.",
            false,
        ),
        "CreateContainerConfigError" => (
            "its settings name something that is not there",
            "Make the Secret or ConfigMap that is missing, or take it out of `kubernetes`.",
            true,
        ),
        "CreateContainerError" | "RunContainerError" => (
            "it cannot be started",
            "Check that the image is one of Flower's, of this release.",
            true,
        ),
        _ => return None,
    };
    Some(Trouble {
        process: status.name.clone(),
        how: format!("{what} ({reason}): image {:?}, {words}", status.image),
        advice: Some(advice),
        may_pass,
        log_of: None,
    })
}

fn unschedulable(pod: &Pod) -> Option<Trouble> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let condition = conditions
        .iter()
        .find(|one| one.type_ == "PodScheduled" && one.status == "False")?;
    (condition.reason.as_deref() == Some("Unschedulable")).then(|| Trouble {
        process: "pod".to_owned(),
        how: format!(
            "no node takes it: {}",
            condition.message.as_deref().unwrap_or_default()
        ),
        advice: Some(
            "Add such a node, or change `kubernetes.resources`, `node_selector`, `tolerations` or \
             `affinity`.",
        ),
        may_pass: true,
        log_of: None,
    })
}

/// Where a volume is what a pod waits for, its own words say more.
fn with_volume_events(mut trouble: Trouble, events: &BTreeMap<String, Event>) -> Trouble {
    if !trouble
        .how
        .to_ascii_lowercase()
        .contains("persistentvolumeclaim")
    {
        return trouble;
    }
    trouble.advice =
        Some("Check the StorageClass (`persistence.storage_class`) and its provisioner.");
    let about_volume =
        |event: &&Event| event.involved_object.kind.as_deref() == Some("PersistentVolumeClaim");
    if let Some(words) = events
        .values()
        .find(about_volume)
        .and_then(|event| event.message.as_deref())
    {
        trouble.how = format!("{}; {words}", trouble.how);
    }
    trouble
}

fn from_event(event: &Event) -> Option<Trouble> {
    let words = event.message.clone().unwrap_or_default();
    let (what, advice, may_pass): (_, &'static str, _) = match event.reason.as_deref()? {
        "FailedCreate" if words.contains("exceeded quota") => (
            "a quota is used up",
            "Raise the ResourceQuota of the namespace, free some of it, or ask for less in \
             `kubernetes.resources`.",
            false,
        ),
        "FailedCreate" if words.contains("violates PodSecurity") => (
            "the namespace does not allow such a pod",
            "Take out of `kubernetes` what its Pod Security Standard forbids.",
            false,
        ),
        "FailedCreate" => (
            "its pod cannot be made",
            "Check the ServiceAccount, PriorityClass and RuntimeClass in `kubernetes`.",
            true,
        ),
        "FailedMount" | "FailedAttachVolume" => (
            "a volume cannot be mounted",
            "Check that the Secret, ConfigMap or claim in `kubernetes.volumes` exists.",
            true,
        ),
        "ProvisioningFailed" => (
            "its volume cannot be made",
            "Check the StorageClass (`persistence.storage_class`) and its provisioner.",
            true,
        ),
        "FailedCreatePodSandBox" => (
            "its pod cannot be set up",
            "Look at the node: its network plugin or RuntimeClass.",
            true,
        ),
        "Unhealthy" if words.contains("Liveness") || words.contains("Startup") => (
            "it does not answer its health probe",
            "Look at its log; a slow node may need more CPU (`kubernetes.resources`).",
            true,
        ),
        _ => return None,
    };
    // The health of what still starts is a question of time, and its own limit ends it.
    if event.reason.as_deref() == Some("Unhealthy") && words.contains("Startup") {
        return None;
    }
    Some(Trouble {
        process: "pod".to_owned(),
        how: format!("{what}: {words}"),
        advice: Some(advice),
        may_pass,
        log_of: None,
    })
}
