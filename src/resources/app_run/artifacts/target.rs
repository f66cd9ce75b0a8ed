//! The folder of a download on this machine. It holds only what the provider brought: a list in the
//! folder names those files, so that nothing else is ever replaced or removed, whatever names an app
//! gives to its files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::beneath::{Beneath, size_of_file};
use crate::runtime::artifacts::ArtifactPath;
use crate::terminal::visible;

/// The list of files that the provider brought.
pub(super) const LIST: &str = "flower-artifacts.json";
/// The prefix of files that are not complete; a part of the SHA-256 follows.
const UNFINISHED: &str = ".flower-unfinished-";
const LIST_FORMAT: u32 = 1;
const MOST_LIST: u64 = 8 << 20;
const CHUNK: usize = 256 << 10;
/// The space that a download leaves on the disk.
const RESERVE: u64 = 64 << 20;

/// Why a folder cannot hold a download.
#[derive(Debug, thiserror::Error)]
pub(super) enum TargetError {
    #[error("the folder {path:?} is not empty and holds other files, such as {found:?}")]
    NotOurs { path: PathBuf, found: String },
    #[error("the folder {path:?} already has a file {file:?} that no download brought")]
    Taken { path: PathBuf, file: String },
    #[error("{path:?} is no folder")]
    NotAFolder { path: PathBuf },
    #[error("other users of this machine can change the folder {path:?}")]
    Shared { path: PathBuf },
    #[error("another apply is downloading into the folder {path:?} now")]
    Busy { path: PathBuf },
    #[error(
        "the folder {path:?} has room for {free} bytes, and the download needs {needed}, with a \
         reserve for the state"
    )]
    NoSpace {
        path: PathBuf,
        free: u64,
        needed: u64,
    },
    #[error("cannot write into the folder {path:?}: {cause}")]
    Io { path: PathBuf, cause: io::Error },
}

impl TargetError {
    pub(super) fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::NotOurs { .. } => {
                "A run may name its files as it likes, so the folder must be one that only \
                 downloads use. Set another folder, or empty this one."
            }
            Self::NotAFolder { .. } => "Set `download_to` to a folder, or to a path that is free.",
            Self::Taken { .. } => "Move that file to another folder.",
            Self::Shared { .. } => {
                "Use a folder that belongs to the user who applies, and that not everybody may \
                 write."
            }
            Self::NoSpace { .. } => "Free some space, or use a folder on another disk.",
            Self::Busy { .. } => {
                "Give each run a folder of its own, or apply again when the other apply has ended."
            }
            Self::Io { .. } => "Check the folder's permissions and the free space.",
        };
        Some(text.to_owned())
    }
}

/// What the list holds.
#[derive(Debug, Serialize, Deserialize)]
struct List {
    format: u32,
    /// The run that they are of.
    run: String,
    files: BTreeSet<String>,
}

/// The files in the folder that downloads brought.
#[derive(Debug, Default)]
struct Ours {
    run: String,
    files: BTreeSet<ArtifactPath>,
}

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

