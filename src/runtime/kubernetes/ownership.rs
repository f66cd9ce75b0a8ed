//! Ownership: the provider never takes over or deletes an object that it did not create.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, Preconditions};

use serde_json::Value as Json;

use super::api::{Api, Object, named};
use super::error::ClusterError;
use super::names;

type Result<T> = std::result::Result<T, ClusterError>;

impl Api {
    /// The metadata of the object `name`, whoever created it.
    pub(super) async fn metadata<K: Object>(&self, name: &str) -> Result<Option<ObjectMeta>> {
        let found = self.all::<K>().get_metadata_opt(name).await;
        let found = found.map_err(|error| self.failed(error, &named::<K>(name)))?;
        Ok(found.map(|found| found.metadata))
    }

    /// The same, and whether it is a part of the object `whose`.
    pub(super) async fn look<K: Object>(
        &self,
        name: &str,
        whose: &str,
    ) -> Result<Option<(ObjectMeta, bool)>> {
        let found = self.metadata::<K>(name).await?;
        Ok(found.map(|metadata| {
            let labels = metadata.labels.as_ref();
            let ours = labels.is_some_and(|labels| names::are_of(labels, whose));
            (metadata, ours)
        }))
    }

    /// An error if `name` exists and is not a part of the object `whose`.
    pub(super) async fn must_not_be_foreign<K: Object>(
        &self,
        name: &str,
        whose: &str,
    ) -> Result<()> {
        match self.look::<K>(name, whose).await? {
            Some((_, false)) => Err(self.foreign::<K>(name)),
            Some((_, true)) | None => Ok(()),
        }
    }

    /// Applies a part of the object `whose`; an error if someone else created `name`.
    pub(super) async fn apply_ours<K: Object>(
        &self,
        name: &str,
        whose: &str,
        manifest: &Json,
    ) -> Result<K> {
        self.must_not_be_foreign::<K>(name, whose).await?;
        self.apply(name, manifest).await
    }

    /// An object with this name exists that we did not create.
    pub(super) fn foreign<K: Object>(&self, name: &str) -> ClusterError {
        ClusterError::Foreign {
            object: named::<K>(name),
            namespace: self.namespace.clone(),
        }
    }

    /// Deletes `name` if it is a part of the object `whose`, with its UID as a precondition.
    /// Returns the UID, or `None` if there was no such part.
    pub(super) async fn delete_ours<K: Object>(
        &self,
        name: &str,
        whose: &str,
        how: DeleteParams,
    ) -> Result<Option<String>> {
        let Some((metadata, true)) = self.look::<K>(name, whose).await? else {
            return Ok(None);
        };
        let how = how.preconditions(Preconditions {
            uid: metadata.uid.clone(),
            resource_version: None,
        });
        match self.all::<K>().delete(name, &how).await {
            Ok(_) => Ok(metadata.uid),
            // It does not exist any more, or was replaced.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(None),
            Err(error) => Err(self.failed(error, &named::<K>(name))),
        }
    }
}
