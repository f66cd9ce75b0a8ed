//! Which place a runtime leads to, and whether an object of a state is there.

use std::path::PathBuf;

use async_trait::async_trait;

use super::{ObjectRef, RuntimeError};

/// Where an object of a state is, as seen from a runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whereabouts {
    /// Where the runtime leads: what is not found there is gone.
    Here,
    /// Where the runtime does not lead, and cannot look: another machine.
    OutOfReach,
    /// Where another configuration of the provider leads.
    Elsewhere,
}

/// Where a runtime keeps its objects.
#[async_trait]
pub trait Location: Send + Sync {
    /// Names the place, so that a state from another place is noticed before all of it looks gone.
    async fn place(&self) -> Result<String, RuntimeError>;

    /// Where an object is that a state says is in this `place`.
    async fn whereabouts(&self, _: &ObjectRef, place: &str) -> Result<Whereabouts, RuntimeError> {
        Ok(if self.place().await? == place {
            Whereabouts::Here
        } else {
            Whereabouts::Elsewhere
        })
    }

    /// Whether objects have pods, and a Service before them: settings of those mean nothing elsewhere.
    fn has_pods(&self) -> bool {
        false
    }

    /// The folders of this machine in which it keeps files of its own, some of them secret.
    fn own_folders(&self) -> Vec<PathBuf> {
        Vec::new()
    }
}
