//! Reads the files of a commit into memory, straight from the object database.
//!
//! There is no checkout, so no filter, attribute or line ending conversion applies, and no name can
//! reach a file of this machine. The limits hold for what is read: a tree of a few objects can stand
//! for millions of files.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use git2::{Odb, Oid, Repository, Tree};

use super::error::GitError;
use super::limits::{Limit, Limits};
use super::reference::CommitId;

const DEEPEST: usize = 64;
/// How many submodules or apps an error lists.
const LISTED: usize = 10;
/// Pointer files are shorter.
const LONGEST_POINTER: usize = 1024;
const POINTERS: [&[u8]; 2] = [
    b"version https://git-lfs.github.com/spec/",
    b"version https://hawser.github.com/spec/",
];

const KIND: i32 = 0o170_000;
const DIRECTORY: i32 = 0o040_000;
const LINK: i32 = 0o120_000;
const SUBMODULE: i32 = 0o160_000;

/// The files of an app.
#[derive(Default, PartialEq, Eq)]
pub struct Contents {
    /// By path below the subdirectory.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Symbolic links, which are not followed.
    pub links: BTreeSet<String>,
    /// Files whose names are not UTF-8, with what they resemble.
    pub unnameable: BTreeSet<String>,
}

/// Contents are not shown.
impl std::fmt::Debug for Contents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contents")
            .field("files", &self.files.len())
            .field("links", &self.links)
            .finish_non_exhaustive()
    }
}

/// Where to read, and how much.
pub(super) struct Scope<'a> {
    pub(super) at: &'a str,
    pub(super) commit: CommitId,
    pub(super) limits: &'a Limits,
    /// Whether to go on; otherwise this is the reason.
    pub(super) proceed: &'a dyn Fn() -> Result<(), GitError>,
}

/// Reads the files below `subdirectory`.
pub(super) fn read(
    repository: &Repository,
    subdirectory: &Subdirectory,
    scope: &Scope<'_>,
) -> Result<Contents, GitError> {
    let broken = |error: git2::Error| super::local::failed(scope.at, &error);
    let commit = repository.find_commit(scope.commit.0).map_err(broken)?;
    let root = commit.tree().map_err(broken)?;
    let tree = descend(repository, root, subdirectory, scope)?;
    let mut reader = Reader {
        repository,
        odb: repository.odb().map_err(broken)?,
        scope,
        bytes: 0,
        entries: 0,
        submodules: Vec::new(),
        contents: Contents::default(),
    };
    reader.tree(&tree, "", 0)?;
    if !reader.submodules.is_empty() {
        return Err(submodule(scope, reader.submodules));
    }
    Ok(reader.contents)
}

/// A relative path of directories.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subdirectory(Vec<String>);

impl Subdirectory {
    /// Parses a path; an empty one is the root of the repository.
    pub fn parse(path: &str) -> Result<Self, GitError> {
        let reason = if path.starts_with('/') {
            "it is absolute"
        } else if path.split('/').any(|part| part == "..") {
            "it leaves the repository"
        } else if path.chars().any(char::is_control) {
            "it contains a control character"
        } else {
            let parts = path
                .split('/')
                .filter(|part| !part.is_empty() && *part != ".");
            return Ok(Self(parts.map(str::to_owned).collect()));
        };
        Err(GitError::BadSubdirectory {
            path: path.escape_debug().to_string(),
            reason,
        })
    }
}

fn descend<'repo>(
    repository: &'repo Repository,
    root: Tree<'repo>,
    subdirectory: &Subdirectory,
    scope: &Scope<'_>,
) -> Result<Tree<'repo>, GitError> {
    let apps = apps(repository, &root);
    let path = subdirectory.0.join("/");
    let mut tree = root;
    for part in &subdirectory.0 {
        let entry = tree
            .get_name(part)
            .map(|entry| (entry.filemode() & KIND, entry.id()));
        tree = match entry {
            Some((DIRECTORY, id)) => repository
                .find_tree(id)
                .map_err(|error| super::local::failed(scope.at, &error))?,
            Some((SUBMODULE, _)) => return Err(submodule(scope, vec![path])),
            Some((LINK, _)) => {
                let reason = "it is, or lies behind, a symbolic link";
                return Err(GitError::BadSubdirectory { path, reason });
            }
            _ => {
                return Err(GitError::NoSubdirectory {
                    at: scope.at.to_owned(),
                    commit: scope.commit,
                    path,
                    apps,
                });
            }
        };
    }
    Ok(tree)
}

