//! The folder that holds a downloaded pack until its files are read.
//!
//! libgit2 can write a pack only to a file. The folder is removed when the operation ends, also with
//! an error. If the process is killed, the folder stays, but not its lock: the next operation that
//! uses the same base removes every folder that is not locked. Locks belong to open files, so the
//! operating system drops them whatever way a process ends.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

use super::error::GitError;

const PREFIX: &str = "git-";
const PRIVATE: u32 = 0o700;
/// Another process may remove the empty base between two steps of ours.
const ATTEMPTS: usize = 3;

/// A private folder, and the lock that keeps it.
pub(super) struct Scratch {
    base: PathBuf,
    /// Dropped before the lock.
    folder: Option<TempDir>,
    _lock: File,
}

impl Scratch {
    /// Creates a folder below `base`, and removes those that killed processes have left there.
    pub(super) fn new(base: &Path) -> Result<Self, GitError> {
        let failed = |error: io::Error| GitError::Scratch {
            path: base.to_owned(),
            cause: error.to_string(),
        };
        let mut attempt = 1;
        loop {
            match Self::create(base) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && attempt < ATTEMPTS => {
                    attempt += 1;
                }
                created => return created.map_err(failed),
            }
        }
    }

    fn create(base: &Path) -> io::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(PRIVATE)
            .create(base)?;
        let base_lock = own_folder(base)?;
        // From here to the end of this function, no other process looks for folders without lock.
        flock(&base_lock, FlockOperation::LockExclusive)?;
        remove_left(base)?;
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(base)?;
        let lock = File::open(folder.path())?;
        flock(&lock, FlockOperation::LockExclusive)?;
        Ok(Self {
            base: base.to_owned(),
            folder: Some(folder),
            _lock: lock,
        })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.as_ref().map_or(&self.base, TempDir::path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(self.folder.take());
        // Only an empty folder can be removed.
        let _ = fs::remove_dir(&self.base);
    }
}

/// Removes what killed processes have left below `base`. The provider calls this when it starts.
pub fn clean_up(base: &Path) -> io::Result<()> {
    let base_lock = match own_folder(base) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    flock(&base_lock, FlockOperation::LockExclusive)?;
    remove_left(base)?;
    let _ = fs::remove_dir(base);
    Ok(())
}

/// Opens the folder, if no other user can have prepared it.
fn own_folder(base: &Path) -> io::Result<File> {
    let is_own = fs::symlink_metadata(base)
        .map(|meta| meta.is_dir() && meta.uid() == rustix::process::geteuid().as_raw())?;
    if is_own {
        File::open(base)
    } else {
        Err(io::Error::other(
            "it is not a folder of the user who runs Terraform",
        ))
    }
}

fn remove_left(base: &Path) -> io::Result<()> {
    for entry in fs::read_dir(base)? {
        let entry = entry?;
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if !is_ours || !entry.file_type()?.is_dir() {
            continue;
        }
        let Ok(folder) = File::open(entry.path()) else {
            continue;
        };
        if flock(&folder, FlockOperation::NonBlockingLockExclusive).is_ok() {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_without_a_process_are_removed() {
        let outer = tempfile::tempdir().unwrap();
        let base = outer.path().join("scratch");
        let living = Scratch::new(&base).unwrap();
        fs::create_dir_all(base.join("git-left/objects/pack")).unwrap();
        fs::create_dir(base.join("other")).unwrap();
        let second = Scratch::new(&base).unwrap();
        assert!(living.path().exists() && second.path().exists());
        assert!(!base.join("git-left").exists() && base.join("other").exists());
        drop((living, second));
        fs::remove_dir(base.join("other")).unwrap();
        clean_up(&base).unwrap();
        assert!(!base.exists());
        clean_up(&base).unwrap();
    }

    #[test]
    fn a_link_is_not_followed() {
        let outer = tempfile::tempdir().unwrap();
        let base = outer.path().join("scratch");
        std::os::unix::fs::symlink(outer.path(), &base).unwrap();
        assert!(matches!(Scratch::new(&base), Err(GitError::Scratch { .. })));
    }
}
