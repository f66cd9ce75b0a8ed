//! Converts the settings of a pod to the form that a runtime uses.

use super::{Pod, ResourceSettings, TolerationSettings, volumes};
use crate::at;
use crate::runtime::{Duty, PodSettings, Resources, Toleration};
use crate::tfplugin::GoDuration;
use crate::tfplugin::diagnostic::Result;
use crate::tfplugin::schema::ModelPath;
use crate::tfplugin::value::to_json;

/// The settings of a runtime from the attribute at this path.
pub fn settings<M>(pod: Option<&Pod>, at: ModelPath<M>) -> Result<PodSettings> {
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
    let at = at.then(at!(Pod, volumes)).path();
    let volumes = pod.volumes.as_ref();
    let volumes = volumes.map(|set| volumes::volumes(set, &at)).transpose()?;
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
    use serde_json::json;

    use super::*;
    use crate::resources::supernode::Model as Supernode;
    use crate::tfplugin::schema::{Maybe, Schema, Tree};
    use crate::tfplugin::value::from_json;

    #[test]
    fn every_setting_reaches_the_runtime() {
        let ty = Schema::of::<Supernode>().ty();
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
        let config = Tree::<Supernode>::new(from_json(&set, &ty).unwrap());
        let Ok(Maybe::Known(Some(pod))) = config.get::<Option<Pod>>(at!(Supernode, kubernetes))
        else {
            panic!("the settings are not read");
        };
        insta::assert_debug_snapshot!(settings(Some(&pod), at!(Supernode, kubernetes)).unwrap());
    }
}
