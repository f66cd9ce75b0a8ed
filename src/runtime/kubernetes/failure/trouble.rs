//! What the state of pods, and what was said about them, comes to: pure functions.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{
    Container, ContainerStateTerminated, ContainerStatus, Event, Pod,
};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use super::super::manifest::GATEWAY;
use super::volumes::{NO_VOLUME, claims, not_set_up, unprovisioned};

const FOREIGN_IMAGE: &str = "Check that the image is one of Flower's, of this release.";

/// All that tells how an object fares.
#[derive(Default)]
pub(super) struct Scene {
    /// One at most.
    pub deployments: BTreeMap<String, Deployment>,
    pub pods: BTreeMap<String, Pod>,
    /// The warnings of the namespace.
    pub events: BTreeMap<String, Event>,
}

/// What becomes of a trouble that is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outlook {
    /// It stays.
    Lasting,
    /// It is often gone a moment later.
    Passing,
    /// A node or a volume ends it, which some clusters make on demand.
    Placing,
    /// The first answer ends it, and programs take their time for that.
    Starting,
}

/// What is wrong, before its log was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub process: String,
    /// The same for as long as the trouble is: `words` may change from one attempt to the next.
    pub what: String,
    pub words: String,
    pub advice: Option<&'static str>,
    pub outlook: Outlook,
    /// The pod whose log tells more.
    pub log_of: Option<String>,
    /// The claims that it is about.
    pub claims: Vec<String>,
}

impl Trouble {
    pub(super) fn of_pod(what: &str, words: &str, advice: &'static str) -> Self {
        Self {
            process: "pod".to_owned(),
            what: what.to_owned(),
            words: words.to_owned(),
            advice: Some(advice),
            outlook: Outlook::Passing,
            log_of: None,
            claims: Vec::new(),
        }
    }

    /// The same about a node or a volume.
    pub(super) fn of_place(what: &str, words: &str, advice: &'static str) -> Self {
        Self {
            outlook: Outlook::Placing,
            ..Self::of_pod(what, words, advice)
        }
    }

    pub(super) fn how(&self) -> String {
        if self.words.is_empty() {
            self.what.clone()
        } else {
            format!("{}: {}", self.what, self.words)
        }
    }
}

pub(super) fn find(scene: &Scene) -> Option<Trouble> {
    let live = || scene.pods.values().filter(|pod| is_live(pod));
    live()
        .find_map(|pod| in_pod(pod, &scene.events))
        // Where there is a pod, why there once was none is history.
        .or_else(|| match live().next() {
            Some(_) => None,
            None => scene.deployments.values().find_map(no_pod),
        })
}

pub(super) fn is_live(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none()
}

/// What keeps the pod from being ready; a pod that stands makes old warnings history.
pub(super) fn in_pod(pod: &Pod, events: &BTreeMap<String, Event>) -> Option<Trouble> {
    if condition(pod, "Ready").is_some_and(|(status, _, _)| status == "True") {
        return None;
    }
    let about: Vec<&Event> = events
        .values()
        .filter(|event| event.involved_object.uid == pod.metadata.uid)
        .collect();
    ended_by_node(pod)
        .or_else(|| statuses(pod).find_map(|status| crash(pod, status, &about)))
        .or_else(|| statuses(pod).find_map(|status| waiting(pod, status)))
        .or_else(|| unschedulable(pod))
        .or_else(|| unprovisioned(pod, events))
        .or_else(|| not_set_up(pod, &about))
        .or_else(|| statuses(pod).find_map(|status| silent(pod, status, &about)))
        .or_else(|| statuses(pod).find_map(|status| unstarted(pod, status, &about)))
}

/// The statuses of the containers, in the order in which they are specified: what depends on others
/// comes after them, and so do its complaints.
pub(super) fn statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let place = |name: &str| {
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        containers.enumerate().find(|(_, one)| one.name == name)
    };
    let of = pod.status.iter();
    let mut all: Vec<_> = of
        .flat_map(|status| status.container_statuses.iter().flatten())
        .collect();
    all.sort_by_key(|status| place(&status.name).map_or(usize::MAX, |(place, _)| place));
    all.into_iter()
}

