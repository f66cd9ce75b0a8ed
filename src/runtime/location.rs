//! The place of a runtime, and whether an object in a state is there.

use std::path::PathBuf;

use async_trait::async_trait;

use super::{ObjectRef, RuntimeError};

/// Where an object in a state is, relative to a runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whereabouts {
    /// In the place of the runtime: an object that is not found there no longer exists.
    Here,
    /// In a place that the runtime cannot read: on another machine.
    OutOfReach,
    /// In the place of another provider configuration.
    Elsewhere,
}

/// Where a runtime keeps its objects.
#[async_trait]
pub trait Location: Send + Sync {
    /// The name of the place. With it, the provider detects a state from another place, before all
    /// of its objects look deleted.
    async fn place(&self) -> Result<String, RuntimeError>;

    /// Where an object is whose state contains this `place`.
    async fn whereabouts(&self, _: &ObjectRef, place: &str) -> Result<Whereabouts, RuntimeError> {
        Ok(if self.place().await? == place {
            Whereabouts::Here
        } else {
            Whereabouts::Elsewhere
        })
    }

    /// Whether objects have pods and a Service. Otherwise settings for these have no meaning.
    fn has_pods(&self) -> bool {
        false
    }

    /// The folders on this machine that contain files of the runtime, some of them secret.
    fn own_folders(&self) -> Vec<PathBuf> {
        Vec::new()
    }
}
