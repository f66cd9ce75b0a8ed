//! Files of this runtime: below a folder of our own, written completely or not at all.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Component, Path};

use rustix::fs::OFlags;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::super::RuntimeError;
use super::file_error::failed;
use super::private::{IsOurs, PrivateFolder, UNFINISHED};
use super::process::Identity;

/// The format version of the files in a `data_dir`; it must be raised if older providers cannot
/// read the new format.
pub(super) const FORMAT: u64 = 1;

/// The files below a root folder. A file is trusted only if no other user can have written it. All
/// paths start with the path of the root.
#[derive(Debug, Clone, Copy)]
pub(super) struct OwnFiles<'a> {
    root: &'a Path,
    is_ours: IsOurs,
}

impl<'a> OwnFiles<'a> {
    /// `is_ours` accepts the names that we use in the root itself. A root with other names may be
    /// shared on purpose, so the provider refuses it and does not restrict its permissions.
    pub(super) fn below(root: &'a Path, is_ours: IsOurs) -> Self {
        Self { root, is_ours }
    }

    /// A folder, which may be the root; `None` if it does not exist.
    pub(super) fn folder(&self, path: &Path) -> Result<Option<PrivateFolder>, RuntimeError> {
        let Some(mut folder) = PrivateFolder::open(self.root, self.is_ours)? else {
            return Ok(None);
        };
        for name in self.inner(path)? {
            match folder.folder(name)? {
                Some(inner) => folder = inner,
                None => return Ok(None),
            }
        }
        Ok(Some(folder))
    }

    /// The same; creates the folder unless it exists.
    pub(super) fn make_folder(&self, path: &Path) -> Result<PrivateFolder, RuntimeError> {
        let root = PrivateFolder::make(self.root, self.is_ours)?;
        let mut names = self.inner(path)?.into_iter();
        names.try_fold(root, |folder, name| folder.make_folder(name))
    }

    /// The path components below the root.
    fn inner<'p>(&self, path: &'p Path) -> Result<Vec<&'p OsStr>, RuntimeError> {
        let outside = || failed("use", path)(ErrorKind::InvalidInput.into());
        let rest = path.strip_prefix(self.root).map_err(|_| outside())?;
        let names = rest.components().map(|component| match component {
            Component::Normal(name) => Ok(name),
            _ => Err(outside()),
        });
        names.collect()
    }

    /// Reads a file; `None` if it does not exist.
    pub(super) fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, RuntimeError> {
        let (parent, name) = split(path)?;
        match self.folder(parent)? {
            Some(folder) => folder.read(name),
            None => Ok(None),
        }
    }

    /// Replaces a file in one step, so that after a crash there is the old file or the new one.
    pub(super) fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), RuntimeError> {
        let (parent, name) = split(path)?;
        self.make_folder(parent)?.write(name, bytes)
    }

    /// Opens a lock file, which another process may already have locked.
    pub(super) fn open_lock(&self, path: &Path) -> Result<File, RuntimeError> {
        let (parent, name) = split(path)?;
        self.make_folder(parent)?.open_or_make(name, OFlags::RDWR)
    }

    /// Opens a file for appending.
    pub(super) fn open_log(&self, path: &Path) -> Result<File, RuntimeError> {
        let (parent, name) = split(path)?;
        let flags = OFlags::WRONLY | OFlags::APPEND;
        self.make_folder(parent)?.open_or_make(name, flags)
    }

    /// Reads a file that this or another provider wrote; of a file in another format it reads only
    /// the format version.
    pub(super) fn read_form<T: DeserializeOwned>(
        &self,
        path: &Path,
    ) -> Result<Option<T>, RuntimeError> {
        #[derive(Deserialize)]
        struct Head {
            format: u64,
        }
        let Some(bytes) = self.read(path)? else {
            return Ok(None);
        };
        let damaged = |error: serde_json::Error| RuntimeError::Damaged {
            path: path.to_owned(),
            cause: error.to_string(),
        };
        let head: Head = serde_json::from_slice(&bytes).map_err(damaged)?;
        if head.format != FORMAT {
            return Err(RuntimeError::Format {
                path: path.to_owned(),
                found: head.format,
                known: FORMAT,
            });
        }
        serde_json::from_slice(&bytes).map(Some).map_err(damaged)
    }

    /// Writes a file for [`Self::read_form`].
    pub(super) fn write_form(
        &self,
        path: &Path,
        form: &impl serde::Serialize,
    ) -> Result<(), RuntimeError> {
        let bytes = serde_json::to_vec_pretty(form).map_err(|error| RuntimeError::Damaged {
            path: path.to_owned(),
            cause: error.to_string(),
        })?;
        self.write(path, &bytes)
    }

    /// Removes a file or folder. If it does not exist, that is a success.
    pub(super) fn remove(&self, path: &Path) -> Result<(), RuntimeError> {
        // Through a link, this could be a file of another user.
        match self.folder(split(path)?.0)? {
            Some(_) => remove(path),
            None => Ok(()),
        }
    }
}

fn split(path: &Path) -> Result<(&Path, &OsStr), RuntimeError> {
    path.parent()
        .zip(path.file_name())
        .ok_or_else(|| failed("use", path)(ErrorKind::InvalidInput.into()))
}

/// Removes unfinished files of writers that were killed: such a file may contain a part of a
/// secret, and is otherwise never removed.
pub(super) fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let label = name
            .to_str()
            .and_then(|name| name.strip_prefix(UNFINISHED)?.split_once('.'));
        if label.is_some_and(|(label, _)| !Identity::lives_by(label)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Removes a file or folder. If it does not exist, that is a success.
pub(super) fn remove(path: &Path) -> Result<(), RuntimeError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Removes a folder if it is empty.
pub(super) fn remove_if_empty(path: &Path) {
    let _ = fs::remove_dir(path);
}
