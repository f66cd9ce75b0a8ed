//! The settings of pods that SuperLinks and SuperNodes share.

pub mod checks;
pub(crate) mod image;
pub mod settings;
mod toleration;
mod volumes;

use std::collections::BTreeMap;

use crate::runtime::{PullPolicy, TaintEffect, TolerationOperator};
use crate::tfplugin::GoDuration;
use crate::tfplugin::schema::{Dynamic, optional, required};
use crate::{choice_attribute, model};

model! {
    /// Settings of the pod in the runtime `kubernetes`; other runtimes ignore them. Pods always
    /// meet the Pod Security Standard "restricted".
    pub struct Pod {
        /// The image of the SuperLink or SuperNode. Default: `flwr/superlink` or `flwr/supernode`
        /// of the Flower version. With `isolation = "subprocess"` apps run in this image, so it
        /// must contain the packages that they import.
        image: Option<String> = optional(),
        /// The image of the container that runs apps with `isolation = "process"`. Default:
        /// `flwr/superexec`, and `flwr/serverapp` or `flwr/clientapp` before Flower 1.21. It must
        /// contain the packages that apps import.
        superexec_image: Option<String> = optional(),
        /// An nginx image for the gateway, which forwards only the Fleet API. Default:
        /// `nginxinc/nginx-unprivileged:1.29-alpine`, pinned by its digest. If the provider's
        /// `kubernetes.image_prefix` is set, the default is the tag in that registry, because a
        /// copy may have another digest. The gateway holds the SuperLink's TLS key, and a tag can
        /// move to another image: if that matters, name an image by its digest (`…@sha256:…`).
        gateway_image: Option<String> = optional(),
        /// When Kubernetes pulls images: `Always`, `IfNotPresent` or `Never`. By default Kubernetes
        /// decides.
        image_pull_policy: Option<PullPolicy> = optional(),
        /// Names of Secrets with credentials for image registries.
        image_pull_secrets: Option<Vec<String>> = optional(),
        /// Resources of the container that runs apps: the SuperLink or SuperNode itself, or the
        /// SuperExec beside it with `isolation = "process"`.
        resources: Option<ResourceSettings> = optional(),
        /// Resources of the SuperLink or SuperNode container with `isolation = "process"`. Default:
        /// requests of `50m` CPU and `256Mi` memory, no limits. If you set this argument, your
        /// value replaces the whole default. If the namespace has a ResourceQuota on limits, set
        /// those limits here.
        server_resources: Option<ResourceSettings> = optional(),
        /// Resources of the gateway container. The gateway runs in front of SuperLinks with Flower
        /// 1.40 or later. Default: requests of `10m` CPU and `32Mi` memory, and a limit of `256Mi`
        /// memory. If you set this argument, your value replaces the whole default.
        gateway_resources: Option<ResourceSettings> = optional(),
        /// Labels that the Kubernetes node of the pod must have.
        node_selector: Option<BTreeMap<String, String>> = optional(),
        /// Tolerations of the pod: node taints that it accepts.
        tolerations: Option<Vec<TolerationSettings>> = optional(),
        /// Affinity rules, in the format of Kubernetes.
        affinity: Option<Dynamic> = optional(),
        /// The PriorityClass of the pod.
        priority_class: Option<String> = optional(),
        /// The RuntimeClass of the pod, such as one for GPUs or sandboxes.
        runtime_class: Option<String> = optional(),
        /// The ServiceAccount of the pod. Its token is never mounted.
        service_account: Option<String> = optional(),
        /// Names of Secrets whose entries become environment variables of apps. If a Secret
        /// changes, the next plan restarts the pods.
        env_from_secrets: Option<Vec<String>> = optional(),
        /// Names of Secrets whose entries become environment variables of the SuperLink or
        /// SuperNode itself, such as a licence key. If a Secret changes, the next plan restarts the
        /// pods. With `isolation = "subprocess"` apps run in the same container and have these
        /// variables too.
        server_env_from_secrets: Option<Vec<String>> = optional(),
        /// Volumes by name, such as the training data of a site. A name consists of 1 to 53
        /// lower-case letters, digits and hyphens.
        volumes: Option<BTreeMap<String, VolumeSettings>> = optional(),
        /// Further labels of the pods. They override the provider's `labels`.
        labels: Option<BTreeMap<String, String>> = optional(),
        /// Further annotations of the pods.
        annotations: Option<BTreeMap<String, String>> = optional(),
        /// Whether to create a NetworkPolicy that allows only SuperNodes to connect, and only to
        /// the Fleet API. Default: `true`. It needs a network plugin that enforces NetworkPolicies.
        /// `false` conflicts with `service.allow_from`, which the NetworkPolicy enforces.
        network_policy: Option<bool> = optional(),
        /// How long to wait until the pod has a Kubernetes node and its volumes (for example `3m`).
        /// Set this on clusters that create nodes or volumes on demand; it cannot exceed
        /// `timeouts`. By default a pod that cannot be scheduled fails within seconds. It fails
        /// after two minutes if a volume is still attached to another node or Kubernetes evicts
        /// pods of lower priority, and after five minutes if an autoscaler or a provisioner has
        /// announced a node or a volume, or if a node is not ready yet.
        scheduling_timeout: Option<GoDuration> = optional(),
        /// How long the SuperLink, its gateway, the SuperNode or a SuperExec may take until its
        /// health probe first succeeds. Default: `3m`; it cannot exceed `timeouts`. After 15
        /// seconds without an answer the provider writes a log message. When this timeout ends, the
        /// apply fails. (The provider cannot tell a slow start from one that hangs.) Set a shorter
        /// time if your programs start fast.
        start_timeout: Option<GoDuration> = optional(),
    }
}

