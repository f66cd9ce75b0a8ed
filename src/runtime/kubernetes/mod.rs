//! The runtime `kubernetes`: pods, Secrets and volumes in one namespace of one cluster.
//!
//! Every object has a record, a ConfigMap with its name, which is created before everything else
//! and owns the rest. The provider writes with server-side apply under its own field manager, so
//! that fields of other managers stay theirs. The Control API of a SuperLink listens only in its
//! pod and is reached by port-forward: access control is that of the cluster.

mod access;
mod api;
mod artifacts;
mod cause;
mod claim;
mod dependents;
mod drift;
mod error;
mod failure;
mod forward;
mod lease;
mod listing;
mod login;
mod logs;
mod manifest;
mod names;
mod network;
mod notes;
mod ownership;
mod part_id;
mod ports;
mod record;
mod removal;
mod request_timeout;
mod rollout;
mod secrets;
mod service;
mod settings;
mod status;
mod vault;
mod watcher;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

pub use access::{Access, Credentials, ExecCredentials, Host};
pub use settings::{
    Certificates, Namespace, PrivateKey, ProxyUrl, ServerUrl, SettingError, TlsServerName, Token,
};

use super::pod::{ARTIFACTS, FILES, HOME, STATE, TMP};
use super::{
    Begun, Claimed, Diagnosis, Environments, Failure, HealthPorts, Kind, Location, Managed,
    ObjectName, ObjectRef, Objects, Observation, Part, Removal, RuntimeError, WaitPolicy, Workload,
};
use api::Api;
use manifest::Context;

const LOOPBACK: &str = "127.0.0.1";
const ANY: &str = "0.0.0.0";
/// How long a program may take to start by default: Python imports are slow on a busy node.
const START: Duration = Duration::from_mins(3);
const HEALTH: HealthPorts = HealthPorts {
    main: 8081,
    superexec: 8082,
};

/// The configuration of the runtime `kubernetes`.
pub struct KubernetesRuntime {
    access: Access,
    /// Labels of all objects.
    labels: BTreeMap<String, String>,
    /// The prefix of image names, such as `registry.example.org/mirror/`.
    image_prefix: String,
    api: OnceCell<Api>,
    place: OnceCell<String>,
    leases: lease::Leases,
    listings: listing::Cache,
}

impl KubernetesRuntime {
    /// It reads nothing and opens no connection before the first call.
    pub fn new(access: Access, labels: BTreeMap<String, String>, image_prefix: String) -> Self {
        Self {
            access,
            labels,
            image_prefix,
            api: OnceCell::new(),
            place: OnceCell::new(),
            leases: lease::Leases::default(),
            listings: listing::Cache::default(),
        }
    }

    async fn api(&self) -> Result<&Api, RuntimeError> {
        self.api
            .get_or_try_init(|| async { Api::connect(&self.access).await })
            .await
            .map_err(RuntimeError::from)
    }

    /// The fields that all manifests of the object share.
    async fn context(&self, object: &ObjectRef) -> Result<Context<'_>, RuntimeError> {
        Ok(Context {
            name: names::of(object),
            object: object.clone(),
            labels: names::labels(object, &self.labels),
            owner: self.owner(object).await?,
            image_prefix: &self.image_prefix,
        })
    }
}

#[async_trait]
impl Location for KubernetesRuntime {
    async fn place(&self) -> Result<String, RuntimeError> {
        let place = self
            .place
            .get_or_try_init(|| async {
                let api = self.api().await?;
                let uid = api.cluster_uid().await?;
                Ok::<_, RuntimeError>(format!("cluster {uid}, namespace {}", api.namespace))
            })
            .await?;
        Ok(place.clone())
    }

    fn has_pods(&self) -> bool {
        true
    }
}

#[async_trait]
impl Environments for KubernetesRuntime {
    fn installs_requirements(&self) -> bool {
        false
    }

    async fn prepare(
        &self,
        object: &ObjectRef,
        workload: &Workload,
        _: &CancellationToken,
    ) -> Result<(), RuntimeError> {
        self.try_out(object, workload).await
    }
}

#[async_trait]
impl Objects for KubernetesRuntime {
    async fn claim(
        &self,
        object: &ObjectRef,
        stop: &CancellationToken,
    ) -> Result<Claimed, RuntimeError> {
        let claim = self.claim_record(object, stop).await?;
        Ok(Claimed::new(object.clone(), claim))
    }

    async fn record_configuration(
        &self,
        object: &Managed,
        configuration: &serde_json::Value,
    ) -> Result<(), RuntimeError> {
        self.settle_record(object.object(), configuration).await
    }

    async fn recorded_configurations(
        &self,
        kind: Kind,
    ) -> Result<BTreeMap<ObjectName, serde_json::Value>, RuntimeError> {
        self.settled_records(kind).await
    }

    async fn start(
        &self,
        object: &Managed,
        workload: &Workload,
        _: &CancellationToken,
    ) -> Result<Begun, RuntimeError> {
        self.roll_out(object.object(), workload).await
    }

    async fn end(&self, object: &ObjectRef) -> Result<(), RuntimeError> {
        Ok(rollout::end(self.api().await?, &names::of(object)).await?)
    }

    async fn ready(&self, object: &ObjectRef) -> Result<(), RuntimeError> {
        let api = self.api().await?;
        Ok(rollout::ready(api, &names::of(object)).await?)
    }

    async fn observe(
        &self,
        object: &ObjectRef,
        parts: &[Part],
    ) -> Result<Option<Observation>, RuntimeError> {
        self.observe_record(object, parts).await
    }

    async fn remove(&self, object: &ObjectRef, how: Removal<'_>) -> Result<(), RuntimeError> {
        let api = self.api().await?;
        self.listings.forget();
        self.is_not_others(object, how.stop).await?;
        let removed = removal::remove(api, object, &how).await;
        self.leases.release(&names::of(object));
        removed
    }
}

#[async_trait]
impl Diagnosis for KubernetesRuntime {
    async fn watch_failure(&self, object: &ObjectRef, wait_policy: WaitPolicy) -> Failure {
        match self.api().await {
            Ok(api) => failure::watch(api, &names::of(object), wait_policy).await,
            // All other calls to the cluster report this error.
            Err(_) => std::future::pending().await,
        }
    }

    async fn wait_log(
        &self,
        object: &ObjectRef,
        process: &str,
        found: &(dyn for<'a> Fn(&'a str) -> Option<String> + Sync),
    ) -> Result<String, RuntimeError> {
        let api = self.api().await?;
        Ok(logs::wait(api, &names::of(object), process, found).await?)
    }

    async fn log_tail(
        &self,
        object: &ObjectRef,
        process: &str,
        lines: usize,
    ) -> Result<Vec<String>, RuntimeError> {
        let api = self.api().await?;
        Ok(logs::tail(api, &names::of(object), process, lines).await)
    }

    async fn log_place(&self, object: &ObjectRef, process: &str) -> Option<String> {
        let namespace = &self.api().await.ok()?.namespace;
        let name = names::of(object);
        Some(format!(
            "kubectl --namespace {namespace} logs deployment/{name} --container {process}"
        ))
    }
}
