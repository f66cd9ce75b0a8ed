//! What processes run in beside their object: a Python with Flower and what apps need, or an image.

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{ObjectRef, PythonEnvironment, RuntimeError, Workload};

/// Whether processes can run in a place, and what they need there first.
#[async_trait]
pub trait Environments: Send + Sync {
    /// Whether it can install what apps need beside Flower. Asked while planning, so nothing is dialled.
    fn installs_requirements(&self) -> bool;

    /// Whether objects with these requirements can be made here, as far as settings and the working
    /// folder show it. Asked while planning, so nothing is dialled or started.
    fn can_install(&self, requirements: &[String]) -> Result<(), RuntimeError> {
        if requirements.is_empty() || self.installs_requirements() {
            Ok(())
        } else {
            Err(RuntimeError::NeedsImage)
        }
    }

    /// Whether processes can run in this Python, as far as that is known without making anything.
    async fn can_run(&self, _: &PythonEnvironment) -> Result<(), RuntimeError> {
        Ok(())
    }

    /// Makes what the processes of a workload need beside their object. Nothing of the object changes, so
    /// that whatever fails here has changed nothing.
    async fn prepare(
        &self,
        _: &ObjectRef,
        _: &Workload,
        _: &CancellationToken,
    ) -> Result<(), RuntimeError> {
        Ok(())
    }
}
