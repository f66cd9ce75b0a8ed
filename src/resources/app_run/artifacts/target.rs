//! The folder of a download on this machine. It holds only what the provider brought: a list in the
//! folder names those files, so that nothing else is ever replaced or removed, whatever names an app
//! gives to its files.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::beneath::{Beneath, size_of_file};
use crate::runtime::artifacts::ArtifactPath;
use crate::terminal::visible;

/// The list of files that the provider brought.
pub(super) const LIST: &str = ".flower-artifacts.json";
/// The prefix of files that are not complete; a part of the SHA-256 follows.
const UNFINISHED: &str = ".flower-unfinished-";
const LIST_FORMAT: u32 = 1;
const MOST_LIST: u64 = 8 << 20;
const CHUNK: usize = 256 << 10;

/// Why a folder cannot hold a download.
#[derive(Debug, thiserror::Error)]
pub(super) enum TargetError {
    #[error("{} is not empty and holds other files, such as {found:?}", path.display())]
    NotOurs { path: PathBuf, found: String },
    #[error("{} already has a file {file:?} that no download brought", path.display())]
    Taken { path: PathBuf, file: String },
    #[error("another apply is downloading into {} now", path.display())]
    Busy { path: PathBuf },
    #[error("cannot write into {}: {cause}", path.display())]
    Io { path: PathBuf, cause: io::Error },
}

impl TargetError {
    pub(super) fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::NotOurs { .. } => {
                "A run may name its files as it likes, so the folder must be one that only \
                 downloads use. Set another folder, or empty this one."
            }
            Self::Taken { .. } => "Move that file to another folder.",
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
    files: BTreeSet<String>,
}

/// A locked folder.
pub(super) struct Target {
    path: PathBuf,
    root: Beneath,
    ours: BTreeSet<ArtifactPath>,
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
        Ok(root) => read_list(path, &root).map(drop),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(TargetError::Io {
            path: path.to_owned(),
            cause,
        }),
    }
}

/// The files that earlier downloads brought.
fn read_list(path: &Path, root: &Beneath) -> Result<BTreeSet<ArtifactPath>, TargetError> {
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
                None => Ok(BTreeSet::new()),
                Some(name) => Err(foreign(&String::from_utf8_lossy(name))),
            };
        }
        Err(error) => return Err(io(error)),
    };
    let mut text = String::new();
    file.take(MOST_LIST).read_to_string(&mut text).map_err(io)?;
    match serde_json::from_str::<List>(&text) {
        Ok(list) if list.format == LIST_FORMAT => Ok(list
            .files
            .iter()
            .filter_map(|one| one.parse().ok())
            .collect()),
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

    /// Prepares the folder for these files: lists them before the first one is written, so that an
    /// interrupted download is recognised.
    pub(super) fn expect(&mut self, files: &BTreeSet<ArtifactPath>) -> Result<(), TargetError> {
        // A file of an earlier run may stand where this one has a folder, and the reverse.
        let is_above = |folder: &ArtifactPath, file: &ArtifactPath| {
            let rest = file.as_str().strip_prefix(folder.as_str());
            rest.is_some_and(|rest| rest.starts_with('/'))
        };
        let in_the_way: Vec<_> = self
            .ours
            .iter()
            .filter(|old| {
                files
                    .iter()
                    .any(|new| is_above(old, new) || is_above(new, old))
            })
            .cloned()
            .collect();
        for old in in_the_way {
            self.remove(&old).map_err(|error| self.io(error))?;
            self.ours.remove(&old);
        }
        for file in files.difference(&self.ours) {
            if self.stat(file).map_err(|error| self.io(error))?.is_some() {
                return Err(TargetError::Taken {
                    path: self.path.clone(),
                    file: file.to_string(),
                });
            }
        }
        let all: BTreeSet<_> = self.ours.union(files).cloned().collect();
        self.save(&all)?;
        self.ours = all;
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

    /// Opens the unfinished file of this content, with what an earlier attempt wrote.
    pub(super) fn unfinished(&self, size: u64, sha256: &str) -> io::Result<Unfinished> {
        let flags = OFlags::RDWR | OFlags::CREATE;
        let (mut file, found) = self.root.file(&unfinished_name(sha256), flags)?;
        if found > size {
            file.set_len(0)?;
        }
        let hash = hash_of(&file)?;
        let size = file.seek(SeekFrom::End(0))?;
        Ok(Unfinished { file, size, hash })
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
    pub(super) fn finish(&self, files: &BTreeSet<ArtifactPath>) -> Result<(), TargetError> {
        let tidied = || -> io::Result<()> {
            for old in self.ours.difference(files) {
                self.remove(old)?;
            }
            for name in self.root.names()? {
                if let Ok(name) = String::from_utf8(name)
                    && name.starts_with(UNFINISHED)
                {
                    self.root.remove_file(&name)?;
                }
            }
            Ok(())
        };
        tidied().map_err(|error| self.io(error))?;
        self.save(files)
    }

    fn save(&self, files: &BTreeSet<ArtifactPath>) -> Result<(), TargetError> {
        let list = List {
            format: LIST_FORMAT,
            files: files.iter().map(ArtifactPath::to_string).collect(),
        };
        let write = || -> io::Result<()> {
            let name = format!("{UNFINISHED}list");
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
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
        let mut folder = Beneath::open(&self.path)?;
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
            let mut above = Beneath::open(&self.path)?;
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
