//! The settings of pods that SuperLinks and SuperNodes share, and of the Service before a SuperLink.

use std::collections::BTreeMap;

use crate::choice_attribute;
use crate::model;
use crate::runtime::{
    Duty, Exposure, PodSettings, PullPolicy, Resources, ServiceKind, Toleration, Volume,
    VolumeSource,
};
use crate::tfplugin::GoDuration;
use crate::tfplugin::diagnostic::{Diagnostic, Result};
use crate::tfplugin::path::Path;
use crate::tfplugin::schema::{Dynamic, Maybe, Tree, optional, required};
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
        /// An image with nginx, for the gateway that lets nothing but the Fleet API through.
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
        /// Volumes by name, such as the data that a site trains on.
        volumes: Option<BTreeMap<String, VolumeSettings>> = optional(),
        /// Further labels of its pods.
        labels: Option<BTreeMap<String, String>> = optional(),
        /// Further annotations of its pods.
        annotations: Option<BTreeMap<String, String>> = optional(),
        /// Whether a NetworkPolicy lets in nobody but SuperNodes, and those at the Fleet API alone;
        /// `true` by default. It needs a network plugin that enforces policies.
        network_policy: Option<bool> = optional(),
        /// How long a node and volumes for it are waited for, such as `3m`, on clusters that make them
        /// on demand, as far as `timeouts` allows. When left out, a pod that has none is a failure
        /// within seconds, or after five minutes where an autoscaler said that a node is coming.
        scheduling_timeout: Option<GoDuration> = optional(),
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
        operator: Option<String> = optional(),
        /// The taint's value.
        value: Option<String> = optional(),
        /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`; every effect when left out.
        effect: Option<String> = optional(),
        /// For how many seconds `NoExecute` is put up with.
        toleration_seconds: Option<i64> = optional(),
    }
}

model! {
    /// A volume; exactly one of `claim`, `secret`, `config_map`, `empty_dir` and `ephemeral`.
    pub struct VolumeSettings {
        /// Where apps see it.
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
        /// The port on every node; chosen by the cluster by default.
        node_port: Option<u16> = optional(),
        /// The name or address that SuperNodes dial, when it is not the Service's own: it is put
        /// into the certificate and into `fleet.address`. `host:port` when the port differs too.
        hostname: Option<String> = optional(),
        /// The networks that SuperNodes dial from, such as `10.0.0.0/8`: the NetworkPolicy lets in
        /// nobody else. Everywhere when left out. Name what the pod sees: a load balancer may put
        /// its own address in place of the caller's.
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

choice_attribute!(ServiceKind {
    "ClusterIP" => Self::ClusterIp => Self::ClusterIp,
    "NodePort" => Self::NodePort => Self::NodePort,
    "LoadBalancer" => Self::LoadBalancer => Self::LoadBalancer,
});

/// Checks what the schema alone cannot say.
pub fn validate(config: &Tree) -> Result<()> {
    match config.get::<Option<Pod>>("kubernetes") {
        Ok(Maybe::Known(Some(pod))) => settings(Some(&pod)).map(drop),
        // What is unknown is checked when it is known, and what is no pod is told by the schema.
        _ => Ok(()),
    }
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
    let mut volumes = Vec::new();
    for (name, one) in pod.volumes.iter().flatten() {
        volumes.push(volume(name, one)?);
    }
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
        volumes,
        labels: pod.labels.clone().unwrap_or_default(),
        annotations: pod.annotations.clone().unwrap_or_default(),
        network_policy: pod.network_policy.unwrap_or(true),
        scheduling_timeout: pod.scheduling_timeout.as_ref().map(GoDuration::get),
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
        allow_from: service
            .and_then(|one| one.allow_from.clone())
            .unwrap_or_default(),
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
        operator: one.operator.clone(),
        value: one.value.clone(),
        effect: one.effect.clone(),
        seconds: one.toleration_seconds,
    }
}

fn volume(name: &str, one: &VolumeSettings) -> Result<Volume> {
    let sources = [
        one.claim.clone().map(VolumeSource::Claim),
        one.secret.clone().map(VolumeSource::Secret),
        one.config_map.clone().map(VolumeSource::ConfigMap),
        one.empty_dir
            .as_ref()
            .map(|empty| VolumeSource::Empty(empty.size_limit.clone())),
        one.ephemeral.as_ref().map(|claim| VolumeSource::Ephemeral {
            size: claim.size.clone(),
            storage_class: claim.storage_class.clone(),
        }),
    ];
    let mut sources = sources.into_iter().flatten();
    match (sources.next(), sources.next()) {
        (Some(source), None) => Ok(Volume {
            name: name.to_owned(),
            mount_path: one.mount_path.clone(),
            read_only: one.read_only.unwrap_or(false),
            source,
        }),
        _ => Err(
            Diagnostic::error(format!("The volume {name:?} needs exactly one source"))
                .detail("Set one of `claim`, `secret`, `config_map`, `empty_dir` and `ephemeral`.")
                .at(Path::attribute("kubernetes").then("volumes").key(name))
                .into(),
        ),
    }
}
