//! Why a container does not run, has ended, or does not answer.

use k8s_openapi::api::core::v1::{
    Container, ContainerStateTerminated, ContainerStatus, Event, Pod,
};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use super::super::manifest::GATEWAY;
use super::diagnosis::Diagnosis;
use super::kind::{Kind, SILENT};
use super::reports::{Reports, latest, words};
use super::symptom::Detail;
use super::words::{of_end, of_waiting};

/// Why one of the containers has ended or does not start.
pub(super) fn failed(pod: &Pod, about: &[&Event]) -> Option<Diagnosis> {
    statuses(pod)
        .find_map(|status| crash(pod, status, about))
        .or_else(|| statuses(pod).find_map(|status| waiting(pod, status, about)))
}

/// The container that runs but does not answer.
pub(super) fn unanswering(pod: &Pod, about: &[&Event]) -> Option<Diagnosis> {
    statuses(pod)
        .find_map(|status| silent(pod, status, about))
        .or_else(|| statuses(pod).find_map(|status| unstarted(pod, status, about)))
}

/// The statuses of the containers, in the order of the pod specification: a container comes after
/// those that it depends on, and so do its errors.
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

/// The image as specified; nodes report a longer name.
fn image<'a>(pod: &'a Pod, status: &'a ContainerStatus) -> &'a str {
    specified(pod, status)
        .and_then(|one| one.image.as_deref())
        .unwrap_or(&status.image)
}

/// Whether the container runs and has answered since its last start: from then on only its probes
/// decide.
pub(super) fn goes_on(status: &ContainerStatus) -> bool {
    let runs = status
        .state
        .as_ref()
        .is_some_and(|one| one.running.is_some());
    runs && status.started == Some(true)
}

/// The state in which the container last ended.
fn end(status: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    let lives = [status.state.as_ref(), status.last_state.as_ref()];
    let mut ends = lives.into_iter().flatten();
    ends.find_map(|state| state.terminated.as_ref())
}

fn crash(pod: &Pod, status: &ContainerStatus, about: &[&Event]) -> Option<Diagnosis> {
    // The container has recovered from this restart, so it does not matter, even if the container
    // does not answer just now.
    if status.ready || goes_on(status) {
        return None;
    }
    let end = end(status)?;
    let code = end.exit_code;
    let reason = end.reason.as_deref().unwrap_or_default();
    let said = end.message.as_deref().unwrap_or(reason);
    let kind = of_end(reason, said);
    let mut diagnosis = Diagnosis {
        process: status.name.clone(),
        reports: ends(pod, status, end),
        log_of: Some(pod.name_any()),
        ..Diagnosis::of_pod(kind, "")
    };
    match kind {
        Kind::OutOfMemory => diagnosis.remedy = Some(more_memory(pod, status)),
        Kind::NoSuchProgram | Kind::NotStarted => {
            diagnosis.words = format!("image {:?}, {said}", image(pod, status));
        }
        Kind::LostByNode => said.clone_into(&mut diagnosis.words),
        _ => match unanswered(pod, status, end, about) {
            Some(words) => {
                diagnosis.detail = Detail::ExitUnanswering(code);
                diagnosis.words = words;
                diagnosis.remedy = Some(SILENT);
            }
            None => diagnosis.detail = Detail::Exit(code),
        },
    }
    Some(diagnosis)
}

/// How often the container has ended: the kubelet restarts it.
fn ends(pod: &Pod, status: &ContainerStatus, end: &ContainerStateTerminated) -> Reports {
    let ended_now = status
        .state
        .as_ref()
        .is_some_and(|state| state.terminated.is_some());
    let before = u32::try_from(status.restart_count).unwrap_or_default();
    let count = before + u32::from(ended_now);
    let from = pod.status.as_ref().and_then(|one| one.start_time.as_ref());
    match (from, end.finished_at.as_ref()) {
        (Some(from), Some(to)) => Reports::between(count, from.0, to.0),
        _ => Reports::default(),
    }
}

/// The setting for the memory of a container. Apps run in the last container, not counting the
/// gateway.
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

/// The message of the failed probe because of which the kubelet ended a container.
fn unanswered(
    pod: &Pod,
    status: &ContainerStatus,
    end: &ContainerStateTerminated,
    about: &[&Event],
) -> Option<String> {
    let (from, to) = (end.started_at.as_ref()?.0, end.finished_at.as_ref()?.0);
    let liveness = probe_failures(about, &status.name, &["Liveness"], from);
    if let Some(event) = last(&liveness) {
        return Some(words(event).to_owned());
    }
    // Before the first success every probe fails, and only the full number of failures ends the
    // container.
    let probe = specified(pod, status)?.startup_probe.as_ref()?;
    let wait_policy = probe.period_seconds.unwrap_or(10) * probe.failure_threshold.unwrap_or(3);
    let lived = to.as_second() - from.as_second();
    if lived < i64::from(wait_policy) || ![137, 143].contains(&end.exit_code) {
        return None;
    }
    let startup = probe_failures(about, &status.name, &["Startup"], from);
    Some(words(last(&startup)?).to_owned())
}

