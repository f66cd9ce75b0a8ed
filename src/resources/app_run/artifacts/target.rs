//! The folder of a download while files are brought into it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};

use super::list::{self, Ours, TargetError, UNFINISHED};
use crate::beneath::{Beneath, hash_of, size_of_file};
use crate::runtime::artifacts::ArtifactPath;

/// The space that a download leaves on the disk.
const RESERVE: u64 = 64 << 20;

/// A locked folder.
pub(super) struct Target {
    path: PathBuf,
    root: Beneath,
    ours: Ours,
}

/// A file that is not complete yet.
pub(super) struct Unfinished {
    pub file: File,
    /// How many bytes it has.
    pub size: u64,
    /// The hash of these bytes.
    pub hash: Sha256,
}

impl Target {
    /// Opens the folder, and creates it unless it exists.
    pub(super) fn open(path: &Path) -> Result<Self, TargetError> {
        let io = |cause| TargetError::Io {
            path: path.to_owned(),
            cause,
        };
        std::fs::create_dir_all(path).map_err(io)?;
        let root = Beneath::open(path).map_err(io)?;
        list::judge(path, &root)?;
        if !root.try_lock().map_err(io)? {
            return Err(TargetError::Busy {
                path: path.to_owned(),
            });
        }
        let ours = list::read(path, &root)?;
        Ok(Self {
            path: path.to_owned(),
            root,
            ours,
        })
    }

    /// Whether the folder holds files of this run.
    pub(super) fn holds(&self, run: &str) -> bool {
        self.ours.run == run && !self.ours.files.is_empty()
    }

    /// Prepares the folder for these files: lists them before the first one is written, so that an
    /// interrupted download is recognised. Files of an earlier run stay until this one is complete.
    pub(super) fn expect(
        &mut self,
        run: &str,
        files: &BTreeMap<ArtifactPath, u64>,
    ) -> Result<(), TargetError> {
        // A file may stand where this download has a folder, and the reverse.
        let is_above = |folder: &ArtifactPath, file: &ArtifactPath| {
            let rest = file.as_str().strip_prefix(folder.as_str());
            rest.is_some_and(|rest| rest.starts_with('/'))
        };
        let in_the_way = |old: &&ArtifactPath| {
            let mut names = files.keys();
            names.any(|new| is_above(old, new) || is_above(new, old))
        };
        let same_run = self.ours.run == run;
        let gone = self.ours.files.iter();
        let gone = gone.filter(|old| !files.contains_key(*old));
        let gone: Vec<_> = gone
            .filter(|old| same_run || in_the_way(old))
            .cloned()
            .collect();
        for old in gone {
            self.remove(&old).map_err(|error| self.io(error))?;
            self.ours.files.remove(&old);
        }
        for file in files.keys().filter(|file| !self.ours.files.contains(*file)) {
            if self.stat(file).map_err(|error| self.io(error))?.is_some() {
                return Err(TargetError::Taken {
                    path: self.path.clone(),
                    file: file.to_string(),
                });
            }
        }
        self.has_room(files)?;
        let names = self.ours.files.iter().chain(files.keys());
        let all = names.cloned().collect();
        self.save(run, &all)?;
        run.clone_into(&mut self.ours.run);
        self.ours.files = all;
        Ok(())
    }

    /// An error if the disk would be full: Terraform may have to write its state there, too.
    fn has_room(&self, files: &BTreeMap<ArtifactPath, u64>) -> Result<(), TargetError> {
        let mut needed = RESERVE;
        for (file, size) in files {
            let found = self.stat(file).map_err(|error| self.io(error))?;
            if found.as_ref().and_then(size_of_file) != Some(*size) {
                needed = needed.saturating_add(*size);
            }
        }
        let free = self.root.free_space().map_err(|error| self.io(error))?;
        if needed > free && needed > RESERVE {
            return Err(TargetError::NoSpace {
                path: self.path.clone(),
                free,
                needed,
            });
        }
        Ok(())
    }

    /// Whether the folder has this file already.
    pub(super) fn has(&self, path: &ArtifactPath, size: u64, sha256: &str) -> io::Result<bool> {
        let Some((folder, name)) = self.folder_of(path)? else {
            return Ok(false);
        };
        let Ok((file, found)) = folder.file(name, OFlags::RDONLY) else {
            return Ok(false);
        };
        Ok(found == size && hex::encode(hash_of(&file, size)?.0.finalize()) == sha256)
    }

