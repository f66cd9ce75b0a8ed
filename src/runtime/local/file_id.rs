//! Which files an object stands on, as its record remembers them: a path may name another file by now.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Which file or folder a path named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    pub(super) fn of(path: &Path) -> Option<Self> {
        let found = fs::metadata(path).ok()?;
        Some(Self {
            device: found.dev(),
            inode: found.ino(),
        })
    }
}

/// The program that a process was started from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Program {
    path: PathBuf,
    id: Option<FileId>,
}

impl Program {
    pub(super) fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            id: FileId::of(path),
        }
    }

    /// Whether it is the file that it was.
    pub(super) fn is_same(&self) -> bool {
        self.id.is_some() && FileId::of(&self.path) == self.id
    }

    /// What of it is gone: itself, or the Python beside it that runs it.
    pub(super) fn gone(&self) -> Option<PathBuf> {
        if !self.path.exists() {
            return Some(self.path.clone());
        }
        let python = self.path.with_file_name("python");
        (python.is_symlink() && !python.exists()).then_some(python)
    }
}

/// The file in which an object keeps what outlives its processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Database {
    /// Its name in the folder `state`.
    pub file: String,
    /// Which file that was when the object was settled; `None` while there was none.
    pub id: Option<FileId>,
}
