//! The output of processes, and their failures.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::{ObjectRef, RuntimeError};

/// How long to wait for a state that may still come about, before it is a failure.
#[derive(Debug, Clone, Copy)]
pub struct WaitPolicy {
    /// The limit for a node and for volumes, if set.
    pub scheduling: Option<Duration>,
    /// The limit for the first answer of a process, if set.
    pub starting: Option<Duration>,
    /// The overall deadline.
    pub until: Instant,
}

/// The failure of an object at run time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The process that failed.
    pub process: String,
    /// The exit code or signal, if known.
    pub how: String,
    /// Its last lines, at most [`Self::LINES`].
    pub log: Vec<String>,
    /// The remedy, if known.
    pub remedy: Option<String>,
    /// Whether the object might still have recovered, but [`WaitPolicy::until`] was near.
    pub out_of_time: bool,
}

impl Failure {
    /// More lines than messages show: the reason why a process ended is above its traceback.
    pub const LINES: usize = 60;
}

/// Observes processes that run, or should run.
#[async_trait]
pub trait Diagnosis: Send + Sync {
    /// Waits until the object has failed for a known reason.
    async fn watch_failure(&self, object: &ObjectRef, wait_policy: WaitPolicy) -> Failure;

    /// Waits for a line of `process`, written since its last start, that `found` accepts.
    async fn wait_log(
        &self,
        object: &ObjectRef,
        process: &str,
        found: &(dyn for<'a> Fn(&'a str) -> Option<String> + Sync),
    ) -> Result<String, RuntimeError>;

    /// The last lines that `process` wrote since its last start.
    async fn log_tail(
        &self,
        object: &ObjectRef,
        process: &str,
        lines: usize,
    ) -> Result<Vec<String>, RuntimeError>;

    /// How a person can read the output of `process`: a path, or a command.
    async fn log_place(&self, object: &ObjectRef, process: &str) -> Option<String>;
}
