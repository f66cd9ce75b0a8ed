//! An app that is already a Flower App Bundle (FAB).
//!
//! A bundle that somebody else built is submitted unchanged: its hash is the identity of what runs.
//! A `SuperLink` accepts any bytes, and each node checks the list of contents only when a run
//! starts. So the provider checks it first, more strictly than a node: that every listed file is
//! there with its hash and size, and that there is no other file.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::FabHash;
use crate::flower::app_source::archive::{self, ArchiveError, Limits, Looks, Node};
use crate::flower::app_source::entry_path::{self, PathFault};

const CONTENT: &str = ".info/CONTENT";
const PYPROJECT: &str = "pyproject.toml";
const HASH_DIGITS: usize = 64;

/// A bundle whose files are those that it lists.
#[derive(Clone, PartialEq, Eq)]
pub struct FabFile {
    /// The bundle, unchanged.
    pub bytes: Bytes,
    pub hash: FabHash,
    /// The files, without the list of contents.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Why the file is not a valid bundle.
#[derive(Debug, thiserror::Error)]
pub enum FabFileError {
    /// A bundle is a zip archive.
    #[error("the file is not a Flower App Bundle, which is a zip archive: it looks like {0}")]
    NotZip(Looks),
    /// The zip archive cannot be unpacked.
    #[error("the bundle cannot be unpacked: {0}")]
    Archive(#[from] ArchiveError),
    /// Nodes would unpack its target as a text.
    #[error("the bundle contains the symbolic link {path:?}")]
    Link { path: String },
    /// A zip archive of another kind.
    #[error("the file is a zip archive without {CONTENT:?}, so it is not a Flower App Bundle")]
    NoContent,
    /// The list is not a text.
    #[error("the list of contents is not valid UTF-8")]
    NotUtf8,
    /// The list cannot be read.
    #[error("line {line} of the list of contents is invalid: {fault}")]
    BadLine { line: usize, fault: LineFault },
    /// Two lines about one file.
    #[error("the list of contents names {path:?} twice")]
    ListedTwice { path: String },
    /// The list names a file that does not exist.
    #[error("the bundle does not contain {path:?}, which its list of contents names")]
    Missing { path: String },
    /// The file has another size than its line in the list.
    #[error("{path:?} in the bundle has {actual} bits, but its list of contents says {listed}")]
    WrongSize {
        path: String,
        listed: u64,
        actual: u64,
    },
    /// The file has another hash than its line in the list.
    #[error(
        "{path:?} in the bundle has the SHA-256 {actual}, but its list of contents says {listed}"
    )]
    WrongHash {
        path: String,
        listed: String,
        actual: String,
    },
    /// A file that the list does not name.
    #[error("the bundle contains {path:?}, which its list of contents does not name")]
    Unlisted { path: String },
    /// Without the file there is no app.
    #[error("the bundle does not contain {PYPROJECT:?}")]
    NoPyproject,
}

/// Why a line of the list of contents cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    #[error("it is not \"path,hash,size\"")]
    Fields,
    #[error("its path is invalid: {0}")]
    Path(PathFault),
    #[error("its hash is not a SHA-256 of {HASH_DIGITS} hexadecimal digits in lower case")]
    Hash,
    #[error("its size is not a number of bits")]
    Size,
}

impl FabFileError {
    /// The remedy, if there is one.
    pub fn remedy(&self) -> Option<String> {
        Some(
            match self {
                Self::NotZip(Looks::Html | Looks::Xml | Looks::Json) => {
                    "Use the address of the bundle itself. A server often returns such a text \
                     instead of a file if it needs a login or has no such file."
                }
                Self::NotZip(_) | Self::NoPyproject => {
                    "Use a file that `flwr build` wrote, which ends in .fab."
                }
                Self::NoContent => {
                    "Use a file that `flwr build` wrote, which ends in .fab. For an archive of \
                     source files, use the source `archive`."
                }
                Self::Archive(error) => return error.remedy(),
                _ => "Build the bundle again with `flwr build`, or download it again.",
            }
            .to_owned(),
        )
    }
}

