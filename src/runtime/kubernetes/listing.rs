//! One listing of the provider's objects in the namespace, for all objects of a refresh.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::api::{Api, Object, by_name};
use super::error::ClusterError;
use super::names::{self, MANAGED_BY, MANAGER};
use super::part_id::{PartId, Watched};

/// The maximum age of a listing that all objects of a refresh share.
const SHARED: Duration = Duration::from_secs(10);

/// The provider's objects in the namespace, by name. Secrets are not listed: a Role that can list
/// them can read them all.
#[derive(Clone, Default)]
pub(super) struct Listing {
    /// Records, and the public files of pods.
    pub config_maps: BTreeMap<String, ConfigMap>,
    pub deployments: BTreeMap<String, Deployment>,
    pub services: BTreeMap<String, Service>,
    pub claims: BTreeMap<String, PersistentVolumeClaim>,
    pub policies: BTreeMap<String, NetworkPolicy>,
}

impl Listing {
    /// The parts of the object `name` besides its record.
    pub(super) fn parts(&self, name: &str) -> BTreeMap<PartId, &ObjectMeta> {
        fn part<'a, K: Object + Watched>(
            all: &'a BTreeMap<String, K>,
            name: &str,
        ) -> Option<(PartId, &'a ObjectMeta)> {
            Some((PartId::of::<K>(name), all.get(name)?.meta()))
        }
        let parts = [
            part(&self.deployments, name),
            part(&self.services, name),
            part(&self.claims, name),
            part(&self.policies, name),
            part(&self.config_maps, &names::files(name)),
        ];
        parts.into_iter().flatten().collect()
    }
}

type Reading = Shared<BoxFuture<'static, Result<Listing, ClusterError>>>;

/// The listing that all objects of a refresh share, until something changes.
#[derive(Default)]
pub(super) struct Cache(Mutex<Option<(Instant, Reading)>>);

impl Cache {
    /// Makes the next refresh read a new listing.
    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) async fn get(&self, api: &Api) -> Result<Listing, ClusterError> {
        let reading = {
            let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match &*slot {
                Some((since, reading)) if since.elapsed() < SHARED => reading.clone(),
                _ => {
                    let api = api.clone();
                    let reading = async move { list(&api).await }.boxed().shared();
                    *slot = Some((Instant::now(), reading.clone()));
                    reading
                }
            }
        };
        let found = reading.await;
        if found.is_err() {
            self.forget();
        }
        found
    }
}

async fn list(api: &Api) -> Result<Listing, ClusterError> {
    let ours = format!("{MANAGED_BY}={MANAGER}");
    let (config_maps, deployments, services, claims, policies) = tokio::try_join!(
        api.list::<ConfigMap>(&ours),
        api.list::<Deployment>(&ours),
        api.list::<Service>(&ours),
        api.list::<PersistentVolumeClaim>(&ours),
        api.list::<NetworkPolicy>(&ours),
    )?;
    Ok(Listing {
        config_maps: by_name(config_maps.items),
        deployments: by_name(deployments.items),
        services: by_name(services.items),
        claims: by_name(claims.items),
        policies: by_name(policies.items),
    })
}
