//! Folders in which only this user and root can write. Their content is trusted: records name
//! processes to end, the vault contains keys, environments contain programs. So the provider opens
//! each folder of the path and each file without following links, and checks the owner and the
//! permissions of the opened file.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::super::{Distrust, RuntimeError};
use super::file_error::failed;
use super::process::Identity;

/// The prefix of the names of unfinished files; the writer's label follows.
pub(super) const UNFINISHED: &str = ".unfinished-";

const FOLDER: Mode = Mode::RWXU;
const FILE: Mode = Mode::RUSR.union(Mode::WUSR);
/// The write permissions of other users, which trusted files must not have.
const OTHERS: Mode = Mode::WGRP.union(Mode::WOTH);

/// Whether this is a name that we use in this folder.
pub(super) type IsOurs = fn(&OsStr) -> bool;

/// An open folder in which only this user can write.
pub(super) struct PrivateFolder {
    fd: OwnedFd,
    path: PathBuf,
}

impl PrivateFolder {
    /// Opens a root folder; `None` if it does not exist. It may be reached through a link if the
    /// link is ours. If others can write in our folder, the provider removes their permission, but
    /// only if everything in it `is_ours`.
    pub(super) fn open(path: &Path, is_ours: IsOurs) -> Result<Option<Self>, RuntimeError> {
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_symlink() => judge(path, found.uid(), Mode::empty())?,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("look at", path)(error)),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(fd) => Self::checked(fd, path.to_owned(), is_ours).map(Some),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::NOTDIR) => Err(distrust(path, Distrust::NoFolder)),
            Err(error) => Err(failed("open", path)(error.into())),
        }
    }

    /// The same; creates the folder unless it exists.
    pub(super) fn make(path: &Path, is_ours: IsOurs) -> Result<Self, RuntimeError> {
        if let Some(found) = Self::open(path, is_ours)? {
            return Ok(found);
        }
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder
            .create(path)
            .map_err(failed("create the folder", path))?;
        Self::open(path, is_ours)?.ok_or_else(|| vanished(path))
    }

    /// A folder inside this one.
    pub(super) fn folder(&self, name: &OsStr) -> Result<Option<Self>, RuntimeError> {
        let path = self.path.join(name);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.fd, name, flags, Mode::empty()) {
            // All names below a folder of ours are ours.
            Ok(fd) => Self::checked(fd, path, |_| true).map(Some),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::NOTDIR | Errno::LOOP) => Err(self.not_that(name, Distrust::NoFolder)),
            Err(error) => Err(failed("open", &path)(error.into())),
        }
    }

    /// The same; creates the folder unless it exists.
    pub(super) fn make_folder(&self, name: &OsStr) -> Result<Self, RuntimeError> {
        match rustix::fs::mkdirat(&self.fd, name, FOLDER) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => {
                return Err(failed("create the folder", &self.path.join(name))(
                    error.into(),
                ));
            }
        }
        let made = self.folder(name)?;
        made.ok_or_else(|| vanished(&self.path.join(name)))
    }

    fn checked(fd: OwnedFd, path: PathBuf, is_ours: IsOurs) -> Result<Self, RuntimeError> {
        let found = Self { fd, path };
        let stat = rustix::fs::fstat(&found.fd).map_err(|error| found.failed("look at", error))?;
        let mode = Mode::from_raw_mode(stat.st_mode);
        let refused = judge(&found.path, stat.st_uid, mode);
        if refused.is_err() && stat.st_uid == own() && found.holds_only_ours(is_ours)? {
            let closed = rustix::fs::fchmod(&found.fd, mode - OTHERS);
            closed.map_err(|error| found.failed("restrict the permissions of", error))?;
            // On some file systems, all files have the same mode.
            let stat =
                rustix::fs::fstat(&found.fd).map_err(|error| found.failed("look at", error))?;
            judge(&found.path, stat.st_uid, Mode::from_raw_mode(stat.st_mode))?;
            return Ok(found);
        }
        refused.map(|()| found)
    }

    fn holds_only_ours(&self, is_ours: IsOurs) -> Result<bool, RuntimeError> {
        for name in self.names()? {
            let name = OsStr::from_bytes(&name);
            if !is_ours(name)
                || self
                    .stat(name)?
                    .is_some_and(|stat| distrusted(stat.st_uid, own(), Mode::empty()).is_some())
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The names of the entries.
    pub(super) fn names(&self) -> Result<Vec<Vec<u8>>, RuntimeError> {
        let entries = Dir::read_from(&self.fd).map_err(|error| self.failed("read", error))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| self.failed("read", error))?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// The bytes of a file that only this user or root can have written; `None` if it does not
    /// exist.
    pub(super) fn read(&self, name: &OsStr) -> Result<Option<Vec<u8>>, RuntimeError> {
        let path = self.path.join(name);
        let Some((mut file, stat)) = self.open_file(name, OFlags::RDONLY)? else {
            return Ok(None);
        };
        judge(&path, stat.st_uid, Mode::from_raw_mode(stat.st_mode))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)
            .map_err(failed("read", &path))?;
        Ok(Some(bytes))
    }

    /// Replaces a file in one step, so that after a crash there is the old file or the new one.
    pub(super) fn write(&self, name: &OsStr, bytes: &[u8]) -> Result<(), RuntimeError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let unfinished = format!("{UNFINISHED}{}.{number}", Identity::own().label());
        let save = || -> io::Result<()> {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
            let fd = rustix::fs::openat(&self.fd, &unfinished, flags | OFlags::CLOEXEC, FILE)?;
            let mut file = File::from(fd);
            file.write_all(bytes)?;
            file.sync_all()?;
            rustix::fs::renameat(&self.fd, &unfinished, &self.fd, name)?;
            Ok(())
        };
        save().map_err(|error| {
            let _ = rustix::fs::unlinkat(&self.fd, &unfinished, AtFlags::empty());
            failed("write", &self.path.join(name))(error)
        })
    }

    /// Opens a file of ours for appending or as a lock; creates it unless it exists. It is not
    /// truncated, and its content is not trusted.
    pub(super) fn open_or_make(&self, name: &OsStr, flags: OFlags) -> Result<File, RuntimeError> {
        let path = self.path.join(name);
        let (file, stat) = self
            .open_file(name, flags | OFlags::CREATE)?
            .ok_or_else(|| vanished(&path))?;
        judge(&path, stat.st_uid, Mode::empty())?;
        Ok(file)
    }

    fn open_file(&self, name: &OsStr, flags: OFlags) -> Result<Option<(File, Stat)>, RuntimeError> {
        let path = self.path.join(name);
        // Opening a pipe without a process at its other end would block.
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.fd, name, flags, FILE) {
            Ok(fd) => {
                let stat = rustix::fs::fstat(&fd).map_err(|error| self.failed("read", error))?;
                if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
                    return Err(distrust(&path, Distrust::NoFile));
                }
                Ok(Some((File::from(fd), stat)))
            }
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::LOOP | Errno::MLINK | Errno::ISDIR | Errno::NXIO) => {
                Err(self.not_that(name, Distrust::NoFile))
            }
            Err(error) => Err(failed("open", &path)(error.into())),
        }
    }

    /// Whether this name is still that of the open file.
    pub(super) fn names_still(&self, name: &OsStr, file: &File) -> Result<bool, RuntimeError> {
        let open = rustix::fs::fstat(file).map_err(|error| self.failed("look at", error))?;
        let named = self.stat(name)?;
        Ok(named.is_some_and(|named| (named.st_dev, named.st_ino) == (open.st_dev, open.st_ino)))
    }

    /// Removes a file in this folder. If it does not exist, that is a success.
    pub(super) fn remove_file(&self, name: &OsStr) -> Result<(), RuntimeError> {
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(failed("remove", &self.path.join(name))(error.into())),
        }
    }

    /// The file with this name, which may be a link.
    fn stat(&self, name: &OsStr) -> Result<Option<Stat>, RuntimeError> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(failed("look at", &self.path.join(name))(error.into())),
        }
    }

    /// The error for an entry that is not a folder, or not a file.
    fn not_that(&self, name: &OsStr, otherwise: Distrust) -> RuntimeError {
        let is_link = |stat: Stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
        let distrusted = match self.stat(name) {
            Ok(Some(stat)) if is_link(stat) => Distrust::Link,
            _ => otherwise,
        };
        distrust(&self.path.join(name), distrusted)
    }

    fn failed(&self, what: &'static str, error: Errno) -> RuntimeError {
        failed(what, &self.path)(error.into())
    }
}