/// Checks a bundle and returns its files.
pub fn verify(bytes: Bytes, limits: &Limits) -> Result<FabFile, FabFileError> {
    let head = bytes.get(..bytes.len().min(512)).unwrap_or_default();
    match Looks::of(head) {
        Looks::Zip => {}
        other => return Err(FabFileError::NotZip(other)),
    }
    let mut files = BTreeMap::new();
    for (path, node) in archive::read(&mut Cursor::new(&bytes), limits, &|_| true)? {
        match node {
            Node::File(content) => {
                files.insert(path, content.unwrap_or_default());
            }
            Node::Link { .. } => return Err(FabFileError::Link { path }),
            Node::Folder => {}
        }
    }
    let list = files.remove(CONTENT).ok_or(FabFileError::NoContent)?;
    let list = std::str::from_utf8(&list).map_err(|_| FabFileError::NotUtf8)?;
    check_list(list, &files, limits)?;
    if !files.contains_key(PYPROJECT) {
        return Err(FabFileError::NoPyproject);
    }
    Ok(FabFile {
        hash: FabHash::of(&bytes),
        bytes,
        files,
    })
}

fn check_list(
    list: &str,
    files: &BTreeMap<String, Vec<u8>>,
    limits: &Limits,
) -> Result<(), FabFileError> {
    let mut listed = BTreeSet::new();
    let lines = list.split('\n').enumerate();
    // An empty list has no line, not one empty line.
    for (index, text) in lines.filter(|_| !list.is_empty()) {
        let line = Line::parse(text, limits).map_err(|fault| FabFileError::BadLine {
            line: index + 1,
            fault,
        })?;
        let path = line.path.to_owned();
        if !listed.insert(line.path) {
            return Err(FabFileError::ListedTwice { path });
        }
        let Some(content) = files.get(line.path) else {
            return Err(FabFileError::Missing { path });
        };
        let actual = content.len() as u64 * 8;
        if actual != line.bits {
            return Err(FabFileError::WrongSize {
                path,
                listed: line.bits,
                actual,
            });
        }
        let actual = hex::encode(Sha256::digest(content));
        if actual != line.hash {
            return Err(FabFileError::WrongHash {
                path,
                listed: line.hash.to_owned(),
                actual,
            });
        }
    }
    match files.keys().find(|path| !listed.contains(path.as_str())) {
        Some(path) => Err(FabFileError::Unlisted { path: path.clone() }),
        None => Ok(()),
    }
}

/// A line of the list of contents.
struct Line<'a> {
    path: &'a str,
    hash: &'a str,
    bits: u64,
}

impl<'a> Line<'a> {
    /// A node splits the line at every comma, so a path cannot contain one.
    fn parse(text: &'a str, limits: &Limits) -> Result<Self, LineFault> {
        let mut fields = text.split(',');
        let fields = (fields.next(), fields.next(), fields.next(), fields.next());
        let (Some(path), Some(hash), Some(size), None) = fields else {
            return Err(LineFault::Fields);
        };
        entry_path::check(path, limits.path).map_err(LineFault::Path)?;
        let is_hash = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if hash.len() != HASH_DIGITS || !hash.chars().all(is_hash) {
            return Err(LineFault::Hash);
        }
        let is_number = !size.is_empty() && size.chars().all(|c| c.is_ascii_digit());
        let bits = size.parse().ok().filter(|_| is_number);
        let bits = bits.ok_or(LineFault::Size)?;
        Ok(Self { path, hash, bits })
    }
}

/// Contents are not shown, as in [`super::AppTree`].
impl std::fmt::Debug for FabFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FabFile")
            .field("hash", &self.hash)
            .field("files", &self.files.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
