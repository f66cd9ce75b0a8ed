//! The containers of a pod: their commands, probes and resources.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::super::super::artifacts::MOST_FILES;
use super::super::super::{Duty, Health, PodSettings, Process, Resources, Workload};
use super::super::ports::{ARTIFACTS_PORT, FLEET_PORT};
use super::super::{ARTIFACTS, HOME, START, STATE};
use super::fields::extend;
use super::volumes::{files_of, own_mounts, volume_name};
use super::{ARTIFACTS_SERVICE, Context, GATEWAY, gateway, names};

const GATEWAY_IMAGE: &str = "nginxinc/nginx-unprivileged:1.29-alpine";
/// The digest of the tag on the public registry, as many public repositories pin it. A tag can be
/// moved to another image, and this one has access to the SuperLink's TLS key.
const GATEWAY_DIGEST: &str =
    "sha256:0c79d56aee561a1d81c63f00eee5fb5fe29279560cdc55e91425133104c7fbe6";

pub(super) fn container(context: &Context<'_>, workload: &Workload, process: &Process) -> Json {
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
    if process.runs_apps && workload.artifacts {
        mounts.push(artifacts_mount(false));
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

/// Escapes a text, so that the process gets it unchanged: Kubernetes would replace `$(NAME)` with
/// the value of a variable.
fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

/// The probes of a container: one from its start until the first answer, and then the regular ones.
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
        // Not ready soon after it hangs, but killed late, because it may only be busy.
        "readinessProbe": probe(3, 3, 3),
        "livenessProbe": probe(10, 5, 6),
    })
}

pub(super) fn gateway_container(context: &Context<'_>, workload: &Workload) -> Json {
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

/// The program of the file service for artifacts.
const SERVE_ARTIFACTS: &str = include_str!("serve_artifacts.py");

/// The file service for artifacts: with the image of the main process, and with no more than the
/// folder of the artifacts.
pub(super) fn artifacts_container(context: &Context<'_>, workload: &Workload) -> Option<Json> {
    let main = workload.processes.first()?;
    let port = ARTIFACTS_PORT.to_string();
    let most = MOST_FILES.to_string();
    let mut mounts = own_mounts(ARTIFACTS_SERVICE, false);
    mounts.push(artifacts_mount(true));
    let mut container = base(workload, ARTIFACTS_SERVICE);
    extend(
        &mut container,
        json!({
            "image": image(context, workload, main.duty, &main.image),
            "command": ["python", "-I", "-c", literal(SERVE_ARTIFACTS), ARTIFACTS, port, most],
            "resources": {
                "requests": { "cpu": "10m", "memory": "32Mi" },
                "limits": { "memory": "256Mi" },
            },
            "volumeMounts": mounts,
        }),
    );
    Some(container)
}

/// A part of the volume, without the database beside it.
fn artifacts_mount(read_only: bool) -> Json {
    json!({
        "name": "state",
        "mountPath": ARTIFACTS,
        "subPath": "artifacts",
        "readOnly": read_only,
    })
}

/// The fields that all containers share.
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

/// The gateway's image by its digest. In a private registry, the same image may have another
/// digest: a copy of a single platform has its own.
fn published_gateway(context: &Context<'_>) -> String {
    if context.image_prefix.is_empty() {
        format!("{GATEWAY_IMAGE}@{GATEWAY_DIGEST}")
    } else {
        GATEWAY_IMAGE.to_owned()
    }
}

/// The image that was set for this duty, or else the published one, from a mirror if one is set.
fn image(context: &Context<'_>, workload: &Workload, duty: Duty, published: &str) -> String {
    match workload.pod.images.get(&duty) {
        Some(image) => image.clone(),
        None => format!("{}{published}", context.image_prefix),
    }
}

/// The minimum resources of a server that runs no apps. The maximum depends on the size of the
/// models.
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
