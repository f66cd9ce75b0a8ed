//! A runtime in memory, for tests. It stores what other runtimes store on a disk or in a cluster,
//! starts no process, and stops at any step that a test chooses. So tests of every resource's life
//! cycle take milliseconds, with a kill, an interruption and a failure at each step.

mod gate;
mod objects;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value as Json;

use super::artifacts::ArtifactStore;
use super::{
    Artifacts, Diagnosis, Environments, Failure, Journal, JournalEntry, Layout, LayoutRequest,
    Location, Managed, Network, ObjectRef, Port, RuntimeError, SecretEntries, Secrets, WaitPolicy,
};
pub(crate) use gate::{Break, Broken, Gate, Side};
use world::Object;
pub(crate) use world::{Programs, State, World};

const LOOK: Duration = Duration::from_millis(2);
const FIRST_PORT: u16 = 20_000;

/// The runtime of one provider process.
pub(crate) struct MemoryRuntime {
    world: World,
    gate: Arc<Gate>,
    /// The number of this provider process.
    own: u64,
}

fn broken(_: Broken) -> RuntimeError {
    RuntimeError::File {
        what: "write",
        path: "/memory".into(),
        cause: std::io::Error::other("the disk is full"),
    }
}

impl MemoryRuntime {
    /// The runtime of a new provider process: all earlier ones count as dead from now on.
    pub(crate) fn new(world: World, gate: Arc<Gate>) -> Self {
        let own = {
            let mut state = world.lock();
            state.living = state.next();
            state.living
        };
        Self { world, gate, own }
    }

    /// Performs an effect that happens completely or not at all, like a write of a file or a call
    /// to a cluster.
    async fn step<T>(
        &self,
        effect: impl FnOnce(&mut State) -> Result<T, RuntimeError> + Send,
    ) -> Result<T, RuntimeError>
    where
        T: Send,
    {
        self.gate.pass(Side::Before).await.map_err(broken)?;
        let done = effect(&mut self.world.lock());
        self.gate.pass(Side::After).await.map_err(broken)?;
        done
    }
}

fn find<'a>(state: &'a mut State, object: &ObjectRef) -> Result<&'a mut Object, RuntimeError> {
    let found = state.objects.get_mut(object);
    found.ok_or_else(|| RuntimeError::Gone(object.clone()))
}

#[async_trait]
impl Location for MemoryRuntime {
    async fn place(&self) -> Result<String, RuntimeError> {
        self.step(|_| Ok("memory".to_owned())).await
    }
}

#[async_trait]
impl Environments for MemoryRuntime {
    fn installs_requirements(&self) -> bool {
        true
    }
}

#[async_trait]
impl Network for MemoryRuntime {
    async fn layout(&self, request: LayoutRequest<'_>) -> Result<Layout, RuntimeError> {
        let object = request.object.object();
        self.step(|state| {
            let others = state.objects.iter().filter(|(other, _)| *other != object);
            let mut taken: Vec<u16> = others
                .flat_map(|(_, other)| other.ports.values().copied())
                .collect();
            let found = find(state, object)?;
            for port in request.ports {
                let fixed = request.fixed.filter(|(which, _)| which == port);
                let number = match (fixed, found.ports.get(port)) {
                    (Some((_, fixed)), _) if taken.contains(&fixed) => {
                        return Err(RuntimeError::PortTaken {
                            port: fixed,
                            purpose: *port,
                        });
                    }
                    (Some((_, fixed)), _) => fixed,
                    (None, Some(has)) => *has,
                    (None, None) => (FIRST_PORT..=u16::MAX)
                        .find(|one| !taken.contains(one))
                        .unwrap(),
                };
                taken.push(number);
                found.ports.insert(*port, number);
            }
            found.changing = found.owner.is_none();
            let ports = found.ports.iter().map(|(port, number)| (*port, *number));
            let ports: BTreeMap<Port, u16> = ports
                .filter(|(port, _)| request.ports.contains(port))
                .collect();
            Ok(Layout {
                bind_host: "127.0.0.1".to_owned(),
                fleet_bind_host: "127.0.0.1".to_owned(),
                ports,
                dns_names: vec!["localhost".to_owned()],
                ip_addresses: vec!["127.0.0.1".to_owned()],
                files: "/memory/files".to_owned(),
                state: "/memory/state".to_owned(),
                home: "/memory/home".to_owned(),
                ..Layout::default()
            })
        })
        .await
    }
}