model! {
    /// Quantities by resource name, in the format of Kubernetes: `cpu`, `memory`, `nvidia.com/gpu`.
    pub struct ResourceSettings {
        /// The requested quantities.
        requests: Option<BTreeMap<String, String>> = optional(),
        /// The maximum quantities.
        limits: Option<BTreeMap<String, String>> = optional(),
    }
}

model! {
    /// A toleration of the pod.
    pub struct TolerationSettings {
        /// The key of the taint. Default: every key, with `operator = "Exists"`.
        key: Option<String> = optional(),
        /// How to compare the taint. Allowed values: `Exists` and `Equal` (default).
        operator: Option<TolerationOperator> = optional(),
        /// The value of the taint.
        value: Option<String> = optional(),
        /// The effect of the taint: `NoSchedule`, `PreferNoSchedule` or `NoExecute`. Default: every
        /// effect.
        effect: Option<TaintEffect> = optional(),
        /// How many seconds the pod stays on a node with a `NoExecute` taint.
        toleration_seconds: Option<i64> = optional(),
    }
}

model! {
    /// A volume. Set exactly one of `claim`, `secret`, `config_map`, `empty_dir` and `ephemeral`.
    pub struct VolumeSettings {
        /// Where apps find the volume: an absolute path that no other volume uses.
        mount_path: String = required(),
        /// Whether to mount the volume read-only.
        read_only: Option<bool> = optional(),
        /// The name of a PersistentVolumeClaim.
        claim: Option<String> = optional(),
        /// The name of a Secret. If the Secret changes, the next plan restarts the pods.
        secret: Option<String> = optional(),
        /// The name of a ConfigMap.
        config_map: Option<String> = optional(),
        /// A temporary volume that Kubernetes deletes with the pod.
        empty_dir: Option<EmptyDir> = optional(),
        /// A PersistentVolumeClaim that Kubernetes creates and deletes with the pod.
        ephemeral: Option<EphemeralClaim> = optional(),
    }
}

model! {
    /// A temporary volume.
    pub struct EmptyDir {
        /// The maximum size, such as `1Gi`.
        size_limit: Option<String> = optional(),
    }
}

model! {
    /// A PersistentVolumeClaim of the pod itself.
    pub struct EphemeralClaim {
        /// The size, such as `10Gi`.
        size: String = required(),
        /// The StorageClass. Default: the default StorageClass of the cluster.
        storage_class: Option<String> = optional(),
    }
}

choice_attribute!(PullPolicy {
    "Always" => Self::Always => Self::Always,
    "IfNotPresent" => Self::IfNotPresent => Self::IfNotPresent,
    "Never" => Self::Never => Self::Never,
});

choice_attribute!(TolerationOperator {
    "Equal" => Self::Equal => Self::Equal,
    "Exists" => Self::Exists => Self::Exists,
});

choice_attribute!(TaintEffect {
    "NoSchedule" => Self::NoSchedule => Self::NoSchedule,
    "PreferNoSchedule" => Self::PreferNoSchedule => Self::PreferNoSchedule,
    "NoExecute" => Self::NoExecute => Self::NoExecute,
});
