//! What a cluster would refuse of a pod's settings, or take without using it. It is found when planned:
//! by the time that a cluster sees the pod, the rest of the object is made.

use super::labels;
use super::pod::{TolerationSettings, VolumeSettings};
use super::superlink::Model as Superlink;
use super::supernode::Model as Supernode;
use crate::at;
use crate::runtime::{check_affinity, is_dns_subdomain};
use crate::tfplugin::GoDuration;
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::path::Path;
use crate::tfplugin::schema::{Maybe, ModelPath, Tree, refused};
use crate::tfplugin::value::{Value, to_json};

/// What names an object of the cluster, alone or in a list.
const NAMES: [ModelPath; 6] = [
    at!(Superlink | Supernode, kubernetes.priority_class),
    at!(Superlink | Supernode, kubernetes.runtime_class),
    at!(Superlink | Supernode, kubernetes.service_account),
    at!(Superlink | Supernode, kubernetes.image_pull_secrets),
    at!(Superlink | Supernode, kubernetes.env_from_secrets),
    at!(Superlink | Supernode, kubernetes.server_env_from_secrets),
];
pub(super) const IMAGES: [ModelPath; 3] = [
    at!(Superlink | Supernode, kubernetes.image),
    at!(Superlink | Supernode, kubernetes.superexec_image),
    at!(Superlink | Supernode, kubernetes.gateway_image),
];
/// The sources of a volume that are names.
const SOURCES: [ModelPath; 3] = [
    at!(VolumeSettings, claim),
    at!(VolumeSettings, secret),
    at!(VolumeSettings, config_map),
];
/// A probe is repeated every second, and counted with 32 bits.
const LONGEST_START: std::time::Duration = std::time::Duration::from_hours(24);

/// Checks what is known of the settings.
pub(super) fn validate(config: &Tree) -> Diagnostics {
    let mut found = Diagnostics::default();
    for path in NAMES {
        for (text, at) in texts(config.value(path), path.path()) {
            found.absorb(name(text, &at));
        }
    }
    for path in IMAGES {
        for (text, at) in texts(config.value(path), path.path()) {
            found.absorb(image(text, &at));
        }
    }
    if let Value::Map(volumes) = config.value(at!(Superlink | Supernode, kubernetes.volumes)) {
        for (key, volume) in volumes {
            let at = at!(Superlink | Supernode, kubernetes.volumes).key(key);
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
    let class = at!(Superlink, persistence.storage_class);
    for (text, at) in texts(config.value(class), class.path()) {
        found.absorb(storage_class(text, &at));
    }
    if let Value::List(tolerations) =
        config.value(at!(Superlink | Supernode, kubernetes.tolerations))
    {
        for (index, one) in tolerations.iter().enumerate() {
            let at = at!(Superlink | Supernode, kubernetes.tolerations).index(index);
            found.absorb(toleration(one, &at));
        }
    }
    found.absorb(affinity(config));
    found.absorb(durations(config));
    found
}

/// A text, or the texts of a list, as far as they are known.
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

/// The empty name asks for a volume that is there already.
fn storage_class(text: &str, at: &Path) -> Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    name(text, at)
}

/// An error unless a container can have this image.
pub(crate) fn image(text: &str, at: &Path) -> Result<()> {
    if is_image(text) {
        return Ok(());
    }
    let why = "an image is written like `flwr/superlink:1.42.0`, \
               `registry.example.org:5000/team/app@sha256:…` or `python`: parts in lower case, then a tag or a \
               digest";
    Err(refused(text, &why, at))
}

/// What follows an `@` is a digest, and is checked as one elsewhere.
fn is_image(text: &str) -> bool {
    let name = text.split('@').next().unwrap_or(text);
    let (name, tag) = match name.rsplit_once(':') {
        // What follows the colon of a port has a slash in it.
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (name, None),
    };
    let is_tag = |tag: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        (1..=128).contains(&tag.len()) && tag.bytes().all(inner) && !tag.starts_with(['.', '-'])
    };
    let mut parts = name.split('/').peekable();
    let first = parts.peek().copied().unwrap_or_default();
    let is_host = name.contains('/') && (first.contains(['.', ':']) || first == "localhost");
    if is_host {
        parts.next();
        let (host, port) = first.split_once(':').unwrap_or((first, "1"));
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
        if host.is_empty() || !host.bytes().all(inner) || !matches!(port.parse::<u16>(), Ok(1..)) {
            return false;
        }
    }
    let is_part = |part: &str| {
        let edge =
            |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let inner =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        edge(part.bytes().next()) && edge(part.bytes().last()) && part.bytes().all(inner)
    };
    name.len() <= 255 && parts.all(is_part) && tag.is_none_or(is_tag)
}

