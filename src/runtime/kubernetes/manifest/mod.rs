//! From a workload to the applied manifests: pure functions on plain data.

mod container;
mod fields;
mod gateway;
mod pod;
mod volumes;

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use zeroize::Zeroizing;

use super::super::{Content, Exposure, ObjectRef, SecretEntries, Storage, Workload};
use super::names;
use super::ports::FLEET_PORT;

/// The name of the gateway's container.
pub(super) const GATEWAY: &str = "gateway";

/// The name of the container with the file service for artifacts.
pub(super) const ARTIFACTS_SERVICE: &str = "artifacts";

/// The fields that all manifests of an object share.
pub(super) struct Context<'a> {
    /// The name of every part that the object has only one of.
    pub name: String,
    pub object: ObjectRef,
    pub labels: BTreeMap<String, String>,
    /// The record as an owner reference.
    pub owner: Json,
    pub image_prefix: &'a str,
}

impl Context<'_> {
    /// The metadata of a part.
    pub(super) fn metadata(&self, name: &str) -> Json {
        json!({ "name": name, "labels": self.labels, "ownerReferences": [self.owner] })
    }

    fn selector(&self) -> BTreeMap<String, String> {
        names::selector(&self.object)
    }

    /// The ConfigMap of the pod's public files.
    pub(super) fn files_name(&self) -> String {
        names::files(&self.name)
    }

    /// The Secret with the data that only the pod may read.
    pub(super) fn private_name(&self) -> String {
        names::private(&self.name)
    }
}

/// Whether the SuperLink needs a gateway that forwards only the Fleet API.
pub(super) fn has_gateway(workload: &Workload) -> bool {
    workload
        .exposure
        .as_ref()
        .is_some_and(|exposure| exposure.shared_port)
}

/// The Deployment with the pod. `files_hash` changes if a file of the pod changes.
pub(super) fn deployment(context: &Context<'_>, workload: &Workload, files_hash: &str) -> Json {
    let selector = context.selector();
    // Labels of the pod override those of all objects, and ours override both.
    let mut labels = context.labels.clone();
    labels.extend(workload.pod.labels.clone());
    let labels = names::labels(&context.object, &labels);
    let mut annotations = workload.pod.annotations.clone();
    annotations.insert(names::FILES_HASH.to_owned(), files_hash.to_owned());
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": context.metadata(&context.name),
        "spec": {
            "replicas": 1,
            // There must never be two SuperLinks on one database, or two SuperNodes with one key.
            "strategy": { "type": "Recreate" },
            "revisionHistoryLimit": 2,
            "selector": { "matchLabels": selector },
            "template": {
                "metadata": { "labels": labels, "annotations": annotations },
                "spec": pod::spec(context, workload),
            },
        },
    })
}

/// The Service of the Fleet API.
pub(super) fn service(context: &Context<'_>, exposure: &Exposure) -> Json {
    let mut port = json!({
        "name": "fleet",
        "port": FLEET_PORT,
        "targetPort": FLEET_PORT,
        "protocol": "TCP",
    });
    if let (Some(node_port), Some(port)) = (exposure.node_port, port.as_object_mut()) {
        port.insert("nodePort".to_owned(), node_port.into());
    }
    let mut metadata = context.metadata(&context.name);
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.insert("annotations".to_owned(), json!(exposure.annotations));
    }
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "type": exposure.kind.as_str(),
            "selector": context.selector(),
            "ports": [port],
        },
    })
}

/// The volume of the database.
pub(super) fn claim(context: &Context<'_>, storage: &Storage) -> Json {
    let mut spec = json!({
        "accessModes": ["ReadWriteOnce"],
        "resources": { "requests": { "storage": storage.size } },
    });
    if let (Some(class), Some(spec)) = (&storage.storage_class, spec.as_object_mut()) {
        spec.insert("storageClassName".to_owned(), class.clone().into());
    }
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": context.metadata(&context.name),
        "spec": spec,
    })
}

/// The allowed connections: to the Fleet API of a SuperLink from everywhere, or from the networks
/// of its list; to nothing else.
pub(super) fn network_policy(context: &Context<'_>, workload: &Workload) -> Json {
    let fleet = json!([{ "protocol": "TCP", "port": FLEET_PORT }]);
    let allowed = workload.exposure.as_ref().map(|one| &one.allow_from);
    let ingress = match allowed {
        Some(None) => json!([{ "ports": fleet }]),
        // A rule with an empty `from` would allow all connections.
        Some(Some(networks)) if !networks.is_empty() => {
            let networks = networks.iter();
            let from = networks.map(|cidr| json!({ "ipBlock": { "cidr": cidr } }));
            json!([{ "ports": fleet, "from": from.collect::<Vec<_>>() }])
        }
        None | Some(Some(_)) => json!([]),
    };
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": context.metadata(&context.name),
        "spec": {
            "podSelector": { "matchLabels": context.selector() },
            "policyTypes": ["Ingress"],
            "ingress": ingress,
        },
    })
}

/// The public files of the pod, by name.
pub(super) fn public_files(workload: &Workload) -> BTreeMap<String, String> {
    let mut files: BTreeMap<String, String> = workload
        .files
        .iter()
        .filter_map(|(name, content)| match content {
            Content::Public(text) => Some((name.clone(), text.clone())),
            Content::Private(_) | Content::Secret { .. } => None,
        })
        .collect();
    if has_gateway(workload) {
        let tls = workload.exposure.as_ref().is_some_and(|one| one.tls);
        files.insert(gateway::CONFIG.to_owned(), gateway::config(tls));
    }
    files
}

/// The entries of the pod's own Secret: variables and files that may be secret.
pub(super) fn private_entries(workload: &Workload) -> SecretEntries {
    let variables = workload.processes.iter().flat_map(|one| &one.private_env);
    let variables = variables.map(|(name, value)| (names::variable(name), value));
    let files = workload
        .files
        .iter()
        .filter_map(|(name, content)| match content {
            Content::Private(text) => Some((names::private_file(name), text)),
            Content::Public(_) | Content::Secret { .. } => None,
        });
    let entries = variables.chain(files);
    entries
        .map(|(entry, text)| (entry, Zeroizing::new(text.clone())))
        .collect()
}

/// The ConfigMap with these files.
pub(super) fn files(context: &Context<'_>, files: &BTreeMap<String, String>) -> Json {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": context.metadata(&context.files_name()),
        "data": files,
    })
}

#[cfg(test)]
mod tests;
