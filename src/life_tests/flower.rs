//! Simulates Flower for the processes of a runtime in memory: SuperLinks that register nodes and
//! run apps, and SuperNodes that join them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use prost::Message as _;

use crate::flower::control::fake::{Fake, Registry, listed, run, started, unreachable};
use crate::flower::control::{Call, ControlClient, ControlError, wire};
use crate::pki::NodePublicKey;
use crate::resources::supernode_key::public_entry;
use crate::runtime::memory::{Gate, Programs, Side, State, World};
use crate::runtime::{Kind, ObjectRef};

/// The content of a SuperLink's database.
#[derive(Default)]
struct Database {
    nodes: Registry,
    runs: Vec<Run>,
}

#[derive(Clone)]
struct Run {
    id: u64,
    request: wire::StartRunRequest,
    /// How often the run was listed: it ends after the first time.
    looks: u32,
    stopped: bool,
}

/// The databases of all SuperLinks.
#[derive(Clone, Default)]
pub(super) struct Flower(Arc<Mutex<BTreeMap<u64, Database>>>);

impl Flower {
    /// The same databases again.
    pub(super) fn copy(&self) -> Self {
        let all = self.0.lock().unwrap();
        let copy = |(number, one): (&u64, &Database)| {
            let (nodes, runs) = (one.nodes.copy(), one.runs.clone());
            (*number, Database { nodes, runs })
        };
        Self(Arc::new(Mutex::new(all.iter().map(copy).collect())))
    }

    /// The client of the SuperLink that listens on this port, if there is one.
    pub(super) fn client(&self, world: &World, gate: &Arc<Gate>, port: u16) -> ControlClient {
        let (flower, world) = (self.clone(), world.clone());
        let gate = Arc::clone(gate);
        let listens = {
            let world = world.clone();
            move || database_at(&world.lock(), port).ok_or_else(unreachable)
        };
        let answer = {
            let listens = listens.clone();
            move |call, request: &Bytes, _| {
                let database = listens()?;
                let state = world.lock();
                flower.answer(&state, database, call, request)
            }
        };
        let fake = Fake::new(answer);
        let fake = fake.gated(move |is_before| {
            let (gate, listens) = (Arc::clone(&gate), listens.clone());
            Box::pin(async move {
                let side = if is_before { Side::Before } else { Side::After };
                gate.pass(side).await.map_err(|_| unreachable())?;
                listens().map(drop)
            })
        });
        fake.client()
    }

    /// The number of runs on all SuperLinks.
    pub(super) fn runs(&self) -> usize {
        let all = self.0.lock().unwrap();
        all.values().map(|one| one.runs.len()).sum()
    }

    /// The number of nodes that may connect to this SuperLink.
    pub(super) fn registered(&self, world: &World, superlink: &ObjectRef) -> usize {
        let database = world.lock().objects[superlink].database;
        let all = self.0.lock().unwrap();
        all.get(&database)
            .map_or(0, |one| one.nodes.registered().len())
    }

    fn answer(
        &self,
        state: &State,
        database: u64,
        call: Call,
        request: &Bytes,
    ) -> Result<Bytes, ControlError> {
        let mut all = self.0.lock().unwrap();
        let database = all.entry(database).or_default();
        let request = request.clone();
        Ok(match call {
            Call::ListNodes => database.nodes.list(|key| activated(state, key)),
            Call::RegisterNode | Call::UnregisterNode => {
                if call == Call::RegisterNode {
                    let request = wire::RegisterNodeRequest::decode(request.clone()).unwrap();
                    let key = String::from_utf8(request.public_key.to_vec()).unwrap();
                    assert!(!database.nodes.knows(&key), "{key} is registered twice");
                }
                database.nodes.answer(call, &request)?
            }
            Call::StartRun => {
                let request = wire::StartRunRequest::decode(request).unwrap();
                let id = 7000 + database.runs.len() as u64;
                database.runs.push(Run {
                    id,
                    request,
                    looks: 0,
                    stopped: false,
                });
                started(id)
            }
            Call::ListRuns => listed(database.runs.iter_mut().map(|one| {
                one.looks += 1;
                let (status, sub_status) = match (one.stopped, one.looks) {
                    (true, _) => ("finished", "stopped"),
                    (_, 1) => ("running", ""),
                    _ => ("finished", "completed"),
                };
                let mut run = run(one.id, status, sub_status);
                let fab = one.request.fab.as_ref();
                run.fab_hash = fab.map(|fab| fab.hash_str.clone()).unwrap_or_default();
                run.override_config.clone_from(&one.request.override_config);
                run
            })),
            Call::StopRun => {
                let request = wire::StopRunRequest::decode(request).unwrap();
                let mut found = database.runs.iter_mut();
                found.find(|run| run.id == request.run_id).unwrap().stopped = true;
                wire::StopRunResponse { success: true }
                    .encode_to_vec()
                    .into()
            }
            other => panic!("{other:?} has no answer here"),
        })
    }
}

/// When the SuperNode with this key was last started, if it runs.
fn activated(state: &State, key: &str) -> Option<String> {
    let mut all = state.objects.iter();
    let found = all.find(|(object, found)| {
        object.kind == Kind::Supernode
            && found.workload.is_some()
            && key_of(state, object).as_deref() == Some(key)
    });
    found.map(|(_, found)| format!("2026-01-01T00:00:{:02}+00:00", found.started))
}

/// The database of the SuperLink that listens on this port.
fn database_at(state: &State, port: u16) -> Option<u64> {
    let mut all = state.objects.iter();
    let found = all.find(|(object, one)| object.kind == Kind::Superlink && one.has_port(port));
    found.map(|(_, one)| one.database)
}

/// The public half of a SuperNode's key, as lists of nodes show it.
fn key_of(state: &State, object: &ObjectRef) -> Option<String> {
    let (entries, private) = state.content(state.objects.get(object)?, "node.key")?;
    let public = entries.get(&public_entry(&private))?;
    NodePublicKey::parse(public).ok()?.pem().ok()
}

impl Programs for Flower {
    fn log(&self, state: &State, object: &ObjectRef) -> Vec<String> {
        let number = || {
            let found = state.objects.get(object)?;
            let address = found.argument("--superlink")?;
            let port = address.rsplit_once(':')?.1.parse().ok()?;
            let database = database_at(state, port)?;
            let Some(key) = key_of(state, object) else {
                // Each process without a key is a separate node.
                return Some(500 + found.started);
            };
            let all = self.0.lock().unwrap();
            all.get(&database)?.nodes.id_of(&key)
        };
        match number().filter(|_| object.kind == Kind::Supernode) {
            Some(number) => vec![format!("INFO :      SuperNode ID: {number}")],
            None => Vec::new(),
        }
    }
}
