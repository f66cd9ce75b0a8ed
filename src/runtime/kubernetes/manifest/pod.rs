//! The pod of an object. It meets the Pod Security Standard "restricted", and each container has
//! access only to the files in its command line: apps that run beside the process with a key cannot
//! read the key.

use serde_json::{Map, Value as Json, json};

use super::super::super::{TaintEffect, TolerationOperator, Workload};
use super::container::{artifacts_container, container, gateway_container};
use super::fields::without_nulls;
use super::volumes::{gateway_files, own_volumes, volume};
use super::{ARTIFACTS_SERVICE, Context, GATEWAY, has_gateway};

/// The user of Flower's images.
const USER: u32 = 49_999;
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
    if workload.artifacts {
        containers.extend(artifacts_container(context, workload));
        volumes.extend(own_volumes(context, workload, ARTIFACTS_SERVICE, &[]));
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

/// Scheduling and the service account.
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
