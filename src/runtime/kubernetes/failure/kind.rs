//! What can be wrong with an object, and for each kind: how it shows, how long it is waited for, and what
//! to do about it. Much of what a cluster reports passes by itself: its parts know of each
//! other's changes a moment later, and whoever fails tries again.

use std::time::Duration;

use super::symptom::Symptom;

/// What may pass by itself is named only when it lasted as long.
pub(super) const GRACE: Duration = Duration::from_secs(8);
/// How long a node is waited for that somebody is making, or that starts.
pub(super) const NODE: Duration = Duration::from_mins(5);
/// What Kubernetes itself gives an attach before it says that it takes long.
const ATTACH: Duration = Duration::from_mins(2);
/// What pods that make room for another one take to end.
const EVICTION: Duration = Duration::from_mins(2);

/// When a diagnosis is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// At once: no other attempt can have another end.
    No,
    /// Once it was reported this often, and the last report came this long after the first: whoever
    /// reports it has tried again.
    Repeated { reports: u32, over: Duration },
    /// Once it has lasted this long: it is reported too often for reports to be counted, or only once.
    Lasting(Duration),
    /// Once `kubernetes.scheduling_timeout` is over, or this where that is not set: a node or a volume
    /// ends it, which some clusters make on demand.
    Placing { default: Duration },
    /// Once `kubernetes.start_timeout` is over: the first answer ends it.
    Starting,
}

/// Reported again by the next attempt.
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

/// A kind of trouble, whatever names and numbers its words hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub(super) enum Kind {
    // Of a process.
    Ended,
    OutOfMemory,
    NoSuchProgram,
    NotStarted,
    LostByNode,
    Unanswering,
    Unanswered,
    // Of the way to a container.
    ImageUnusable,
    ImageNotPulled,
    RegistryBusy,
    SettingMissing,
    NotCreated,
    RuntimeBusy,
    // Of a node.
    EndedByNode,
    NoNode,
    NodeStarts,
    NodeIsFreed,
    SchedulerFailed,
    NetworkNotReady,
    SandboxFailed,
    NoRuntimeHandler,
    NodeLags,
    // Of volumes.
    VolumeMissing,
    VolumeElsewhere,
    VolumePending,
    VolumeNotMade,
    VolumeNotAttached,
    VolumeNotMounted,
    // Of the API server, which takes no pod.
    QuotaUsedUp,
    QuotaUnanswered,
    NotAllowed,
    Refused,
    AdmissionFails,
}

/// What is known of a kind.
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
            // A readiness probe has had its patience before it says so. Its reports cannot be counted: those
            // of its start may have used up what the kubelet may report of a pod.
            Self::Unanswering => row(Symptom::Unanswering, Wait::Lasting(GRACE), SILENT),
            Self::Unanswered => row(Symptom::Unanswered, Wait::Starting,
                "Read its log. If it only needs more time, give it more CPU \
                 (`kubernetes.resources`), or raise `kubernetes.start_timeout`."),

            Self::ImageUnusable => row(Symptom::ImageUnusable, Wait::No,
                "Check `kubernetes.image` and `kubernetes.image_pull_policy`."),
            // A registry may not have yet what was pushed a moment ago.
            Self::ImageNotPulled => row(Symptom::ImageNotPulled, AGAIN, IMAGE),
            Self::RegistryBusy => row(Symptom::ImageNotPulled, repeated(3, 30), IMAGE),
            // So it is with what somebody makes in the same moment.
            Self::SettingMissing => row(Symptom::SettingMissing, AGAIN,
                "Create the missing Secret or ConfigMap, or remove it from `kubernetes`."),
            Self::RuntimeBusy => row(Symptom::NotStarted, repeated(3, 15), RUNTIME),

            // Its Deployment makes another one.
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
            // It is reported every second, of which the API server shows a part.
            Self::NetworkNotReady => row(Symptom::NotSetUp, Wait::Lasting(Duration::from_mins(1)),
                "Check the node: its network plugin does not run."),
            // Addresses that were freed a moment ago, a plugin that was restarted.
            Self::SandboxFailed => row(Symptom::NotSetUp, repeated(3, 15),
                "Check the network plugin and the RuntimeClass of the node."),
            Self::NoRuntimeHandler => row(Symptom::NotSetUp, AGAIN,
                "Check the node: it does not have the handler of the RuntimeClass."),
            // The node is told a moment later what its pods may read, and so is its own cache.
            Self::NodeLags => row(Symptom::NodeLags, repeated(3, 30),
                "Check the kubelet of the node and its connection to the API server."),

            Self::VolumeMissing => row(Symptom::NoVolume, placing(Duration::ZERO), NO_VOLUME),
            Self::VolumeElsewhere => row(Symptom::VolumeElsewhere, placing(Duration::ZERO),
                "Run the pod on the node of its volume (`kubernetes.node_selector`, `affinity`, \
                 `tolerations`), and check that node."),
            Self::VolumePending => row(Symptom::NoVolume, placing(Duration::from_secs(20)), NO_VOLUME),
            Self::VolumeNotMade => row(Symptom::VolumeNotMade, placing(Duration::from_secs(20)), NO_VOLUME),
            // It is reported once, also where the volume comes free a minute later.
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
