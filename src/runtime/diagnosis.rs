//! What processes say, and how they fail.

use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::{ObjectRef, RuntimeError};

/// How long what may come about by itself is waited for before it is a failure.
#[derive(Debug, Clone, Copy)]
pub struct WaitPolicy {
    /// For a node and for volumes, where that was set.
    pub scheduling: Option<Duration>,
    /// For the first answer of a process, where that was set.
    pub starting: Option<Duration>,
    /// When the time for everything is over.
    pub until: Instant,
}

/// How an object failed by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The process that failed.
    pub process: String,
    /// How: an exit code or a signal, where it is known.
    pub how: String,
    /// Its last lines, [`Self::LINES`] at most.
    pub log: Vec<String>,
    /// What to do about it, where that is known.
    pub remedy: Option<String>,
    /// Whether it might still have passed, and [`WaitPolicy::until`] was near.
    pub out_of_time: bool,
}

impl Failure {
    /// More than a person is shown: why a process ended stands above its traceback.
    pub const LINES: usize = 60;
}

/// Looks at processes that run, or should.
#[async_trait]
pub trait Diagnosis: Send + Sync {
    /// Waits until the object has failed in a way that can be named.
    async fn watch_failure(&self, object: &ObjectRef, wait_policy: WaitPolicy) -> Failure;

    /// Waits for a line of `process`, written since it was started last, that `found` accepts.
    async fn wait_log(
        &self,
        object: &ObjectRef,
        process: &str,
        found: &(dyn for<'a> Fn(&'a str) -> Option<String> + Sync),
    ) -> Result<String, RuntimeError>;

    /// The last lines that `process` wrote since it was started last.
    async fn log_tail(
        &self,
        object: &ObjectRef,
        process: &str,
        lines: usize,
    ) -> Result<Vec<String>, RuntimeError>;

    /// Where a person reads what `process` of the object writes: a path, or a command.
    async fn log_place(&self, object: &ObjectRef, process: &str) -> Option<String>;
}
