//! What ServerApps leave in the artifacts folder of a SuperLink. An app chose the names, and in a
//! cluster the answers come from a pod: both are hostile until they are parsed.

mod path;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc::Sender;

pub use path::{ArtifactPath, ArtifactPathError};

use super::{ObjectRef, RuntimeError};
use crate::terminal::shortened;

/// The maximum number of files of one run.
pub const MOST_FILES: usize = 2000;
/// The maximum size of all names of one run together, in bytes.
pub(super) const MOST_NAMES: usize = 1 << 20;
/// How many of the left out entries a listing names.
const MOST_NAMED: usize = 20;
/// How many characters of a left out entry are shown.
const MOST_SHOWN: usize = 300;

/// The files of a run.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// The size of each file.
    pub files: BTreeMap<ArtifactPath, u64>,
    /// What is no artifact, each with the reason: links, devices, and names that no file may have.
    pub left_out: Vec<String>,
    /// How many more are no artifacts.
    pub more_left_out: usize,
    /// The names without their case.
    folded: BTreeSet<String>,
    /// The bytes of all names.
    names: usize,
}

impl Listing {
    /// Notes an entry that is no artifact. Only the first ones are named.
    pub(super) fn leave_out(&mut self, name: &str, why: impl std::fmt::Display) {
        if self.left_out.len() < MOST_NAMED {
            let text = format!("{name:?}: {why}").replace(char::is_control, " ");
            self.left_out
                .push(shortened(&text, MOST_SHOWN).into_owned());
        } else {
            self.more_left_out += 1;
        }
    }

    /// Adds a file, unless a file system may take its name for that of another one.
    pub(super) fn add(&mut self, path: ArtifactPath, size: u64) -> Result<(), ArtifactError> {
        let folded = path.as_str().to_lowercase();
        self.names += path.as_str().len();
        if !self.folded.insert(folded) {
            self.leave_out(path.as_str(), "another name differs from it only in case");
            return Ok(());
        }
        self.files.insert(path, size);
        if self.files.len() > MOST_FILES || self.names > MOST_NAMES {
            return Err(ArtifactError::TooMany);
        }
        Ok(())
    }
}

/// Why artifacts could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    #[error(
        "the run has more than {MOST_FILES} files, or more than 1 MiB of names or too many other \
         entries, in its folder"
    )]
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

    /// The SHA-256 of a file of this size, in hexadecimal digits, computed where the file is.
    async fn sha256(&mut self, path: &ArtifactPath, size: u64) -> Result<String, ArtifactError>;

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
