//! The folders, names and addresses of the clusters.
//!
//! The state folder contains everything of running clusters, so that `down` removes one folder.
//! Files that take long to create are kept beside it.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::tools::cache_folder;

/// The host's address on the bridge of all nodes.
pub const HOST: &str = "10.200.0.1";
/// The registry of all images.
pub const REGISTRY: &str = "10.200.0.1:5000";
/// The default StorageClass.
pub const STORAGE_CLASS: &str = "standard";

/// The folders outside the checkout.
#[derive(Clone, Debug)]
pub struct Folders {
    cache: PathBuf,
}

impl Folders {
    /// Below `XDG_CACHE_HOME`, or `~/.cache`.
    pub fn find() -> Result<Self> {
        Ok(Self {
            cache: cache_folder()?,
        })
    }

    /// The folder that `down` removes.
    pub fn state(&self) -> PathBuf {
        self.cache.join("cluster")
    }

    /// Files that a later `up` uses again: programs and images.
    pub fn cache(&self, name: &str) -> PathBuf {
        self.cache.join("tools").join(name)
    }

    /// The lock that `up` and `down` hold.
    pub fn lock(&self) -> PathBuf {
        self.cache.join("cluster.lock")
    }

    /// The kubeconfig for clients.
    pub fn kubeconfig(&self) -> PathBuf {
        self.state().join("kubeconfig")
    }
}

/// One of the clusters: an organisation in a federation.
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

    /// The letter, such as `a`.
    pub fn letter(&self) -> String {
        self.letter.to_string()
    }

    /// The context in the kubeconfig, such as `tenant-a`.
    pub fn context(&self) -> String {
        format!("tenant-{}", self.letter)
    }

    /// The name of the node, such as `node-a`.
    pub fn node(&self) -> String {
        format!("node-{}", self.letter)
    }

    /// The name of the network namespace, and of the host's end of its veth pair.
    pub fn link(&self) -> String {
        format!("flower-{}", self.letter)
    }

    /// The node's address on the bridge.
    pub fn address(&self) -> String {
        format!("10.200.0.{}", self.number + 1)
    }

    /// The URL of the API server.
    pub fn server(&self) -> String {
        format!("https://{}:6443", self.address())
    }

    /// The addresses of the pods.
    pub fn pods(&self) -> String {
        format!("10.{}.0.0/24", 241 + u16::from(self.number))
    }

    /// The addresses of the Services.
    pub fn services(&self) -> String {
        format!("10.{}.0.0/16", 91 + u16::from(self.number))
    }

    /// The address of the API server's Service.
    pub fn api_service(&self) -> String {
        format!("10.{}.0.1", 91 + u16::from(self.number))
    }

    /// A path in the tenant's folder.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder.join(relative)
    }

    /// The same as text, for a command line or a configuration file.
    pub fn text(&self, relative: &str) -> String {
        self.path(relative).to_string_lossy().into_owned()
    }
}

/// Writes a file that only its owner can read, and creates its folders.
pub fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    fs::write(path, content)
        .map_err(|e| format!("{} cannot be written: {e}", path.display()).into())
}

/// Creates a folder that only its owner can read.
pub fn make_folder(path: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|e| format!("{} cannot be created: {e}", path.display()).into())
}

/// Removes a folder, if it exists.
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
