//! Finds errors in the settings of a pod that the schema cannot find: settings that a cluster would
//! refuse, or accept and ignore. The plan reports them; when a cluster sees the pod, the rest of
//! the object already exists.

use std::collections::BTreeMap;

use super::image::{has_digest, image};
use super::{Pod, ResourceSettings, VolumeSettings, toleration, volumes};
use crate::at;
use crate::resources::{labels, quantity};
use crate::runtime::{check_affinity, is_dns_subdomain};
use crate::tfplugin::GoDuration;
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::path::Path;
use crate::tfplugin::schema::{Maybe, ModelPath, Tree, refused};
use crate::tfplugin::value::{Value, to_json};

/// Attributes that name an object of the cluster, alone or in a list.
const NAMES: [ModelPath<Pod>; 6] = [
    at!(Pod, priority_class),
    at!(Pod, runtime_class),
    at!(Pod, service_account),
    at!(Pod, image_pull_secrets),
    at!(Pod, env_from_secrets),
    at!(Pod, server_env_from_secrets),
];
const IMAGES: [ModelPath<Pod>; 3] = [
    at!(Pod, image),
    at!(Pod, superexec_image),
    at!(Pod, gateway_image),
];
const RESOURCES: [ModelPath<Pod>; 3] = [
    at!(Pod, resources),
    at!(Pod, server_resources),
    at!(Pod, gateway_resources),
];
/// The sources of a volume that are names.
const SOURCES: [ModelPath<VolumeSettings>; 3] = [
    at!(VolumeSettings, claim),
    at!(VolumeSettings, secret),
    at!(VolumeSettings, config_map),
];
/// Kubernetes repeats the probe every second, and its counter has 32 bits.
const LONGEST_START: std::time::Duration = std::time::Duration::from_hours(24);

/// Checks what the schema cannot check. Unknown values are checked when they are known; the schema
/// reports wrong types.
pub fn validate<M>(config: &Tree<M>, pod: ModelPath<M>) -> Result<()> {
    let mut found = Diagnostics::default();
    let volumes = pod.then(at!(Pod, volumes));
    let set = config.get::<Option<BTreeMap<String, VolumeSettings>>>(volumes);
    if let Ok(Maybe::Known(Some(set))) = set {
        found.absorb(volumes::volumes(&set, &volumes.path()).map(drop));
    }
    for path in RESOURCES {
        let path = pod.then(path);
        if let Ok(Maybe::Known(Some(set))) = config.get::<Option<ResourceSettings>>(path) {
            let (requests, limits) = (set.requests, set.limits);
            found.absorb(quantity::check_resources(
                &requests.unwrap_or_default(),
                &limits.unwrap_or_default(),
                &path.path(),
            ));
        }
    }
    let pod_labels = pod.then(at!(Pod, labels));
    let node_selector = pod.then(at!(Pod, node_selector));
    for path in [pod_labels, node_selector] {
        found.absorb(labels::of(config, path, labels::check));
    }
    found.absorb(labels::of(config, pod_labels, labels::are_free));
    let annotations = pod.then(at!(Pod, annotations));
    found.absorb(labels::of(config, annotations, labels::check_annotations));
    found.extend(in_a_cluster(config, pod));
    found.or(())
}

/// Errors for settings that a cluster would refuse, or accept and ignore.
fn in_a_cluster<M>(config: &Tree<M>, pod: ModelPath<M>) -> Diagnostics {
    let mut found = Diagnostics::default();
    for path in NAMES {
        let path = pod.then(path);
        for (text, at) in texts(config.value(path), path.path()) {
            found.absorb(name(text, &at));
        }
    }
    for path in IMAGES {
        let path = pod.then(path);
        if let Ok(Maybe::Known(Some(text))) = config.get::<Option<String>>(path) {
            found.absorb(has_digest(&text, &path.path()));
        }
        for (text, at) in texts(config.value(path), path.path()) {
            found.absorb(image(text, &at));
        }
    }
    let volumes = pod.then(at!(Pod, volumes));
    if let Value::Map(entries) = config.value(volumes) {
        for (key, volume) in entries {
            let at = volumes.key(key);
            for source in SOURCES {
                for (text, at) in texts(volume.at(source), at.then(source)) {
                    found.absorb(name(text, &at));
                }
            }
            let class = at!(VolumeSettings, ephemeral.storage_class);
            for (text, at) in texts(volume.at(class), at.then(class)) {
                found.absorb(storage_class(text, &at));
            }
        }
    }
    let tolerations = pod.then(at!(Pod, tolerations));
    if let Value::List(entries) = config.value(tolerations) {
        for (index, one) in entries.iter().enumerate() {
            let at = tolerations.index(index);
            found.absorb(toleration::check(one, &at));
        }
    }
    found.absorb(affinity(config, pod));
    found.absorb(durations(config, pod));
    found
}

/// The known texts of a value that is a text or a list of texts.
fn texts(value: &Value, at: Path) -> Vec<(&str, Path)> {
    match value {
        Value::List(items) => {
            let items = items.iter().enumerate();
            let known = items.filter_map(|(index, one)| Some((one.as_str()?, at.index(index))));
            known.collect()
        }
        one => one.as_str().map(|text| (text, at)).into_iter().collect(),
    }
}

