//! The life of an object: its name is claimed, its processes are started and looked at, and in the end it
//! is removed.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{Claimed, Kind, Managed, ObjectName, ObjectRef, RuntimeError, Workload};

/// What runs after a start: of the first process, whom the others serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// It was started since the object was settled last, now or by an apply that did not finish.
    Started,
    /// It is the one that the object was settled with.
    Unchanged,
}

/// Whether the processes of an object run, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Readiness {
    Ready,
    /// They are there, and not ready: they start, or are started again and again.
    NotReady,
    /// They should run and do not, and nobody starts them.
    Stopped,
}

/// A part of an object beside its processes, which may be gone without them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The way that others come in, where a runtime makes one.
    Service,
    /// The volume of [`Workload::storage`], or its file where a runtime has no volumes.
    Volume,
    /// The secret of this name.
    Secret(String),
}

/// A part that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    pub part: Part,
    /// Which one, and what has become of it.
    pub words: String,
}

/// What was found of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    pub readiness: Readiness,
    /// What somebody else changed, in words.
    pub changed: Vec<String>,
    /// Whether what runs was started by an apply that did not get so far as to settle it.
    pub unfinished: bool,
    /// What it was made with that is another by now, in words.
    pub outdated: Vec<String>,
    /// Which of the parts that were asked for are gone.
    pub missing: Vec<Missing>,
}

/// How an object is removed.
#[derive(Debug, Clone, Copy)]
pub struct Removal<'a> {
    /// The names of its secrets.
    pub secrets: &'a [String],
    pub keep_logs: bool,
    /// How long it may take.
    pub limit: Duration,
    pub stop: &'a CancellationToken,
}

/// SuperLinks, SuperNodes and keys, each with its record, processes and files.
#[async_trait]
pub trait Objects: Send + Sync {
    /// Makes a name ours, durably and before anything else.
    /// Waits, where that takes time, until it is known whether somebody else is making it.
    async fn claim(
        &self,
        object: &ObjectRef,
        stop: &CancellationToken,
    ) -> Result<Claimed, RuntimeError>;

    /// Records that the object is in its owner's state as it is now, and what it was made from: for an
    /// update, and for [`Claimed::settle`]. `configuration` holds no secret.
    async fn record_configuration(
        &self,
        object: &Managed,
        configuration: &serde_json::Value,
    ) -> Result<(), RuntimeError>;

    /// What the objects of this kind were made from, as far as they are settled.
    async fn recorded_configurations(
        &self,
        kind: Kind,
    ) -> Result<BTreeMap<ObjectName, serde_json::Value>, RuntimeError>;

    /// Starts what is missing, restarts what changed, stops what is not wanted any more.
    async fn start(
        &self,
        object: &Managed,
        workload: &Workload,
        stop: &CancellationToken,
    ) -> Result<Begun, RuntimeError>;

    /// Ends what runs and cannot succeed, so that nothing looks as if it did and the next start
    /// begins anew. A cluster that keeps it running begins anew by itself.
    async fn end(&self, object: &ObjectRef) -> Result<(), RuntimeError>;

    /// Waits until what was started stands, as far as the place itself can tell.
    async fn ready(&self, object: &ObjectRef) -> Result<(), RuntimeError>;

    /// Looks at an object that should have these `parts`; `None` when there is none of that name.
    async fn observe(
        &self,
        object: &ObjectRef,
        parts: &[Part],
    ) -> Result<Option<Observation>, RuntimeError>;

    /// Removes the object with its processes, files and secrets; gone already is success.
    async fn remove(&self, object: &ObjectRef, how: Removal<'_>) -> Result<(), RuntimeError>;

    /// The processes of an object that go on although nothing else of it is left, in words; none where
    /// they end with it.
    async fn left_behind(&self, _: &ObjectRef) -> Option<String> {
        None
    }
}
