//! Applies a workload: its files, volume and Service, then its pod; and checks whether it is ready.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt as _;
use kube::api::DeleteParams;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::super::{Begun, Content, ObjectRef, RuntimeError, Workload};
use super::api::Api;
use super::error::ClusterError;
use super::names;
use super::{KubernetesRuntime, failure, manifest, secrets, vault};

impl KubernetesRuntime {
    pub(super) async fn roll_out(
        &self,
        object: &ObjectRef,
        workload: &Workload,
    ) -> Result<Begun, RuntimeError> {
        if !workload.python.requirements.is_empty() {
            return Err(RuntimeError::NeedsImage);
        }
        let api = self.api().await?;
        let context = self.context(object).await?;
        let name = &context.name;
        self.listings.forget();
        let public = manifest::public_files(workload);
        let private = manifest::private_entries(workload);
        if !private.is_empty() {
            vault::put(api, &context, &context.private_name(), &private).await?;
        }
        let mut versions = secrets::named_by(api, &workload.pod).await?;
        if !private.is_empty() {
            versions.extend(secrets::version(api, &context.private_name()).await?);
        }
        let hash = self.files_hash(workload, &public, &versions).await?;
        if !public.is_empty() {
            let files = manifest::files(&context, &public);
            api.apply_ours::<ConfigMap>(&context.files_name(), name, &files)
                .await?;
        }
        if let Some(storage) = &workload.storage {
            let claim = manifest::claim(&context, storage);
            api.apply_ours::<PersistentVolumeClaim>(name, name, &claim)
                .await?;
        }
        if workload.pod.network_policy {
            let policy = manifest::network_policy(&context, workload);
            api.apply_ours::<NetworkPolicy>(name, name, &policy).await?;
        } else {
            api.delete_ours::<NetworkPolicy>(name, name, DeleteParams::default())
                .await?;
        }
        let mut deployment = manifest::deployment(&context, workload, &hash);
        if !versions.is_empty() {
            let versions = json!(versions).to_string();
            annotate(&mut deployment, names::SECRETS, versions.into());
        }
        let applied = api
            .apply_ours::<Deployment>(name, name, &deployment)
            .await?;
        if failure::gave_up(&applied) {
            // The pauses between attempts to create a pod grow to 15 minutes; a change of the
            // Deployment resets them.
            let version = json!(applied.metadata.resource_version);
            annotate(&mut deployment, names::AGAIN, version);
            api.apply::<Deployment>(name, &deployment).await?;
        }
        if private.is_empty() {
            let how = DeleteParams::default();
            api.delete_ours::<Secret>(&context.private_name(), name, how)
                .await?;
        }
        restart_failed(api, name).await?;
        // After a change of the Deployment, or while its pod is replaced, the Deployment is not
        // ready.
        let goes_on = stands(&applied) && self.was_settled(name, &applied).await?;
        Ok(if goes_on {
            Begun::Unchanged
        } else {
            Begun::Started
        })
    }

    /// An error if the cluster would refuse a change of an existing object. A refusal here has
    /// changed nothing. A new object is removed again after an error, and needs no such check.
    pub(super) async fn try_out(
        &self,
        object: &ObjectRef,
        workload: &Workload,
    ) -> Result<(), RuntimeError> {
        let api = self.api().await?;
        let name = &names::of(object);
        let found = api.look::<Deployment>(name, name).await?;
        if !found.is_some_and(|(_, ours)| ours) {
            return Ok(());
        }
        let context = self.context(object).await?;
        let deployment = manifest::deployment(&context, workload, "");
        api.try_out::<Deployment>(name, &deployment).await?;
        if let Some(storage) = &workload.storage {
            let claim = manifest::claim(&context, storage);
            api.try_out::<PersistentVolumeClaim>(name, &claim).await?;
        }
        if workload.pod.network_policy {
            let policy = manifest::network_policy(&context, workload);
            api.try_out::<NetworkPolicy>(name, &policy).await?;
        }
        Ok(())
    }

    /// A digest of the contents of the pod's files, secrets included, and of the versions of the
    /// Secrets named by the user.
    async fn files_hash(
        &self,
        workload: &Workload,
        public: &BTreeMap<String, String>,
        versions: &secrets::Versions,
    ) -> Result<String, RuntimeError> {
        let api = self.api().await?;
        let mut hash = Sha256::new();
        let mut secrets = BTreeMap::new();
        for content in workload.files.values() {
            if let Content::Secret { name, key } = content {
                if !secrets.contains_key(name) {
                    let found = vault::get(api, name).await?;
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
        for (name, text) in public.iter().chain(versions) {
            hash.update(name.as_bytes());
            hash.update([0]);
            hash.update(text.as_bytes());
        }
        Ok(hex::encode(hash.finalize()))
    }
}

fn annotate(manifest: &mut Json, name: &str, value: Json) {
    let metadata = manifest.get_mut("metadata").and_then(Json::as_object_mut);
    let annotations = metadata.map(|metadata| metadata.entry("annotations").or_insert(json!({})));
    if let Some(annotations) = annotations.and_then(Json::as_object_mut) {
        annotations.insert(name.to_owned(), value);
    }
}

/// Replaces pods that wait for a restart after a failure: the cause may be fixed by now.
async fn restart_failed(api: &Api, name: &str) -> Result<(), ClusterError> {
    for pod in failure::failed_pods(api, name).await? {
        api.delete::<Pod>(&pod, &DeleteParams::default()).await?;
    }
    Ok(())
}

/// Deletes the pods; their Deployment recreates them.
pub(super) async fn end(api: &Api, name: &str) -> Result<(), ClusterError> {
    for pod in api.list::<Pod>(&names::query(name)).await?.items {
        api.delete::<Pod>(&pod.name_any(), &DeleteParams::default())
            .await?;
    }
    Ok(())
}

/// Waits until the pod of the last apply is ready and no older pod is left.
pub(super) async fn ready(api: &Api, name: &str) -> Result<(), ClusterError> {
    api.until(name, |deployment: Option<&Deployment>| {
        deployment.filter(|one| stands(one)).map(drop)
    })
    .await
}

/// Whether the Deployment is in its applied version, with its one pod ready.
pub(super) fn stands(deployment: &Deployment) -> bool {
    let Some(status) = &deployment.status else {
        return false;
    };
    status.observed_generation >= deployment.metadata.generation
        && status.replicas == Some(1)
        && status.updated_replicas == Some(1)
        && status.available_replicas == Some(1)
}
