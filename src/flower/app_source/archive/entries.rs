//! The entries of an archive while it is read, whatever its format is.
//!
//! The readers of the formats report each entry here before they read its content. All rules that
//! do not depend on the format are in this module: paths, names that collide, and the limits, which
//! count the bytes that were really unpacked and not those that a header declares.

use std::collections::BTreeMap;

use super::error::{ArchiveError, Excess, Special};
use super::{Limits, entry_path};
use entry_path::PathFault;

/// What an entry needs in memory beside its path and content.
const ENTRY_COST: u64 = 96;
/// The ratio counts for archives above this size: a small one may contain an empty model of some
/// megabytes, which does no harm.
const SMALLEST_PACKED: u64 = 256 << 10;

/// An entry of the archive.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::flower) enum Node {
    Folder,
    /// A file, with its content if that was wanted.
    File(Option<Vec<u8>>),
    Link {
        target: String,
    },
}

/// All entries so far, by normalized path.
pub(in crate::flower) struct Entries<'a> {
    limits: &'a Limits,
    /// Whether the content of the file with this path is needed.
    wanted: &'a dyn Fn(&str) -> bool,
    nodes: BTreeMap<String, Node>,
    count: usize,
    unpacked: u64,
    kept: u64,
    /// The size of the archive.
    packed: u64,
}

impl<'a> Entries<'a> {
    pub(in crate::flower) fn new(
        packed: u64,
        limits: &'a Limits,
        wanted: &'a dyn Fn(&str) -> bool,
    ) -> Self {
        Self {
            limits,
            wanted,
            nodes: BTreeMap::new(),
            count: 0,
            unpacked: 0,
            kept: 0,
            packed,
        }
    }

    pub(in crate::flower) fn into_nodes(self) -> BTreeMap<String, Node> {
        self.nodes
    }

    pub(super) const fn limits(&self) -> &Limits {
        self.limits
    }

    /// Adds a folder. Archives often contain a folder twice, or only the files in it.
    pub(super) fn folder(&mut self, raw: &[u8]) -> Result<(), ArchiveError> {
        match self.name(raw)? {
            Name::Utf8(path) if path.is_empty() => Ok(()),
            Name::Utf8(path) => self.folders_to(&path, path.len()),
            Name::Lossy(_) => Ok(()),
        }
    }

    /// Adds a file, and returns its path if its content is wanted. The reader passes the content to
    /// [`Self::keep`].
    pub(super) fn file(&mut self, raw: &[u8]) -> Result<Option<String>, ArchiveError> {
        match self.name(raw)? {
            Name::Utf8(path) => {
                self.insert(path.clone(), Node::File(None))?;
                Ok((self.wanted)(&path).then_some(path))
            }
            Name::Lossy(path) if (self.wanted)(&path) => Err(ArchiveError::NotUtf8 { path }),
            // Such names can collide only in the form in which they are shown.
            Name::Lossy(_) => Ok(None),
        }
    }

    /// Adds a symbolic link, which nothing follows.
    pub(super) fn link(&mut self, raw: &[u8], target: &[u8]) -> Result<(), ArchiveError> {
        let path = match self.name(raw)? {
            Name::Utf8(path) => path,
            Name::Lossy(_) => return Ok(()),
        };
        if target.len() > self.limits.path {
            return Err(ArchiveError::BadPath {
                path: shown(target),
                fault: PathFault::TooLong {
                    limit: self.limits.path,
                },
            });
        }
        let target = String::from_utf8_lossy(target).into_owned();
        self.hold(target.len() as u64)?;
        self.insert(path, Node::Link { target })
    }

    /// Adds a hard link. It has no content of its own, so it must not be a file that is wanted.
    pub(super) fn hard_link(&mut self, raw: &[u8], target: &[u8]) -> Result<(), ArchiveError> {
        match self.file(raw)? {
            None => Ok(()),
            Some(path) => Err(ArchiveError::HardLink {
                path,
                target: shown(target),
            }),
        }
    }

    /// The error of an entry that no app contains.
    pub(super) fn special(&mut self, raw: &[u8], kind: Special) -> ArchiveError {
        match self.name(raw) {
            Ok(Name::Utf8(path) | Name::Lossy(path)) => ArchiveError::Special { path, kind },
            Err(error) => error,
        }
    }

    /// Keeps the content of a file.
    pub(super) fn keep(&mut self, path: String, content: Vec<u8>) {
        self.nodes.insert(path, Node::File(Some(content)));
    }

