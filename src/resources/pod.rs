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
    /// Settings of its pod, for the runtime `kubernetes`; others ignore them. Pods always meet the
    /// Pod Security Standard "restricted".
    pub struct Pod {
        /// The image of the SuperLink or SuperNode; `flwr/superlink` or `flwr/supernode` of the
        /// Flower release by default. Apps run in it with `isolation = "subprocess"`, so it must
        /// hold what they import.
        image: Option<String> = optional(),
        /// The image of what runs apps beside it with `isolation = "process"`; `flwr/superexec` by
        /// default, and `flwr/serverapp` or `flwr/clientapp` before Flower 1.21. Apps run in it.
        superexec_image: Option<String> = optional(),
        /// An image with nginx, for the gateway that lets nothing but the Fleet API through;
        /// `nginxinc/nginx-unprivileged:1.29-alpine` by default, by its digest. With the provider's
        /// `kubernetes.image_prefix` it is the tag in that registry, since a copy may have another
        /// digest; a tag can be given another image: name one by its digest (`…@sha256:…`) where that
        /// matters, since the gateway holds the SuperLink's TLS key.
        gateway_image: Option<String> = optional(),
        /// When images are pulled.
        image_pull_policy: Option<PullPolicy> = optional(),
        /// Names of Secrets with credentials for image registries.
        image_pull_secrets: Option<Vec<String>> = optional(),
        /// What the process that runs apps gets: the SuperLink or SuperNode itself, or what stands
        /// beside it with `isolation = "process"`.
        resources: Option<ResourceSettings> = optional(),
        /// What the SuperLink or SuperNode gets with `isolation = "process"`. When left out, `50m` of
        /// `cpu` and `256Mi` of `memory` are set aside for it, and it has no limits. What is set takes
        /// the place of all that: where a quota counts limits, set those that it counts.
        server_resources: Option<ResourceSettings> = optional(),
        /// What the gateway gets, which stands before a SuperLink from Flower 1.40 on. When left out,
        /// `10m` of `cpu` and `32Mi` of `memory` are set aside for it, and it gets `256Mi` of `memory`
        /// at most. What is set takes the place of all that.
        gateway_resources: Option<ResourceSettings> = optional(),
        /// Labels that its node must have.
        node_selector: Option<BTreeMap<String, String>> = optional(),
        /// Taints of nodes that it puts up with.
        tolerations: Option<Vec<TolerationSettings>> = optional(),
        /// Affinity rules, as Kubernetes writes them.
        affinity: Option<Dynamic> = optional(),
        /// The PriorityClass.
        priority_class: Option<String> = optional(),
        /// The RuntimeClass, such as one for GPUs or sandboxes.
        runtime_class: Option<String> = optional(),
        /// The ServiceAccount it runs as. Its token is never mounted.
        service_account: Option<String> = optional(),
        /// Names of Secrets whose entries become environment variables of apps. When one of them is
        /// changed, the next plan starts the pods again.
        env_from_secrets: Option<Vec<String>> = optional(),
        /// The same for the SuperLink or SuperNode itself, such as a licence key. With `isolation =
        /// "subprocess"` apps run in the same container and have these variables, too.
        server_env_from_secrets: Option<Vec<String>> = optional(),
        /// Volumes by name, such as the data that a site trains on. A name has 1 to 53 lower-case
        /// letters, digits and hyphens.
        volumes: Option<BTreeMap<String, VolumeSettings>> = optional(),
        /// Further labels of its pods, which win over the provider's `labels`.
        labels: Option<BTreeMap<String, String>> = optional(),
        /// Further annotations of its pods.
        annotations: Option<BTreeMap<String, String>> = optional(),
        /// Whether a NetworkPolicy lets in nobody but SuperNodes, and those at the Fleet API alone;
        /// `true` by default. It needs a network plugin that enforces policies. `false` cannot be set
        /// together with `service.allow_from`, which the NetworkPolicy enforces.
        network_policy: Option<bool> = optional(),
        /// How long a node and volumes for it are waited for, such as `3m`, on clusters that make them
        /// on demand, as far as `timeouts` allows. When left out, a pod that has none is a failure
        /// within seconds; after two minutes where a volume is still attached to another node or pods
        /// of lower priority are ended for it, and after five where an autoscaler or a provisioner said
        /// that a node or a volume is coming, or a node is not ready yet.
        scheduling_timeout: Option<GoDuration> = optional(),
        /// How long the SuperLink, its gateway, the SuperNode or a SuperExec may take until it first
        /// answers its health probe; `3m` by default, as far as `timeouts` allows. One that has not
        /// answered after 15 seconds is told in the log, and is a failure when this is over: a start
        /// that is slow looks like one that never ends. Set less where starts are quick.
        start_timeout: Option<GoDuration> = optional(),
    }
}

