//! What can be wrong with an object, and for each kind: how it is called, how long it is waited for,
//! and what to do about it. Much of what a cluster reports passes by itself: its parts know of each
//! other's changes a moment later, and whoever fails tries again.

use std::time::Duration;

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
    pub what: &'static str,
    pub wait: Wait,
    pub remedy: Option<&'static str>,
}

const fn row(what: &'static str, wait: Wait, remedy: &'static str) -> Judgement {
    Judgement {
        what,
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
            Self::Ended => Judgement { what: "it ended", wait: Wait::No, remedy: None },
            Self::OutOfMemory => row("it was killed because it used more memory than its limit", Wait::No,
                "Raise `kubernetes.resources.limits.memory`."),
            Self::NoSuchProgram => row("it cannot be started", Wait::No, FOREIGN_IMAGE),
            Self::NotStarted | Self::NotCreated => row("it cannot be started", AGAIN, FOREIGN_IMAGE),
            Self::LostByNode => row("the node has lost the container", AGAIN, RUNTIME),
            // A readiness probe has had its patience before it says so. Its reports cannot be counted: those
            // of its start may have used up what the kubelet may report of a pod.
            Self::Unanswering => row("it does not answer its health probe", Wait::Lasting(GRACE), SILENT),
            Self::Unanswered => row("it has not answered its health probe yet", Wait::Starting,
                "Read its log. If it only needs more time, give it more CPU \
                 (`kubernetes.resources`), or raise `kubernetes.start_timeout`."),

            Self::ImageUnusable => row("its image cannot be used", Wait::No,
                "Check `kubernetes.image` and `kubernetes.image_pull_policy`."),
            // A registry may not have yet what was pushed a moment ago.
            Self::ImageNotPulled => row("its image cannot be pulled", AGAIN, IMAGE),
            Self::RegistryBusy => row("its image cannot be pulled", repeated(3, 30), IMAGE),
            // So it is with what somebody makes in the same moment.
            Self::SettingMissing => row("its settings name a Secret or ConfigMap that does not \
                                         exist", AGAIN,
                "Create the missing Secret or ConfigMap, or remove it from `kubernetes`."),
            Self::RuntimeBusy => row("it cannot be started", repeated(3, 15), RUNTIME),

            // Its Deployment makes another one.
            Self::EndedByNode => row("the node evicted it", AGAIN,
                "Check the node's memory, disk and taints, or request more in \
                 `kubernetes.resources`."),
            Self::NoNode => row("no node accepts it", placing(Duration::ZERO),
                "Add a matching node, or change `kubernetes.resources`, `node_selector`, \
                 `tolerations` or `affinity`. On a cluster that adds nodes by itself, set \
                 `kubernetes.scheduling_timeout`."),
            Self::NodeStarts => row("no node accepts it", placing(NODE),
                "Check the nodes that are not ready. If they need longer to start, set \
                 `kubernetes.scheduling_timeout`."),
            Self::NodeIsFreed => row("no node accepts it", placing(EVICTION),
                "It waits until pods of lower priority end. Check these pods, or set \
                 `kubernetes.scheduling_timeout`."),
            Self::SchedulerFailed => row("no node accepts it", repeated(3, 15),
                "Check the scheduler and the volumes of the pod."),
            // It is reported every second, of which the API server shows a part.
            Self::NetworkNotReady => row("its pod cannot be set up", Wait::Lasting(Duration::from_mins(1)),
                "Check the node: its network plugin does not run."),
            // Addresses that were freed a moment ago, a plugin that was restarted.
            Self::SandboxFailed => row("its pod cannot be set up", repeated(3, 15),
                "Check the network plugin and the RuntimeClass of the node."),
            Self::NoRuntimeHandler => row("its pod cannot be set up", AGAIN,
                "Check the node: it does not have the handler of the RuntimeClass."),
            // The node is told a moment later what its pods may read, and so is its own cache.
            Self::NodeLags => row("the node cannot read a Secret or ConfigMap of the pod", repeated(3, 30),
                "Check the kubelet of the node and its connection to the API server."),

            Self::VolumeMissing => row("its volume does not exist", placing(Duration::ZERO), NO_VOLUME),
            Self::VolumeElsewhere => row("its volume is on another node", placing(Duration::ZERO),
                "Run the pod on the node of its volume (`kubernetes.node_selector`, `affinity`, \
                 `tolerations`), and check that node."),
            Self::VolumePending => row("its volume does not exist", placing(Duration::from_secs(20)), NO_VOLUME),
            Self::VolumeNotMade => row("its volume cannot be created", placing(Duration::from_secs(20)), NO_VOLUME),
            // It is reported once, also where the volume comes free a minute later.
            Self::VolumeNotAttached => row("a volume cannot be attached", placing(ATTACH),
                "Check the node that still has it, and the CSI driver. If it only needs more time, \
                 set `kubernetes.scheduling_timeout`."),
            Self::VolumeNotMounted => row("a volume cannot be mounted", AGAIN,
                "Check that the Secret, ConfigMap or claim in `kubernetes.volumes` exists."),

            Self::QuotaUsedUp => row("a quota is used up", AGAIN,
                "Raise the ResourceQuota of the namespace, free some of it, or request less in \
                 `kubernetes.resources` and similar arguments."),
            Self::QuotaUnanswered => row("a quota needs its resource settings", AGAIN,
                "Set the resources that the ResourceQuota counts for each container: in \
                 `kubernetes.resources` for the container that runs apps, in \
                 `kubernetes.server_resources` for a SuperLink or SuperNode beside it, and in \
                 `kubernetes.gateway_resources` for the gateway."),
            Self::NotAllowed => row("the namespace does not allow such a pod", AGAIN,
                "Remove from `kubernetes` the settings that its Pod Security Standard forbids."),
            Self::Refused => row("its pod cannot be created", AGAIN,
                "Check the ServiceAccount, PriorityClass and RuntimeClass in `kubernetes`, and the \
                 other rules of the namespace for pods."),
            Self::AdmissionFails => row("its pod cannot be created", repeated(3, 30),
                "Check the API server and the admission webhooks of the cluster: one of them does \
                 not answer."),
        }
    }
}
