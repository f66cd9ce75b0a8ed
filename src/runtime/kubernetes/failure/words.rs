//! Maps a report to the kind of its failure. Kubernetes has reasons for some kinds; the others are
//! recognised by the messages of Kubernetes, container runtimes and registries.

use super::kind::Kind;

/// A kind, and texts in lower case that only messages about this kind contain.
type Row = (Kind, &'static [&'static str]);

/// Messages of components that do not yet know of each other's changes, or do not answer.
const LAGS: &[&str] = &[
    "no relationship found between node",
    "failed to sync",
    "not registered",
    "list of registered csi drivers",
    "pvc is not bound",
    "not yet bound to the claim",
    "pvc is being deleted",
    "operation with the given volume id",
    "timed out waiting for the condition",
    "context deadline exceeded",
    "connection refused",
    "connection lost",
    "tls handshake timeout",
    "etcdserver:",
];

const PULL: &[Row] = &[(
    Kind::RegistryBusy,
    &[
        "429 too many requests",
        "toomanyrequests",
        "500 internal server error",
        "502 bad gateway",
        "503 service unavailable",
        "504 gateway",
        "registry is unavailable",
        "pull qps exceeded",
        "tls handshake timeout",
        "i/o timeout",
        "connection timed out",
        "connection reset by peer",
        "connection refused",
        "context deadline exceeded",
        "client.timeout exceeded",
        "goaway",
        "unexpected eof",
        ": eof",
        "server misbehaving",
        "temporary failure in name resolution",
        "no route to host",
        "network is unreachable",
    ],
)];

const CONFIGURE: &[Row] = &[(Kind::NodeLags, LAGS)];

const CREATE: &[Row] = &[(
    Kind::RuntimeBusy,
    &[
        "context deadline exceeded",
        "is reserved for",
        "connection refused",
        "device or resource busy",
        "resource temporarily unavailable",
    ],
)];

const START: &[Row] = &[(
    Kind::NoSuchProgram,
    &[
        "executable file not found",
        "no such file or directory",
        "permission denied",
        "exec format error",
    ],
)];

const MOUNT: &[Row] = &[
    // Older kubelets write this after they have waited for an attach.
    (
        Kind::VolumeNotAttached,
        &[
            "]: timed out waiting for the condition",
            "]: context deadline exceeded",
        ],
    ),
    (Kind::NodeLags, LAGS),
];

const SANDBOX: &[Row] = &[
    (Kind::NoRuntimeHandler, &["no runtime for"]),
    (Kind::NetworkNotReady, &["cni plugin not initialized"]),
];

const SCHEDULING: &[Row] = &[
    (
        Kind::NodeStarts,
        &[
            "taint {node.kubernetes.io/not-ready",
            "taint {node.kubernetes.io/network-unavailable",
            "taint {node.cloudprovider.kubernetes.io/uninitialized",
        ],
    ),
    (
        Kind::VolumeElsewhere,
        &[
            "volume node affinity conflict",
            "persistentvolume's node affinity",
            "no available volume zone",
        ],
    ),
    (
        Kind::VolumePending,
        &[
            "waiting for ephemeral volume controller",
            "is being deleted",
        ],
    ),
    (
        Kind::VolumeMissing,
        &["persistentvolume", "persistent volume", "pvc(s) bound to"],
    ),
];

const REFUSAL: &[Row] = &[
    (Kind::QuotaUsedUp, &["exceeded quota"]),
    (Kind::QuotaUnanswered, &["failed quota"]),
    (Kind::NotAllowed, &["violates podsecurity"]),
    (
        Kind::AdmissionFails,
        &[
            "failed calling webhook",
            "no endpoints available",
            "the object has been modified",
            "connection refused",
            "context deadline exceeded",
            "timed out",
            "etcdserver:",
            "too many requests",
        ],
    ),
];

/// Why a container does not start, from the reason and message of its state.
pub(super) fn of_waiting(reason: &str, said: &str) -> Option<Kind> {
    Some(match reason {
        "ErrImagePull" | "ImagePullBackOff" | "ImageInspectError" | "SignatureValidationFailed" => {
            of(PULL, said, Kind::ImageNotPulled)
        }
        "RegistryUnavailable" => Kind::RegistryBusy,
        "InvalidImageName" | "ErrImageNeverPull" => Kind::ImageUnusable,
        "CreateContainerConfigError" => of(CONFIGURE, said, Kind::SettingMissing),
        "CreateContainerError"
        | "RunContainerError"
        | "PreCreateHookError"
        | "PreStartHookError" => of(CREATE, said, Kind::NotCreated),
        _ => return None,
    })
}

/// Why a container ended, which may never have run.
pub(super) fn of_end(reason: &str, said: &str) -> Kind {
    match reason {
        "OOMKilled" => Kind::OutOfMemory,
        "StartError" | "ContainerCannotRun" => of(START, said, Kind::NotStarted),
        "ContainerStatusUnknown" => Kind::LostByNode,
        _ => Kind::Ended,
    }
}

/// The meaning of a warning about a pod during its set-up.
pub(super) fn of_set_up(reason: &str, said: &str) -> Option<Kind> {
    Some(match reason {
        "FailedMount" | "FailedMapVolume" => of(MOUNT, said, Kind::VolumeNotMounted),
        "FailedAttachVolume" => Kind::VolumeNotAttached,
        "FailedCreatePodSandBox" => of(SANDBOX, said, Kind::SandboxFailed),
        "NetworkNotReady" => Kind::NetworkNotReady,
        _ => return None,
    })
}

/// Why a pod has no node.
pub(super) fn of_scheduling(said: &str) -> Kind {
    of(SCHEDULING, said, Kind::NoNode)
}

/// Why the API server refuses the pod.
pub(super) fn of_refusal(said: &str) -> Kind {
    of(REFUSAL, said, Kind::Refused)
}

fn of(rows: &[Row], said: &str, otherwise: Kind) -> Kind {
    let said = said.to_ascii_lowercase();
    let is = |row: &&Row| row.1.iter().any(|words| said.contains(words));
    rows.iter().find(is).map_or(otherwise, |row| row.0)
}
