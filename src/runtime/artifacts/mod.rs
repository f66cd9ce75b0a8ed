//! What ServerApps leave in the artifacts folder of a SuperLink. An app chose the names, and in a
//! cluster the answers come from a pod: both are hostile until they are parsed.

mod path;

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc::Sender;

pub use path::{ArtifactPath, ArtifactPathError};

use super::{ObjectRef, RuntimeError};

/// The maximum number of files of one run.
pub const MOST_FILES: usize = 2000;
/// How many of the left out entries a listing names.
pub const MOST_NAMED: usize = 20;

/// The files of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The size of each file.
    pub files: BTreeMap<ArtifactPath, u64>,
    /// What is no artifact, each with the reason: links, devices, and names that no file may have.
    pub left_out: Vec<String>,
}

impl Listing {
    /// Notes an entry that is no artifact. Only the first ones are named.
    pub(super) fn leave_out(&mut self, name: &str, why: impl std::fmt::Display) {
        if self.left_out.len() < MOST_NAMED {
            self.left_out.push(format!("{name:?}: {why}"));
        }
    }
}

/// Why artifacts could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    #[error("the run has more than {MOST_FILES} files in its folder")]
    TooMany,
    #[error("{path:?} changed or was removed while it was read")]
    Changed { path: String },
    #[error("{path:?} cannot be read: {cause}")]
    File { path: String, cause: String },
    #[error("the connection to the SuperLink's pod ended: {cause}")]
    Cut { cause: String },
    #[error("the file service in the SuperLink's pod sent an unexpected answer: {what}")]
    Answer { what: String },
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
}

impl ArtifactError {
    /// Whether a retry may succeed a moment later.
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Cut { .. })
    }

    /// The remedy.
    pub fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::TooMany => "Let the app write fewer files, for example one archive.",
            Self::Changed { .. } => "Apply again when nothing writes into the folder of the run.",
            Self::File { .. } => {
                "Check the permissions of the file: the app that wrote it decides them."
            }
            Self::Cut { .. } | Self::Answer { .. } => {
                "Apply again: the download continues where it stopped. If the error stays, read \
                 the log of the container \"artifacts\" in the SuperLink's pod."
            }
            Self::Runtime(error) => return error.remedy(),
        };
        Some(text.to_owned())
    }
}

/// The artifacts of one run.
#[async_trait]
pub trait ArtifactStore: Send {
    /// Lists the files; `None` if the run has no folder.
    async fn list(&mut self) -> Result<Option<Listing>, ArtifactError>;

    /// The SHA-256 of a file, in hexadecimal digits, computed where the file is.
    async fn sha256(&mut self, path: &ArtifactPath) -> Result<String, ArtifactError>;

    /// Sends the bytes of a file from this offset on.
    async fn read(
        &mut self,
        path: &ArtifactPath,
        from: u64,
        to: Sender<Bytes>,
    ) -> Result<(), ArtifactError>;
}

/// The artifacts of the runs of SuperLinks.
pub trait Artifacts: Send + Sync {
    /// The artifacts of the run with this number. The first call opens the connection.
    fn artifacts<'a>(
        &'a self,
        superlink: &ObjectRef,
        run: u64,
    ) -> Result<Box<dyn ArtifactStore + 'a>, RuntimeError>;
}