/// Directories with a pyproject.toml, up to two levels deep.
fn apps(repository: &Repository, root: &Tree<'_>) -> Vec<String> {
    let directories = |tree: &Tree<'_>| -> Vec<(String, Oid)> {
        let entries = tree
            .iter()
            .filter(|entry| entry.filemode() & KIND == DIRECTORY);
        let named = entries.filter_map(|entry| Some((entry.name().ok()?.to_owned(), entry.id())));
        named.take(100).collect()
    };
    let mut apps = Vec::new();
    for (name, id) in directories(root) {
        let Ok(tree) = repository.find_tree(id) else {
            continue;
        };
        let nested = directories(&tree).into_iter();
        let nested = nested.map(|(inner, id)| (format!("{name}/{inner}"), id));
        for (path, id) in std::iter::once((name.clone(), id)).chain(nested) {
            let tree = repository.find_tree(id);
            if tree.is_ok_and(|tree| tree.get_name("pyproject.toml").is_some()) {
                apps.push(path);
            }
            if apps.len() == LISTED {
                return apps;
            }
        }
    }
    apps
}

fn submodule(scope: &Scope<'_>, mut paths: Vec<String>) -> GitError {
    paths.truncate(LISTED);
    GitError::Submodule {
        at: scope.at.to_owned(),
        paths,
    }
}

struct Reader<'a> {
    repository: &'a Repository,
    odb: Odb<'a>,
    scope: &'a Scope<'a>,
    bytes: u64,
    /// Files, directories and all else.
    entries: usize,
    submodules: Vec<String>,
    contents: Contents,
}

impl Reader<'_> {
    fn tree(&mut self, tree: &Tree<'_>, prefix: &str, depth: usize) -> Result<(), GitError> {
        (self.scope.proceed)()?;
        if depth > DEEPEST {
            return Err(self.too_large(Limit::Depth(DEEPEST)));
        }
        let mut names = HashSet::new();
        for entry in tree {
            self.entries += 1;
            if self.entries > self.scope.limits.files {
                return Err(self.too_large(Limit::Files(self.scope.limits.files)));
            }
            let name = String::from_utf8_lossy(entry.name_bytes());
            let path = format!("{prefix}{name}");
            let is_new = names.insert(entry.name_bytes().to_vec());
            if let Some(reason) = name_fault(&name, is_new) {
                let at = self.scope.at.to_owned();
                let path = path.escape_debug().to_string();
                return Err(GitError::BadPath { at, path, reason });
            }
            let is_named = std::str::from_utf8(entry.name_bytes()).is_ok();
            match entry.filemode() & KIND {
                SUBMODULE => self.submodules.push(path),
                LINK => {
                    self.contents.links.insert(path);
                }
                _ if !is_named => {
                    self.contents.unnameable.insert(path);
                }
                DIRECTORY => {
                    let inner = self.repository.find_tree(entry.id());
                    let inner = inner.map_err(|error| self.broken(&error))?;
                    self.tree(&inner, &format!("{path}/"), depth + 1)?;
                }
                _ => self.file(path, entry.id())?,
            }
        }
        Ok(())
    }

    fn file(&mut self, path: String, id: Oid) -> Result<(), GitError> {
        let header = self.odb.read_header(id);
        let (size, _) = header.map_err(|error| self.broken(&error))?;
        self.bytes = self.bytes.saturating_add(size as u64);
        if self.bytes > self.scope.limits.bytes {
            return Err(self.too_large(Limit::Bytes(self.scope.limits.bytes)));
        }
        let object = self.odb.read(id).map_err(|error| self.broken(&error))?;
        let content = object.data().to_vec();
        let is_pointer = POINTERS.iter().any(|pointer| content.starts_with(pointer));
        if is_pointer && content.len() < LONGEST_POINTER {
            let at = self.scope.at.to_owned();
            return Err(GitError::Lfs { at, path });
        }
        self.contents.files.insert(path, content);
        Ok(())
    }

    fn too_large(&self, limit: Limit) -> GitError {
        let at = self.scope.at.to_owned();
        GitError::TooLarge { at, limit }
    }

    fn broken(&self, error: &git2::Error) -> GitError {
        super::local::failed(self.scope.at, error)
    }
}

/// What git itself never writes.
fn name_fault(name: &str, is_new: bool) -> Option<&'static str> {
    match name {
        "" | "." | ".." => Some("it has a part that is empty, \".\" or \"..\""),
        _ if name.contains(['/', '\0']) => Some("a name in it contains a slash or NUL"),
        _ if !is_new => Some("it is there twice"),
        _ => None,
    }
}
