//! The pod of an object. It meets the Pod Security Standard "restricted", and each container sees the
//! files that its command line names and no others: where apps run beside the process that holds a
//! key, they cannot read it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use super::super::super::{
    Content, Duty, Health, PodSettings, Process, Resources, TaintEffect, TolerationOperator,
    Volume, VolumeSource, Workload,
};
use super::super::ports::FLEET_PORT;
use super::super::{FILES, HOME, START, STATE, TMP};
use super::{Context, GATEWAY, gateway, has_gateway, names};

/// The user of Flower's images.
const USER: u32 = 49_999;
const GATEWAY_IMAGE: &str = "nginxinc/nginx-unprivileged:1.29-alpine";
/// What the tag is on the public registry, as many public repositories pin it: a tag can be given another
/// image, and this one holds the SuperLink's TLS key.
const GATEWAY_DIGEST: &str =
    "sha256:0c79d56aee561a1d81c63f00eee5fb5fe29279560cdc55e91425133104c7fbe6";

pub(super) fn spec(context: &Context<'_>, workload: &Workload) -> Json {
    let pod = &workload.pod;
    let mut containers: Vec<Json> = workload
        .processes
        .iter()
        .map(|process| container(context, workload, process))
        .collect();
    let mut volumes: Vec<Json> = workload
        .processes
        .iter()
        .flat_map(|process| own_volumes(context, workload, process.name, &process.args))
        .collect();
    if has_gateway(workload) {
        containers.push(gateway_container(context, workload));
        volumes.extend(own_volumes(
            context,
            workload,
            GATEWAY,
            &gateway_files(workload),
        ));
    }
    if workload.exposure.is_some() {
        volumes.push(match &workload.storage {
            Some(_) => json!({
                "name": "state",
                "persistentVolumeClaim": { "claimName": context.name },
            }),
            None => json!({ "name": "state", "emptyDir": {} }),
        });
    }
    volumes.extend(pod.volumes.iter().map(|one| volume(context, one)));
    let mut spec = json!({
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": 30,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": { "type": "RuntimeDefault" },
        },
        "containers": containers,
        "volumes": volumes,
    });
    if let Some(spec) = spec.as_object_mut() {
        placement(spec, workload);
    }
    spec
}

/// Where it runs, and as whom.
fn placement(spec: &mut Map<String, Json>, workload: &Workload) {
    let pod = &workload.pod;
    let mut set = |key: &str, value: Option<Json>| {
        if let Some(value) = value {
            spec.insert(key.to_owned(), value);
        }
    };
    let text = |value: &Option<String>| value.clone().map(Json::from);
    set("serviceAccountName", text(&pod.service_account));
    set("priorityClassName", text(&pod.priority_class));
    set("runtimeClassName", text(&pod.runtime_class));
    set("affinity", pod.affinity.clone());
    let secrets: Vec<Json> = pod
        .pull_secrets
        .iter()
        .map(|name| json!({ "name": name }))
        .collect();
    set(
        "imagePullSecrets",
        (!secrets.is_empty()).then(|| secrets.into()),
    );
    let selector = &pod.node_selector;
    set(
        "nodeSelector",
        (!selector.is_empty()).then(|| json!(selector)),
    );
    let tolerations: Vec<Json> = pod
        .tolerations
        .iter()
        .map(|one| {
            without_nulls(json!({
                "key": one.key,
                "operator": one.operator.map(TolerationOperator::as_str),
                "value": one.value,
                "effect": one.effect.map(TaintEffect::as_str),
                "tolerationSeconds": one.seconds,
            }))
        })
        .collect();
    set(
        "tolerations",
        (!tolerations.is_empty()).then(|| tolerations.into()),
    );
}

