//! What there is outside of a provider: objects, secrets and notes, with the number of the provider that
//! works on each. It outlives providers, as a disk or a cluster does.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value as Json;

use super::super::{Content, ObjectRef, Part, Port, SecretEntries, Workload};

/// An object and what runs of it.
#[derive(Debug, Default)]
pub(crate) struct Object {
    /// The provider that makes it; none once it is settled.
    pub(super) owner: Option<u64>,
    pub(super) configuration: Json,
    pub(super) ports: BTreeMap<Port, u16>,
    /// Whether a change of it was begun and not settled.
    pub(super) changing: bool,
    /// Whether what runs was there when it was settled last.
    pub(super) settled: bool,
    /// What runs.
    pub(crate) workload: Option<Workload>,
    /// How often it was started.
    pub(crate) started: u64,
    /// Which database it has: a new one for each new object.
    pub(crate) database: u64,
}

impl Object {
    /// The value of this flag in the command line of its main process.
    pub(crate) fn argument(&self, flag: &str) -> Option<&str> {
        let args = &self.workload.as_ref()?.processes.first()?.args;
        let at = args.iter().position(|one| one == flag)?;
        args.get(at + 1).map(String::as_str)
    }

    pub(crate) fn has_port(&self, port: u16) -> bool {
        self.workload.is_some() && self.ports.values().any(|own| *own == port)
    }
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) objects: HashMap<ObjectRef, Object>,
    pub(crate) secrets: BTreeMap<String, SecretEntries>,
    pub(crate) notes: BTreeMap<String, (u64, Json)>,
    /// The provider that lives.
    pub(super) living: u64,
    next: u64,
}

impl State {
    /// A number that nothing else has.
    pub(super) fn next(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Whether nothing is left of whatever was there.
    pub(crate) fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.secrets.is_empty() && self.notes.is_empty()
    }

    pub(super) fn is_there(&self, part: &Part) -> bool {
        match part {
            Part::Secret(name) => self.secrets.contains_key(name),
            Part::Service | Part::Volume => true,
        }
    }

    /// The text of a secret's entry that a file of the object holds.
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

/// The programs that would run: what they write.
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

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}
