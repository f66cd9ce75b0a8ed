//! The record of an object: a ConfigMap that is created first, owns the rest, and stores the
//! configuration of the object.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt as _;
use kube::api::PostParams;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use super::super::{Kind, ObjectName, ObjectRef, Observation, Part, Readiness, RuntimeError};
use super::api::{Api, insist, named};
use super::error::ClusterError;
use super::lease::is_settled;
use super::names::{self, CHANGING, COMPONENT, HOLDER, MANAGER, NAME, RENEWED, SETTLED};
use super::status::is_there_already;
use super::{KubernetesRuntime, dependents, drift, lease, rollout, secrets};

/// The recorded configuration, for import.
const CONFIGURATION: &str = "state.json";
/// The fields of the parts that we managed when the object was settled.
const FIELDS: &str = "parts.json";
/// The settings of the provider that created the object.
pub(super) const SETTINGS: &str = "provider.json";
/// The generation of the Deployment when the object was settled.
const GENERATION: &str = "deployment.json";

impl KubernetesRuntime {
    /// The record as an owner reference.
    pub(super) async fn owner(&self, object: &ObjectRef) -> Result<Json, RuntimeError> {
        let name = names::of(object);
        let api = self.api().await?;
        let found = api.get::<ConfigMap>(&name).await?;
        let uid = found.and_then(|record| record.metadata.uid);
        let uid = uid.ok_or_else(|| RuntimeError::Gone(object.clone()))?;
        Ok(owner(&name, &uid))
    }

    /// The part of the provider configuration that affects every object.
    pub(super) fn settings(&self) -> Json {
        json!({ "labels": self.labels, "image_prefix": self.image_prefix })
    }

    pub(super) async fn settle_record(
        &self,
        object: &ObjectRef,
        configuration: &Json,
    ) -> Result<(), RuntimeError> {
        let name = names::of(object);
        let api = self.api().await?;
        self.is_not_lost(object, &name)?;
        let own = match object.kind {
            Kind::SupernodeKey => drift::ManagedFields::default(),
            Kind::Superlink | Kind::Supernode => drift::managed_fields(api, &name).await?,
        };
        let generation = own.deployment.as_ref().and_then(generation);
        let found = api.get::<ConfigMap>(&name).await?;
        let found = found.ok_or_else(|| RuntimeError::Gone(object.clone()))?;
        let labels = names::labels(object, &self.labels);
        // One update for all: a settled object has no lease and no change in progress.
        let settled = json!({
            "metadata": {
                "labels": relabelled(kept::<Json>(&found, SETTINGS).as_ref(), labels),
                "annotations": { SETTLED: "true", HOLDER: null, RENEWED: null, CHANGING: null },
            },
            "data": {
                CONFIGURATION: configuration.to_string(),
                FIELDS: json!(own.fields).to_string(),
                SETTINGS: self.settings().to_string(),
                GENERATION: json!(generation).to_string(),
            },
        });
        self.leases.release(&name);
        self.change_record(api, object, &name, &settled).await
    }

    /// Marks in the record of a settled object that a change begins, before the first change: if
    /// the apply does not finish, the next refresh detects it. Whether the mark is new.
    pub(super) async fn begin_change(
        &self,
        api: &Api,
        object: &ObjectRef,
        name: &str,
    ) -> Result<bool, RuntimeError> {
        self.is_not_lost(object, name)?;
        if self.leases.has(name) {
            // The object is still being created.
            return Ok(false);
        }
        let found = api.get::<ConfigMap>(name).await?;
        if found.is_some_and(|record| record.annotations().contains_key(CHANGING)) {
            return Ok(false);
        }
        let changing = json!({ "metadata": { "annotations": { CHANGING: "true" } } });
        self.change_record(api, object, name, &changing).await?;
        Ok(true)
    }

    /// Removes the mark of a change: the first change was refused, so nothing has changed.
    pub(super) async fn take_back_change(
        &self,
        api: &Api,
        object: &ObjectRef,
        name: &str,
    ) -> Result<(), RuntimeError> {
        let unchanged = json!({ "metadata": { "annotations": { CHANGING: null } } });
        self.change_record(api, object, name, &unchanged).await
    }

