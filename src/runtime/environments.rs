//! The environment of processes: a Python with Flower and the requirements of apps, or an image.

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{ObjectRef, PythonEnvironment, RuntimeError, Workload};

/// Whether processes can run in a place, and the installation that they need there first.
#[async_trait]
pub trait Environments: Send + Sync {
    /// Whether it can install the requirements of apps. Called by plans, so it opens no connection.
    fn installs_requirements(&self) -> bool;

    /// Whether objects with these requirements can be created here, as far as the settings and the
    /// working folder show. Called by plans, so it opens no connection and starts no process.
    fn can_install(&self, requirements: &[String]) -> Result<(), RuntimeError> {
        if requirements.is_empty() || self.installs_requirements() {
            Ok(())
        } else {
            Err(RuntimeError::NeedsImage)
        }
    }

    /// Whether processes can run in this Python, as far as can be checked without creating
    /// anything.
    async fn can_run(&self, _: &PythonEnvironment) -> Result<(), RuntimeError> {
        Ok(())
    }

    /// Creates the environment for the processes of a workload. It changes nothing of the object,
    /// so an error here has changed nothing.
    async fn prepare(
        &self,
        _: &ObjectRef,
        _: &Workload,
        _: &CancellationToken,
    ) -> Result<(), RuntimeError> {
        Ok(())
    }
}
