//! An app in a zip, tar or tar.gz archive.
//!
//! An archive comes from a server or a colleague, so nothing in it is trusted: it is never unpacked
//! to disk, no link is followed, and all sizes are counted while it is read. Anything that two
//! programs could unpack in different ways is an error. Memory holds only the files that a bundle
//! could contain and the names of the others, so a data set beside the code costs only time.
//!
//! The same files give the same bundle as from a directory:
//!
//! * Symbolic links are left out and remembered, as in [`super::path`]. A link that leads out of the
//!   archive's root is an error if it lies in the app.
//! * Folders that never ship (such as `.git` and `.venv`) are skipped with all they contain.
//! * `__MACOSX/` and `AppleDouble` files (`._name`), which the archivers of macOS add, are left out.
//!
//! The root of an archive is its only top-level entry if that is a folder, as in the archives of
//! GitHub and GitLab, and otherwise its top level. `subdirectory` is relative to this root.

mod entries;
mod error;
mod gzip;
mod looks;
mod root;
mod tar;
mod zip;
mod zip_directory;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Read, Seek, SeekFrom};

pub(super) use self::entries::Entries;
pub(in crate::flower) use self::entries::Node;
pub use self::error::{Apps, ArchiveError, Excess, Format, NotAFolder, Special, Unsupported};
pub use self::looks::Looks;
use self::root::Selection;
use super::entry_path;

const BUFFER: usize = 64 << 10;

/// The most that an archive may contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that are unpacked, also of files that are not kept.
    pub unpacked: u64,
    /// Bytes in memory: the files that are kept, and the names of all entries.
    pub kept: u64,
    /// Files, folders and links.
    pub entries: usize,
    /// Bytes in one path.
    pub path: usize,
    /// Unpacked bytes for each byte of the archive.
    pub ratio: u64,
}

impl Default for Limits {
    /// Much more than an app and its repository need.
    fn default() -> Self {
        Self {
            unpacked: 4 << 30,
            kept: 64 << 20,
            entries: 50_000,
            path: 1024,
            ratio: 200,
        }
    }
}

/// A file or bytes in memory.
pub trait Source: Read + Seek {}

impl<T: Read + Seek> Source for T {}

/// The files of an app.
#[derive(Default, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// The files that were kept, by path relative to the app.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The symbolic links in the app.
    pub links: BTreeSet<String>,
    /// The number of files in the app that were not kept.
    pub left_out: usize,
}

/// Reads the app at the root of an archive, or in a subdirectory of it. `keep` decides by its path,
/// relative to the app, whether a file's content is needed; see [`decides_bundle`](crate::flower::fab::decides_bundle).
pub fn unpack(
    source: &mut dyn Source,
    subdirectory: Option<&str>,
    limits: &Limits,
    keep: &dyn Fn(&str) -> bool,
) -> Result<Unpacked, ArchiveError> {
    let selection = Selection::new(subdirectory, limits, keep)?;
    let wanted = |path: &str| selection.wants(path);
    let nodes = read(source, limits, &wanted)?;
    selection.apply(nodes)
}

/// Reads all entries of an archive.
pub(in crate::flower) fn read(
    source: &mut dyn Source,
    limits: &Limits,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<BTreeMap<String, Node>, ArchiveError> {
    let packed = source.seek(SeekFrom::End(0)).map_err(ArchiveError::Read)?;
    let head = head(source)?;
    let mut entries = Entries::new(packed, limits, wanted);
    if zip_directory::is_zip(&head) {
        zip::read(source, &mut entries)?;
    } else if gzip::is_gzip(&head) {
        gzip::read(BufReader::with_capacity(BUFFER, source), &mut entries)?;
    } else if tar::is_tar(&head) {
        tar::read(
            &mut BufReader::with_capacity(BUFFER, source),
            Format::Tar,
            &mut entries,
        )?;
    } else if zip_directory::has_end(source, packed) {
        return Err(ArchiveError::NotAnArchive(Looks::ZipBehindData));
    } else {
        return Err(ArchiveError::NotAnArchive(Looks::of(&head)));
    }
    Ok(entries.into_nodes())
}

/// The first block of the source, which stays at its start.
fn head(source: &mut dyn Source) -> Result<Vec<u8>, ArchiveError> {
    let mut head = Vec::with_capacity(tar::BLOCK);
    source.rewind().map_err(ArchiveError::Read)?;
    let block = (&mut *source)
        .take(tar::BLOCK as u64)
        .read_to_end(&mut head);
    block.map_err(ArchiveError::Read)?;
    source.rewind().map_err(ArchiveError::Read)?;
    Ok(head)
}

/// Contents are not shown, as in [`super::AppTree`].
impl std::fmt::Debug for Unpacked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unpacked")
            .field("files", &self.files.len())
            .field("links", &self.links.len())
            .field("left_out", &self.left_out)
            .finish()
    }
}

#[cfg(test)]
pub(in crate::flower) mod test_archives;
#[cfg(test)]
mod tests;