    /// The number of bytes that may still be unpacked.
    pub(super) fn room(&self) -> u64 {
        let most = self.limits.unpacked.min(self.most_by_ratio());
        most.saturating_sub(self.unpacked)
    }

    /// The number of bytes that may still be unpacked and kept.
    pub(super) fn room_to_keep(&self) -> u64 {
        self.room().min(self.limits.kept.saturating_sub(self.kept))
    }

    /// Counts unpacked bytes.
    pub(super) fn unpack(&mut self, bytes: u64) -> Result<(), ArchiveError> {
        self.unpacked = self.unpacked.saturating_add(bytes);
        if self.unpacked > self.limits.unpacked {
            Err(ArchiveError::TooLarge(Excess::Unpacked(
                self.limits.unpacked,
            )))
        } else if self.unpacked > self.most_by_ratio() {
            Err(ArchiveError::TooLarge(Excess::Ratio(self.limits.ratio)))
        } else {
            Ok(())
        }
    }

    /// Counts bytes that stay in memory.
    pub(super) fn hold(&mut self, bytes: u64) -> Result<(), ArchiveError> {
        self.kept = self.kept.saturating_add(bytes);
        if self.kept > self.limits.kept {
            return Err(ArchiveError::TooLarge(Excess::Kept(self.limits.kept)));
        }
        Ok(())
    }

    fn most_by_ratio(&self) -> u64 {
        let packed = self.packed.max(SMALLEST_PACKED);
        packed.saturating_mul(self.limits.ratio)
    }

    /// Counts an entry and checks its path.
    fn name(&mut self, raw: &[u8]) -> Result<Name, ArchiveError> {
        self.count += 1;
        if self.count > self.limits.entries {
            return Err(ArchiveError::TooLarge(Excess::Entries(self.limits.entries)));
        }
        let lossy = String::from_utf8_lossy(raw);
        let path = entry_path::normalized(&lossy, self.limits.path).map_err(|fault| {
            ArchiveError::BadPath {
                path: shortened(&lossy),
                fault,
            }
        })?;
        Ok(match std::str::from_utf8(raw) {
            Ok(_) => Name::Utf8(path),
            Err(_) => Name::Lossy(path),
        })
    }

    /// Adds a file or link in a place that must be free.
    fn insert(&mut self, path: String, node: Node) -> Result<(), ArchiveError> {
        let Some(parent) = parent_len(&path) else {
            return Err(ArchiveError::BadPath {
                path,
                fault: PathFault::Empty,
            });
        };
        self.folders_to(&path, parent)?;
        match self.nodes.get(&path) {
            None => {
                self.hold(path.len() as u64 + ENTRY_COST)?;
                self.nodes.insert(path, node);
                Ok(())
            }
            Some(Node::Folder) => Err(ArchiveError::FileAndFolder { path }),
            Some(_) => Err(ArchiveError::Duplicate { path }),
        }
    }

    /// Adds the folder `path[..end]` and those above it.
    fn folders_to(&mut self, path: &str, mut end: usize) -> Result<(), ArchiveError> {
        while let Some(folder) = path.get(..end).filter(|folder| !folder.is_empty()) {
            match self.nodes.get(folder) {
                // Then those above it are there, too.
                Some(Node::Folder) => break,
                Some(_) => {
                    return Err(ArchiveError::FileAndFolder {
                        path: folder.to_owned(),
                    });
                }
                None => {
                    self.hold(folder.len() as u64 + ENTRY_COST)?;
                    self.nodes.insert(folder.to_owned(), Node::Folder);
                }
            }
            end = parent_len(folder).unwrap_or_default();
        }
        Ok(())
    }
}

/// A normalized path.
enum Name {
    Utf8(String),
    /// The bytes are not UTF-8, so the text only resembles them.
    Lossy(String),
}

/// The length of the path of the folder that contains this path; none for the root itself.
fn parent_len(path: &str) -> Option<usize> {
    (!path.is_empty()).then(|| path.rfind('/').unwrap_or_default())
}

/// A path that was not checked yet, for a message.
pub(super) fn shown(raw: &[u8]) -> String {
    shortened(&String::from_utf8_lossy(raw))
}

fn shortened(path: &str) -> String {
    const MOST: usize = 200;
    match path.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", path.get(..end).unwrap_or_default()),
        None => path.to_owned(),
    }
}
