//! Finds the app among the entries of an archive.
//!
//! The root of an archive is known only at its end: another top-level entry may come last. Until
//! then, a file is wanted if it could be needed under one of the two possible roots.

use std::collections::BTreeMap;

use super::entries::Node;
use super::error::{Apps, ArchiveError, NotAFolder};
use super::{Limits, Unpacked, entry_path};
use crate::flower::app_source::path::never_ships;

const PYPROJECT: &str = "pyproject.toml";
/// The folder in which the archiver of macOS stores attributes of files.
const MAC_FOLDER: &str = "__MACOSX";
/// The name and the content of a file in which macOS stores attributes of another.
const APPLE_DOUBLE: (&str, &[u8]) = ("._", b"\0\x05\x16\x07");

/// Which files of an archive make the app.
pub(super) struct Selection<'a> {
    /// Normalized; empty for the root.
    subdirectory: String,
    keep: &'a dyn Fn(&str) -> bool,
}

impl<'a> Selection<'a> {
    pub(super) fn new(
        subdirectory: Option<&str>,
        limits: &Limits,
        keep: &'a dyn Fn(&str) -> bool,
    ) -> Result<Self, ArchiveError> {
        let path = subdirectory.unwrap_or_default();
        let subdirectory = entry_path::normalized(path, limits.path).map_err(|fault| {
            ArchiveError::BadSubdirectory {
                path: path.to_owned(),
                fault,
            }
        })?;
        Ok(Self { subdirectory, keep })
    }

    /// Whether the content of the file could be needed, wherever the root is.
    pub(super) fn wants(&self, path: &str) -> bool {
        let below = |path| within(path, &self.subdirectory).is_some_and(|path| self.keeps(path));
        match path.split_once('/') {
            Some((MAC_FOLDER, _)) => false,
            Some((_, rest)) => below(path) || below(rest),
            None => below(path),
        }
    }

    /// The files and links of the app.
    pub(super) fn apply(&self, nodes: BTreeMap<String, Node>) -> Result<Unpacked, ArchiveError> {
        let root = root(&nodes);
        let base = match self.subdirectory.as_str() {
            "" => root.clone(),
            subdirectory => join(&root, subdirectory),
        };
        self.check_base(&base, &root, &nodes)?;
        let mut unpacked = Unpacked::default();
        for (path, node) in nodes {
            let Some(relative) = within(&path, &base) else {
                continue;
            };
            match node {
                Node::File(Some(content))
                    if self.keeps(relative) && !is_apple(relative, &content) =>
                {
                    unpacked.files.insert(relative.to_owned(), content);
                }
                Node::File(_) => unpacked.left_out += 1,
                Node::Link { target } if !is_skipped(relative) && !never_ships(relative) => {
                    let relative = relative.to_owned();
                    if leaves(&path, &target, &root) {
                        return Err(ArchiveError::LinkLeaves { path, target });
                    }
                    unpacked.links.insert(relative);
                }
                Node::Link { .. } | Node::Folder => {}
            }
        }
        Ok(unpacked)
    }

    fn keeps(&self, relative: &str) -> bool {
        !is_skipped(relative) && (self.keep)(relative)
    }

    /// Whether the folder exists and is an app.
    fn check_base(
        &self,
        base: &str,
        root: &str,
        nodes: &BTreeMap<String, Node>,
    ) -> Result<(), ArchiveError> {
        let path = self.subdirectory.clone();
        let node = nodes.get(base);
        if !base.is_empty() && !matches!(node, Some(Node::Folder)) {
            let found = node.map(|node| match node {
                Node::Link { .. } => NotAFolder::Link,
                Node::Folder | Node::File(_) => NotAFolder::File,
            });
            let apps = apps(nodes, root);
            return Err(ArchiveError::NoSubdirectory { path, found, apps });
        }
        // A link is for the bundle's builder to report.
        let pyproject = nodes.get(&join(base, PYPROJECT));
        if matches!(pyproject, Some(Node::File(_) | Node::Link { .. })) {
            return Ok(());
        }
        let apps = apps(nodes, root);
        Err(ArchiveError::NoPyproject { path, apps })
    }
}

/// The only top-level entry if it is a folder, or else the top level, which is the empty path.
fn root(nodes: &BTreeMap<String, Node>) -> String {
    let mut top = nodes.iter().filter(|(path, _)| {
        !path.contains('/') && *path != MAC_FOLDER && !path.starts_with(APPLE_DOUBLE.0)
    });
    match (top.next(), top.next()) {
        (Some((path, Node::Folder)), None) => path.clone(),
        _ => String::new(),
    }
}

/// The folders with a `pyproject.toml`, relative to the root.
fn apps(nodes: &BTreeMap<String, Node>, root: &str) -> Apps {
    let folders = nodes.iter().filter_map(|(path, node)| {
        let path = within(path, root)?;
        let folder = path.strip_suffix(PYPROJECT)?;
        let is_app = matches!(node, Node::File(_)) && !is_skipped(path);
        match folder.strip_suffix('/') {
            Some(folder) if is_app && !folder.starts_with(MAC_FOLDER) => Some(folder.to_owned()),
            None if is_app && folder.is_empty() => Some(".".to_owned()),
            _ => None,
        }
    });
    Apps::new(folders.collect())
}

/// Whether the path lies in a folder that never ships.
fn is_skipped(relative: &str) -> bool {
    let ends = relative.match_indices('/').map(|(end, _)| end);
    ends.filter_map(|end| relative.get(..end)).any(never_ships)
}

fn is_apple(path: &str, content: &[u8]) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.starts_with(APPLE_DOUBLE.0) && content.starts_with(APPLE_DOUBLE.1)
}

/// The path relative to a folder that contains it.
fn within<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    if folder.is_empty() {
        return Some(path);
    }
    path.strip_prefix(folder)?.strip_prefix('/')
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

/// Whether a link leads out of the root, by its text alone.
fn leaves(path: &str, target: &str, root: &str) -> bool {
    let drive = target.as_bytes().get(1) == Some(&b':');
    if drive || target.starts_with(['/', '\\']) {
        return true;
    }
    let relative = within(path, root).unwrap_or(path);
    let mut depth = relative.matches('/').count();
    for part in target.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => match depth.checked_sub(1) {
                Some(above) => depth = above,
                None => return true,
            },
            _ => depth += 1,
        }
    }
    false
}