    /// The record is created and changed only by updates, never by server-side apply: those would
    /// be two managers of the same fields, with conflicts.
    async fn change_record(
        &self,
        api: &Api,
        object: &ObjectRef,
        name: &str,
        patch: &Json,
    ) -> Result<(), RuntimeError> {
        self.listings.forget();
        match lease::merge(api, name, patch).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => {
                Err(RuntimeError::Gone(object.clone()))
            }
            Err(error) => Err(api.failed(error, &named::<ConfigMap>(name)).into()),
        }
    }

    /// Whether the object was settled with this version of the Deployment.
    pub(super) async fn was_settled(
        &self,
        name: &str,
        deployment: &Deployment,
    ) -> Result<bool, RuntimeError> {
        let record = self.api().await?.get::<ConfigMap>(name).await?;
        let settled: Option<String> = record.as_ref().and_then(|one| kept(one, GENERATION));
        Ok(settled.is_some() && settled == generation(&deployment.metadata))
    }

    pub(super) async fn settled_records(
        &self,
        kind: Kind,
    ) -> Result<BTreeMap<ObjectName, Json>, RuntimeError> {
        let listing = self.listings.get(self.api().await?).await?;
        let mut recorded = BTreeMap::new();
        for record in listing
            .config_maps
            .values()
            .filter(|record| is_settled(record))
        {
            let labels = record.labels();
            let is_kind = labels
                .get(COMPONENT)
                .is_some_and(|one| one == names::kind(kind));
            if is_kind
                && let Some(name) = labels.get(NAME).and_then(|name| name.parse().ok())
                && let Some(configuration) = kept(record, CONFIGURATION)
            {
                recorded.insert(name, configuration);
            }
        }
        Ok(recorded)
    }

    /// The observation for a refresh, from a listing that all objects share.
    pub(super) async fn observe_record(
        &self,
        object: &ObjectRef,
        parts: &[Part],
    ) -> Result<Option<Observation>, RuntimeError> {
        let name = names::of(object);
        let api = self.api().await?;
        let listing = self.listings.get(api).await?;
        let Some(record) = listing.config_maps.get(&name) else {
            return Ok(None);
        };
        let deployment = listing.deployments.get(&name);
        let readiness = match deployment {
            None => Readiness::Stopped,
            Some(deployment) if rollout::stands(deployment) => Readiness::Ready,
            Some(_) => Readiness::NotReady,
        };
        let unfinished = record.annotations().contains_key(CHANGING);
        // An object that was never settled may never have had these parts.
        let missing = if is_settled(record) {
            dependents::missing(api, &listing, &name, parts).await?
        } else {
            Vec::new()
        };
        let fields: Option<drift::Fields> = kept(record, FIELDS);
        let mut changed = drift::changed_by_others(
            &listing.parts(&name),
            &fields.unwrap_or_default(),
            unfinished,
        );
        let known_gone: Vec<_> = missing
            .iter()
            .filter_map(|one| dependents::id(&one.part, &name))
            .collect();
        changed.retain(|change| !known_gone.iter().any(|part| change.is_end_of(part)));
        let made_with = kept(record, SETTINGS);
        let mut outdated = made_with.map_or_else(Vec::new, |made_with| {
            other_settings(&made_with, &self.settings())
        });
        outdated.extend(secrets::rotated(api, deployment).await?);
        Ok(Some(Observation {
            readiness,
            changed: changed.iter().map(ToString::to_string).collect(),
            unfinished,
            outdated,
            missing,
        }))
    }
}

/// The value with this key in a record.
fn kept<T: DeserializeOwned>(record: &ConfigMap, name: &str) -> Option<T> {
    let text = record.data.as_ref()?.get(name)?;
    serde_json::from_str(text).ok()
}

/// Labels as a patch over those of other settings, which also removes old labels.
fn relabelled(made_with: Option<&Json>, labels: BTreeMap<String, String>) -> Json {
    let before = made_with.and_then(|settings| settings.get("labels")?.as_object());
    let gone = before.into_iter().flatten();
    let gone = gone.map(|(label, _)| (label.clone(), Json::Null));
    let labels = labels
        .into_iter()
        .map(|(label, value)| (label, value.into()));
    Json::Object(gone.chain(labels).collect())
}

/// The settings that differ from those with which the object was created.
fn other_settings(made_with: &Json, now: &Json) -> Vec<String> {
    let settings = now.as_object().into_iter().flatten();
    settings
        .filter(|(setting, value)| made_with.get(setting) != Some(*value))
        .map(|(setting, _)| format!("`{setting}` of the provider has changed since the last apply"))
        .collect()
}

/// Identifies a version of a Deployment's specification.
fn generation(metadata: &ObjectMeta) -> Option<String> {
    let uid = metadata.uid.as_ref()?;
    Some(format!("{uid}/{}", metadata.generation?))
}

/// An owner reference to the record with this name and UID.
pub(super) fn owner(name: &str, uid: &str) -> Json {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid })
}

/// Creates a ConfigMap; `false` if one with this name exists.
pub(super) async fn make(api: &Api, name: &str, manifest: Json) -> Result<bool, ClusterError> {
    let object = named::<ConfigMap>(name);
    let manifest: ConfigMap =
        serde_json::from_value(manifest).map_err(|error| ClusterError::Api {
            object: object.clone(),
            words: error.to_string(),
        })?;
    let as_us = PostParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PostParams::default()
    };
    let all = api.all::<ConfigMap>();
    match insist(|| all.create(&as_us, &manifest)).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if is_there_already(&status) => Ok(false),
        Err(error) => Err(api.failed(error, &object)),
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
