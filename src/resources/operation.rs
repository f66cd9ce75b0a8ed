//! An operation and its time limit, and how a wait within it ends.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::app_run::Model as AppRun;
use super::superlink::Model as Superlink;
use super::supernode::Model as Supernode;
use super::timeouts::Timeouts;
use crate::at;
use crate::tfplugin::GoDuration;
use crate::tfplugin::schema::ModelPath;

/// The operations with a time limit.
#[derive(Debug, Clone, Copy)]
pub enum Operation {
    Create,
    Update,
    Delete,
}

impl Operation {
    /// The limit from the configuration, or `otherwise`.
    pub fn limit(self, timeouts: Option<&Timeouts>, otherwise: Duration) -> Duration {
        timeouts
            .and_then(|timeouts| match self {
                Self::Create => timeouts.create.as_ref(),
                Self::Update => timeouts.update.as_ref(),
                Self::Delete => timeouts.delete.as_ref(),
            })
            .map_or(otherwise, GoDuration::get)
    }

    /// The attribute that sets the limit.
    pub const fn attribute(self) -> ModelPath<(Superlink, Supernode, AppRun)> {
        match self {
            Self::Create => at!(Superlink | Supernode | AppRun, timeouts.create),
            Self::Update => at!(Superlink | Supernode | AppRun, timeouts.update),
            Self::Delete => at!(Superlink | Supernode | AppRun, timeouts.delete),
        }
    }
}

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited<T> {
    Done(T),
    /// Terraform was asked to stop.
    Stopped,
    TimedOut,
}

/// Waits for `work`, but not longer than `limit`, and only until `stop` is cancelled.
pub async fn wait<T>(
    stop: &CancellationToken,
    limit: Duration,
    work: impl Future<Output = T>,
) -> Waited<T> {
    tokio::select! {
        done = work => Waited::Done(done),
        () = stop.cancelled() => Waited::Stopped,
        () = tokio::time::sleep(limit) => Waited::TimedOut,
    }
}
