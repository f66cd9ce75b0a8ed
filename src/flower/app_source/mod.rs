//! The files of an app, before any rule decides which of them ship.
//!
//! An app comes from a directory, an archive, a checkout or from HCL; the FAB builder sees only an
//! [`AppTree`]. A file is read only when its content is needed, so a data set beside the code costs
//! nothing. A tree never contains files of the provider or of Terraform, whatever its source is.

pub mod archive;
mod connect;
pub(in crate::flower) mod entry_path;
mod excluded;
pub mod git;
pub mod hub;
pub mod inline;
pub mod path;
pub mod remote_file;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use bytes::Bytes;

/// Relative POSIX paths of an app in code point order, each with access to its content.
#[derive(Clone, Default)]
pub struct AppTree {
    files: BTreeMap<String, Content>,
    links: BTreeSet<String>,
}

#[derive(Clone)]
enum Content {
    Memory(Bytes),
    File(PathBuf),
    /// The name is not UTF-8, so the key only resembles it. A FAB cannot contain it.
    Unnameable,
}

/// Why a tree, or a file in it, cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// The path is not a directory.
    #[error("{} is not a directory", path.display())]
    NotADirectory { path: PathBuf },
    /// The folder contains the provider's own files.
    #[error("{} is the folder in which the provider keeps its own files, including private keys", path.display())]
    OwnFolder { path: PathBuf },
    /// The operating system returned an error.
    #[error("failed to read {}: {source}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    /// The path could leave the directory into which an app is unpacked, or no directory can
    /// contain it.
    #[error("{path:?} cannot be the path of a file in an app: {reason}")]
    BadPath { path: String, reason: &'static str },
    /// The tree has no such file.
    #[error("the app has no file {path:?}")]
    NoSuchFile { path: String },
    /// The path is not a file.
    #[error("{} is not a file", path.display())]
    NotAFile { path: PathBuf },
    /// The file is not the one that the configuration means.
    #[error("{file:?} has the SHA-256 {found}, not {expected}")]
    OtherHash {
        file: String,
        expected: String,
        found: String,
    },
    #[error(transparent)]
    Archive(#[from] archive::ArchiveError),
    #[error(transparent)]
    Git(#[from] git::GitError),
    #[error(transparent)]
    Remote(#[from] remote_file::RemoteError),
    /// Errors of an app in the configuration; the error lists all of them.
    #[error("the app has errors:{}", list(.0))]
    Inline(Vec<inline::InlineError>),
    /// The name of the file is not UTF-8.
    #[error("the name of the file shown as {path:?} is not valid UTF-8")]
    NotUtf8 { path: String },
}

impl TreeError {
    /// The remedy, if there is one.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::NotADirectory { .. } => {
                Some("Use the directory that contains the app's pyproject.toml.".to_owned())
            }
            Self::OwnFolder { .. } => Some(
                "Give the provider its own folder: set `data_dir` and `cache_dir` to other \
                 folders, which may lie in the app."
                    .to_owned(),
            ),
            Self::Read { .. } => Some(
                "Check that the path exists and that the user who runs Terraform may read it."
                    .to_owned(),
            ),
            Self::BadPath { .. } => Some(
                "Use a relative path with forward slashes, such as \"my_app/server_app.py\"."
                    .to_owned(),
            ),
            Self::NotAFile { .. } => Some("Use the path of a file.".to_owned()),
            Self::OtherHash { .. } => Some(
                "If the file was replaced on purpose, write its SHA-256 into `sha256`. If not, \
                 restore the file."
                    .to_owned(),
            ),
            Self::Archive(error) => error.remedy(),
            Self::Git(error) => Some(error.remedy()),
            Self::Remote(error) => Some(error.remedy()),
            Self::Inline(errors) => {
                let remedies = errors.iter().filter_map(inline::InlineError::remedy);
                let remedies: Vec<_> = remedies.collect();
                (!remedies.is_empty()).then(|| remedies.join(" "))
            }
            Self::NoSuchFile { .. } => None,
            Self::NotUtf8 { .. } => Some(
                "Rename the file, or keep it out of the app with a pattern in .gitignore."
                    .to_owned(),
            ),
        }
    }
}

impl AppTree {
    /// The tree of a directory, without the provider's `own` folders. This reads only names.
    pub fn from_dir(root: &Path, own: &[PathBuf]) -> Result<Self, TreeError> {
        path::walk(root, own)
    }

    /// The tree of files in memory.
    pub fn from_files(files: BTreeMap<String, Vec<u8>>) -> Result<Self, TreeError> {
        let mut tree = Self::default();
        for (path, content) in files {
            if let Some(reason) = path_fault(&path) {
                return Err(TreeError::BadPath { path, reason });
            }
            tree.add(path, Content::Memory(Bytes::from(content)));
        }
        Ok(tree)
    }

    /// The tree of an unpacked archive.
    pub fn from_unpacked(unpacked: archive::Unpacked) -> Result<Self, TreeError> {
        let mut tree = Self::from_files(unpacked.files)?;
        tree.links = unpacked.links;
        Ok(tree)
    }

    /// The tree of the files of a commit.
    pub fn from_checkout(contents: git::Contents) -> Result<Self, TreeError> {
        let mut tree = Self::from_files(contents.files)?;
        for name in contents.unnameable {
            tree.add(name, Content::Unnameable);
        }
        tree.links = contents.links;
        Ok(tree)
    }

