//! The kinds of failures of an object, and for each kind its symptom, how long to wait, and the
//! remedy. Many reports of a cluster are temporary: its components learn of each other's changes a
//! moment later, and they retry what failed.

use std::time::Duration;

use super::symptom::Symptom;

/// How long a possibly temporary failure must last before it is reported.
pub(super) const GRACE: Duration = Duration::from_secs(8);
/// How long to wait for a node that is being created or is starting.
pub(super) const NODE: Duration = Duration::from_mins(5);
/// The time that Kubernetes itself gives an attach before it reports a delay.
const ATTACH: Duration = Duration::from_mins(2);
/// The time that pods need to end when the scheduler preempts them for another pod.
const EVICTION: Duration = Duration::from_mins(2);

/// When a diagnosis is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// Immediately: another attempt cannot end differently.
    No,
    /// After this many reports, of which the last came this long after the first: the component
    /// that reports it has retried.
    Repeated { reports: u32, over: Duration },
    /// After it has lasted this long. It is reported too often for the reports to be counted, or
    /// only once.
    Lasting(Duration),
    /// After `kubernetes.scheduling_timeout`, or after this time if that is not set. A node or a
    /// volume, which some clusters create on demand, ends the wait.
    Placing { default: Duration },
    /// After `kubernetes.start_timeout`; the first answer ends the wait.
    Starting,
}

/// The next attempt reports it again.
const AGAIN: Wait = repeated(2, 5);

const fn repeated(reports: u32, seconds: u64) -> Wait {
    Wait::Repeated {
        reports,
        over: Duration::from_secs(seconds),
    }
}

const fn placing(default: Duration) -> Wait {
    Wait::Placing { default }
}

/// A kind of failure, independent of names and numbers in its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub(super) enum Kind {
    // Processes.
    Ended,
    OutOfMemory,
    NoSuchProgram,
    NotStarted,
    LostByNode,
    Unanswering,
    Unanswered,
    // The start of a container.
    ImageUnusable,
    ImageNotPulled,
    RegistryBusy,
    SettingMissing,
    NotCreated,
    RuntimeBusy,
    // Nodes.
    EndedByNode,
    NoNode,
    NodeStarts,
    NodeIsFreed,
    SchedulerFailed,
    NetworkNotReady,
    SandboxFailed,
    NoRuntimeHandler,
    NodeLags,
    // Volumes.
    VolumeMissing,
    VolumeElsewhere,
    VolumePending,
    VolumeNotMade,
    VolumeNotAttached,
    VolumeNotMounted,
    // The API server refuses the pod.
    QuotaUsedUp,
    QuotaUnanswered,
    NotAllowed,
    Refused,
    AdmissionFails,
}

/// The properties of a kind.
pub(super) struct Judgement {
    pub symptom: Symptom,
    pub wait: Wait,
    pub remedy: Option<&'static str>,
}

const fn row(symptom: Symptom, wait: Wait, remedy: &'static str) -> Judgement {
    Judgement {
        symptom,
        wait,
        remedy: Some(remedy),
    }
}

const IMAGE: &str = "Check the name in `kubernetes.image`, that the Kubernetes nodes can reach the \
                     registry, and `kubernetes.image_pull_secrets`.";
const FOREIGN_IMAGE: &str = "Check that the image is one of Flower's images for this version.";
const RUNTIME: &str = "Check the container runtime of the node.";
const NO_VOLUME: &str = "Check the StorageClass (`persistence.storage_class`) and its provisioner, and \
                         the claims in `kubernetes.volumes`.";
pub(super) const SILENT: &str =
    "Read its log. On a slow node it may need more CPU (`kubernetes.resources`).";

