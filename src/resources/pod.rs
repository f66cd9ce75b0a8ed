//! The settings of pods that SuperLinks and SuperNodes share, and of the Service before a SuperLink.

use std::collections::BTreeMap;

use super::superlink::Model as Superlink;
use super::supernode::Model as Supernode;
use super::{exposure, labels, pod_checks, quantity, volumes};
use crate::at;
use crate::choice_attribute;
use crate::model;
use crate::runtime::{
    Duty, Exposure, PodSettings, PullPolicy, Resources, ServiceKind, TaintEffect, Toleration,
    TolerationOperator,
};
use crate::tfplugin::GoDuration;
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::path::Path;
use crate::tfplugin::schema::{Dynamic, Maybe, ModelPath, Tree, optional, required};
use crate::tfplugin::value::to_json;

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

model! {
    /// How SuperNodes reach the SuperLink in the runtime `kubernetes`; other runtimes ignore it.
    /// The Service exposes only the Fleet API: the Control API stays inside the pod.
    pub struct ServiceSettings {
        /// The type of the Service. Allowed values: `NodePort` (reachable on every Kubernetes
        /// node), `LoadBalancer` (the SuperLink gets an address from the cloud provider; the apply
        /// waits for this address, even if `hostname` is set), and `ClusterIP` (default; reachable
        /// only from within the cluster).
        service_type: Option<ServiceKind> = optional(),
        /// The port on every Kubernetes node, for a Service of type `NodePort` or `LoadBalancer`.
        /// By default the cluster chooses it.
        node_port: Option<u16> = optional(),
        /// The DNS name or IP address that SuperNodes connect to, if it is not the address of the
        /// Service. The provider adds it to the certificate and to `fleet.address`. Write
        /// `host:port` if the port differs too.
        hostname: Option<String> = optional(),
        /// The networks from which SuperNodes may connect, such as `10.0.0.0/8`. The NetworkPolicy
        /// refuses all other networks; an empty list refuses everyone. By default every network may
        /// connect. Use the source addresses that the pod sees. Some load balancers replace the
        /// client's address with their own.
        allow_from: Option<Vec<String>> = optional(),
        /// Annotations of the Service, which configure load balancers.
        annotations: Option<BTreeMap<String, String>> = optional(),
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

choice_attribute!(ServiceKind {
    "ClusterIP" => Self::ClusterIp => Self::ClusterIp,
    "NodePort" => Self::NodePort => Self::NodePort,
    "LoadBalancer" => Self::LoadBalancer => Self::LoadBalancer,
});

/// Checks what the schema alone cannot say. What is unknown is checked when it is known, and what is of
/// another type is told by the schema.
pub fn validate(config: &Tree) -> Result<()> {
    let mut found = Diagnostics::default();
    let volumes = config.get::<Option<BTreeMap<String, VolumeSettings>>>(at!(
        Superlink | Supernode,
        kubernetes.volumes
    ));
    if let Ok(Maybe::Known(Some(set))) = volumes {
        found.absorb(volumes::volumes(&set).map(drop));
    }
    for path in [
        at!(Superlink | Supernode, kubernetes.resources),
        at!(Superlink | Supernode, kubernetes.server_resources),
        at!(Superlink | Supernode, kubernetes.gateway_resources),
    ] {
        if let Ok(Maybe::Known(Some(set))) = config.get::<Option<ResourceSettings>>(path) {
            let (requests, limits) = (set.requests, set.limits);
            found.absorb(quantity::check_resources(
                &requests.unwrap_or_default(),
                &limits.unwrap_or_default(),
                &path.path(),
            ));
        }
    }
    let pod_labels = at!(Superlink | Supernode, kubernetes.labels);
    let node_selector = at!(Superlink | Supernode, kubernetes.node_selector);
    for path in [pod_labels, node_selector] {
        found.absorb(texts(config, path, labels::check));
    }
    found.absorb(texts(config, pod_labels, labels::are_free));
    for path in [
        at!(Superlink | Supernode, kubernetes.annotations),
        at!(Superlink, service.annotations),
    ] {
        found.absorb(texts(config, path, labels::check_annotations));
    }
    for path in pod_checks::IMAGES {
        found.absorb(is_image(config, path));
    }
    found.extend(pod_checks::validate(config));
    found.extend(exposure::validate(config));
    found.absorb(is_enforced(config));
    found.or(())
}

/// An error where an image is named by what is no digest.
fn is_image(config: &Tree, path: ModelPath) -> Result<()> {
    let Ok(Maybe::Known(Some(image))) = config.get::<Option<String>>(path) else {
        return Ok(());
    };
    let Some((named, digest)) = image.split_once('@') else {
        return Ok(());
    };
    let digits = digest.strip_prefix("sha256:").unwrap_or_default();
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if !named.is_empty() && digits.len() == 64 && digits.bytes().all(is_digit) {
        return Ok(());
    }
    Err(Diagnostic::error("The digest of an image is invalid")
        .detail(format!(
            "{digest:?} is not `sha256:` and 64 lower-case hexadecimal digits."
        ))
        .detail(
            "Write `name@sha256:…` as `docker buildx imagetools inspect` or the registry shows it.",
        )
        .at(path)
        .into())
}

/// Checks a map of texts that is known.
fn texts(
    config: &Tree,
    path: ModelPath,
    check: fn(&BTreeMap<String, String>, &Path) -> Result<()>,
) -> Result<()> {
    let Ok(Maybe::Known(Some(set))) = config.get::<Option<BTreeMap<String, String>>>(path) else {
        return Ok(());
    };
    check(&set, &path.path())
}

/// An error where a list of networks would be enforced by nothing.
fn is_enforced(config: &Tree) -> Result<()> {
    let policy = config.get::<Option<bool>>(at!(Superlink | Supernode, kubernetes.network_policy));
    let is_off = matches!(policy, Ok(Maybe::Known(Some(false))));
    if !is_off || !config.is_set(at!(Superlink, service.allow_from)) {
        return Ok(());
    }
    Err(
        Diagnostic::error("`service.allow_from` needs the NetworkPolicy")
            .detail(
                "Only the NetworkPolicy refuses other networks. With `kubernetes.network_policy = \
                 false` every network could connect.",
            )
            .detail("Remove `kubernetes.network_policy` or `service.allow_from`.")
            .at(at!(Superlink, service.allow_from))
            .into(),
    )
}

/// Whether a Service of these settings is reached from outside the cluster.
pub fn is_open_to_outside(config: &Tree) -> bool {
    let kind = config.get::<Option<ServiceKind>>(at!(Superlink, service.service_type));
    matches!(
        kind,
        Ok(Maybe::Known(Some(
            ServiceKind::NodePort | ServiceKind::LoadBalancer
        )))
    )
}

/// What a runtime gets of the settings.
pub fn settings(pod: Option<&Pod>) -> Result<PodSettings> {
    let Some(pod) = pod else {
        return Ok(PodSettings {
            network_policy: true,
            ..PodSettings::default()
        });
    };
    let images = [
        (Duty::Main, &pod.image),
        (Duty::Apps, &pod.superexec_image),
        (Duty::Gateway, &pod.gateway_image),
    ];
    let volumes = pod.volumes.as_ref().map(volumes::volumes).transpose()?;
    Ok(PodSettings {
        images: images
            .into_iter()
            .filter_map(|(duty, image)| Some((duty, image.clone()?)))
            .collect(),
        pull_policy: pod.image_pull_policy,
        pull_secrets: pod.image_pull_secrets.clone().unwrap_or_default(),
        resources: pod.resources.as_ref().map(resources).unwrap_or_default(),
        server_resources: pod.server_resources.as_ref().map(resources),
        gateway_resources: pod.gateway_resources.as_ref().map(resources),
        node_selector: pod.node_selector.clone().unwrap_or_default(),
        tolerations: pod.tolerations.iter().flatten().map(toleration).collect(),
        affinity: pod.affinity.as_ref().map(|affinity| to_json(&affinity.0)),
        priority_class: pod.priority_class.clone(),
        runtime_class: pod.runtime_class.clone(),
        service_account: pod.service_account.clone(),
        env_from_secrets: pod.env_from_secrets.clone().unwrap_or_default(),
        server_env_from_secrets: pod.server_env_from_secrets.clone().unwrap_or_default(),
        volumes: volumes.unwrap_or_default(),
        labels: pod.labels.clone().unwrap_or_default(),
        annotations: pod.annotations.clone().unwrap_or_default(),
        network_policy: pod.network_policy.unwrap_or(true),
        scheduling_timeout: pod.scheduling_timeout.as_ref().map(GoDuration::get),
        start_timeout: pod.start_timeout.as_ref().map(GoDuration::get),
    })
}

/// What a runtime gets of the Service's settings.
pub fn exposure(service: Option<&ServiceSettings>, shared_port: bool, tls: bool) -> Exposure {
    Exposure {
        kind: service
            .and_then(|one| one.service_type)
            .unwrap_or(ServiceKind::ClusterIp),
        node_port: service.and_then(|one| one.node_port),
        hostname: service.and_then(|one| one.hostname.clone()),
        annotations: service
            .and_then(|one| one.annotations.clone())
            .unwrap_or_default(),
        allow_from: service.and_then(|one| one.allow_from.clone()),
        shared_port,
        tls,
    }
}

fn resources(one: &ResourceSettings) -> Resources {
    Resources {
        requests: one.requests.clone().unwrap_or_default(),
        limits: one.limits.clone().unwrap_or_default(),
    }
}

fn toleration(one: &TolerationSettings) -> Toleration {
    Toleration {
        key: one.key.clone(),
        operator: one.operator,
        value: one.value.clone(),
        effect: one.effect,
        seconds: one.toleration_seconds,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::tfplugin::schema::Schema;
    use crate::tfplugin::value::from_json;

    /// The paths of what is wrong with a SuperLink of these settings.
    fn wrong(name: &str, settings: &Json) -> Vec<String> {
        let ty = Schema::of::<crate::resources::superlink::Model>().ty();
        let config = Tree(from_json(&json!({ name: settings }), &ty).unwrap());
        let found = validate(&config).err().unwrap_or_default();
        let paths = found.iter().map(|one| one.path.as_ref().unwrap());
        paths.map(ToString::to_string).collect()
    }

    #[test]
    fn what_a_cluster_would_refuse_is_refused_before_anything_is_made() {
        let fine = json!({
            "volumes": {
                "data": { "mount_path": "/data", "claim": "cohort" },
                "scratch": { "mount_path": "/scratch/a", "empty_dir": { "size_limit": "1Gi" } },
            },
            "resources": { "requests": { "cpu": "500m" }, "limits": { "nvidia.com/gpu": "1" } },
        });
        assert!(wrong("kubernetes", &fine).is_empty());
        let bad = json!({
            "volumes": {
                "Data": { "mount_path": "/data", "claim": "cohort" },
                "again": { "mount_path": "/data/", "claim": "cohort" },
                "empty": { "mount_path": "/empty", "empty_dir": { "size_limit": "1GB" } },
                "ephemeral": { "mount_path": "/ephemeral", "ephemeral": { "size": "0" } },
                "none": { "mount_path": "/none" },
                "ours": { "mount_path": "/flower/state", "claim": "cohort" },
                "relative": { "mount_path": "data", "claim": "cohort" },
            },
            "resources": { "limits": { "memory": "2 Gi" } },
        });
        let at = |rest: &str| format!("kubernetes.volumes[{rest}");
        assert_eq!(
            wrong("kubernetes", &bad),
            [
                at("\"Data\"]"),
                at("\"again\"].mount_path"),
                at("\"empty\"].empty_dir.size_limit"),
                at("\"ephemeral\"].ephemeral.size"),
                at("\"none\"]"),
                at("\"ours\"].mount_path"),
                at("\"relative\"].mount_path"),
                "kubernetes.resources.limits[\"memory\"]".to_owned(),
            ]
        );
    }

    #[test]
    fn an_image_may_be_named_by_a_digest_that_is_one() {
        let digest = "0123456789abcdef".repeat(4);
        let images = |digest: &str| {
            let image = format!("r.example/nginx:1@{digest}");
            json!({ "image": image, "superexec_image": "a/b:1", "gateway_image": image })
        };
        assert!(wrong("kubernetes", &images(&format!("sha256:{digest}"))).is_empty());
        for bad in [
            digest.clone(),
            format!("sha256:{}", digest.to_uppercase()),
            format!("sha256:{digest}0"),
            "sha256:".to_owned(),
        ] {
            let both = ["kubernetes.image", "kubernetes.gateway_image"];
            assert_eq!(wrong("kubernetes", &images(&bad)), both, "{bad}");
        }
    }

    #[test]
    fn every_setting_reaches_the_runtime() {
        let ty = Schema::of::<crate::resources::supernode::Model>().ty();
        let set = json!({ "kubernetes": {
            "image": "a/main:1",
            "superexec_image": "a/apps:1",
            "gateway_image": "a/nginx:1",
            "image_pull_policy": "Never",
            "image_pull_secrets": ["registry"],
            "resources": { "requests": { "cpu": "1" }, "limits": { "nvidia.com/gpu": "1" } },
            "server_resources": { "limits": { "cpu": "2" } },
            "gateway_resources": { "requests": { "memory": "64Mi" } },
            "node_selector": { "disk": "ssd" },
            "tolerations": [{
                "key": "gpu",
                "operator": "Equal",
                "value": "a100",
                "effect": "NoExecute",
                "toleration_seconds": 60,
            }],
            "affinity": {
                "type": ["object", { "nodeAffinity": ["tuple", ["number", "string"]] }],
                "value": { "nodeAffinity": [1, "a"] },
            },
            "priority_class": "high",
            "runtime_class": "gvisor",
            "service_account": "trainer",
            "env_from_secrets": ["credentials"],
            "server_env_from_secrets": ["licence"],
            "volumes": {
                "data": { "mount_path": "/data", "claim": "cohort", "read_only": true },
                "secret": { "mount_path": "/secret", "secret": "s" },
                "map": { "mount_path": "/map", "config_map": "c" },
                "scratch": { "mount_path": "/scratch", "empty_dir": { "size_limit": "1Gi" } },
                "cache": {
                    "mount_path": "/cache",
                    "ephemeral": { "size": "2Gi", "storage_class": "fast" },
                },
            },
            "labels": { "cost-centre": "7" },
            "annotations": { "note": "x" },
            "network_policy": false,
            "scheduling_timeout": "3m",
            "start_timeout": "1m",
        } });
        let config = Tree(from_json(&set, &ty).unwrap());
        let Ok(Maybe::Known(Some(pod))) = config.get::<Option<Pod>>(at!(Superlink, kubernetes))
        else {
            panic!("the settings are not read");
        };
        insta::assert_debug_snapshot!(settings(Some(&pod)).unwrap());
    }

    #[test]
    fn a_list_of_networks_that_nothing_enforces_is_refused() {
        let ty = Schema::of::<crate::resources::superlink::Model>().ty();
        for (networks, policy, refused) in [
            (json!(["10.0.0.0/8"]), json!(false), true),
            (json!([]), json!(false), true),
            (Json::Null, json!(false), false),
            (json!(["10.0.0.0/8"]), json!(true), false),
            (json!([]), Json::Null, false),
        ] {
            let config = json!({
                "service": { "allow_from": networks },
                "kubernetes": { "network_policy": policy },
            });
            let found = validate(&Tree(from_json(&config, &ty).unwrap()));
            let found = found.err().unwrap_or_default();
            let paths: Vec<_> = found
                .iter()
                .map(|one| one.path.as_ref().unwrap().to_string())
                .collect();
            let expected: &[&str] = if refused {
                &["service.allow_from"]
            } else {
                &[]
            };
            assert_eq!(paths, expected, "{config}");
        }
    }
}
