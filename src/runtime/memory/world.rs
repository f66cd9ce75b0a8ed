//! The state outside of the provider: objects, secrets and notes, with the number of the provider
//! that works on each. It outlives providers, like a disk or a cluster.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value as Json;

use super::super::{Content, ObjectRef, Part, Port, SecretEntries, Workload};

/// An object and its workload.
#[derive(Clone, Debug, Default)]
pub(crate) struct Object {
    /// The provider that creates it; `None` once it is settled.
    pub(super) owner: Option<u64>,
    pub(super) configuration: Json,
    pub(super) ports: BTreeMap<Port, u16>,
    /// Whether a change is in progress.
    pub(super) changing: bool,
    /// Whether the workload is the one with which the object was last settled.
    pub(super) settled: bool,
    /// The running workload.
    pub(crate) workload: Option<Workload>,
    /// How often the workload was started.
    pub(crate) started: u64,
    /// The number of its database, which is new for each new object.
    pub(crate) database: u64,
}

impl Object {
    /// The value of this flag in the command line of the main process.
    pub(crate) fn argument(&self, flag: &str) -> Option<&str> {
        let args = &self.workload.as_ref()?.processes.first()?.args;
        let at = args.iter().position(|one| one == flag)?;
        args.get(at + 1).map(String::as_str)
    }

    pub(crate) fn has_port(&self, port: u16) -> bool {
        self.workload.is_some() && self.ports.values().any(|own| *own == port)
    }
}

#[derive(Clone, Default)]
pub(crate) struct State {
    pub(crate) objects: HashMap<ObjectRef, Object>,
    pub(crate) secrets: BTreeMap<String, SecretEntries>,
    pub(crate) notes: BTreeMap<String, (u64, Json)>,
    /// The provider that is alive.
    pub(super) living: u64,
    next: u64,
}

impl State {
    /// A unique number.
    pub(super) fn next(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Whether no objects, secrets or notes are left.
    pub(crate) fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.secrets.is_empty() && self.notes.is_empty()
    }

    pub(super) fn is_there(&self, part: &Part) -> bool {
        match part {
            Part::Secret(name) => self.secrets.contains_key(name),
            Part::Service | Part::Volume => true,
        }
    }

    /// The text of the secret's entry in a file of the object.
    pub(crate) fn content<'a>(
        &'a self,
        object: &Object,
        file: &str,
    ) -> Option<(&'a SecretEntries, String)> {
        match object.workload.as_ref()?.files.get(file)? {
            Content::Secret { name, key } => Some((self.secrets.get(name)?, key.clone())),
            Content::Public(_) | Content::Private(_) => None,
        }
    }
}

/// The output of the programs that would run.
pub(crate) trait Programs: Send + Sync {
    fn log(&self, state: &State, object: &ObjectRef) -> Vec<String>;
}

/// The world, shared by all providers of a test.
#[derive(Clone)]
pub(crate) struct World {
    state: Arc<Mutex<State>>,
    pub(super) programs: Arc<dyn Programs>,
}

impl World {
    pub(crate) fn new(programs: Arc<dyn Programs>) -> Self {
        Self {
            state: Arc::default(),
            programs,
        }
    }

    /// Another world in the same state, with programs of its own.
    pub(crate) fn copy(&self, programs: Arc<dyn Programs>) -> Self {
        Self {
            state: Arc::new(Mutex::new(self.lock().clone())),
            programs,
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}