impl Kind {
    #[rustfmt::skip]
    pub(super) const fn judgement(self) -> Judgement {
        match self {
            Self::Ended => Judgement { symptom: Symptom::Ended, wait: Wait::No, remedy: None },
            Self::OutOfMemory => row(Symptom::OutOfMemory, Wait::No,
                "Raise `kubernetes.resources.limits.memory`."),
            Self::NoSuchProgram => row(Symptom::NotStarted, Wait::No, FOREIGN_IMAGE),
            Self::NotStarted | Self::NotCreated => row(Symptom::NotStarted, AGAIN, FOREIGN_IMAGE),
            Self::LostByNode => row(Symptom::LostByNode, AGAIN, RUNTIME),
            // A readiness probe has already failed several times when it is reported. The reports
            // cannot be counted: those of the start may have used up the kubelet's limit of events
            // for a pod.
            Self::Unanswering => row(Symptom::Unanswering, Wait::Lasting(GRACE), SILENT),
            Self::Unanswered => row(Symptom::Unanswered, Wait::Starting,
                "Read its log. If it only needs more time, give it more CPU \
                 (`kubernetes.resources`), or raise `kubernetes.start_timeout`."),

            Self::ImageUnusable => row(Symptom::ImageUnusable, Wait::No,
                "Check `kubernetes.image` and `kubernetes.image_pull_policy`."),
            // A registry may not yet have an image that was pushed a moment ago.
            Self::ImageNotPulled => row(Symptom::ImageNotPulled, AGAIN, IMAGE),
            Self::RegistryBusy => row(Symptom::ImageNotPulled, repeated(3, 30), IMAGE),
            // The same for a Secret or ConfigMap that is being created at the same moment.
            Self::SettingMissing => row(Symptom::SettingMissing, AGAIN,
                "Create the missing Secret or ConfigMap, or remove it from `kubernetes`."),
            Self::RuntimeBusy => row(Symptom::NotStarted, repeated(3, 15), RUNTIME),

            // The Deployment creates another pod.
            Self::EndedByNode => row(Symptom::Evicted, AGAIN,
                "Check the node's memory, disk and taints, or request more in \
                 `kubernetes.resources`."),
            Self::NoNode => row(Symptom::Unscheduled, placing(Duration::ZERO),
                "Add a matching node, or change `kubernetes.resources`, `node_selector`, \
                 `tolerations` or `affinity`. On a cluster that adds nodes by itself, set \
                 `kubernetes.scheduling_timeout`."),
            Self::NodeStarts => row(Symptom::Unscheduled, placing(NODE),
                "Check the nodes that are not ready. If they need longer to start, set \
                 `kubernetes.scheduling_timeout`."),
            Self::NodeIsFreed => row(Symptom::Unscheduled, placing(EVICTION),
                "It waits until pods of lower priority end. Check these pods, or set \
                 `kubernetes.scheduling_timeout`."),
            Self::SchedulerFailed => row(Symptom::Unscheduled, repeated(3, 15),
                "Check the scheduler and the volumes of the pod."),
            // The kubelet reports it every second, and the API server shows only some of these
            // reports.
            Self::NetworkNotReady => row(Symptom::NotSetUp, Wait::Lasting(Duration::from_mins(1)),
                "Check the node: its network plugin does not run."),
            // Addresses were released a moment ago, or a plugin was restarted.
            Self::SandboxFailed => row(Symptom::NotSetUp, repeated(3, 15),
                "Check the network plugin and the RuntimeClass of the node."),
            Self::NoRuntimeHandler => row(Symptom::NotSetUp, AGAIN,
                "Check the node: it does not have the handler of the RuntimeClass."),
            // A node and its cache learn a moment later what its pods may read.
            Self::NodeLags => row(Symptom::NodeLags, repeated(3, 30),
                "Check the kubelet of the node and its connection to the API server."),

            Self::VolumeMissing => row(Symptom::NoVolume, placing(Duration::ZERO), NO_VOLUME),
            Self::VolumeElsewhere => row(Symptom::VolumeElsewhere, placing(Duration::ZERO),
                "Run the pod on the node of its volume (`kubernetes.node_selector`, `affinity`, \
                 `tolerations`), and check that node."),
            Self::VolumePending => row(Symptom::NoVolume, placing(Duration::from_secs(20)), NO_VOLUME),
            Self::VolumeNotMade => row(Symptom::VolumeNotMade, placing(Duration::from_secs(20)), NO_VOLUME),
            // It is reported once, even if the volume is released a minute later.
            Self::VolumeNotAttached => row(Symptom::VolumeNotAttached, placing(ATTACH),
                "Check the node that still has it, and the CSI driver. If it only needs more time, \
                 set `kubernetes.scheduling_timeout`."),
            Self::VolumeNotMounted => row(Symptom::VolumeNotMounted, AGAIN,
                "Check that the Secret, ConfigMap or claim in `kubernetes.volumes` exists."),

            Self::QuotaUsedUp => row(Symptom::QuotaUsedUp, AGAIN,
                "Raise the ResourceQuota of the namespace, free some of it, or request less in \
                 `kubernetes.resources` and similar arguments."),
            Self::QuotaUnanswered => row(Symptom::QuotaUnanswered, AGAIN,
                "Set the resources that the ResourceQuota counts for each container: in \
                 `kubernetes.resources` for the container that runs apps, in \
                 `kubernetes.server_resources` for a SuperLink or SuperNode beside it, and in \
                 `kubernetes.gateway_resources` for the gateway."),
            Self::NotAllowed => row(Symptom::NotAllowed, AGAIN,
                "Remove from `kubernetes` the settings that its Pod Security Standard forbids."),
            Self::Refused => row(Symptom::NoPod, AGAIN,
                "Check the ServiceAccount, PriorityClass and RuntimeClass in `kubernetes`, and the \
                 other rules of the namespace for pods."),
            Self::AdmissionFails => row(Symptom::NoPod, repeated(3, 30),
                "Check the API server and the admission webhooks of the cluster: one of them does \
                 not answer."),
        }
    }
}