/// An error if a download into this folder would be refused. It changes nothing.
pub(super) fn check(path: &Path) -> Result<(), TargetError> {
    match Beneath::open(path) {
        Ok(root) => {
            judge(path, &root)?;
            read_list(path, &root).map(drop)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // A link to nowhere exists, but it is nothing that can be opened.
            if path.symlink_metadata().is_ok() {
                return Err(TargetError::NotAFolder {
                    path: path.to_owned(),
                });
            }
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory && path.exists() => {
            Err(TargetError::NotAFolder {
                path: path.to_owned(),
            })
        }
        // What lies above it is judged with the permissions.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(()),
        Err(cause) => Err(TargetError::Io {
            path: path.to_owned(),
            cause,
        }),
    }
}

/// An error if another user could replace what a download brings, or what it removes.
fn judge(path: &Path, root: &Beneath) -> Result<(), TargetError> {
    let found = root.own_stat().map_err(|cause| TargetError::Io {
        path: path.to_owned(),
        cause,
    })?;
    let user = rustix::process::geteuid().as_raw();
    let is_own = found.st_uid == user || found.st_uid == 0;
    if is_own && !Mode::from_raw_mode(found.st_mode).contains(Mode::WOTH) {
        return Ok(());
    }
    Err(TargetError::Shared {
        path: path.to_owned(),
    })
}

/// The files that earlier downloads brought.
fn read_list(path: &Path, root: &Beneath) -> Result<Ours, TargetError> {
    let io = |cause| TargetError::Io {
        path: path.to_owned(),
        cause,
    };
    let foreign = |found: &str| TargetError::NotOurs {
        path: path.to_owned(),
        found: visible(found).into_owned(),
    };
    let file = match root.file(LIST, OFlags::RDONLY) {
        Ok((file, _)) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match root.names().map_err(io)?.first() {
                None => Ok(Ours::default()),
                Some(name) => Err(foreign(&String::from_utf8_lossy(name))),
            };
        }
        Err(error) => return Err(io(error)),
    };
    let mut text = String::new();
    file.take(MOST_LIST).read_to_string(&mut text).map_err(io)?;
    match serde_json::from_str::<List>(&text) {
        Ok(list) if list.format == LIST_FORMAT => Ok(Ours {
            files: list
                .files
                .iter()
                .filter_map(|one| one.parse().ok())
                .collect(),
            run: list.run,
        }),
        _ => Err(foreign(LIST)),
    }
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
        judge(path, &root)?;
        if !root.try_lock().map_err(io)? {
            return Err(TargetError::Busy {
                path: path.to_owned(),
            });
        }
        let ours = read_list(path, &root)?;
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
        Ok(found == size && hex::encode(hash_of(&file)?.finalize()) == sha256)
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
        let hash = hash_of(&file)?;
        let size = file.seek(SeekFrom::End(0))?;
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
        let list = List {
            format: LIST_FORMAT,
            run: run.to_owned(),
            files: files.iter().map(ArtifactPath::to_string).collect(),
        };
        let write = || -> io::Result<()> {
            let name = format!("{UNFINISHED}list");
            self.root.remove_file(&name)?;
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
            let (mut file, _) = self.root.file(&name, flags)?;
            file.write_all(&serde_json::to_vec_pretty(&list)?)?;
            file.sync_all()?;
            self.root.rename(&name, &self.root, LIST)
        };
        write().map_err(|error| self.io(error))
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
        let mut folder = self.root.again()?;
        for part in folders {
            folder = match folder.folder(part) {
                Ok(inner) => inner,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            };
        }
        Ok(Some((folder, name)))
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
            let mut above = self.root.again()?;
            for part in parts.get(..depth).unwrap_or_default() {
                above = above.folder(part)?;
            }
            if let Some(part) = parts.get(depth) {
                above.remove_empty(part);
            }
        }
        Ok(())
    }
}

/// The run whose files the folder holds, if it has a list.
pub(super) fn run_of(path: &Path) -> Option<String> {
    let root = Beneath::open(path).ok()?;
    let ours = read_list(path, &root).ok()?;
    Some(ours.run).filter(|run| !run.is_empty())
}

/// Whether a file of a download is still there with this size. It opens nothing.
pub(super) fn is_there(root: &Path, path: &ArtifactPath, size: u64) -> bool {
    let look = || -> io::Result<bool> {
        let (folders, name) = path.split();
        let mut folder = Beneath::open(root)?;
        for part in folders {
            folder = folder.folder(part)?;
        }
        Ok(folder.stat(name)?.and_then(|stat| size_of_file(&stat)) == Some(size))
    };
    look().unwrap_or(false)
}

fn unfinished_name(sha256: &str) -> String {
    format!("{UNFINISHED}{}", sha256.get(..32).unwrap_or(sha256))
}

/// The hash of a whole file.
fn hash_of(mut file: &File) -> io::Result<Sha256> {
    file.seek(SeekFrom::Start(0))?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hash),
            read => hash.update(chunk.get(..read).unwrap_or_default()),
        }
    }
}
