//! The list in the folder of a download. The folder holds only what the provider brought: the list
//! names those files, so that nothing else is ever replaced or removed, whatever names an app gives
//! to its files.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};

use super::ArtifactFile;
use crate::beneath::{Beneath, size_of_file};
use crate::runtime::artifacts::ArtifactPath;
use crate::terminal::visible;

/// The list of files that the provider brought.
pub(super) const LIST: &str = "flower-artifacts.json";
/// The prefix of files that are not complete; a part of the SHA-256 follows.
pub(super) const UNFINISHED: &str = ".flower-unfinished-";
const LIST_FORMAT: u32 = 1;
const MOST_LIST: u64 = 8 << 20;

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
pub(super) struct Ours {
    pub run: String,
    pub files: BTreeSet<ArtifactPath>,
}

/// An error if a download into this folder would be refused. It changes nothing.
pub(super) fn check(path: &Path) -> Result<(), TargetError> {
    match Beneath::open(path) {
        Ok(root) => {
            judge(path, &root)?;
            read(path, &root).map(drop)
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
pub(super) fn judge(path: &Path, root: &Beneath) -> Result<(), TargetError> {
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
pub(super) fn read(path: &Path, root: &Beneath) -> Result<Ours, TargetError> {
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

/// Replaces the list.
pub(super) fn write(root: &Beneath, run: &str, files: &BTreeSet<ArtifactPath>) -> io::Result<()> {
    let list = List {
        format: LIST_FORMAT,
        run: run.to_owned(),
        files: files.iter().map(ArtifactPath::to_string).collect(),
    };
    let name = format!("{UNFINISHED}list");
    root.remove_file(&name)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    let (mut file, _) = root.file(&name, flags)?;
    file.write_all(&serde_json::to_vec_pretty(&list)?)?;
    file.sync_all()?;
    root.rename(&name, root, LIST)
}

/// The run whose files the folder holds, if it has a list.
pub(super) fn run_of(path: &Path) -> Option<String> {
    let root = Beneath::open(path).ok()?;
    let ours = read(path, &root).ok()?;
    Some(ours.run).filter(|run| !run.is_empty())
}

/// The files of a download that are missing or have another size. It reads none of them.
pub(super) fn missing<'a>(path: &Path, files: &'a BTreeMap<String, ArtifactFile>) -> Vec<&'a str> {
    let root = Beneath::open(path).ok();
    let is_there = |name: &str, file: &ArtifactFile| -> Option<bool> {
        let path = name.parse::<ArtifactPath>().ok()?;
        let (folders, name) = path.split();
        let found = root.as_ref()?.below(folders).ok()?.stat(name).ok()?;
        let size = found.as_ref().and_then(size_of_file)?;
        Some(i64::try_from(size) == Ok(file.size))
    };
    let missing = files
        .iter()
        .filter(|(name, file)| is_there(name, file) != Some(true));
    missing.map(|(name, _)| name.as_str()).collect()
}