fn container(context: &Context<'_>, workload: &Workload, process: &Process) -> Json {
    let pod = &workload.pod;
    let env: Vec<Json> = process
        .env
        .iter()
        .map(|(name, value)| json!({ "name": name, "value": literal(value) }))
        .chain(process.private_env.keys().map(|name| {
            let entry = names::variable(name);
            let of = json!({ "name": context.private_name(), "key": entry });
            json!({ "name": name, "valueFrom": { "secretKeyRef": of } })
        }))
        .chain([json!({ "name": "HOME", "value": HOME })])
        .collect();
    let mut container = base(workload, process.name);
    extend(
        &mut container,
        json!({
            "image": image(context, workload, process.duty, &process.image),
            "command": [process.program],
            "args": process.args.iter().map(|one| literal(one)).collect::<Vec<_>>(),
            "env": env,
        }),
    );
    if let Some(health) = process.health {
        extend(&mut container, probes(health, pod.start_timeout));
    }
    let env_from: Vec<Json> = env_from(pod, process)
        .map(|name| json!({ "secretRef": { "name": name } }))
        .collect();
    if !env_from.is_empty() {
        extend(&mut container, json!({ "envFrom": env_from }));
    }
    let resources = if process.runs_apps {
        resources(&pod.resources)
    } else {
        pod.server_resources
            .as_ref()
            .map_or_else(server_resources, resources)
    };
    extend(&mut container, json!({ "resources": resources }));
    let mut mounts = own_mounts(process.name, !files_of(workload, &process.args).is_empty());
    if process.args.iter().any(|arg| arg.starts_with(STATE)) {
        mounts.push(json!({ "name": "state", "mountPath": STATE }));
    }
    if process.runs_apps {
        mounts.extend(pod.volumes.iter().map(|volume| {
            json!({
                "name": volume_name(volume),
                "mountPath": volume.mount_path,
                "readOnly": volume.read_only,
            })
        }));
    }
    extend(&mut container, json!({ "volumeMounts": mounts }));
    container
}

/// The Secrets whose entries are variables of this process, each once.
fn env_from<'a>(pod: &'a PodSettings, process: &Process) -> impl Iterator<Item = &'a String> {
    let of_apps = pod.env_from_secrets.iter().filter(|_| process.runs_apps);
    let of_server = pod.server_env_from_secrets.iter();
    let of_server = of_server.filter(|_| process.duty == Duty::Main);
    let twice = |name: &&String| process.runs_apps && pod.env_from_secrets.contains(name);
    of_apps.chain(of_server.filter(move |name| !twice(name)))
}

/// A text as the process gets it: a cluster would put the value of a variable in the place of `$(NAME)`.
fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

/// How a container is asked whether it answers: from its start until it first does, and then for good.
fn probes(health: Health, start: Option<Duration>) -> Json {
    let (handler, port) = match health {
        Health::Service(port) => ("grpc", port),
        Health::Open(port) => ("tcpSocket", port),
    };
    let probe = |period: u64, timeout: u64, failures: u64| {
        json!({
            handler: { "port": port },
            "periodSeconds": period,
            "timeoutSeconds": timeout,
            "failureThreshold": failures,
        })
    };
    json!({
        "startupProbe": probe(1, 5, start.unwrap_or(START).as_secs().max(1)),
        // Quick to say that it hangs, slow to kill what may only be busy.
        "readinessProbe": probe(3, 3, 3),
        "livenessProbe": probe(10, 5, 6),
    })
}

fn gateway_container(context: &Context<'_>, workload: &Workload) -> Json {
    let mut container = base(workload, GATEWAY);
    extend(
        &mut container,
        json!({
            "image": image(context, workload, Duty::Gateway, &published_gateway(context)),
            "command": gateway::command(),
            "ports": [{ "name": "fleet", "containerPort": FLEET_PORT, "protocol": "TCP" }],
            "resources": workload
                .pod
                .gateway_resources
                .as_ref()
                .map_or_else(gateway_resources, resources),
            "volumeMounts": own_mounts(GATEWAY, true),
        }),
    );
    extend(
        &mut container,
        probes(Health::Open(FLEET_PORT), workload.pod.start_timeout),
    );
    container
}

/// What all containers have in common.
fn base(workload: &Workload, name: &str) -> Json {
    let mut container = json!({
        "name": name,
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
        },
    });
    if let Some(policy) = workload.pod.pull_policy {
        extend(
            &mut container,
            json!({ "imagePullPolicy": policy.as_str() }),
        );
    }
    container
}

/// The gateway's image by its digest. A registry of one's own may hold the same image under another one:
/// a copy of a single platform has its own.
fn published_gateway(context: &Context<'_>) -> String {
    if context.image_prefix.is_empty() {
        format!("{GATEWAY_IMAGE}@{GATEWAY_DIGEST}")
    } else {
        GATEWAY_IMAGE.to_owned()
    }
}

/// The image that was set for this duty, or the published one, of a mirror where one was set.
fn image(context: &Context<'_>, workload: &Workload, duty: Duty, published: &str) -> String {
    match workload.pod.images.get(&duty) {
        Some(image) => image.clone(),
        None => format!("{}{published}", context.image_prefix),
    }
}

