//! Where the clusters keep their files, and which names and addresses they have.
//!
//! Everything that runs is described below the state folder, so that `down`
//! removes it with one folder. What took long to make is kept beside it.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::tools::cache_folder;

/// The host's end of the bridge that all nodes are on.
pub const HOST: &str = "10.200.0.1";
/// The registry that every image comes from.
pub const REGISTRY: &str = "10.200.0.1:5000";
/// The class of volumes that claims get when they name none.
pub const STORAGE_CLASS: &str = "standard";

/// The folders outside the checkout.
#[derive(Clone, Debug)]
pub struct Folders {
    cache: PathBuf,
}

impl Folders {
    /// Below `XDG_CACHE_HOME`, else below `~/.cache`.
    pub fn find() -> Result<Self> {
        Ok(Self {
            cache: cache_folder()?,
        })
    }

    /// What `down` removes.
    pub fn state(&self) -> PathBuf {
        self.cache.join("cluster")
    }

    /// What one run of `up` leaves to the next: programs and images.
    pub fn kept(&self, name: &str) -> PathBuf {
        self.cache.join("tools").join(name)
    }

    /// Held while `up` or `down` works.
    pub fn lock(&self) -> PathBuf {
        self.cache.join("cluster.lock")
    }

    /// The file that clients are given.
    pub fn kubeconfig(&self) -> PathBuf {
        self.state().join("kubeconfig")
    }
}

/// One of the clusters: an organisation that takes part in a federation.
#[derive(Clone, Debug)]
pub struct Tenant {
    letter: char,
    number: u8,
    folder: PathBuf,
}

impl Tenant {
    /// The first `count` clusters.
    pub fn first(count: u8, state: &Path) -> Vec<Self> {
        ('a'..='z')
            .zip(1..=count)
            .map(|(letter, number)| Self {
                letter,
                number,
                folder: state.join(letter.to_string()),
            })
            .collect()
    }

    /// Such as `a`.
    pub fn letter(&self) -> String {
        self.letter.to_string()
    }

    /// Its context in the kubeconfig, such as `tenant-a`.
    pub fn context(&self) -> String {
        format!("tenant-{}", self.letter)
    }

    /// Its node, such as `node-a`.
    pub fn node(&self) -> String {
        format!("node-{}", self.letter)
    }

    /// Its network namespace on the host, and the host's end of its cable.
    pub fn link(&self) -> String {
        format!("flower-{}", self.letter)
    }

    /// The node's address on the bridge.
    pub fn address(&self) -> String {
        format!("10.200.0.{}", self.number + 1)
    }

    /// Where its API server answers.
    pub fn server(&self) -> String {
        format!("https://{}:6443", self.address())
    }

    /// The addresses of its pods.
    pub fn pods(&self) -> String {
        format!("10.{}.0.0/24", 241 + u16::from(self.number))
    }

    /// The addresses of its Services.
    pub fn services(&self) -> String {
        format!("10.{}.0.0/16", 91 + u16::from(self.number))
    }

    /// The Service of the API server itself.
    pub fn api_service(&self) -> String {
        format!("10.{}.0.1", 91 + u16::from(self.number))
    }

    /// A path among its own files.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder.join(relative)
    }

    /// The same, for a command line or a configuration file.
    pub fn text(&self, relative: &str) -> String {
        self.path(relative).to_string_lossy().into_owned()
    }
}

/// Writes a file that only its owner may read, with the folders it needs.
pub fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    fs::write(path, content)
        .map_err(|e| format!("{} cannot be written: {e}", path.display()).into())
}

/// Makes a folder that only its owner may look into.
pub fn make_folder(path: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|e| format!("{} cannot be made: {e}", path.display()).into())
}

/// Removes a folder, if there is one.
pub fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{} cannot be removed: {e}", path.display()).into())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_share_no_name_and_no_address() {
        let tenants = Tenant::first(2, Path::new("/state"));
        let [a, b] = tenants.as_slice() else {
            panic!("two tenants were asked for")
        };
        assert_eq!(
            (a.context(), b.context()),
            ("tenant-a".into(), "tenant-b".into())
        );
        assert_eq!(
            (a.address(), b.address()),
            ("10.200.0.2".into(), "10.200.0.3".into())
        );
        assert_eq!(
            (a.pods(), b.pods()),
            ("10.242.0.0/24".into(), "10.243.0.0/24".into())
        );
        assert_eq!(
            (a.services(), b.services()),
            ("10.92.0.0/16".into(), "10.93.0.0/16".into())
        );
        assert_eq!(b.path("x"), Path::new("/state/b/x"));
    }
}
