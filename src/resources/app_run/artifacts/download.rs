//! Brings the artifacts of a run into a folder: each file is compared with its SHA-256 before it
//! gets its name, and a cut download continues where it stopped.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc::{self, Receiver};

use super::list::TargetError;
use super::target::{Target, Unfinished};
use crate::runtime::artifacts::{ArtifactError, ArtifactPath, ArtifactStore, Listing};

/// How many attempts in a row may bring no byte.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = if cfg!(test) {
    Duration::from_millis(1)
} else {
    Duration::from_secs(1)
};
/// How many chunks of a file wait for the disk.
const WAITING: usize = 8;

/// A file that was brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Brought {
    pub size: u64,
    pub sha256: String,
}

/// What a download brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Download {
    pub files: BTreeMap<ArtifactPath, Brought>,
    /// What is no artifact, with the reasons.
    pub left_out: Vec<String>,
    /// How many more are no artifacts.
    pub more_left_out: usize,
}

/// Why a download failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum DownloadError {
    #[error(transparent)]
    Store(#[from] ArtifactError),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("the artifacts have {bytes} bytes together, and `max_bytes` is {limit}")]
    TooLarge { bytes: u64, limit: u64 },
    #[error("{path:?} arrived with another SHA-256 than the SuperLink computed, twice")]
    Damaged { path: String },
    #[error("the SuperLink no longer has the files of the run")]
    Vanished,
    #[error("{path:?} has more bytes than the SuperLink listed")]
    Grown { path: String },
}

impl DownloadError {
    pub(super) fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::Store(error) => return error.remedy(),
            Self::Target(error) => return error.remedy(),
            Self::TooLarge { .. } => "Raise `artifacts.max_bytes`, or let the app write less.",
            Self::Vanished => {
                "Something removed them there. The copies on this machine stay as they are. \
                 Without `artifacts`, the provider does not look for them."
            }
            Self::Damaged { .. } | Self::Grown { .. } => {
                "Apply again when nothing writes into the folder of the run."
            }
        };
        Some(text.to_owned())
    }
}

/// Downloads everything; `None` if the run has no files.
pub(super) async fn download(
    store: &mut dyn ArtifactStore,
    path: &Path,
    run: &str,
    limit: u64,
) -> Result<Option<Download>, DownloadError> {
    let Listing {
        files,
        left_out,
        more_left_out,
        ..
    } = patient(store).await?.unwrap_or_default();
    let bytes = files
        .values()
        .fold(0, |all: u64, size| all.saturating_add(*size));
    if bytes > limit {
        return Err(DownloadError::TooLarge { bytes, limit });
    }
    if files.is_empty() {
        // The copies of another run stay; that this one had none is said.
        if path.exists() && Target::open(path)?.holds(run) {
            return Err(DownloadError::Vanished);
        }
        return Ok((!left_out.is_empty()).then(|| Download {
            files: BTreeMap::new(),
            left_out,
            more_left_out,
        }));
    }
    let mut target = Target::open(path)?;
    target.expect(run, &files)?;
    let target = Arc::new(target);
    let mut brought = BTreeMap::new();
    for (path, size) in &files {
        let sha256 = bring(store, &target, path, *size).await?;
        brought.insert(
            path.clone(),
            Brought {
                size: *size,
                sha256,
            },
        );
    }
    target.finish(run, &files)?;
    Ok(Some(Download {
        files: brought,
        left_out,
        more_left_out,
    }))
}

/// Lists the files. The file service may still be starting.
async fn patient(store: &mut dyn ArtifactStore) -> Result<Option<Listing>, ArtifactError> {
    let mut attempt = 1;
    loop {
        match store.list().await {
            Err(error) if error.may_pass() && attempt < ATTEMPTS => attempt += 1,
            done => return done,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Brings one file, unless the folder has it already; returns its SHA-256.
async fn bring(
    store: &mut dyn ArtifactStore,
    target: &Arc<Target>,
    path: &ArtifactPath,
    size: u64,
) -> Result<String, DownloadError> {
    let mut fruitless = 0;
    let mut damaged = false;
    let sha256 = loop {
        match store.sha256(path, size).await {
            Ok(sha256) => break sha256,
            Err(error) if error.may_pass() && fruitless < ATTEMPTS => fruitless += 1,
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(PAUSE).await;
    };
    let (place, known) = (path.clone(), sha256.clone());
    if on_disk(target, move |target| target.has(&place, size, &known)).await? {
        return Ok(sha256);
    }
    fruitless = 0;
    loop {
        let known = sha256.clone();
        let begun = on_disk(target, move |target| target.unfinished(size, &known)).await?;
        let before = begun.size;
        let (to, from) = mpsc::channel(WAITING);
        let writing = tokio::task::spawn_blocking(move || write(begun, from, size));
        let read = store.read(path, before, to).await;
        let written = writing
            .await
            .map_err(io::Error::other)
            .and_then(|done| done);
        let written = written.map_err(|error| {
            if error.kind() == io::ErrorKind::StorageFull {
                // The space is needed for other things, such as the state.
                let _ = target.restart(&sha256);
            }
            target.io(error)
        })?;
        if written.size > size {
            let _ = target.restart(&sha256);
            return Err(DownloadError::Grown {
                path: path.to_string(),
            });
        }
        if written.size == size {
            if written.sha256 == sha256 {
                let (place, known) = (path.clone(), sha256.clone());
                on_disk(target, move |target| target.place(&place, &known)).await?;
                return Ok(sha256);
            }
            target.restart(&sha256).map_err(|error| target.io(error))?;
            if std::mem::replace(&mut damaged, true) {
                return Err(DownloadError::Damaged {
                    path: path.to_string(),
                });
            }
            continue;
        }
        let error = match read {
            // It became smaller meanwhile.
            Ok(()) => ArtifactError::Changed {
                path: path.to_string(),
            },
            Err(error) => error,
        };
        fruitless = if written.size > before {
            0
        } else {
            fruitless + 1
        };
        if !error.may_pass() || fruitless >= ATTEMPTS {
            return Err(error.into());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Runs file operations on another thread.
async fn on_disk<T: Send + 'static>(
    target: &Arc<Target>,
    work: impl FnOnce(&Target) -> io::Result<T> + Send + 'static,
) -> Result<T, TargetError> {
    let on = Arc::clone(target);
    let done = tokio::task::spawn_blocking(move || work(&on)).await;
    let done = done.map_err(io::Error::other).and_then(|done| done);
    done.map_err(|error| target.io(error))
}

struct Written {
    size: u64,
    sha256: String,
}

/// Appends what arrives, but not much more than the file has.
fn write(begun: Unfinished, mut from: Receiver<Bytes>, most: u64) -> io::Result<Written> {
    let Unfinished {
        mut file,
        mut size,
        mut hash,
    } = begun;
    while let Some(chunk) = from.blocking_recv() {
        file.write_all(&chunk)?;
        hash.update(&chunk);
        size += chunk.len() as u64;
        if size > most {
            break;
        }
    }
    file.sync_all()?;
    Ok(Written {
        size,
        sha256: hex::encode(Sha256::finalize(hash)),
    })
}

#[cfg(test)]
#[path = "download_tests.rs"]
mod tests;
