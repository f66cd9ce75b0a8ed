//! Artifacts on this machine: the folder is read directly.

use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use rustix::fs::OFlags;
use sha2::Digest as _;
use tokio::sync::mpsc::Sender;

use super::super::artifacts::{
    ArtifactError, ArtifactPath, ArtifactStore, Artifacts, Listing, MOST_FILES,
};
use super::super::{ObjectRef, RuntimeError};
use super::LocalRuntime;
use crate::beneath::{Beneath, hash_of, is_folder, size_of_file};
use crate::terminal::visible;

const CHUNK: usize = 256 << 10;
/// The maximum number of entries that a listing looks at.
const MOST_ENTRIES: usize = 10 * MOST_FILES;

impl Artifacts for LocalRuntime {
    fn artifacts<'a>(
        &'a self,
        superlink: &ObjectRef,
        run: u64,
    ) -> Result<Box<dyn ArtifactStore + 'a>, RuntimeError> {
        let folder = self.artifacts_dir(superlink).join(run.to_string());
        Ok(Box::new(RunFolder { folder }))
    }
}

struct RunFolder {
    folder: PathBuf,
}

#[async_trait]
impl ArtifactStore for RunFolder {
    async fn list(&mut self) -> Result<Option<Listing>, ArtifactError> {
        let folder = self.folder.clone();
        blocking("", move || match open_run(&folder) {
            Ok(root) => {
                let mut walk = Walk::default();
                let walked = walk.folder(&root, "");
                Ok(Some(walked.map(|()| walk.found)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        })
        .await?
        .transpose()
    }

    async fn sha256(&mut self, path: &ArtifactPath, size: u64) -> Result<String, ArtifactError> {
        let (folder, path) = (self.folder.clone(), path.clone());
        let changed = path.to_string();
        blocking(path.clone().as_str(), move || {
            // It may have grown since it was listed.
            let (hash, read) = hash_of(&open(&folder, &path)?, size + 1)?;
            Ok((read == size).then(|| hex::encode(hash.finalize())))
        })
        .await?
        .ok_or(ArtifactError::Changed { path: changed })
    }

    async fn read(
        &mut self,
        path: &ArtifactPath,
        from: u64,
        to: Sender<Bytes>,
    ) -> Result<(), ArtifactError> {
        let (folder, path) = (self.folder.clone(), path.clone());
        blocking(path.clone().as_str(), move || {
            let mut file = open(&folder, &path)?;
            file.seek(SeekFrom::Start(from))?;
            loop {
                let mut chunk = vec![0; CHUNK];
                let read = file.read(&mut chunk)?;
                chunk.truncate(read);
                if read == 0 || to.blocking_send(chunk.into()).is_err() {
                    return Ok(());
                }
            }
        })
        .await
    }
}

/// Runs file operations on another thread.
async fn blocking<T: Send + 'static>(
    path: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, ArtifactError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(io::Error::other)
        .and_then(|done| done)
        .map_err(|error| ArtifactError::File {
            path: path.to_owned(),
            cause: error.to_string(),
        })
}

/// The folder of a run, which an app may have replaced by a link.
fn open_run(folder: &std::path::Path) -> io::Result<Beneath> {
    let (Some(all), Some(run)) = (folder.parent(), folder.file_name()) else {
        return Err(io::ErrorKind::NotFound.into());
    };
    Beneath::open(all)?.folder(&run.to_string_lossy())
}

fn open(folder: &std::path::Path, path: &ArtifactPath) -> io::Result<std::fs::File> {
    let (folders, name) = path.split();
    Ok(open_run(folder)?
        .below(folders)?
        .file(name, OFlags::RDONLY)?
        .0)
}

#[derive(Default)]
struct Walk {
    found: Listing,
    seen: usize,
}

impl Walk {
    fn folder(&mut self, folder: &Beneath, above: &str) -> Result<(), ArtifactError> {
        let failed = |error: io::Error| ArtifactError::File {
            path: above.to_owned(),
            cause: error.to_string(),
        };
        let mut names = folder.names().map_err(failed)?;
        names.sort_unstable();
        for bytes in names {
            self.seen += 1;
            if self.seen > MOST_ENTRIES {
                return Err(ArtifactError::TooMany);
            }
            let Ok(name) = String::from_utf8(bytes.clone()) else {
                let shown = String::from_utf8_lossy(&bytes);
                let path = format!("{above}{}", visible(&shown));
                self.found.leave_out(&path, "its name is not valid UTF-8");
                continue;
            };
            self.entry(folder, &name, &format!("{above}{name}"))?;
        }
        Ok(())
    }

    fn entry(&mut self, folder: &Beneath, name: &str, text: &str) -> Result<(), ArtifactError> {
        let Ok(Some(stat)) = folder.stat(name) else {
            return Ok(());
        };
        let path = match text.parse::<ArtifactPath>() {
            Ok(path) => path,
            Err(why) => {
                self.found.leave_out(&visible(text), why);
                return Ok(());
            }
        };
        if is_folder(&stat) {
            return match folder.folder(name) {
                Ok(inner) => self.folder(&inner, &format!("{text}/")),
                Err(error) => {
                    self.found.leave_out(text, error);
                    Ok(())
                }
            };
        }
        match size_of_file(&stat) {
            Some(size) => {
                self.found.files.insert(path, size);
            }
            None => self
                .found
                .leave_out(text, "it is a link, a device or a pipe"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::os::unix::ffi::OsStrExt as _;

    use super::super::super::Kind;
    use super::*;

    #[tokio::test]
    async fn files_are_listed_and_read_but_no_links_and_no_hostile_names() {
        let dir = tempfile::tempdir().unwrap();
        let runtime = LocalRuntime {
            data_dir: dir.path().join("data"),
            cache_dir: dir.path().join("cache"),
            python: "python3".to_owned(),
        };
        let superlink = ObjectRef {
            kind: Kind::Superlink,
            name: "main".parse().unwrap(),
        };
        let mut store = runtime.artifacts(&superlink, 7).unwrap();
        assert!(store.list().await.unwrap().is_none());
        let run = runtime.artifacts_dir(&superlink).join("7");
        fs::create_dir_all(run.join("deep/.git")).unwrap();
        fs::write(run.join("deep/model.bin"), b"0123456789").unwrap();
        fs::write(run.join("deep/.git/config"), "").unwrap();
        fs::write(run.join(std::ffi::OsStr::from_bytes(b"\xff")), "").unwrap();
        fs::write(run.join("a\nb"), "").unwrap();
        std::os::unix::fs::symlink("/etc/hostname", run.join("link")).unwrap();
        std::os::unix::fs::symlink("/etc", run.join("folder")).unwrap();
        let listing = store.list().await.unwrap().unwrap();
        let path: ArtifactPath = "deep/model.bin".parse().unwrap();
        assert_eq!(listing.files, BTreeMap::from([(path.clone(), 10)]));
        assert_eq!(listing.left_out.len(), 5, "{:?}", listing.left_out);
        assert!(listing.left_out.iter().all(|one| !one.contains('\n')));
        assert_eq!(
            store.sha256(&path, 10).await.unwrap(),
            hex::encode(sha2::Sha256::digest(b"0123456789"))
        );
        store.sha256(&path, 9).await.unwrap_err();
        let (to, mut from) = tokio::sync::mpsc::channel(8);
        store.read(&path, 4, to).await.unwrap();
        assert_eq!(from.recv().await.unwrap(), "456789");
        // A name that leads through a link is not opened.
        let through: ArtifactPath = "folder/hostname".parse().unwrap();
        store.sha256(&through, 1).await.unwrap_err();
        let link: ArtifactPath = "link".parse().unwrap();
        store.sha256(&link, 1).await.unwrap_err();
        // A run whose folder is a link has no artifacts.
        std::os::unix::fs::symlink("/etc", runtime.artifacts_dir(&superlink).join("8")).unwrap();
        let mut other = runtime.artifacts(&superlink, 8).unwrap();
        other.list().await.unwrap_err();
    }
}
