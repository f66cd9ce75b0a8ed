//! Reads zip archives with the `zip` crate.
//!
//! A file that is not wanted is not even decompressed: the directory names all files, and each can
//! be read alone.

use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};

use ::zip::read::{ArchiveOffset, Config, ZipFile};
use ::zip::result::ZipError;
use ::zip::{CompressionMethod, ZipArchive};

use super::Source;
use super::entries::{Entries, shown};
use super::error::{ArchiveError, Format, Special, Unsupported};
use super::zip_directory::{self, io_error};

/// The type of a file in the upper half of its attributes, as in `st_mode`.
const TYPE: u32 = 0o170_000;
/// The largest buffer that is reserved for a file before it is read.
const FIRST_BUFFER: u64 = 1 << 20;
/// Each file and each header begins with a new buffer.
const BUFFER: usize = 16 << 10;

/// Reads all entries.
pub(super) fn read(source: &mut dyn Source, entries: &mut Entries<'_>) -> Result<(), ArchiveError> {
    let length = source.seek(SeekFrom::End(0)).map_err(ArchiveError::Read)?;
    let directory = zip_directory::check(source, length, entries.limits())?;
    entries.hold(directory.cost())?;
    source.rewind().map_err(ArchiveError::Read)?;
    let config = Config {
        // An archive behind other data is a program, or a trick.
        archive_offset: ArchiveOffset::Known(0),
    };
    let source = BufReader::with_capacity(BUFFER, source);
    let mut zip = ZipArchive::with_config(config, source).map_err(|error| failure(error, None))?;
    let found = (zip.len() as u64, zip.central_directory_start());
    if found != (directory.entries, directory.start) {
        return Err(damaged(None, "it has two directories"));
    }
    for index in 0..zip.len() {
        entry(&mut zip, index, entries)?;
    }
    Ok(())
}

fn entry<R: Read + Seek>(
    zip: &mut ZipArchive<R>,
    index: usize,
    entries: &mut Entries<'_>,
) -> Result<(), ArchiveError> {
    let header = zip
        .by_index_data(index)
        .map_err(|error| failure(error, None))?;
    let name = header.name_raw().to_vec();
    match (header.external_attributes() >> 16) & TYPE {
        0o120_000 => {
            let path = shown(&name);
            let file = zip
                .by_index(index)
                .map_err(|error| failure(error, Some(&path)))?;
            let target = content(file, &path, entries.limits().path as u64 + 1)?;
            entries.unpack(target.len() as u64)?;
            entries.link(&name, &target)
        }
        0o020_000 | 0o060_000 => Err(entries.special(&name, Special::Device)),
        0o010_000 => Err(entries.special(&name, Special::Pipe)),
        0o140_000 => Err(entries.special(&name, Special::Socket)),
        _ if name.ends_with(b"/") => entries.folder(&name),
        0o040_000 => entries.folder(&name),
        _ => file(zip, index, &name, entries),
    }
}

fn file<R: Read + Seek>(
    zip: &mut ZipArchive<R>,
    index: usize,
    name: &[u8],
    entries: &mut Entries<'_>,
) -> Result<(), ArchiveError> {
    let Some(path) = entries.file(name)? else {
        return Ok(());
    };
    let header = zip
        .by_index_data(index)
        .map_err(|error| failure(error, Some(&path)))?;
    let method = header.compression();
    let reason = if header.encrypted() {
        Some(Unsupported::Encrypted)
    } else if matches!(
        method,
        CompressionMethod::Stored | CompressionMethod::Deflated
    ) {
        None
    } else {
        Some(Unsupported::Method(method_name(method)))
    };
    if let Some(reason) = reason {
        return Err(ArchiveError::Unsupported { path, reason });
    }
    let file = zip
        .by_index(index)
        .map_err(|error| failure(error, Some(&path)))?;
    let declared = file.size();
    let content = content(file, &path, entries.room_to_keep().saturating_add(1))?;
    let size = content.len() as u64;
    entries.unpack(size)?;
    entries.hold(size)?;
    if size != declared {
        return Err(damaged(Some(&path), "its size is not the declared one"));
    }
    entries.keep(path, content);
    Ok(())
}

fn method_name(method: CompressionMethod) -> &'static str {
    match method {
        CompressionMethod::DEFLATE64 => "Deflate64",
        CompressionMethod::BZIP2 => "bzip2",
        CompressionMethod::LZMA => "LZMA",
        CompressionMethod::ZSTD => "Zstandard",
        CompressionMethod::XZ => "xz",
        CompressionMethod::PPMD => "PPMd",
        _ => "an unknown method",
    }
}

/// At most so many bytes of the content.
fn content<R: Read>(file: ZipFile<'_, R>, path: &str, most: u64) -> Result<Vec<u8>, ArchiveError> {
    let first = usize::try_from(file.size().min(most).min(FIRST_BUFFER)).unwrap_or_default();
    let mut content = Vec::with_capacity(first);
    let read = file.take(most).read_to_end(&mut content);
    read.map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput => {
            damaged(Some(path), &error.to_string())
        }
        _ => ArchiveError::Read(error),
    })?;
    Ok(content)
}

fn failure(error: ZipError, path: Option<&str>) -> ArchiveError {
    match error {
        ZipError::Io(error) => io_error(error),
        other => damaged(path, &other.to_string()),
    }
}

fn damaged(path: Option<&str>, detail: &str) -> ArchiveError {
    ArchiveError::Damaged {
        format: Format::Zip,
        path: path.map(str::to_owned),
        detail: detail.to_owned(),
    }
}
