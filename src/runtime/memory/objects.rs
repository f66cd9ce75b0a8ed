//! The life cycle of objects in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::Value as Json;
use tokio_util::sync::CancellationToken;

use super::super::{
    Begun, Claim, Claimed, Kind, Managed, Missing, ObjectName, ObjectRef, Objects, Observation,
    Part, Readiness, Removal, RuntimeError, Workload,
};
use super::world::Object;
use super::{MemoryRuntime, find};

#[async_trait]
impl Objects for MemoryRuntime {
    async fn claim(
        &self,
        object: &ObjectRef,
        _: &CancellationToken,
    ) -> Result<Claimed, RuntimeError> {
        let own = self.own;
        let claim = self.step(move |state| {
            let (living, database) = (state.living, state.next());
            let Some(found) = state.objects.get_mut(object) else {
                let new = Object {
                    owner: Some(own),
                    database,
                    ..Object::default()
                };
                state.objects.insert(object.clone(), new);
                return Ok(Claim::New);
            };
            match found.owner {
                None => Err(RuntimeError::Exists {
                    object: object.clone(),
                    place: "memory".to_owned(),
                }),
                Some(owner) if owner == living && owner != own => Err(RuntimeError::BeingMade {
                    object: object.clone(),
                    by: format!("provider {owner}"),
                }),
                Some(_) => {
                    found.owner = Some(own);
                    Ok(Claim::Unfinished)
                }
            }
        });
        Ok(Claimed::new(object.clone(), claim.await?))
    }

    async fn record_configuration(
        &self,
        object: &Managed,
        configuration: &Json,
    ) -> Result<(), RuntimeError> {
        self.step(|state| {
            let found = find(state, object.object())?;
            found.owner = None;
            found.changing = false;
            found.settled = true;
            found.configuration = configuration.clone();
            Ok(())
        })
        .await
    }

    async fn recorded_configurations(
        &self,
        kind: Kind,
    ) -> Result<BTreeMap<ObjectName, Json>, RuntimeError> {
        self.step(|state| {
            let settled = state
                .objects
                .iter()
                .filter(|(object, found)| object.kind == kind && !found.configuration.is_null());
            let recorded =
                settled.map(|(object, found)| (object.name.clone(), found.configuration.clone()));
            Ok(recorded.collect())
        })
        .await
    }

    async fn start(
        &self,
        object: &Managed,
        workload: &Workload,
        _: &CancellationToken,
    ) -> Result<Begun, RuntimeError> {
        self.step(|state| {
            let next = state.next();
            let found = find(state, object.object())?;
            if found.workload.as_ref() == Some(workload) {
                return Ok(if found.settled {
                    Begun::Unchanged
                } else {
                    Begun::Started
                });
            }
            found.workload = Some(workload.clone());
            found.settled = false;
            found.started += 1;
            if found.argument("--database").is_none() {
                found.database = next;
            }
            Ok(Begun::Started)
        })
        .await
    }

    async fn end(&self, object: &ObjectRef) -> Result<(), RuntimeError> {
        self.step(|state| {
            find(state, object)?.workload = None;
            Ok(())
        })
        .await
    }

    async fn ready(&self, object: &ObjectRef) -> Result<(), RuntimeError> {
        self.step(|state| find(state, object).map(drop)).await
    }

    async fn observe(
        &self,
        object: &ObjectRef,
        parts: &[Part],
    ) -> Result<Option<Observation>, RuntimeError> {
        self.step(|state| {
            let Some(found) = state.objects.get(object) else {
                return Ok(None);
            };
            let runs = found.workload.is_some() || object.kind == Kind::SupernodeKey;
            let gone = parts.iter().filter(|part| !state.is_there(part));
            Ok(Some(Observation {
                readiness: if runs {
                    Readiness::Ready
                } else {
                    Readiness::Stopped
                },
                changed: Vec::new(),
                unfinished: found.changing || (found.workload.is_some() && !found.settled),
                outdated: Vec::new(),
                missing: gone
                    .map(|part| Missing {
                        part: part.clone(),
                        words: format!("{part:?} is gone"),
                    })
                    .collect(),
            }))
        })
        .await
    }

    async fn remove(&self, object: &ObjectRef, how: Removal<'_>) -> Result<(), RuntimeError> {
        // As in the other runtimes, the record is removed last: after a kill, the next provider
        // finds the remaining parts.
        for secret in how.secrets {
            self.step(|state| Ok(state.secrets.remove(secret))).await?;
        }
        self.step(|state| Ok(state.objects.remove(object)))
            .await
            .map(drop)
    }
}