    /// The only way to add a file to a tree: it excludes files that never belong to an app.
    fn add(&mut self, path: String, content: Content) {
        let mut folders = path
            .match_indices('/')
            .filter_map(|(end, _)| path.get(..end));
        if !path.split('/').any(excluded::is_named) && !folders.any(path::never_ships) {
            self.files.insert(path, content);
        }
    }

    /// All paths, in code point order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Whether the tree contains this file.
    pub fn contains(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// Whether this path, or a directory above it, is a symbolic link that was excluded.
    pub fn is_behind_link(&self, path: &str) -> bool {
        self.links.iter().any(|link| {
            path.strip_prefix(link.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// The size of a file, without reading it.
    pub fn size(&self, path: &str) -> Result<u64, TreeError> {
        match self.content(path)? {
            Content::Memory(bytes) => Ok(bytes.len() as u64),
            Content::File(file) => {
                let meta = std::fs::metadata(file).map_err(|source| read_error(file, source))?;
                Ok(meta.len())
            }
            Content::Unnameable => Err(TreeError::NotUtf8 {
                path: path.to_owned(),
            }),
        }
    }

    /// The content of a file.
    pub fn read(&self, path: &str) -> Result<Bytes, TreeError> {
        match self.content(path)? {
            Content::Memory(bytes) => Ok(bytes.clone()),
            Content::File(file) => std::fs::read(file)
                .map(Bytes::from)
                .map_err(|source| read_error(file, source)),
            Content::Unnameable => Err(TreeError::NotUtf8 {
                path: path.to_owned(),
            }),
        }
    }

    fn content(&self, path: &str) -> Result<&Content, TreeError> {
        self.files.get(path).ok_or_else(|| TreeError::NoSuchFile {
            path: path.to_owned(),
        })
    }
}

/// Contents are not shown: an inline app may contain text that must not be in a log.
impl fmt::Debug for AppTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppTree")
            .field("files", &self.files.len())
            .finish_non_exhaustive()
    }
}

fn list(errors: &[inline::InlineError]) -> String {
    errors
        .iter()
        .fold(String::new(), |text, error| format!("{text}\n- {error}"))
}

impl From<Vec<inline::InlineError>> for TreeError {
    fn from(errors: Vec<inline::InlineError>) -> Self {
        Self::Inline(errors)
    }
}

fn read_error(path: &Path, source: std::io::Error) -> TreeError {
    TreeError::Read {
        path: path.to_owned(),
        source,
    }
}

fn path_fault(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        return Some("it is empty");
    }
    if path.starts_with('/') {
        return Some("it is absolute");
    }
    if path.contains('\0') {
        return Some("it contains a NUL character");
    }
    path.split('/').find_map(|part| match part {
        "" => Some("it has an empty part"),
        "." | ".." => Some("it has a part that is \".\" or \"..\""),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(path: &str) -> Result<AppTree, TreeError> {
        AppTree::from_files(BTreeMap::from([(path.to_owned(), b"x".to_vec())]))
    }

    #[test]
    fn paths_that_leave_the_app_are_refused() {
        for path in [
            "",
            "/etc/x.py",
            "../x.py",
            "a/../b.py",
            "./a.py",
            "a//b.py",
            "a/",
            "a\0b",
        ] {
            assert!(
                matches!(one(path), Err(TreeError::BadPath { .. })),
                "{path:?}"
            );
        }
        assert!(one("a/..b/c..py").is_ok());
    }

    #[test]
    fn files_of_the_provider_and_of_terraform_are_in_no_tree() {
        let excluded = [
            ".flower/vault/superlink-a-ca.json",
            "infra/.flower/vault/a.json",
            ".terraform/modules/modules.json",
            "infra/.terraform/providers/README.md",
            "terraform.tfstate.d/test/x.json",
            "a/terraform.tfstate.json",
            "secrets.auto.tfvars.json",
            "terraform.tfvars",
            "a/last.tfplan",
            ".terraform.lock.hcl",
        ];
        let shipped = ["a.py", "a/flower/b.json", "terraform/c.json"];
        let files = excluded.iter().chain(&shipped);
        let files = files.map(|path| ((*path).to_owned(), Vec::new()));
        let tree = AppTree::from_files(files.collect()).unwrap();
        assert_eq!(tree.paths().collect::<Vec<_>>(), shipped);
    }

    #[test]
    fn debug_shows_no_content() {
        let tree = AppTree::from_files(BTreeMap::from([(
            "a.py".to_owned(),
            b"token = 'hunter2'".to_vec(),
        )]))
        .unwrap();
        assert!(!format!("{tree:?}").contains("hunter2"));
    }

    #[test]
    fn order_is_by_code_point() {
        let files = [
            "z.py",
            "é.py",
            "a.py",
            "\u{1F600}.py",
            "\u{FF5E}.py",
            "A.py",
        ]
        .map(|path| (path.to_owned(), Vec::new()));
        let tree = AppTree::from_files(files.into_iter().collect()).unwrap();
        let paths: Vec<&str> = tree.paths().collect();
        assert_eq!(
            paths,
            [
                "A.py",
                "a.py",
                "z.py",
                "é.py",
                "\u{FF5E}.py",
                "\u{1F600}.py"
            ]
        );
    }
}
