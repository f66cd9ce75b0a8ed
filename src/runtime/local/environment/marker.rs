//! The marker of a complete environment, and the checks before it is trusted: later, the
//! interpreter may have been uninstalled, and folders may have been removed or moved.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::super::super::RuntimeError;
use super::super::files::{self, OwnFiles};

/// The programs that Flower installs. Without them the environment is not complete, even if pip
/// succeeded: with a setting to show its help or to install elsewhere, it also exits with 0.
pub(super) const PROGRAMS: [&str; 2] = ["flower-superlink", "flower-supernode"];

const NAME: &str = ".complete";

#[derive(Serialize, Deserialize)]
struct Marker {
    format: u64,
    /// The folder at creation: the programs contain this path.
    dir: PathBuf,
    /// Unique, so that it also changes when this environment is recreated.
    stamp: String,
}

/// Marks an environment as complete and returns its stamp.
pub(super) fn write(dir: &Path) -> Result<String, RuntimeError> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let stamp = format!("{}-{}", now.as_nanos(), std::process::id());
    let marker = Marker {
        format: files::FORMAT,
        dir: dir.to_owned(),
        stamp: stamp.clone(),
    };
    in_cache(dir).write_form(&dir.join(NAME), &marker)?;
    Ok(stamp)
}

/// The stamp of a complete and intact environment, or the reason why it is not.
pub(super) fn read(dir: &Path) -> Result<String, &'static str> {
    let marker: Option<Marker> = in_cache(dir).read_form(&dir.join(NAME)).ok().flatten();
    let marker = marker.ok_or("it does not exist, or is not complete")?;
    if marker.dir != dir {
        return Err("it was moved");
    }
    // Checks the targets of links.
    let runs = |program: &Path| {
        fs::metadata(program)
            .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    if !runs(&dir.join("bin/python")) {
        return Err("its Python no longer exists");
    }
    if !PROGRAMS.iter().all(|one| runs(&dir.join("bin").join(one))) {
        return Err("Flower's programs no longer exist");
    }
    let mut libraries = fs::read_dir(dir.join("lib"))
        .into_iter()
        .flatten()
        .flatten();
    if !libraries.any(|one| one.path().join("site-packages/flwr").is_dir()) {
        return Err("Flower's package no longer exists");
    }
    Ok(marker.stamp)
}

/// Makes the next start recreate the environment.
pub(super) fn remove(dir: &Path) {
    let _ = in_cache(dir).remove(&dir.join(NAME));
}

/// A marker that another user may have written is not trusted.
fn in_cache(dir: &Path) -> OwnFiles<'_> {
    OwnFiles::below(dir.parent().unwrap_or(dir), |_| true)
}