fn own() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// An error unless a file with this owner and mode can be trusted.
fn judge(path: &Path, owner: u32, mode: Mode) -> Result<(), RuntimeError> {
    match distrusted(owner, own(), mode) {
        None => Ok(()),
        Some(why) => Err(distrust(path, why)),
    }
}

fn distrusted(owner: u32, user: u32, mode: Mode) -> Option<Distrust> {
    if owner != user && owner != 0 {
        return Some(Distrust::Owner { owner, user });
    }
    let permissions = mode & (Mode::RWXU | Mode::RWXG | Mode::RWXO);
    mode.intersects(OTHERS).then(|| Distrust::Writable {
        mode: permissions.bits(),
    })
}

fn distrust(path: &Path, why: Distrust) -> RuntimeError {
    RuntimeError::Distrusted {
        path: path.to_owned(),
        why,
    }
}

/// Another process removes what we create.
fn vanished(path: &Path) -> RuntimeError {
    failed("open", path)(io::ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_ours_or_roots_and_written_by_nobody_else_is_believed() {
        for (owner, user, mode, why) in [
            (1000, 1000, 0o700, None),
            (0, 1000, 0o755, None),
            (0, 0, 0o600, None),
            (
                1001,
                1000,
                0o700,
                Some(Distrust::Owner {
                    owner: 1001,
                    user: 1000,
                }),
            ),
            // Root must not trust a file that a user can write.
            (
                1000,
                0,
                0o700,
                Some(Distrust::Owner {
                    owner: 1000,
                    user: 0,
                }),
            ),
            (1000, 1000, 0o620, Some(Distrust::Writable { mode: 0o620 })),
            (0, 1000, 0o1777, Some(Distrust::Writable { mode: 0o777 })),
        ] {
            let found = distrusted(owner, user, Mode::from_raw_mode(mode));
            assert_eq!(found, why, "{owner} {user} {mode:o}");
        }
    }
}