    /// Opens the unfinished file of this content, with what an earlier attempt wrote. Those of other
    /// contents are removed: only one file is brought at a time.
    pub(super) fn unfinished(&self, size: u64, sha256: &str) -> io::Result<Unfinished> {
        let name = unfinished_name(sha256);
        self.tidy(Some(&name))?;
        if let Some(found) = self.root.stat(&name)? {
            let user = rustix::process::geteuid().as_raw();
            let is_whole = size_of_file(&found).is_some_and(|found| found <= size);
            if !is_whole || found.st_uid != user || found.st_nlink != 1 {
                self.root.remove_file(&name)?;
            }
        }
        let flags = OFlags::RDWR | OFlags::CREATE;
        let (mut file, _) = self.root.file(&name, flags)?;
        let (hash, size) = hash_of(&file, u64::MAX)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Unfinished { file, size, hash })
    }

    /// Removes unfinished files but this one.
    fn tidy(&self, but: Option<&str>) -> io::Result<()> {
        for name in self.root.names()? {
            if let Ok(name) = String::from_utf8(name)
                && name.starts_with(UNFINISHED)
                && Some(name.as_str()) != but
            {
                self.root.remove_file(&name)?;
            }
        }
        Ok(())
    }

    /// Forgets what earlier attempts wrote.
    pub(super) fn restart(&self, sha256: &str) -> io::Result<()> {
        self.root.remove_file(&unfinished_name(sha256))
    }

    /// Gives a complete file its name.
    pub(super) fn place(&self, path: &ArtifactPath, sha256: &str) -> io::Result<()> {
        let (folders, name) = path.split();
        let unfinished = unfinished_name(sha256);
        let mut made: Option<Beneath> = None;
        for part in folders {
            made = Some(made.as_ref().unwrap_or(&self.root).make_folder(part)?);
        }
        let folder = made.as_ref().unwrap_or(&self.root);
        self.root.rename(&unfinished, folder, name)
    }

    /// Removes what belongs to no file of this download.
    pub(super) fn finish(
        &self,
        run: &str,
        files: &BTreeMap<ArtifactPath, u64>,
    ) -> Result<(), TargetError> {
        let tidied = || -> io::Result<()> {
            let old = self.ours.files.iter();
            old.filter(|old| !files.contains_key(*old))
                .try_for_each(|old| self.remove(old))?;
            self.tidy(None)
        };
        tidied().map_err(|error| self.io(error))?;
        self.save(run, &files.keys().cloned().collect())
    }

    fn save(&self, run: &str, files: &BTreeSet<ArtifactPath>) -> Result<(), TargetError> {
        list::write(&self.root, run, files).map_err(|error| self.io(error))
    }

    pub(super) fn io(&self, cause: io::Error) -> TargetError {
        TargetError::Io {
            path: self.path.clone(),
            cause,
        }
    }

    /// The folder of a file, if it exists. No link leads to it.
    fn folder_of<'a>(&self, path: &'a ArtifactPath) -> io::Result<Option<(Beneath, &'a str)>> {
        let (folders, name) = path.split();
        match self.root.below(folders) {
            Ok(folder) => Ok(Some((folder, name))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn stat(&self, path: &ArtifactPath) -> io::Result<Option<rustix::fs::Stat>> {
        match self.folder_of(path) {
            Ok(Some((folder, name))) => folder.stat(name),
            Ok(None) => Ok(None),
            // A file of an earlier download stands where a folder is expected.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes a file that a download brought, and the folders that are empty then.
    fn remove(&self, path: &ArtifactPath) -> io::Result<()> {
        let Some((folder, name)) = self.folder_of(path)? else {
            return Ok(());
        };
        folder.remove_file(name)?;
        let (folders, _) = path.split();
        let parts: Vec<&str> = folders.collect();
        for depth in (0..parts.len()).rev() {
            let above = parts.get(..depth).unwrap_or_default();
            let above = self.root.below(above.iter().copied())?;
            if let Some(part) = parts.get(depth) {
                above.remove_empty(part);
            }
        }
        Ok(())
    }
}

fn unfinished_name(sha256: &str) -> String {
    format!("{UNFINISHED}{}", sha256.get(..32).unwrap_or(sha256))
}