fn specified<'a>(pod: &'a Pod, status: &ContainerStatus) -> Option<&'a Container> {
    let mut all = pod.spec.as_ref()?.containers.iter();
    all.find(|one| one.name == status.name)
}

/// The image as it was asked for; nodes call it by longer names.
fn image<'a>(pod: &'a Pod, status: &'a ContainerStatus) -> &'a str {
    specified(pod, status)
        .and_then(|one| one.image.as_deref())
        .unwrap_or(&status.image)
}

/// The status, reason and message of a condition.
pub(super) fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let found = conditions.iter().find(|one| one.type_ == kind)?;
    let text = |text: &'a Option<String>| text.as_deref().unwrap_or_default();
    Some((&found.status, text(&found.reason), text(&found.message)))
}

/// Evicted, or never taken in by the node.
fn ended_by_node(pod: &Pod) -> Option<Trouble> {
    let status = pod.status.as_ref()?;
    let reason = status.reason.as_deref()?;
    (status.phase.as_deref() == Some("Failed")).then(|| {
        Trouble::of_pod(
            &format!("the node ended it ({reason})"),
            status.message.as_deref().unwrap_or_default(),
            "Look at the node's memory, disk and taints, or ask for more in `kubernetes.resources`.",
        )
    })
}

/// Whether it runs and has been well since it was started: what becomes of it is for its probes to say.
pub(super) fn goes_on(status: &ContainerStatus) -> bool {
    let runs = status
        .state
        .as_ref()
        .is_some_and(|one| one.running.is_some());
    runs && status.started == Some(true)
}

fn crash(pod: &Pod, status: &ContainerStatus, about: &[&Event]) -> Option<Trouble> {
    // A restart that it has recovered from is none of ours, even if it does not answer just now.
    if status.ready || goes_on(status) {
        return None;
    }
    let lives = [status.state.as_ref(), status.last_state.as_ref()];
    let end = lives
        .into_iter()
        .flatten()
        .find_map(|state| state.terminated.as_ref())?;
    let reason = end.reason.as_deref().unwrap_or_default();
    let code = end.exit_code;
    let (what, words, advice) = match reason {
        "OOMKilled" => (
            "it was killed because it used more memory than its limit".to_owned(),
            String::new(),
            Some(more_memory(pod, status)),
        ),
        "StartError" | "ContainerCannotRun" => (
            "it cannot be started".to_owned(),
            format!(
                "image {:?}, {}",
                image(pod, status),
                end.message.as_deref().unwrap_or(reason)
            ),
            Some(FOREIGN_IMAGE),
        ),
        _ => match unanswered(pod, status, end, about) {
            Some(words) => (
                format!("it was ended (exit status: {code}) since it did not answer its probe"),
                words,
                Some(SILENT),
            ),
            None => (
                format!("it ended with exit status: {code}"),
                String::new(),
                None,
            ),
        },
    };
    Some(Trouble {
        process: status.name.clone(),
        what,
        words,
        advice,
        outlook: Outlook::Lasting,
        log_of: Some(pod.name_any()),
        claims: Vec::new(),
    })
}

/// Where the memory of a container is set. Apps run in the last one but for the gateway.
fn more_memory(pod: &Pod, status: &ContainerStatus) -> &'static str {
    let names = pod.spec.iter().flat_map(|spec| &spec.containers);
    let mut servers = names
        .map(|one| one.name.as_str())
        .filter(|one| *one != GATEWAY);
    if status.name == GATEWAY {
        "Raise `kubernetes.gateway_resources.limits.memory`."
    } else if servers.next_back() == Some(&status.name) {
        "Raise `kubernetes.resources.limits.memory`."
    } else {
        "Raise `kubernetes.server_resources.limits.memory`."
    }
}

const SILENT: &str =
    "Look at its log; a slow node may need to give it more CPU (`kubernetes.resources`).";

