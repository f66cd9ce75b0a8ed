//! What a pod is like beyond its processes, for runtimes that have pods: plain data, checked where it
//! was parsed.

mod affinity;
mod reserved;

use std::collections::BTreeMap;
use std::time::Duration;

pub use affinity::check_affinity;
pub(super) use reserved::{
    COMPONENT, FILES, HOME, INSTANCE, MANAGED_BY, MANAGER, PART_OF, STATE, TMP,
};
pub use reserved::{is_own_label, is_own_mount};

/// What a process is there for: its name differs between releases, and this does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Duty {
    /// To be what its object is.
    Main,
    /// To run apps beside the main process.
    Apps,
    /// To stand before the main process, and to let in what may come in.
    Gateway,
}

/// The settings of an object's pod.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PodSettings {
    /// Images in place of those that processes name.
    pub images: BTreeMap<Duty, String>,
    pub pull_policy: Option<PullPolicy>,
    pub pull_secrets: Vec<String>,
    /// Of the process that runs apps.
    pub resources: Resources,
    /// Of the main process where it runs no apps, in place of a little by default.
    pub server_resources: Option<Resources>,
    /// Of the gateway, likewise.
    pub gateway_resources: Option<Resources>,
    pub node_selector: BTreeMap<String, String>,
    pub tolerations: Vec<Toleration>,
    /// As Kubernetes takes it.
    pub affinity: Option<serde_json::Value>,
    pub priority_class: Option<String>,
    pub runtime_class: Option<String>,
    pub service_account: Option<String>,
    /// Secrets whose entries become environment variables of the process that runs apps.
    pub env_from_secrets: Vec<String>,
    /// The same for the main process.
    pub server_env_from_secrets: Vec<String>,
    pub volumes: Vec<Volume>,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    /// Let in nobody but those who need it.
    pub network_policy: bool,
    /// How long a node and volumes are waited for; not a part of the pod.
    pub scheduling_timeout: Option<Duration>,
    /// How long a process may take until it answers.
    pub start_timeout: Option<Duration>,
}

/// When images are pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullPolicy {
    Always,
    IfNotPresent,
    Never,
}

impl PullPolicy {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }
}

/// Quantities by resource, such as `memory` and `nvidia.com/gpu`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resources {
    pub requests: BTreeMap<String, String>,
    pub limits: BTreeMap<String, String>,
}

/// A taint that is put up with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Toleration {
    pub key: Option<String>,
    pub operator: Option<TolerationOperator>,
    pub value: Option<String>,
    pub effect: Option<TaintEffect>,
    pub seconds: Option<i64>,
}

/// How a taint must be for a toleration to be about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TolerationOperator {
    Equal,
    Exists,
}

impl TolerationOperator {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "Equal",
            Self::Exists => "Exists",
        }
    }
}

/// What a taint does to pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaintEffect {
    NoSchedule,
    PreferNoSchedule,
    NoExecute,
}

impl TaintEffect {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoSchedule => "NoSchedule",
            Self::PreferNoSchedule => "PreferNoSchedule",
            Self::NoExecute => "NoExecute",
        }
    }
}

/// A volume that the working process sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    pub name: String,
    pub mount_path: String,
    pub read_only: bool,
    pub source: VolumeSource,
}

/// What a volume holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeSource {
    Claim(String),
    Secret(String),
    ConfigMap(String),
    /// Scratch space, of this size at most.
    Empty(Option<String>),
    /// A claim that lives as long as the pod.
    Ephemeral {
        size: String,
        storage_class: Option<String>,
    },
}

/// A volume of the object's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    pub size: String,
    pub storage_class: Option<String>,
    /// The file in it that holds what outlives the processes.
    pub file: &'static str,
}

/// How SuperNodes reach a SuperLink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposure {
    pub kind: ServiceKind,
    pub node_port: Option<u16>,
    /// What SuperNodes dial, when that is not the Service's own name or address.
    pub hostname: Option<String>,
    pub annotations: BTreeMap<String, String>,
    /// The networks (CIDRs) that may connect, in the NetworkPolicy: none of them when empty, and all when
    /// there is no list.
    pub allow_from: Option<Vec<String>>,
    /// Whether the Fleet API shares its port with the others, so that something must stand in front
    /// which lets nothing else through.
    pub shared_port: bool,
    /// Whether the servers speak TLS.
    pub tls: bool,
}

/// The type of a Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceKind {
    ClusterIp,
    NodePort,
    LoadBalancer,
}

impl ServiceKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClusterIp => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
        }
    }
}
