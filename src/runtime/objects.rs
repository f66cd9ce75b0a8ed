//! The life of an object: its name is claimed, its processes are started and looked at, and in the end it
//! is removed.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{
    Claimed, Kind, Managed, ObjectName, ObjectRef, Observation, Part, RuntimeError, Workload,
};

/// What runs after a start: of the first process, whom the others serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// It was started since the object was settled last, now or by an apply that did not finish.
    Started,
    /// It is the one that the object was settled with.
    Unchanged,
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

    /// Ends a claim: the object is in a state from now on. Where that fails, the name stays reserved, and
    /// the update that follows records it.
    async fn settle(
        &self,
        claimed: Claimed,
        configuration: &serde_json::Value,
    ) -> Result<(), RuntimeError> {
        let object = claimed.end();
        self.record_configuration(&object, configuration).await
    }

    /// Ends a claim: what was created is removed, and the claim last. What cannot be removed is found by
    /// the next apply as [`Claim::Unfinished`](super::Claim::Unfinished).
    async fn release(&self, claimed: Claimed, how: Removal<'_>) -> Result<(), RuntimeError> {
        let object = claimed.end();
        self.remove(object.object(), how).await
    }

    /// Records that the object is in its owner's state as it is now, and what it was made from.
    /// `configuration` holds no secret.
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