/// An error where the fields of a toleration do not go together.
fn toleration(one: &Value, at: &Path) -> Result<()> {
    let mut found = Diagnostics::default();
    let operator = one.at(at!(TolerationSettings, operator));
    let exists = operator.as_str() == Some("Exists");
    let key = at!(TolerationSettings, key);
    if let Some(text) = one.at(key).as_str().filter(|key| !key.is_empty()) {
        found.absorb(labels::check_key(text, at.then(key)));
    } else if !one.at(key).is_unknown() && !exists && !operator.is_unknown() {
        let why = "without a `key`, `operator` is `Exists`: every taint is tolerated";
        found.push(problem("The toleration has no key", why, at.then(key)));
    }
    let value = at!(TolerationSettings, value);
    let is_empty = one.at(value).is_null() || one.at(value).as_str() == Some("");
    if exists && !is_empty {
        let why = "`operator = \"Exists\"` ignores the value: remove `value`";
        found.push(problem(
            "The toleration's value is not used",
            why,
            at.then(value),
        ));
    }
    if let Some(text) = one.at(value).as_str() {
        found.absorb(labels::check_value(text, at.then(value)));
    }
    let seconds = at!(TolerationSettings, toleration_seconds);
    let bounded = !one.at(seconds).is_null();
    let effect = one.at(at!(TolerationSettings, effect));
    let evicts = effect.is_unknown() || effect.as_str() == Some("NoExecute");
    if bounded && !evicts {
        let why =
            "Only the effect `NoExecute` ends a pod after some time: set `effect = \"NoExecute\"`";
        let at = at.then(seconds);
        found.push(problem("The toleration's seconds are not used", why, at));
    }
    found.or(())
}

fn problem(summary: &str, why: &str, at: Path) -> Diagnostic {
    Diagnostic::error(summary).detail(format!("{why}.")).at(at)
}

fn affinity(config: &Tree) -> Result<()> {
    let affinity = at!(Superlink | Supernode, kubernetes.affinity);
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

fn durations(config: &Tree) -> Result<()> {
    let mut found = Diagnostics::default();
    for (path, longest) in [
        (
            at!(Superlink | Supernode, kubernetes.start_timeout),
            Some(LONGEST_START),
        ),
        (
            at!(Superlink | Supernode, kubernetes.scheduling_timeout),
            None,
        ),
    ] {
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
    use crate::resources::superlink::Superlink;

    fn wrong(settings: Json) -> String {
        let found = validate(&tree::<Superlink>(json!({ "kubernetes": settings })));
        let paths = found
            .iter()
            .map(|one| one.path.as_ref().unwrap().to_string());
        paths
            .collect::<Vec<_>>()
            .join(" ")
            .replace("kubernetes.", "")
    }

    #[test]
    fn an_image_is_one_that_a_cluster_can_pull() {
        for text in [
            "python",
            "python:3.12-slim",
            "flwr/superlink:1.42.0",
            "registry.example.org/a/b_c/d-e:v1.0_x",
            "registry.example.org:5000/a",
            "localhost/a",
            "localhost:5000/a:1",
            "REGISTRY.example.org/a",
            &format!("a/b:1@sha256:{}", "0".repeat(64)),
        ] {
            assert!(is_image(text), "{text}");
        }
        for text in [
            "",
            " a",
            "a b",
            "A/b",
            "a:",
            "a/",
            "/a",
            "a//b",
            "a:b:c",
            "https://a/b",
            "a.b:0/c",
            "-a",
            "a:-1",
            "größe",
            &"a".repeat(256),
        ] {
            assert!(!is_image(text), "{text:?}");
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
    fn the_fields_of_a_toleration_go_together() {
        for (toleration, expected) in [
            (json!({ "key": "gpu", "value": "a100" }), ""),
            (json!({ "operator": "Exists" }), ""),
            (
                json!({ "key": "a/b", "operator": "Exists", "effect": "NoExecute", "toleration_seconds": 3 }),
                "",
            ),
            (json!({}), "key"),
            (json!({ "key": "a b" }), "key"),
            (
                json!({ "key": "a", "operator": "Exists", "value": "x" }),
                "value",
            ),
            (json!({ "key": "a", "value": "x y" }), "value"),
            (
                json!({ "key": "a", "toleration_seconds": 3 }),
                "toleration_seconds",
            ),
        ] {
            let expected = match expected {
                "" => String::new(),
                name => format!("tolerations[0].{name}"),
            };
            let shown = toleration.to_string();
            assert_eq!(
                wrong(json!({ "tolerations": [toleration] })),
                expected,
                "{shown}"
            );
        }
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