/// The failures of these kinds of probes of a container since `from`.
fn probe_failures<'a>(
    about: &[&'a Event],
    container: &str,
    kinds: &[&str],
    from: Timestamp,
) -> Vec<&'a Event> {
    let failed = of_container(about, container).filter(|event| {
        event.reason.as_deref() == Some("Unhealthy")
            && latest(event).is_some_and(|at| at >= from)
            && kinds.iter().any(|kind| words(event).starts_with(kind))
    });
    failed.collect()
}

fn of_container<'a>(about: &[&'a Event], container: &str) -> impl Iterator<Item = &'a Event> {
    let field = format!("spec.containers{{{container}}}");
    let all = about.iter().copied();
    all.filter(move |event| event.involved_object.field_path.as_deref() == Some(&field))
}

fn last<'a>(events: &[&'a Event]) -> Option<&'a Event> {
    events.iter().max_by_key(|event| latest(event)).copied()
}

fn waiting(pod: &Pod, status: &ContainerStatus, about: &[&Event]) -> Option<Diagnosis> {
    let waiting = status.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref()?;
    let mut said = waiting.message.as_deref().unwrap_or(reason);
    let attempts = attempts(status, reason, about);
    // Older kubelets do not repeat the error while they wait for the next attempt.
    if let (true, Some(event)) = (reason == "ImagePullBackOff", last(&attempts))
        && !said.contains(": ")
    {
        said = words(event);
    }
    let kind = of_waiting(reason, said)?;
    // The reason alternates between attempts.
    let image = image(pod, status);
    let words = if said.contains(reason) {
        format!("image {image:?}, {said}")
    } else {
        format!("image {image:?}, {reason}: {said}")
    };
    Some(Diagnosis {
        process: status.name.clone(),
        reports: Reports::of(attempts.into_iter()),
        ..Diagnosis::of_pod(kind, &words)
    })
}

/// The reported attempts to start the container since it last ended. The kubelet reports the pauses
/// after them in the same way.
fn attempts<'a>(status: &ContainerStatus, reason: &str, about: &[&'a Event]) -> Vec<&'a Event> {
    let since = end(status).and_then(|end| Some(end.finished_at.as_ref()?.0));
    let of_image = reason.contains("Image");
    let failed = of_container(about, &status.name).filter(|event| {
        let is_pull = words(event).starts_with("Failed to ") && words(event).contains(" image ");
        let is_wait = words(event).starts_with("Error: ErrImagePull")
            || words(event).starts_with("Error: ImagePullBackOff");
        matches!(event.reason.as_deref(), Some("Failed" | "InspectFailed"))
            && is_pull == of_image
            && !is_wait
            && latest(event) >= since
    });
    failed.collect()
}

/// The container runs, has answered before, and no longer answers.
fn silent(pod: &Pod, status: &ContainerStatus, about: &[&Event]) -> Option<Diagnosis> {
    let running = status.state.as_ref()?.running.as_ref()?;
    if status.ready || status.started != Some(true) {
        return None;
    }
    let since = running.started_at.as_ref()?.0;
    let said = probe_failures(about, &status.name, &["Liveness", "Readiness"], since);
    Some(Diagnosis {
        process: status.name.clone(),
        reports: Reports::of(said.iter().copied()),
        log_of: Some(pod.name_any()),
        ..Diagnosis::of_pod(Kind::Unanswering, words(last(&said)?))
    })
}

/// The container runs and has not answered yet. Its probe reports the same for a slow start and for
/// a start that never ends.
fn unstarted(pod: &Pod, status: &ContainerStatus, about: &[&Event]) -> Option<Diagnosis> {
    let running = status.state.as_ref()?.running.as_ref()?;
    specified(pod, status)?.startup_probe.as_ref()?;
    if status.started != Some(false) {
        return None;
    }
    let since = running.started_at.as_ref()?.0;
    let said = probe_failures(about, &status.name, &["Startup"], since);
    Some(Diagnosis {
        process: status.name.clone(),
        log_of: Some(pod.name_any()),
        ..Diagnosis::of_pod(Kind::Unanswered, last(&said).map(words).unwrap_or_default())
    })
}
