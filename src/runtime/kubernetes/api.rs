//! Calls to the API server, with errors that name the object.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ListParams, ObjectList, Patch, PatchParams};
use kube::{Client, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::access::Access;
use super::cause;
use super::error::ClusterError;
use super::login::{self, Login};
use super::names::MANAGER;
use super::request_timeout::with_request_timeout;
use super::status::is_passing_clash;

type Result<T> = std::result::Result<T, ClusterError>;

/// How often a request is repeated after a conflict with a change by another client, and the first
/// pause before it, doubled each time.
const CLASHES: u32 = 5;
const CLASH_PAUSE: Duration = Duration::from_millis(100);

/// A client of the API server for one namespace.
#[derive(Clone)]
pub(super) struct Api {
    client: Client,
    pub namespace: String,
    at: String,
    login: Login,
}

/// A namespaced object that the provider can read and write.
pub(super) trait Object:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + k8s_openapi::Resource
    + Clone
    + std::fmt::Debug
    + DeserializeOwned
    + Serialize
    + Send
    + Sync
    + 'static
{
}

impl<K> Object for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + k8s_openapi::Resource
        + Clone
        + std::fmt::Debug
        + DeserializeOwned
        + Serialize
        + Send
        + Sync
        + 'static
{
}

/// The name of an object in messages.
pub(super) fn named<K: Object>(name: &str) -> String {
    format!("{} {name:?}", <K as k8s_openapi::Resource>::KIND)
}

impl Api {
    pub(super) async fn connect(access: &Access) -> Result<Self> {
        let mut config = access.config().await?;
        // Requests to a busy API server are repeated with our own limits.
        config.default_retry = false;
        let at = config.cluster_url.to_string();
        let namespace = config.default_namespace.clone();
        let login = Login::of(&config.auth_info);
        let client = login::client(config).await.map_err(|error| {
            let at = at.clone();
            match login.lacks(error) {
                Ok(fault) => ClusterError::Login { at, fault },
                Err(error) => ClusterError::Config {
                    place: at,
                    cause: cause::of_client(&error),
                },
            }
        })?;
        Ok(Self {
            client: with_request_timeout(client, &namespace),
            namespace,
            at,
            login,
        })
    }

    pub(super) fn all<K: Object>(&self) -> kube::Api<K> {
        kube::Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The same client for another namespace.
    pub(super) fn within(&self, namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            ..self.clone()
        }
    }

    pub(super) fn failed(&self, error: kube::Error, object: &str) -> ClusterError {
        ClusterError::of(&error, object, &self.at, &self.login)
    }

    /// The identity of this cluster, which no other cluster has.
    pub(super) async fn cluster_uid(&self) -> Result<String> {
        let namespaces: kube::Api<Namespace> = kube::Api::all(self.client.clone());
        let found = namespaces.get("kube-system").await;
        let found = found.map_err(|error| self.failed(error, "Namespace \"kube-system\""))?;
        Ok(found.metadata.uid.unwrap_or_default())
    }

    pub(super) async fn get<K: Object>(&self, name: &str) -> Result<Option<K>> {
        let found = self.all::<K>().get_opt(name).await;
        found.map_err(|error| self.failed(error, &named::<K>(name)))
    }

    pub(super) async fn list<K: Object>(&self, labels: &str) -> Result<ObjectList<K>> {
        let found = self
            .all::<K>()
            .list(&ListParams::default().labels(labels))
            .await;
        found.map_err(|error| self.failed(error, <K as k8s_openapi::Resource>::KIND))
    }

    /// Server-side apply. A field that another manager owns is a conflict and is never overwritten.
    pub(super) async fn apply<K: Object>(&self, name: &str, manifest: &Json) -> Result<K> {
        self.patch(name, manifest, &PatchParams::apply(MANAGER))
            .await
    }

    /// Whether [`Api::apply`] would succeed, as far as a dry run can tell: it asks the API server,
    /// its quotas and its admission webhooks.
    pub(super) async fn try_out<K: Object>(&self, name: &str, manifest: &Json) -> Result<()> {
        let dry = PatchParams {
            dry_run: true,
            ..PatchParams::apply(MANAGER)
        };
        self.patch::<K>(name, manifest, &dry).await.map(drop)
    }

    async fn patch<K: Object>(&self, name: &str, manifest: &Json, how: &PatchParams) -> Result<K> {
        let (all, manifest) = (self.all::<K>(), Patch::Apply(manifest));
        let patched = insist(|| all.patch(name, how, &manifest)).await;
        patched.map_err(|error| self.failed(error, &named::<K>(name)))
    }

    /// Deletes an object. If it does not exist, that is a success.
    pub(super) async fn delete<K: Object>(&self, name: &str, how: &DeleteParams) -> Result<()> {
        match self.all::<K>().delete(name, how).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(self.failed(error, &named::<K>(name))),
        }
    }
}

/// Repeats a request a few times while it conflicts with simultaneous changes by other clients.
pub(super) async fn insist<T, F>(ask: impl Fn() -> F) -> kube::Result<T>
where
    F: Future<Output = kube::Result<T>>,
{
    for tried in 0..CLASHES {
        match ask().await {
            Err(kube::Error::Api(status)) if is_passing_clash(&status) => {
                tracing::debug!(words = status.message, "asking again");
                tokio::time::sleep(CLASH_PAUSE * 2_u32.pow(tried)).await;
            }
            answer => return answer,
        }
    }
    ask().await
}

/// Objects by name.
pub(super) fn by_name<K: Object>(items: Vec<K>) -> BTreeMap<String, K> {
    let named = |item: K| (item.name_any(), item);
    items.into_iter().map(named).collect()
}
