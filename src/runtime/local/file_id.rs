//! The identity of files that an object depends on, for its record: the same path may be another
//! file later.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The identity of a file or folder.
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

/// The program of a process.
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

    /// Whether the path is still the same file.
    pub(super) fn is_same(&self) -> bool {
        self.id.is_some() && FileId::of(&self.path) == self.id
    }

    /// The missing file: the program, or the Python beside it that runs it.
    pub(super) fn gone(&self) -> Option<PathBuf> {
        if !self.path.exists() {
            return Some(self.path.clone());
        }
        let python = self.path.with_file_name("python");
        (python.is_symlink() && !python.exists()).then_some(python)
    }
}

/// The file with the data of an object that outlives its processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Database {
    /// Its name in the folder `state`.
    pub file: String,
    /// The identity of the file when the object was settled; `None` if there was no file.
    pub id: Option<FileId>,
}
