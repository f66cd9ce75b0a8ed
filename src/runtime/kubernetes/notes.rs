//! Notes about work that must not be done twice. Each is a ConfigMap with a lease, like a record;
//! the apply that does the work holds the lease.

use std::collections::BTreeMap;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use kube::api::DeleteParams;
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

use super::super::{Journal, JournalEntry, RuntimeError};
use super::api::{Api, named};
use super::lease::{Holder, LeaseState};
use super::names::{self, COMPONENT, MANAGED_BY, MANAGER, NOTES};
use super::{KubernetesRuntime, lease, record};
use crate::pod_address::PodAddress;

const NOTE: &str = "note.json";

impl KubernetesRuntime {
    /// Writes a note; an error if another apply has a note with this key.
    pub(super) async fn save_note(
        &self,
        key: &str,
        note: &Json,
        control: &str,
    ) -> Result<(), RuntimeError> {
        let api = self.api().await?;
        let name = names::note(key);
        let data = json!({ NOTE: note.to_string(), "key": key });
        if self.leases.has(&name) {
            let change = json!({ "data": data });
            let changed = lease::merge(api, &name, &change).await;
            changed.map_err(|error| api.failed(error, &named::<ConfigMap>(&name)))?;
            return Ok(());
        }
        let manifest = json!({
            "metadata": {
                "name": name,
                "labels": names::note_labels(&name, &self.labels),
                "annotations": self.leases.marks(),
                "ownerReferences": self.owner_of_note(api, control).await?,
            },
            "data": data,
        });
        if !record::make(api, &name, manifest).await? {
            let found = api.get::<ConfigMap>(&name).await?;
            // Or the reply to our own request was lost, and the request was repeated.
            let ours = |found: &ConfigMap| self.leases.holder(found) == Holder::Us;
            if !found.as_ref().is_some_and(ours) {
                return Err(RuntimeError::BeingDone {
                    key: key.to_owned(),
                });
            }
        }
        self.leases.keep(api, &name);
        Ok(())
    }

    /// The record of the SuperLink whose runs the note is about, if it is one of ours: a note that
    /// no apply takes over is then deleted with the SuperLink.
    async fn owner_of_note(&self, api: &Api, control: &str) -> Result<Vec<Json>, RuntimeError> {
        let address = PodAddress::parse(control);
        let Some(address) = address.filter(|one| one.namespace() == api.namespace) else {
            return Ok(Vec::new());
        };
        let name = address.name();
        let found = api.look::<ConfigMap>(name, name).await?;
        let uid = found.and_then(|(record, ours)| record.uid.filter(|_| ours));
        Ok(uid
            .map(|uid| record::owner(name, &uid))
            .into_iter()
            .collect())
    }

    /// The notes with these keys. Those of dead applies become ours.
    pub(super) async fn load_notes(&self, prefix: &str) -> Result<Vec<JournalEntry>, RuntimeError> {
        let api = self.api().await?;
        let found = api
            .list::<ConfigMap>(&format!("{MANAGED_BY}={MANAGER},{COMPONENT}={NOTES}"))
            .await?;
        let mut entries = Vec::new();
        for item in found.items {
            let text = |name: &str| item.data.as_ref().and_then(|data| data.get(name));
            let Some(key) = text("key").filter(|key| key.starts_with(prefix)) else {
                continue;
            };
            let note = text(NOTE).map_or("", String::as_str);
            let note = serde_json::from_str(note).map_err(|error| RuntimeError::DamagedNote {
                note: named::<ConfigMap>(&item.name_any()),
                cause: error.to_string(),
            })?;
            entries.push(JournalEntry {
                key: key.clone(),
                note,
                owner_lives: self.owner_lives(&item).await?,
            });
        }
        Ok(entries)
    }

    /// The content of the notes with these keys; their holders do not change.
    pub(super) async fn written_notes(
        &self,
        prefix: &str,
    ) -> Result<BTreeMap<String, Json>, RuntimeError> {
        let api = self.api().await?;
        let found = api
            .list::<ConfigMap>(&format!("{MANAGED_BY}={MANAGER},{COMPONENT}={NOTES}"))
            .await?;
        let written = |item: ConfigMap| {
            let data = item.data?;
            let key = data.get("key").filter(|key| key.starts_with(prefix))?;
            Some((key.clone(), serde_json::from_str(data.get(NOTE)?).ok()?))
        };
        Ok(found.items.into_iter().filter_map(written).collect())
    }

    async fn owner_lives(&self, item: &ConfigMap) -> Result<bool, RuntimeError> {
        let api = self.api().await?;
        let name = item.name_any();
        if self.leases.has(&name) {
            return Ok(true);
        }
        // This takes only seconds, so it needs no cancellation.
        let never = CancellationToken::new();
        let lives = match self.leases.holder(item) {
            Holder::Us | Holder::Nobody => false,
            Holder::Another { .. } => lease::watch(api, item, &never).await? != LeaseState::Died,
        };
        if lives || !self.leases.take(api, item).await? {
            return Ok(true);
        }
        self.leases.keep(api, &name);
        Ok(false)
    }

    pub(super) async fn remove_note(&self, key: &str) -> Result<(), RuntimeError> {
        let name = names::note(key);
        self.leases.release(&name);
        let api = self.api().await?;
        api.delete_ours::<ConfigMap>(&name, &name, DeleteParams::default())
            .await?;
        Ok(())
    }
}

#[async_trait]
impl Journal for KubernetesRuntime {
    async fn write_note(
        &self,
        key: &str,
        note: &serde_json::Value,
        control: &str,
    ) -> Result<(), RuntimeError> {
        self.save_note(key, note, control).await
    }

    async fn notes(&self, prefix: &str) -> Result<Vec<JournalEntry>, RuntimeError> {
        self.load_notes(prefix).await
    }

    async fn read_notes(
        &self,
        prefix: &str,
    ) -> Result<BTreeMap<String, serde_json::Value>, RuntimeError> {
        self.written_notes(prefix).await
    }

    async fn drop_note(&self, key: &str) -> Result<(), RuntimeError> {
        self.remove_note(key).await
    }
}
