//! The symptom of a failure. Several kinds may have the same symptom and share one wait: a registry
//! that is busy later reports that it does not have the image.

use std::fmt;

macro_rules! symptoms {
    ($($name:ident = $words:literal),* $(,)?) => {
        /// The visible effect of a failure, whatever its reason.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum Symptom {
            $($name),*
        }

        impl fmt::Display for Symptom {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$name => $words),*
                })
            }
        }
    };
}

symptoms! {
    Ended = "it ended",
    OutOfMemory = "it was killed because it used more memory than its limit",
    NotStarted = "it cannot be started",
    LostByNode = "the node has lost the container",
    Unanswering = "it does not answer its health probe",
    Unanswered = "it has not answered its health probe yet",
    ImageUnusable = "its image cannot be used",
    ImageNotPulled = "its image cannot be pulled",
    SettingMissing = "its settings name a Secret or ConfigMap that does not exist",
    Evicted = "the node evicted it",
    Unscheduled = "no node accepts it",
    NotSetUp = "its pod cannot be set up",
    NodeLags = "the node cannot read a Secret or ConfigMap of the pod",
    NoVolume = "its volume does not exist",
    VolumeElsewhere = "its volume is on another node",
    VolumeNotMade = "its volume cannot be created",
    VolumeNotAttached = "a volume cannot be attached",
    VolumeNotMounted = "a volume cannot be mounted",
    QuotaUsedUp = "a quota is used up",
    QuotaUnanswered = "a quota needs its resource settings",
    NotAllowed = "the namespace does not allow such a pod",
    NoPod = "its pod cannot be created",
}

/// The difference between two failures with the same symptom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Detail {
    None,
    /// The process ended with this status.
    Exit(i32),
    /// The kubelet ended the process, because it did not answer its probe; it ended with this
    /// status.
    ExitUnanswering(i32),
    /// The node's reason.
    Reason(String),
}
