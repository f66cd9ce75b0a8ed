//! Removing an object: its parts first, its record last, and nothing is called gone before it is.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::DeleteParams;

use super::super::{Kind, ObjectRef};
use super::api::{Api, Object, named};
use super::error::ClusterError;
use super::names;

/// How long a part may take to go, pods that end in their own time included.
const PATIENCE: Duration = Duration::from_secs(90);

pub(super) async fn remove(api: &Api, object: &ObjectRef) -> Result<(), ClusterError> {
    let name = names::of(object);
    let files = names::files(&name);
    if object.kind != Kind::SupernodeKey {
        tokio::try_join!(
            part::<Deployment>(api, &name),
            part::<Service>(api, &name),
            part::<NetworkPolicy>(api, &name),
            part::<PersistentVolumeClaim>(api, &name),
            part::<ConfigMap>(api, &files),
        )?;
    }
    part::<ConfigMap>(api, &name).await
}

async fn part<K: Object>(api: &Api, name: &str) -> Result<(), ClusterError> {
    // Foreground: a Deployment is gone only when its pods are.
    api.delete::<K>(name, &DeleteParams::foreground()).await?;
    let gone = api.until(name, |object: Option<&K>| object.is_none().then_some(()));
    if let Ok(gone) = tokio::time::timeout(PATIENCE, gone).await {
        return gone;
    }
    let left = api.get::<K>(name).await?;
    let finalizers = left
        .and_then(|left| left.meta().finalizers.clone())
        .unwrap_or_default();
    Err(ClusterError::Stuck {
        object: named::<K>(name),
        seconds: PATIENCE.as_secs(),
        finalizers,
    })
}
