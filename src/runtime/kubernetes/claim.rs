//! The owner of a record while the object is created: the apply that created or took over the
//! record, as long as it is alive.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Service};
use kube::ResourceExt as _;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::super::{Claim, Kind, ObjectRef, RuntimeError};
use super::api::Api;
use super::error::ClusterError;
use super::lease::{Holder, LeaseState, is_settled};
use super::record::{SETTINGS, make};
use super::{KubernetesRuntime, lease, names};

impl KubernetesRuntime {
    pub(super) async fn claim_record(
        &self,
        object: &ObjectRef,
        stop: &CancellationToken,
    ) -> Result<Claim, RuntimeError> {
        let name = names::of(object);
        let api = self.api().await?;
        if !self.leases.reserve(&name) {
            return Err(RuntimeError::BeingMade {
                object: object.clone(),
                by: format!("process {}", std::process::id()),
            });
        }
        let claimed = self.try_claim(api, object, &name, stop).await;
        if claimed.is_ok() {
            self.leases.keep(api, &name);
        } else {
            self.leases.release(&name);
        }
        claimed
    }

    async fn try_claim(
        &self,
        api: &Api,
        object: &ObjectRef,
        name: &str,
        stop: &CancellationToken,
    ) -> Result<Claim, RuntimeError> {
        self.listings.forget();
        let mut posted = false;
        loop {
            let Some(found) = api.get::<ConfigMap>(name).await? else {
                if self.make_record(api, object, name).await? {
                    return Ok(Claim::New);
                }
                posted = true;
                continue;
            };
            if !names::are_of(found.labels(), name) {
                return Err(api.foreign::<ConfigMap>(name).into());
            }
            if is_settled(&found) {
                return Err(RuntimeError::Exists {
                    object: object.clone(),
                    place: format!("the namespace {:?}", api.namespace),
                });
            }
            match self.leases.holder(&found) {
                // The reply to our own request was lost, and the request was repeated.
                Holder::Us if posted => return Ok(Claim::New),
                Holder::Us | Holder::Nobody => {}
                Holder::Another { renewed } => match lease::watch(api, &found, stop).await? {
                    LeaseState::Died => {}
                    LeaseState::Passed => continue,
                    LeaseState::Lives => return Err(being_made(object, &renewed)),
                },
            }
            nothing_is_foreign(api, object, name).await?;
            if self.leases.take(api, &found).await? {
                return Ok(Claim::Unfinished);
            }
        }
    }

    /// Creates the record; `false` if it already exists.
    async fn make_record(
        &self,
        api: &Api,
        object: &ObjectRef,
        name: &str,
    ) -> Result<bool, RuntimeError> {
        nothing_is_foreign(api, object, name).await?;
        let record = json!({
            "metadata": {
                "name": name,
                "labels": names::labels(object, &self.labels),
                "annotations": self.leases.marks(),
            },
            "data": { SETTINGS: self.settings().to_string() },
        });
        Ok(make(api, name, record).await?)
    }

    /// An error if another apply is creating the object, or has taken it over from us.
    pub(super) async fn is_not_others(
        &self,
        object: &ObjectRef,
        stop: &CancellationToken,
    ) -> Result<(), RuntimeError> {
        let api = self.api().await?;
        let name = names::of(object);
        loop {
            let found = api.get::<ConfigMap>(&name).await?;
            let Some(found) = found else {
                return Ok(());
            };
            if self.leases.has(&name) && self.leases.holder(&found) != Holder::Us {
                return Err(being_made(object, "just now"));
            }
            if is_settled(&found) {
                return Ok(());
            }
            let Holder::Another { renewed } = self.leases.holder(&found) else {
                return Ok(());
            };
            match lease::watch(api, &found, stop).await? {
                LeaseState::Died => return Ok(()),
                LeaseState::Passed => {}
                LeaseState::Lives => return Err(being_made(object, &renewed)),
            }
        }
    }

    /// An error if another apply is known to have taken the object over from us.
    pub(super) fn is_not_lost(&self, object: &ObjectRef, name: &str) -> Result<(), RuntimeError> {
        if self.leases.is_lost(name) {
            return Err(being_made(object, "just now"));
        }
        Ok(())
    }
}

/// An error if something that the object needs was created by someone else. It is checked before
/// any part of the object is created.
async fn nothing_is_foreign(api: &Api, object: &ObjectRef, name: &str) -> Result<(), ClusterError> {
    if object.kind != Kind::SupernodeKey {
        let files = names::files(name);
        tokio::try_join!(
            api.must_not_be_foreign::<Deployment>(name, name),
            api.must_not_be_foreign::<Service>(name, name),
            api.must_not_be_foreign::<PersistentVolumeClaim>(name, name),
            api.must_not_be_foreign::<ConfigMap>(&files, name),
        )?;
    }
    Ok(())
}

fn being_made(object: &ObjectRef, renewed: &str) -> RuntimeError {
    RuntimeError::BeingMade {
        object: object.clone(),
        by: format!("last active {renewed}"),
    }
}