/// What the probe said for which the kubelet ended a container.
fn unanswered(
    pod: &Pod,
    status: &ContainerStatus,
    end: &ContainerStateTerminated,
    about: &[&Event],
) -> Option<String> {
    let (from, to) = (end.started_at.as_ref()?.0, end.finished_at.as_ref()?.0);
    if let Some(event) = probe_failure(about, &status.name, &["Liveness"], from) {
        return Some(words(event).to_owned());
    }
    // Until it answers for the first time every probe fails: only all of them together end it.
    let probe = specified(pod, status)?.startup_probe.as_ref()?;
    let patience = probe.period_seconds.unwrap_or(10) * probe.failure_threshold.unwrap_or(3);
    let lived = to.as_second() - from.as_second();
    if lived < i64::from(patience) || ![137, 143].contains(&end.exit_code) {
        return None;
    }
    let event = probe_failure(about, &status.name, &["Startup"], from)?;
    Some(words(event).to_owned())
}

/// The last failure since `from` of these kinds of probes of a container.
fn probe_failure<'a>(
    about: &[&'a Event],
    container: &str,
    kinds: &[&str],
    from: Timestamp,
) -> Option<&'a Event> {
    let field = format!("spec.containers{{{container}}}");
    let failed = about.iter().filter(|event| {
        event.reason.as_deref() == Some("Unhealthy")
            && event.involved_object.field_path.as_deref() == Some(&field)
            && latest(event).is_some_and(|at| at >= from)
            && kinds.iter().any(|kind| words(event).starts_with(kind))
    });
    failed.max_by_key(|event| latest(event)).copied()
}

pub(in super::super) fn words(event: &Event) -> &str {
    event.message.as_deref().unwrap_or_default()
}

pub(in super::super) fn latest(event: &Event) -> Option<Timestamp> {
    let series = event.series.as_ref();
    let series = series.and_then(|series| Some(series.last_observed_time.as_ref()?.0));
    series
        .or_else(|| Some(event.last_timestamp.as_ref()?.0))
        .or_else(|| Some(event.event_time.as_ref()?.0))
        .or_else(|| Some(event.first_timestamp.as_ref()?.0))
}

fn waiting(pod: &Pod, status: &ContainerStatus) -> Option<Trouble> {
    let waiting = status.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref()?;
    let said = waiting.message.as_deref().unwrap_or(reason);
    let (what, advice, outlook) = match reason {
        "ErrImagePull" | "ImagePullBackOff" => (
            "its image cannot be pulled",
            "Check the name in `kubernetes.image`, that the registry is reached from the nodes, and \
             `kubernetes.image_pull_secrets`.",
            Outlook::Passing,
        ),
        "InvalidImageName" | "ErrImageNeverPull" => (
            "its image cannot be used",
            "Check `kubernetes.image` and `kubernetes.image_pull_policy`.",
            Outlook::Lasting,
        ),
        "CreateContainerConfigError" => (
            "its settings name something that is not there",
            "Make the Secret or ConfigMap that is missing, or take it out of `kubernetes`.",
            Outlook::Passing,
        ),
        "CreateContainerError" | "RunContainerError" => {
            ("it cannot be started", FOREIGN_IMAGE, Outlook::Passing)
        }
        _ => return None,
    };
    // The reason changes between attempts and back.
    let image = image(pod, status);
    let words = if said.contains(reason) {
        format!("image {image:?}, {said}")
    } else {
        format!("image {image:?}, {reason}: {said}")
    };
    Some(Trouble {
        process: status.name.clone(),
        outlook,
        ..Trouble::of_pod(what, &words, advice)
    })
}

