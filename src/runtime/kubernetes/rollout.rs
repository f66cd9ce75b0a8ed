//! Bringing a workload about: its files, volume and way in, then its pod; and seeing whether it stands.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::DeleteParams;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::super::{Content, RuntimeError, Workload};
use super::api::Api;
use super::error::ClusterError;
use super::names::{self, MANAGER};
use super::{KubernetesRuntime, failure, manifest, vault};

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
            api.must_not_be_foreign::<NetworkPolicy>(name, name).await?;
            let policy = manifest::network_policy(&context, workload);
            api.apply::<NetworkPolicy>(name, &policy).await?;
        } else {
            api.delete_ours::<NetworkPolicy>(name, name, DeleteParams::default())
                .await?;
        }
        let mut deployment = manifest::deployment(&context, workload, &hash);
        let manifest_hash = hex::encode(Sha256::digest(deployment.to_string()));
        annotate(&mut deployment, names::MANIFEST_HASH, manifest_hash.into());
        let applied = api.apply::<Deployment>(name, &deployment).await?;
        if failure::gave_up(&applied) {
            // The pauses between attempts to make a pod grow to a quarter of an hour; what is
            // written to the Deployment begins them anew.
            let version = json!(applied.metadata.resource_version);
            annotate(&mut deployment, names::AGAIN, version);
            api.apply::<Deployment>(name, &deployment).await?;
        }
        restart_failed(api, name).await?;
        Ok(())
    }

    /// A digest of what the files of the pod hold, secrets included.
    async fn files_hash(
        &self,
        workload: &Workload,
        public: &BTreeMap<String, String>,
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
        for (name, text) in public {
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

/// What the Deployment was made from, as far as that can be compared.
pub(super) fn manifest_hash(deployment: &Deployment) -> Option<&String> {
    let annotations = deployment.metadata.annotations.as_ref()?;
    annotations.get(names::MANIFEST_HASH)
}

/// Whether the Deployment is another one of ours than the one that was settled.
pub(super) fn is_unfinished(deployment: &Deployment, settled: Option<&String>) -> bool {
    let now = manifest_hash(deployment);
    now.is_some() && settled.is_some() && now != settled
}

/// Replaces pods that wait out the pause after a failure: what they failed for may be mended.
async fn restart_failed(api: &Api, name: &str) -> Result<(), ClusterError> {
    for pod in failure::failed_pods(api, name).await? {
        api.delete::<Pod>(&pod, &DeleteParams::default()).await?;
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

/// The fields of a Deployment that are ours.
pub(super) fn own_fields(deployment: &Deployment) -> Option<Json> {
    let entries = deployment.metadata.managed_fields.iter().flatten();
    let mut ours = entries.filter(|entry| entry.manager.as_deref() == Some(MANAGER));
    ours.next()?
        .fields_v1
        .as_ref()
        .map(|fields| fields.0.clone())
}

/// What others changed of the fields that were ours when the object was settled. What an `unfinished`
/// apply of ours left out was not taken out by others.
pub(super) fn changed_by_others(
    deployment: &Deployment,
    settled: &Json,
    unfinished: bool,
) -> Vec<String> {
    let now = own_fields(deployment).unwrap_or_default();
    let mut lost = Vec::new();
    missing(settled, &now, "", &mut lost);
    lost.into_iter()
        .filter_map(|path| match owner_of(deployment, &path) {
            Some(owner) => Some(format!("{} by {owner:?}", shown(&path))),
            None if unfinished => None,
            None => Some(format!("{} was taken out", shown(&path))),
        })
        .collect()
}

/// The paths that are in `before` and not in `after`.
fn missing(before: &Json, after: &Json, path: &str, found: &mut Vec<String>) {
    for (key, inner) in before.as_object().into_iter().flatten() {
        let path = format!("{path}\n{key}");
        match after.get(key) {
            None if inner.as_object().is_none_or(serde_json::Map::is_empty) => found.push(path),
            None => missing(inner, &Json::Null, &path, found),
            Some(after) => missing(inner, after, &path, found),
        }
    }
}

/// Who else manages the field now.
fn owner_of(deployment: &Deployment, path: &str) -> Option<String> {
    let entries = deployment.metadata.managed_fields.iter().flatten();
    let owner = entries.into_iter().find(|entry| {
        let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
        fields.is_some_and(|fields| {
            let mut keys = path.split('\n').skip(1);
            keys.try_fold(fields, |at, key| at.get(key)).is_some()
        })
    });
    owner?.manager.clone()
}

/// A path of managed fields as people write it: `f:spec`, `k:{"name":"a"}`, `f:image` are
/// `spec[{"name":"a"}].image`.
fn shown(path: &str) -> String {
    let mut text = String::new();
    for key in path.split('\n').filter(|key| !key.is_empty()) {
        match key.split_once(':') {
            Some(("f", name)) if text.is_empty() => text.push_str(name),
            Some(("f", name)) => text.extend([".", name]),
            Some((_, element)) => text.extend(["[", element, "]"]),
            None => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(managed: &Json) -> Deployment {
        serde_json::from_value(json!({ "metadata": { "name": "d", "managedFields": managed } }))
            .unwrap()
    }

    #[test]
    fn a_change_by_others_names_field_and_manager() {
        let ours =
            |fields: Json| json!({ "manager": MANAGER, "operation": "Apply", "fieldsV1": fields });
        let image =
            json!({ "f:spec": { "f:containers": { "k:{\"name\":\"a\"}": { "f:image": {} } } } });
        let both = json!({ "f:spec": { "f:replicas": {}, "f:containers": { "k:{\"name\":\"a\"}": { "f:image": {} } } } });
        let rest = json!({ "f:spec": { "f:replicas": {} } });
        let settled = own_fields(&deployment(&json!([ours(both)]))).unwrap();
        let theirs = json!({ "manager": "kubectl-edit", "operation": "Update", "fieldsV1": image });
        let edited = deployment(&json!([theirs, ours(rest.clone())]));
        assert_eq!(
            changed_by_others(&edited, &settled, true),
            ["spec.containers[{\"name\":\"a\"}].image by \"kubectl-edit\""]
        );
        let gone = deployment(&json!([ours(rest.clone())]));
        assert_eq!(
            changed_by_others(&gone, &settled, false),
            ["spec.containers[{\"name\":\"a\"}].image was taken out"]
        );
        // What an apply of our own left out is no change by others.
        let none = Vec::<String>::new();
        assert_eq!(changed_by_others(&gone, &settled, true), none);
        // What others added is theirs.
        let more = json!({ "manager": "vpa", "fieldsV1": { "f:spec": { "f:paused": {} } } });
        let added = deployment(&json!([more, ours(rest.clone())]));
        assert_eq!(
            changed_by_others(&added, &rest, false),
            Vec::<String>::new()
        );
    }

    #[test]
    fn another_manifest_than_the_settled_one_is_an_apply_that_did_not_finish() {
        let mut manifest = json!({ "metadata": { "name": "d" } });
        annotate(&mut manifest, names::MANIFEST_HASH, "new".into());
        annotate(&mut manifest, names::AGAIN, "7".into());
        let deployment: Deployment = serde_json::from_value(manifest).unwrap();
        let hash = |text: &str| text.to_owned();
        assert!(is_unfinished(&deployment, Some(&hash("old"))));
        assert!(!is_unfinished(&deployment, Some(&hash("new"))));
        // Of one that was settled by an older provider nothing is known.
        assert!(!is_unfinished(&deployment, None));
    }
}