/// The files that a command line names.
fn files_of<'a>(workload: &'a Workload, args: &[String]) -> BTreeMap<&'a str, Option<&'a Content>> {
    let mut found: BTreeMap<&str, Option<&Content>> = workload
        .files
        .iter()
        .filter(|(name, _)| {
            let path = format!("{FILES}/{name}");
            args.iter().any(|arg| arg.contains(&path))
        })
        .map(|(name, content)| (name.as_str(), Some(content)))
        .collect();
    if args.iter().any(|arg| arg.contains(gateway::CONFIG)) {
        found.insert(gateway::CONFIG, None);
    }
    found
}

/// Every file of the gateway, in the form of a command line.
fn gateway_files(workload: &Workload) -> Vec<String> {
    workload
        .files
        .keys()
        .map(String::as_str)
        .chain([gateway::CONFIG])
        .map(|name| format!("{FILES}/{name}"))
        .collect()
}

fn own_volumes(
    context: &Context<'_>,
    workload: &Workload,
    name: &str,
    args: &[String],
) -> Vec<Json> {
    let mut volumes = vec![
        json!({ "name": format!("{name}-tmp"), "emptyDir": {} }),
        json!({ "name": format!("{name}-home"), "emptyDir": {} }),
    ];
    let files = files_of(workload, args);
    if files.is_empty() {
        return volumes;
    }
    let sources: Vec<Json> = files
        .into_iter()
        .map(|(file, content)| match content {
            Some(Content::Private(_)) => json!({
                "secret": {
                    "name": context.private_name(),
                    "items": [{ "key": names::private_file(file), "path": file }],
                },
            }),
            Some(Content::Secret { name, key }) => json!({
                "secret": { "name": name, "items": [{ "key": key, "path": file }] },
            }),
            Some(Content::Public(_)) | None => json!({
                "configMap": {
                    "name": context.files_name(),
                    "items": [{ "key": file, "path": file }],
                },
            }),
        })
        .collect();
    volumes.push(json!({
        "name": format!("{name}-files"),
        "projected": { "defaultMode": 0o440, "sources": sources },
    }));
    volumes
}

fn own_mounts(name: &str, files: bool) -> Vec<Json> {
    let mut mounts = vec![
        json!({ "name": format!("{name}-tmp"), "mountPath": TMP }),
        json!({ "name": format!("{name}-home"), "mountPath": HOME }),
    ];
    if files {
        mounts.push(json!({
            "name": format!("{name}-files"),
            "mountPath": FILES,
            "readOnly": true,
        }));
    }
    mounts
}

/// A user's volume cannot take the name of one of ours.
fn volume_name(volume: &Volume) -> String {
    format!("user-{}", volume.name)
}

fn volume(context: &Context<'_>, one: &Volume) -> Json {
    let mut volume = json!({ "name": volume_name(one) });
    let source = match &one.source {
        VolumeSource::Claim(name) => json!({
            "persistentVolumeClaim": { "claimName": name, "readOnly": one.read_only },
        }),
        VolumeSource::Secret(name) => {
            json!({ "secret": { "secretName": name, "defaultMode": 0o440 } })
        }
        VolumeSource::ConfigMap(name) => json!({ "configMap": { "name": name } }),
        VolumeSource::Empty(limit) => {
            json!({ "emptyDir": without_nulls(json!({ "sizeLimit": limit })) })
        }
        VolumeSource::Ephemeral {
            size,
            storage_class,
        } => json!({
            "ephemeral": {
                "volumeClaimTemplate": {
                    "metadata": { "labels": context.labels },
                    "spec": without_nulls(json!({
                        "accessModes": ["ReadWriteOnce"],
                        "resources": { "requests": { "storage": size } },
                        "storageClassName": storage_class,
                    })),
                },
            },
        }),
    };
    extend(&mut volume, source);
    volume
}

/// What a server that runs no apps needs at least. What it needs at most depends on the size of models.
fn server_resources() -> Json {
    json!({ "requests": { "cpu": "50m", "memory": "256Mi" } })
}

fn gateway_resources() -> Json {
    json!({
        "requests": { "cpu": "10m", "memory": "32Mi" },
        "limits": { "memory": "256Mi" },
    })
}

fn resources(resources: &Resources) -> Json {
    json!({ "requests": resources.requests, "limits": resources.limits })
}

fn extend(object: &mut Json, more: Json) {
    if let (Some(object), Json::Object(more)) = (object.as_object_mut(), more) {
        object.extend(more);
    }
}

fn without_nulls(mut object: Json) -> Json {
    if let Some(object) = object.as_object_mut() {
        object.retain(|_, value| !value.is_null());
    }
    object
}
