//! Bringing a workload about: its files, volume and way in, then its pod; and seeing whether it stands.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt as _;
use kube::api::DeleteParams;
use sha2::{Digest as _, Sha256};

use super::super::{Content, Runtime as _, RuntimeError, Workload};
use super::api::Api;
use super::error::ClusterError;
use super::names::{self, MANAGER};
use super::{KubernetesRuntime, failure, manifest};

impl KubernetesRuntime {
    pub(super) async fn roll_out(&self, workload: &Workload) -> Result<(), RuntimeError> {
        if !workload.python.requirements.is_empty() {
            return Err(RuntimeError::NeedsImage);
        }
        let api = self.api().await?;
        let context = self.context(&workload.object).await?;
        let name = &context.name;
        self.records.forget();
        let public = manifest::public_files(workload);
        let hash = self.files_hash(workload, &public).await?;
        if !public.is_empty() {
            let files = manifest::files(&context, &public);
            api.apply::<ConfigMap>(&context.files_name(), &files)
                .await?;
        }
        if let Some(storage) = &workload.storage {
            let claim = manifest::claim(&context, storage);
            api.apply::<PersistentVolumeClaim>(name, &claim).await?;
        }
        if workload.pod.network_policy {
            let policy = manifest::network_policy(&context, workload);
            api.apply::<NetworkPolicy>(name, &policy).await?;
        } else {
            api.delete::<NetworkPolicy>(name, &DeleteParams::default())
                .await?;
        }
        let deployment = manifest::deployment(&context, workload, &hash);
        api.apply::<Deployment>(name, &deployment).await?;
        restart_failed(api, name).await?;
        Ok(())
    }

    /// A digest of what the files of the pod hold, secrets included.
    async fn files_hash(
        &self,
        workload: &Workload,
        public: &BTreeMap<String, String>,
    ) -> Result<String, RuntimeError> {
        let mut hash = Sha256::new();
        let mut secrets = BTreeMap::new();
        for content in workload.files.values() {
            if let Content::Secret { name, key } = content {
                if !secrets.contains_key(name) {
                    let found = self.secret(name).await?;
                    let missing = || RuntimeError::NoSecret(name.clone(), key.clone());
                    secrets.insert(name.clone(), found.ok_or_else(missing)?);
                }
                let entry = secrets.get(name).and_then(|entries| entries.get(key));
                let entry =
                    entry.ok_or_else(|| RuntimeError::NoSecret(name.clone(), key.clone()))?;
                hash.update(key.as_bytes());
                hash.update([0]);
                hash.update(entry.as_bytes());
            }
        }
        for (name, text) in public {
            hash.update(name.as_bytes());
            hash.update([0]);
            hash.update(text.as_bytes());
        }
        Ok(hex::encode(hash.finalize()))
    }
}

/// Replaces pods that wait out the pause after a crash: what they failed for may be mended.
async fn restart_failed(api: &Api, name: &str) -> Result<(), ClusterError> {
    let pods = api.list::<Pod>(&names::query(name)).await?;
    for pod in pods.items {
        if pod.metadata.deletion_timestamp.is_none() && failure::has_crashed(&pod) {
            api.delete::<Pod>(&pod.name_any(), &DeleteParams::default())
                .await?;
        }
    }
    Ok(())
}

/// Waits until the pod that was applied last is ready and no older one is left.
pub(super) async fn ready(api: &Api, name: &str) -> Result<(), ClusterError> {
    api.until(name, |deployment: Option<&Deployment>| {
        deployment.filter(|one| stands(one)).map(drop)
    })
    .await
}

/// Whether the Deployment is as it was applied, with its one pod ready.
pub(super) fn stands(deployment: &Deployment) -> bool {
    let Some(status) = &deployment.status else {
        return false;
    };
    status.observed_generation >= deployment.metadata.generation
        && status.replicas == Some(1)
        && status.updated_replicas == Some(1)
        && status.available_replicas == Some(1)
}

/// What others changed in the fields that were ours when the object was settled.
pub(super) fn changed_by_others(deployment: &Deployment, record: &ConfigMap) -> Vec<String> {
    let settled = record
        .metadata
        .managed_fields
        .iter()
        .flatten()
        .filter(|entry| entry.manager.as_deref() == Some(MANAGER))
        .filter_map(|entry| entry.time.clone())
        .max();
    deployment
        .metadata
        .managed_fields
        .iter()
        .flatten()
        .filter(|entry| entry.manager.as_deref() != Some(MANAGER))
        .filter(|entry| entry.subresource.as_deref().unwrap_or_default().is_empty())
        .filter(|entry| entry.manager.as_deref() != Some("kube-controller-manager"))
        .filter(|entry| settled.is_none() || entry.time > settled)
        .filter_map(|entry| {
            let fields = entry.fields_v1.as_ref()?;
            let spec = fields.0.get("f:spec")?;
            let mut paths = Vec::new();
            leaves(spec, "spec", &mut paths);
            Some(format!(
                "{} by {:?}",
                paths.join(", "),
                entry.manager.as_deref().unwrap_or("somebody")
            ))
        })
        .collect()
}

/// The paths of a set of fields, as people write them.
fn leaves(fields: &serde_json::Value, path: &str, found: &mut Vec<String>) {
    let inner: Vec<_> = fields
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| key.as_str() != ".")
        .collect();
    if inner.is_empty() {
        found.push(path.to_owned());
        return;
    }
    for (key, value) in inner {
        let name = match key.split_once(':') {
            Some(("f", name)) => format!(".{name}"),
            Some((_, element)) => format!("[{element}]"),
            None => format!(".{key}"),
        };
        leaves(value, &format!("{path}{name}"), found);
    }
}