fn name(text: &str, at: &Path) -> Result<()> {
    if is_dns_subdomain(text) {
        return Ok(());
    }
    let why = "a name in a cluster has 1 to 253 lower-case letters, digits, hyphens and dots, and begins and \
               ends with a letter or digit";
    Err(refused(text, &why, at))
}

/// The empty name asks for an existing volume.
pub fn storage_class(text: &str, at: &Path) -> Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    name(text, at)
}

fn affinity<M>(config: &Tree<M>, pod: ModelPath<M>) -> Result<()> {
    let affinity = pod.then(at!(Pod, affinity));
    let value = config.value(affinity);
    if value.is_null() || !value.is_wholly_known() {
        return Ok(());
    }
    check_affinity(&to_json(value)).map_err(|why| {
        Diagnostic::error("This is not a valid pod affinity")
            .detail(format!(
                "The cluster would refuse it or drop a part of it: {why}."
            ))
            .detail(
                "Use the field names of Kubernetes, such as `nodeAffinity = { \
                 requiredDuringSchedulingIgnoredDuringExecution = { … } }`.",
            )
            .at(affinity)
            .into()
    })
}

fn durations<M>(config: &Tree<M>, pod: ModelPath<M>) -> Result<()> {
    let mut found = Diagnostics::default();
    for (path, longest) in [
        (at!(Pod, start_timeout), Some(LONGEST_START)),
        (at!(Pod, scheduling_timeout), None),
    ] {
        let path = pod.then(path);
        let set = config.get::<Option<GoDuration>>(path);
        let Ok(Maybe::Known(Some(duration))) = set else {
            continue;
        };
        let why = if duration.get().is_zero() {
            "it must be longer than zero"
        } else if longest.is_some_and(|longest| duration.get() > longest) {
            "the maximum is `24h`"
        } else {
            continue;
        };
        found.extend(refused(&duration.to_string(), &why, &path.path()));
    }
    found.or(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::resources::planning::tree;
    use crate::resources::superlink::{Model, Superlink};

    /// The paths of the errors in a SuperLink with these settings.
    fn paths(settings: Json) -> Vec<String> {
        let config = tree::<Superlink>(json!({ "kubernetes": settings }));
        let found = validate(&config, at!(Model, kubernetes));
        let found = found.err().unwrap_or_default();
        let paths = found.iter().map(|one| one.path.as_ref().unwrap());
        paths.map(ToString::to_string).collect()
    }

    fn wrong(settings: Json) -> String {
        paths(settings).join(" ").replace("kubernetes.", "")
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
        assert!(paths(fine).is_empty());
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
            paths(bad),
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
        assert!(paths(images(&format!("sha256:{digest}"))).is_empty());
        for bad in [
            digest.clone(),
            format!("sha256:{}", digest.to_uppercase()),
            format!("sha256:{digest}0"),
            "sha256:".to_owned(),
        ] {
            let both = ["kubernetes.image", "kubernetes.gateway_image"];
            assert_eq!(paths(images(&bad)), both, "{bad}");
        }
    }

    #[test]
    fn names_are_what_a_cluster_can_call_an_object() {
        let long = "x".repeat(254);
        assert_eq!(
            wrong(json!({
                "priority_class": "High",
                "runtime_class": "",
                "service_account": long,
                "image_pull_secrets": ["fine.a-1", "a_b"],
                "env_from_secrets": ["a\n"],
                "volumes": {
                    "a": { "mount_path": "/a", "claim": "A" },
                    "b": { "mount_path": "/b", "ephemeral": { "size": "1Gi", "storage_class": "a/b" } },
                    "c": { "mount_path": "/c", "ephemeral": { "size": "1Gi", "storage_class": "" } },
                },
            })),
            "priority_class runtime_class service_account image_pull_secrets[1] env_from_secrets[0] \
             volumes[\"a\"].claim volumes[\"b\"].ephemeral.storage_class"
        );
    }

    #[test]
    fn an_affinity_is_used_whole_or_refused() {
        let dynamic = |ty: Json, value: Json| json!({ "affinity": { "type": ty, "value": value } });
        let weighted = |name: &str| {
            let term = json!(["object", { "weight": "number", "preference": ["object", {}] }]);
            let inner = json!(["object", { name: ["tuple", [term]] }]);
            let value = json!({ "nodeAffinity": { name: [{ "weight": 1, "preference": {} }] } });
            dynamic(json!(["object", { "nodeAffinity": inner }]), value)
        };
        assert_eq!(
            wrong(weighted("preferredDuringSchedulingIgnoredDuringExecution")),
            ""
        );
        assert_eq!(wrong(weighted("preferred")), "affinity");
        assert_eq!(wrong(dynamic(json!("string"), json!("x"))), "affinity");
        assert_eq!(wrong(dynamic(json!("bool"), json!(true))), "affinity");
        let typed = dynamic(
            json!(["object", { "nodeAffinity": "string" }]),
            json!({ "nodeAffinity": "x" }),
        );
        assert_eq!(wrong(typed), "affinity");
    }

    #[test]
    fn a_time_to_wait_is_longer_than_nothing() {
        assert_eq!(
            wrong(json!({ "start_timeout": "24h", "scheduling_timeout": "1000h" })),
            ""
        );
        assert_eq!(
            wrong(json!({ "start_timeout": "25h", "scheduling_timeout": "0" })),
            "start_timeout scheduling_timeout"
        );
    }
}