model! {
    /// Quantities by resource, as Kubernetes writes them: `cpu`, `memory`, `nvidia.com/gpu`.
    pub struct ResourceSettings {
        /// What is set aside for it.
        requests: Option<BTreeMap<String, String>> = optional(),
        /// What it gets at most.
        limits: Option<BTreeMap<String, String>> = optional(),
    }
}

model! {
    /// A taint that is put up with.
    pub struct TolerationSettings {
        /// The taint's key; every key when left out, with `operator = "Exists"`.
        key: Option<String> = optional(),
        /// `Equal` (the default) or `Exists`.
        operator: Option<TolerationOperator> = optional(),
        /// The taint's value.
        value: Option<String> = optional(),
        /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`; every effect when left out.
        effect: Option<TaintEffect> = optional(),
        /// For how many seconds `NoExecute` is put up with.
        toleration_seconds: Option<i64> = optional(),
    }
}

model! {
    /// A volume; exactly one of `claim`, `secret`, `config_map`, `empty_dir` and `ephemeral`.
    pub struct VolumeSettings {
        /// Where apps see it: an absolute path that no other volume has.
        mount_path: String = required(),
        /// Whether they can only read it.
        read_only: Option<bool> = optional(),
        /// A PersistentVolumeClaim, by name.
        claim: Option<String> = optional(),
        /// A Secret, by name. When it is changed, the next plan starts the pods again.
        secret: Option<String> = optional(),
        /// A ConfigMap, by name.
        config_map: Option<String> = optional(),
        /// Scratch space that ends with the pod.
        empty_dir: Option<EmptyDir> = optional(),
        /// A claim that is made and removed with the pod.
        ephemeral: Option<EphemeralClaim> = optional(),
    }
}

model! {
    /// Scratch space.
    pub struct EmptyDir {
        /// Its size at most, such as `1Gi`.
        size_limit: Option<String> = optional(),
    }
}

model! {
    /// A claim of the pod's own.
    pub struct EphemeralClaim {
        /// Its size, such as `10Gi`.
        size: String = required(),
        /// The StorageClass; the cluster's default one when left out.
        storage_class: Option<String> = optional(),
    }
}

model! {
    /// How SuperNodes reach the SuperLink, for the runtime `kubernetes`; others ignore it. Only the
    /// Fleet API is reached so: the Control API stays in the pod.
    pub struct ServiceSettings {
        /// `ClusterIP` (the default): from within the cluster. `NodePort`: on every node.
        /// `LoadBalancer`: at an address that the cluster's provider gives, which is waited for, also
        /// where `hostname` is what SuperNodes dial.
        service_type: Option<ServiceKind> = optional(),
        /// The port on every node, for a Service that has one (`NodePort`, `LoadBalancer`); chosen by
        /// the cluster by default.
        node_port: Option<u16> = optional(),
        /// The name or address that SuperNodes dial, when it is not the Service's own: it is put
        /// into the certificate and into `fleet.address`. `host:port` when the port differs too.
        hostname: Option<String> = optional(),
        /// The networks that SuperNodes dial from, such as `10.0.0.0/8`: the NetworkPolicy lets in
        /// nobody else, and an empty list lets in nobody. When left out, every network may connect.
        /// Name what the pod sees: a load balancer may put its own address in place of the caller's.
        allow_from: Option<Vec<String>> = optional(),
        /// Annotations of the Service, which load balancers are configured with.
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
    Err(Diagnostic::error("The digest of an image cannot be one")
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
                "The NetworkPolicy alone keeps other networks out, and `kubernetes.network_policy = \
                 false` turns it off: every network could connect.",
            )
            .detail("Remove `kubernetes.network_policy`, or leave `service.allow_from` out.")
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
