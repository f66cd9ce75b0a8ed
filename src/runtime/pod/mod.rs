//! Settings of a pod beyond its processes, for runtimes with pods: plain data, checked by the
//! parser.

mod affinity;
mod reserved;

use std::collections::BTreeMap;
use std::time::Duration;

pub use affinity::check_affinity;
pub(super) use reserved::{
    ARTIFACTS, COMPONENT, FILES, HOME, INSTANCE, MANAGED_BY, MANAGER, PART_OF, STATE, TMP,
};
pub use reserved::{is_own_label, is_own_mount};

/// The purpose of a process: its name differs between releases, but its purpose does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Duty {
    /// The main process: the SuperLink or SuperNode itself.
    Main,
    /// Runs apps beside the main process.
    Apps,
    /// In front of the main process; forwards only allowed requests.
    Gateway,
}

/// The settings of an object's pod.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PodSettings {
    /// Images that replace those of the processes.
    pub images: BTreeMap<Duty, String>,
    pub pull_policy: Option<PullPolicy>,
    pub pull_secrets: Vec<String>,
    /// Resources of the process that runs apps.
    pub resources: Resources,
    /// Resources of the main process if it runs no apps. Default: small requests.
    pub server_resources: Option<Resources>,
    /// Resources of the gateway, with a similar default.
    pub gateway_resources: Option<Resources>,
    pub node_selector: BTreeMap<String, String>,
    pub tolerations: Vec<Toleration>,
    /// In the format of Kubernetes.
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
    /// Whether a NetworkPolicy allows only necessary connections.
    pub network_policy: bool,
    /// How long to wait for a node and volumes; not a part of the pod.
    pub scheduling_timeout: Option<Duration>,
    /// How long a process may take until its first answer.
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

/// A taint that the pod tolerates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Toleration {
    pub key: Option<String>,
    pub operator: Option<TolerationOperator>,
    pub value: Option<String>,
    pub effect: Option<TaintEffect>,
    pub seconds: Option<i64>,
}

/// When a toleration matches a taint.
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

/// The effect of a taint on pods.
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

/// A volume that is mounted in the process that runs apps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    pub name: String,
    pub mount_path: String,
    pub read_only: bool,
    pub source: VolumeSource,
}

/// The source of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeSource {
    Claim(String),
    Secret(String),
    ConfigMap(String),
    /// Scratch space, with this maximum size.
    Empty(Option<String>),
    /// A claim that lives as long as the pod.
    Ephemeral {
        size: String,
        storage_class: Option<String>,
    },
}

/// The volume of the object itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    pub size: String,
    pub storage_class: Option<String>,
    /// The file in the volume with the data that outlives the processes.
    pub file: &'static str,
}

/// How SuperNodes reach a SuperLink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposure {
    pub kind: ServiceKind,
    pub node_port: Option<u16>,
    /// The address to which SuperNodes connect, if it is not the Service's own name or address.
    pub hostname: Option<String>,
    pub annotations: BTreeMap<String, String>,
    /// The networks (CIDRs) that the NetworkPolicy allows: none if the list is empty, all if there
    /// is no list.
    pub allow_from: Option<Vec<String>>,
    /// Whether the Fleet API shares its port with the other APIs, so that a gateway must stand in
    /// front of it and forward nothing else.
    pub shared_port: bool,
    /// Whether the servers use TLS.
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
