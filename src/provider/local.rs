//! The settings of the runtime `local`, and the folders that they name.

use std::path::{Path, PathBuf};

use super::Config;
use crate::resources::local_path::{LocalPath, LocalProgram};
use crate::runtime::local::LocalRuntime;
use crate::tfplugin::diagnostic::{Diagnostic, Result};
use crate::tfplugin::schema::optional;
use crate::{at, model};

model! {
    /// Processes of this machine, which listen on 127.0.0.1.
    pub struct Local {
        /// The folder for databases, logs, keys and certificates. Default: `.flower`. Relative
        /// paths start in the folder where Terraform runs; `~/` is your home folder. The provider
        /// writes a `.gitignore` that keeps the folder out of version control. It may lie in the
        /// folder of an app: the app bundle never contains it. The folder must belong to the user
        /// who runs Terraform; content that another user owns or can write is an error. If you move
        /// the folder and set the new path, the next apply restarts the running processes. Log
        /// files are rotated only by `terraform plan` and `apply`: a file larger than 8 MiB is
        /// rotated, and three old files are kept. If you do not run Terraform for weeks, use
        /// `logrotate` with `copytruncate`. An idle SuperLink with Flower 1.42 writes almost
        /// nothing, one with 1.36 or older about 2 MB a day for each SuperNode.
        data_dir: Option<LocalPath> = optional(),
        /// The folder for Python environments, which all configurations of the user share. Default:
        /// `$XDG_CACHE_HOME/terraform-provider-flower`, or the equivalent under `~/.cache`.
        /// Relative paths start in the folder where Terraform runs; `~/` is your home folder. The
        /// path, and the target of a link in it, must not contain blanks, commas, colons or percent
        /// signs: Flower would not find its database migrations, and the plan of a SuperLink or
        /// SuperNode fails. The app bundle never contains this folder.
        cache_dir: Option<LocalPath> = optional(),
        /// The Python that creates the environments: the name of a program in PATH, or the path of
        /// a file. Default: `python3`. Relative paths start in the folder where Terraform runs;
        /// `~/` is your home folder.
        python: Option<LocalProgram> = optional(),
    }
}

/// The runtime of these settings. This creates nothing.
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

/// Checks that Flower can keep a database in the folder: it builds a URL from the path.
fn for_databases(dir: PathBuf) -> Result<PathBuf> {
    let why = match dir.to_str() {
        None => "its path is not UTF-8",
        Some(text) if text.contains('?') => {
            "Flower reads the path of a database as a URL, and a question mark would end it"
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
            "Set `local = { data_dir = \"…\" }` in the provider configuration to a folder with \
             another path, or rename the folder in which Terraform runs.",
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
            Diagnostic::error("No folder is set for Python environments")
                .detail("Neither XDG_CACHE_HOME nor HOME is set.")
                .detail("Set `local = { cache_dir = \"…\" }` in the provider configuration.")
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
