//! Files of this runtime: written whole or not at all, readable by their owner alone.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::super::RuntimeError;
use super::process::Identity;

/// The form of the files in a `data_dir`; raised when an older provider could not read it.
pub(super) const FORMAT: u64 = 1;

pub(super) fn failed<'a>(
    what: &'static str,
    path: &'a Path,
) -> impl FnOnce(std::io::Error) -> RuntimeError + 'a {
    move |cause| RuntimeError::File {
        what,
        path: path.to_owned(),
        cause,
    }
}

/// Makes a folder that only its owner can enter.
pub(super) fn private_dir(path: &Path) -> Result<(), RuntimeError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(path)
        .map_err(failed("make the folder", path))
}

/// Replaces a file in one step, so that a crash leaves the old or the new one.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), RuntimeError> {
    let parent = path.parent().unwrap_or(path);
    private_dir(parent)?;
    let save = || -> std::io::Result<()> {
        // Temporary files are 0600 from the start.
        let prefix = format!("{UNFINISHED}{}.", Identity::own().label());
        let mut file = tempfile::Builder::new()
            .prefix(&prefix)
            .tempfile_in(parent)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    save().map_err(failed("write", path))
}

/// How the names of files begin that are being written; the writer's label follows.
const UNFINISHED: &str = ".unfinished-";

/// Removes what was being written in a folder when its writer was killed: it may be half a secret, and
/// nobody would know its name.
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

/// Reads a file; `None` when there is none.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, RuntimeError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

/// Reads what this or another provider wrote; of another format than ours not even the rest is tried.
pub(super) fn read_form<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, RuntimeError> {
    #[derive(Deserialize)]
    struct Head {
        format: u64,
    }
    let Some(bytes) = read(path)? else {
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

/// Writes what [`read_form`] reads.
pub(super) fn write_form(path: &Path, form: &impl serde::Serialize) -> Result<(), RuntimeError> {
    let bytes = serde_json::to_vec_pretty(form).map_err(|error| RuntimeError::Damaged {
        path: path.to_owned(),
        cause: error.to_string(),
    })?;
    write(path, &bytes)
}

/// Removes a file or folder; gone already is success.
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

/// Removes a folder when nothing is left in it.
pub(super) fn remove_if_empty(path: &Path) {
    let _ = fs::remove_dir(path);
}