impl Artifacts for MemoryRuntime {
    fn artifacts<'a>(
        &'a self,
        _: &ObjectRef,
        _: u64,
    ) -> Result<Box<dyn ArtifactStore + 'a>, RuntimeError> {
        Err(RuntimeError::NoPods)
    }
}

#[async_trait]
impl Diagnosis for MemoryRuntime {
    async fn watch_failure(&self, object: &ObjectRef, _: WaitPolicy) -> Failure {
        loop {
            let runs = self
                .world
                .lock()
                .objects
                .get(object)
                .is_some_and(|one| one.workload.is_some());
            if !runs {
                return Failure {
                    process: object.kind.to_string(),
                    how: "exit code 1".to_owned(),
                    log: Vec::new(),
                    remedy: None,
                    out_of_time: false,
                };
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn wait_log(
        &self,
        object: &ObjectRef,
        _: &str,
        found: &(dyn for<'a> Fn(&'a str) -> Option<String> + Sync),
    ) -> Result<String, RuntimeError> {
        loop {
            let log = {
                let state = self.world.lock();
                self.world.programs.log(&state, object)
            };
            if let Some(answer) = log.iter().find_map(|line| found(line)) {
                return Ok(answer);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn log_tail(
        &self,
        object: &ObjectRef,
        _: &str,
        lines: usize,
    ) -> Result<Vec<String>, RuntimeError> {
        let state = self.world.lock();
        let mut log = self.world.programs.log(&state, object);
        Ok(log.split_off(log.len().saturating_sub(lines)))
    }

    async fn log_place(&self, _: &ObjectRef, _: &str) -> Option<String> {
        None
    }
}

#[async_trait]
impl Secrets for MemoryRuntime {
    async fn put_secret(
        &self,
        _: &Managed,
        name: &str,
        entries: &SecretEntries,
    ) -> Result<(), RuntimeError> {
        self.step(|state| Ok(state.secrets.insert(name.to_owned(), entries.clone())))
            .await
            .map(drop)
    }

    async fn secret(
        &self,
        _: &ObjectRef,
        name: &str,
    ) -> Result<Option<SecretEntries>, RuntimeError> {
        self.step(|state| Ok(state.secrets.get(name).cloned()))
            .await
    }
}

#[async_trait]
impl Journal for MemoryRuntime {
    async fn write_note(&self, key: &str, note: &Json, _: &str) -> Result<(), RuntimeError> {
        let entry = (self.own, note.clone());
        self.step(|state| Ok(state.notes.insert(key.to_owned(), entry)))
            .await
            .map(drop)
    }

    async fn notes(&self, prefix: &str) -> Result<Vec<JournalEntry>, RuntimeError> {
        let own = self.own;
        self.step(|state| {
            let living = state.living;
            let found = state
                .notes
                .iter_mut()
                .filter(|(key, _)| key.starts_with(prefix));
            let entries = found.map(|(key, (owner, note))| {
                let owner_lives = *owner == living && *owner != own;
                if !owner_lives {
                    *owner = own;
                }
                JournalEntry {
                    key: key.clone(),
                    note: note.clone(),
                    owner_lives,
                }
            });
            Ok(entries.collect())
        })
        .await
    }

    async fn read_notes(&self, prefix: &str) -> Result<BTreeMap<String, Json>, RuntimeError> {
        self.step(|state| {
            let found = state
                .notes
                .iter()
                .filter(|(key, _)| key.starts_with(prefix));
            Ok(found
                .map(|(key, (_, note))| (key.clone(), note.clone()))
                .collect())
        })
        .await
    }

    async fn drop_note(&self, key: &str) -> Result<(), RuntimeError> {
        self.step(|state| Ok(state.notes.remove(key)))
            .await
            .map(drop)
    }
}
