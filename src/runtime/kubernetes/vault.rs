//! Secrets: one Kubernetes Secret for each, owned by the object that it belongs to.

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use serde_json::json;
use zeroize::Zeroizing;

use super::super::{Managed, ObjectRef, RuntimeError, SecretEntries, Secrets};
use super::api::{Api, named};
use super::error::ClusterError;
use super::manifest::Context;
use super::{KubernetesRuntime, names};
use crate::masking;

/// Writes a Secret. An existing Secret that someone else created is an error.
pub(super) async fn put(
    api: &Api,
    owner: &Context<'_>,
    name: &str,
    entries: &SecretEntries,
) -> Result<(), ClusterError> {
    use base64::Engine as _;
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let data: serde_json::Map<String, serde_json::Value> = entries
        .iter()
        .map(|(key, text)| (key.clone(), encode(text).into()))
        .collect();
    let manifest = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": owner.metadata(name),
        "type": "Opaque",
        "data": data,
    });
    api.apply_ours::<Secret>(name, &owner.name, &manifest)
        .await
        .map(drop)
}

/// The entries of a Secret of this object; an error if someone else created it.
pub(super) async fn own(
    api: &Api,
    owner: &str,
    name: &str,
) -> Result<Option<SecretEntries>, ClusterError> {
    let found = look(api, owner, name).await?;
    found.map(|found| entries(name, found)).transpose()
}

/// Writes a Secret of this object again if its labels are out of date.
pub(super) async fn relabel(
    api: &Api,
    owner: &Context<'_>,
    name: &str,
) -> Result<(), ClusterError> {
    match look(api, &owner.name, name).await? {
        Some(found) if *found.labels() != owner.labels => {
            put(api, owner, name, &entries(name, found)?).await
        }
        _ => Ok(()),
    }
}

async fn look(api: &Api, owner: &str, name: &str) -> Result<Option<Secret>, ClusterError> {
    match api.get::<Secret>(name).await? {
        Some(found) if !names::are_of(found.labels(), owner) => Err(api.foreign::<Secret>(name)),
        found => Ok(found),
    }
}

/// The entries of any Secret, whoever created it.
pub(super) async fn get(api: &Api, name: &str) -> Result<Option<SecretEntries>, ClusterError> {
    let found = api.get::<Secret>(name).await?;
    found.map(|found| entries(name, found)).transpose()
}

fn entries(name: &str, found: Secret) -> Result<SecretEntries, ClusterError> {
    let mut entries = SecretEntries::new();
    for (key, bytes) in found.data.unwrap_or_default() {
        let text = String::from_utf8(bytes.0).map_err(|_| ClusterError::Invalid {
            object: named::<Secret>(name),
            words: format!("the entry {key:?} is not text"),
        })?;
        masking::hide_private_key(&text);
        entries.insert(key, Zeroizing::new(text));
    }
    Ok(entries)
}

#[async_trait]
impl Secrets for KubernetesRuntime {
    async fn put_secret(
        &self,
        owner: &Managed,
        name: &str,
        entries: &SecretEntries,
    ) -> Result<(), RuntimeError> {
        let context = self.context(owner.object()).await?;
        Ok(put(self.api().await?, &context, name, entries).await?)
    }

    async fn secret(
        &self,
        owner: &ObjectRef,
        name: &str,
    ) -> Result<Option<SecretEntries>, RuntimeError> {
        let api = self.api().await?;
        Ok(own(api, &names::of(owner), name).await?)
    }

    async fn relabel_secret(&self, owner: &ObjectRef, name: &str) -> Result<(), RuntimeError> {
        let context = self.context(owner).await?;
        Ok(relabel(self.api().await?, &context, name).await?)
    }
}
