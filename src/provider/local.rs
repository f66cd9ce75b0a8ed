//! The settings of the runtime `local`, and where they lead.

use std::path::{Path, PathBuf};

use super::Config;
use crate::resources::local_path::{LocalPath, LocalProgram};
use crate::runtime::local::LocalRuntime;
use crate::tfplugin::diagnostic::{Diagnostic, Result};
use crate::tfplugin::schema::optional;
use crate::{at, model};

model! {
    /// Processes of this machine, bound to 127.0.0.1.
    pub struct Local {
        /// Where databases, logs, keys and certificates are kept; `.flower` by default. Relative
        /// ones start where Terraform runs; `~/` is your home. A `.gitignore` in it keeps it out of
        /// version control. It may lie in the folder of an app: nothing in it ships with the app. It
        /// must belong to the user who runs Terraform; what belongs to another user in it, or can be
        /// written by one, is an error. A folder that was moved is found by its new path, and the
        /// next apply restarts what runs. A log longer than 8 MiB is cut by the next plan or apply,
        /// which keeps three older parts, and by
        /// nothing else: where none passes by for weeks, cut it yourself (`logrotate` with
        /// `copytruncate`). An idle SuperLink of Flower 1.42 writes next to nothing, one of 1.36 or
        /// older about 2 MB a day for each SuperNode.
        data_dir: Option<LocalPath> = optional(),
        /// Where Python environments are kept, for all configurations of the user;
        /// `$XDG_CACHE_HOME/terraform-provider-flower`, or the like under `~/.cache`, by default.
        /// Relative ones start where Terraform runs; `~/` is your home. The path must not hold
        /// blanks, commas, colons or percent signs, not even where a link leads: Flower would not
        /// find its database migrations there, and the plan of a SuperLink or SuperNode is an error.
        /// Like `data_dir`, it is never part of an app.
        cache_dir: Option<LocalPath> = optional(),
        /// The Python that environments are made with: a name that is looked up in PATH, or the path
        /// of a file; `python3` by default. Relative paths start where Terraform runs; `~/` is your
        /// home.
        python: Option<LocalProgram> = optional(),
    }
}

/// The runtime of these settings. Nothing is made yet.
pub(super) fn runtime(settings: Option<&Local>, here: &Path) -> Result<LocalRuntime> {
    let data_dir = settings.and_then(|local| local.data_dir.as_ref());
    let cache_dir = settings.and_then(|local| local.cache_dir.as_ref());
    let python = settings.and_then(|local| local.python.as_ref());
    Ok(LocalRuntime {
        data_dir: for_databases(
            data_dir.map_or_else(|| here.join(".flower"), |dir| dir.from(here)),
        )?,
        cache_dir: match cache_dir {
            Some(dir) => dir.from(here),
            None => here.join(default_cache()?),
        },
        python: python.map_or_else(
            || "python3".to_owned(),
            |python| python.command(here).display().to_string(),
        ),
    })
}

/// A folder whose path Flower can use: it makes a URL of the path of a database.
fn for_databases(dir: PathBuf) -> Result<PathBuf> {
    let why = match dir.to_str() {
        None => "its path is not UTF-8",
        Some(text) if text.contains('?') => {
            "Flower reads the path of a database as a URL, which ends at a question mark"
        }
        Some(text) if text.chars().any(char::is_control) => "its path has control characters",
        Some(_) => return Ok(dir.components().collect()),
    };
    Err(Diagnostic::error("This folder cannot be the data_dir")
        .detail(format!(
            "{:?} cannot be used: {why}.",
            dir.to_string_lossy()
        ))
        .detail(
            "Set `local = { data_dir = \"…\" }` in the provider's configuration to a folder whose \
             path is without that, or rename the folder that Terraform runs in.",
        )
        .at(at!(Config, local.data_dir))
        .into())
}

fn default_cache() -> Result<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let cache = variable("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".cache")));
    cache
        .map(|cache| cache.join("terraform-provider-flower"))
        .ok_or_else(|| {
            Diagnostic::error("There is no place for Python environments")
                .detail("Neither XDG_CACHE_HOME nor HOME is set.")
                .detail("Set `local = { cache_dir = \"…\" }` in the provider's configuration.")
                .at(at!(Config, local))
                .into()
        })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    #[test]
    fn a_data_dir_that_flower_would_keep_no_database_in_is_refused() {
        let usable = |path: &OsStr| for_databases(PathBuf::from(path));
        for path in ["/a b/\u{e4},50%:#&@;'$(x)\"", "/a/./b/"] {
            assert!(usable(OsStr::new(path)).is_ok(), "{path}");
        }
        for path in [b"/q?x/.flower".as_slice(), b"/\xff/.flower", b"/a\nb"] {
            let refused = usable(OsStr::from_bytes(path)).unwrap_err();
            let at = refused.iter().next().unwrap().path.as_ref().unwrap();
            assert_eq!(at.to_string(), "local.data_dir");
        }
    }
}