fn unschedulable(pod: &Pod) -> Option<Trouble> {
    let ("False", "Unschedulable", said) = condition(pod, "PodScheduled")? else {
        return None;
    };
    // What follows is about preemption, which is not what is asked for.
    let said = said.split_once(". ").map_or(said, |(first, _)| first);
    let about_volume = said.to_ascii_lowercase().contains("persistentvolume")
        || said.to_ascii_lowercase().contains("persistent volume");
    Some(if about_volume {
        Trouble {
            claims: claims(pod),
            ..Trouble::of_place("its volume is not there", said, NO_VOLUME)
        }
    } else {
        Trouble::of_place(
            "no node takes it",
            said,
            "Add such a node, or change `kubernetes.resources`, `node_selector`, `tolerations` or \
             `affinity`. On a cluster that adds nodes by itself, set `kubernetes.scheduling_timeout`.",
        )
    })
}

/// It runs, was well once, and does not answer any more.
fn silent(pod: &Pod, status: &ContainerStatus, about: &[&Event]) -> Option<Trouble> {
    let running = status.state.as_ref()?.running.as_ref()?;
    if status.ready || status.started != Some(true) {
        return None;
    }
    let since = running.started_at.as_ref()?.0;
    let said = probe_failure(about, &status.name, &["Liveness", "Readiness"], since)?;
    Some(Trouble {
        process: status.name.clone(),
        // Once may be a moment's; more often, a probe has had the patience that is asked of us.
        outlook: if said.count.unwrap_or(1) < 3 {
            Outlook::Passing
        } else {
            Outlook::Lasting
        },
        log_of: Some(pod.name_any()),
        ..Trouble::of_pod("it does not answer its health probe", words(said), SILENT)
    })
}

/// It runs, and has not answered yet: it starts, or it never will. What its probe says is the same.
fn unstarted(pod: &Pod, status: &ContainerStatus, about: &[&Event]) -> Option<Trouble> {
    let running = status.state.as_ref()?.running.as_ref()?;
    specified(pod, status)?.startup_probe.as_ref()?;
    if status.started != Some(false) {
        return None;
    }
    let since = running.started_at.as_ref()?.0;
    let said = probe_failure(about, &status.name, &["Startup"], since);
    Some(Trouble {
        process: status.name.clone(),
        outlook: Outlook::Starting,
        log_of: Some(pod.name_any()),
        ..Trouble::of_pod(
            "it has not answered its health probe yet",
            said.map(words).unwrap_or_default(),
            "Look at its log. Where it only takes its time, give it more CPU \
             (`kubernetes.resources`), or raise `kubernetes.start_timeout`.",
        )
    })
}

/// Why the Deployment has no pod: that is said of the Deployment as it is, not as it was.
fn no_pod(deployment: &Deployment) -> Option<Trouble> {
    let status = deployment.status.as_ref()?;
    if status.observed_generation < deployment.metadata.generation {
        return None;
    }
    let conditions = status.conditions.iter().flatten();
    let mut failures =
        conditions.filter(|one| one.type_ == "ReplicaFailure" && one.status == "True");
    let said = failures.next()?.message.as_deref().unwrap_or_default();
    let (what, advice) = if said.contains("exceeded quota") {
        (
            "a quota is used up",
            "Raise the ResourceQuota of the namespace, free some of it, or ask for less in \
             `kubernetes.resources` and its like.",
        )
    } else if said.contains("failed quota") {
        (
            "a quota wants to know what it needs",
            "Set what the ResourceQuota counts for each container: in `kubernetes.resources` for what \
             runs apps, in `kubernetes.server_resources` for a SuperLink or SuperNode beside that, and \
             in `kubernetes.gateway_resources` for the gateway.",
        )
    } else if said.contains("violates PodSecurity") {
        (
            "the namespace does not allow such a pod",
            "Take out of `kubernetes` what its Pod Security Standard forbids.",
        )
    } else {
        (
            "its pod cannot be made",
            "Check the ServiceAccount, PriorityClass and RuntimeClass in `kubernetes`, and what else \
             the namespace demands of pods.",
        )
    };
    Some(Trouble::of_pod(what, said, advice))
}

/// Whether its controller has given up on a pod for a while, and must be told to try again.
pub(in super::super) fn gave_up(deployment: &Deployment) -> bool {
    no_pod(deployment).is_some()
}
