//! The life cycle of an object: its name is claimed, its processes are started and observed, and at
//! the end it is removed.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{
    Claimed, Kind, Managed, ObjectName, ObjectRef, Observation, Part, RuntimeError, Workload,
};

/// Whether a start has changed the first process, on which the others depend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// The process was started after the object was last settled, now or by an apply that did not
    /// finish.
    Started,
    /// The process is the one with which the object was settled.
    Unchanged,
}

/// How an object is removed.
#[derive(Debug, Clone, Copy)]
pub struct Removal<'a> {
    /// The names of its secrets.
    pub secrets: &'a [String],
    pub keep_logs: bool,
    /// The time limit.
    pub limit: Duration,
    pub stop: &'a CancellationToken,
}

/// SuperLinks, SuperNodes and keys, each with its record, processes and files.
#[async_trait]
pub trait Objects: Send + Sync {
    /// Reserves the name durably, before everything else. It waits, if necessary, until it is known
    /// whether another provider is creating the object.
    async fn claim(
        &self,
        object: &ObjectRef,
        stop: &CancellationToken,
    ) -> Result<Claimed, RuntimeError>;

    /// Ends a claim: the object is in a state from now on. If this fails, the name stays reserved,
    /// and the next update records it.
    async fn settle(
        &self,
        claimed: Claimed,
        configuration: &serde_json::Value,
    ) -> Result<(), RuntimeError> {
        let object = claimed.end();
        self.record_configuration(&object, configuration).await
    }

    /// Ends a claim: removes the created parts, and the claim last. If a part cannot be removed,
    /// the next apply gets [`Claim::Unfinished`](super::Claim::Unfinished).
    async fn release(&self, claimed: Claimed, how: Removal<'_>) -> Result<(), RuntimeError> {
        let object = claimed.end();
        self.remove(object.object(), how).await
    }

    /// Records that the object, as it is now, is in its owner's state, together with its
    /// configuration. `configuration` contains no secrets.
    async fn record_configuration(
        &self,
        object: &Managed,
        configuration: &serde_json::Value,
    ) -> Result<(), RuntimeError>;

    /// The recorded configurations of the settled objects of this kind.
    async fn recorded_configurations(
        &self,
        kind: Kind,
    ) -> Result<BTreeMap<ObjectName, serde_json::Value>, RuntimeError>;

    /// Starts missing processes, restarts changed ones, and stops those that are no longer
    /// configured.
    async fn start(
        &self,
        object: &Managed,
        workload: &Workload,
        stop: &CancellationToken,
    ) -> Result<Begun, RuntimeError>;

    /// Ends processes that run and cannot succeed, so that they do not look successful and the next
    /// start begins again. A cluster that keeps them running restarts them itself.
    async fn end(&self, object: &ObjectRef) -> Result<(), RuntimeError>;

    /// Waits until the started processes are ready, as far as the place itself can tell.
    async fn ready(&self, object: &ObjectRef) -> Result<(), RuntimeError>;

    /// Observes an object that should have these `parts`; `None` if no object has this name.
    async fn observe(
        &self,
        object: &ObjectRef,
        parts: &[Part],
    ) -> Result<Option<Observation>, RuntimeError>;

    /// Removes the object with its processes, files and secrets. If it does not exist, that is a
    /// success.
    async fn remove(&self, object: &ObjectRef, how: Removal<'_>) -> Result<(), RuntimeError>;

    /// A description of processes that continue although nothing else of the object is left; `None`
    /// if they end with the object.
    async fn left_behind(&self, _: &ObjectRef) -> Option<String> {
        None
    }
}
