//! The Secrets that the user named for apps, and the pod's own Secret. A pod sees their content at
//! its start, or a mixture of that and their current content: so their versions are part of the
//! pod's configuration. Their content is never read.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;

use super::super::{PodSettings, VolumeSource};
use super::api::{Api, named};
use super::dependents::gone;
use super::error::ClusterError;
use super::names::{SECRETS, private};

/// Versions by name.
pub(super) type Versions = BTreeMap<String, String>;

/// The versions of the Secrets in these settings that exist and can be read. If one is missing, the
/// pod reports it.
pub(super) async fn named_by(api: &Api, pod: &PodSettings) -> Result<Versions, ClusterError> {
    versions(api, names(pod)).await
}

/// The Secrets that differ from those with which the pod was created. A deleted Secret of the user
/// does not count: the running pod keeps its content.
pub(super) async fn rotated(
    api: &Api,
    deployment: Option<&Deployment>,
) -> Result<Vec<String>, ClusterError> {
    let text = deployment.and_then(|one| one.annotations().get(SECRETS));
    let before: Option<Versions> = text.and_then(|text| serde_json::from_str(text).ok());
    let before = before.unwrap_or_default();
    let now = versions(api, before.keys().map(String::as_str)).await?;
    let changed = now
        .iter()
        .filter(|(name, now)| before.get(*name) != Some(*now));
    let changed = changed.map(|(name, _)| {
        format!(
            "{} has changed since its pod was created",
            named::<Secret>(name)
        )
    });
    // The next apply recreates our own Secret.
    let own = deployment.map(|one| private(&one.name_any()));
    let own = own.filter(|own| before.contains_key(own) && !now.contains_key(own));
    let gone = own.map(|own| gone(&named::<Secret>(&own)));
    Ok(changed.chain(gone).collect())
}

/// The version of one Secret.
pub(super) async fn version(api: &Api, name: &str) -> Result<Versions, ClusterError> {
    versions(api, [name]).await
}

fn names(pod: &PodSettings) -> BTreeSet<&str> {
    let volumes = pod
        .volumes
        .iter()
        .filter_map(|volume| match &volume.source {
            VolumeSource::Secret(name) => Some(name),
            VolumeSource::Claim(_)
            | VolumeSource::ConfigMap(_)
            | VolumeSource::Empty(_)
            | VolumeSource::Ephemeral { .. } => None,
        });
    let all = pod.env_from_secrets.iter().chain(volumes);
    let all = all.chain(&pod.server_env_from_secrets);
    all.map(String::as_str).collect()
}

async fn versions(
    api: &Api,
    names: impl IntoIterator<Item = &str>,
) -> Result<Versions, ClusterError> {
    let looks = names.into_iter().map(|name| async move {
        match api.metadata::<Secret>(name).await {
            Ok(found) => {
                Ok(found.and_then(|found| Some((name.to_owned(), found.resource_version?))))
            }
            // Pods may use Secrets that this account may not read.
            Err(ClusterError::Forbidden { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    });
    Ok(try_join_all(looks).await?.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Volume;

    #[test]
    fn secrets_are_looked_at_where_apps_see_them() {
        let volume = |source| Volume {
            name: "v".to_owned(),
            mount_path: "/v".to_owned(),
            read_only: true,
            source,
        };
        let pod = PodSettings {
            pull_secrets: vec!["registry".to_owned()],
            env_from_secrets: vec!["login".to_owned()],
            server_env_from_secrets: vec!["licence".to_owned()],
            volumes: vec![
                volume(VolumeSource::Secret("data".to_owned())),
                volume(VolumeSource::Secret("login".to_owned())),
                volume(VolumeSource::ConfigMap("map".to_owned())),
            ],
            ..PodSettings::default()
        };
        assert_eq!(names(&pod), ["data", "licence", "login"].into());
    }
}
