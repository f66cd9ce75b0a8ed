//! Reads tar archives: the formats v7, ustar, GNU and pax.
//!
//! The `tar` crate decodes the fields of a header. The loop over the headers is here because every
//! extended header needs a limit, and because the end of an archive counts: one without its end
//! mark is incomplete, and one with data behind it shows other programs other files.

use std::io::{self, ErrorKind, Read};

use ::tar::{EntryType, Header};

use super::entries::{Entries, shown};
use super::error::{ArchiveError, Format, Special, Unsupported};
use super::gzip::TrailingData;

pub(super) const BLOCK: usize = 512;
/// The maximum size of an extended header. Those of macOS contain icons.
const MOST_METADATA: u64 = 1 << 20;
/// The largest buffer that is reserved for a file before it is read.
const FIRST_BUFFER: u64 = 1 << 20;

/// Values of extended headers for the next entry.
#[derive(Default)]
struct Extended {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
}

/// Whether an archive begins with this block: a header with a valid checksum, or an end mark.
pub(super) fn is_tar(head: &[u8]) -> bool {
    match <&[u8; BLOCK]>::try_from(head) {
        Ok(block) => is_zero(block) || checksum_matches(block),
        Err(_) => false,
    }
}

/// Reads all entries. The format is the one that errors name.
pub(super) fn read(
    input: &mut dyn Read,
    format: Format,
    entries: &mut Entries<'_>,
) -> Result<(), ArchiveError> {
    let mut tar = Tar {
        input,
        format,
        entries,
    };
    let mut extended = Extended::default();
    loop {
        let block = tar.block()?;
        if is_zero(&block) {
            return tar.finish();
        }
        if !checksum_matches(&block) {
            return Err(tar.damaged("a header has a wrong checksum"));
        }
        let header = Header::from_byte_slice(&block);
        if !tar.extend(&mut extended, header)? {
            tar.entry(std::mem::take(&mut extended), header)?;
        }
    }
}

struct Tar<'t, 'e> {
    input: &'t mut dyn Read,
    format: Format,
    entries: &'t mut Entries<'e>,
}

impl Tar<'_, '_> {
    /// Reads an extended header, if this is one.
    fn extend(&mut self, extended: &mut Extended, header: &Header) -> Result<bool, ArchiveError> {
        match header.entry_type() {
            EntryType::GNULongName => extended.path = Some(self.long_name(header)?),
            EntryType::GNULongLink => extended.link = Some(self.long_name(header)?),
            EntryType::XHeader => {
                let data = self.metadata(header)?;
                self.apply_pax(&data, extended)?;
            }
            // `git archive` stores the commit here. What changes entries is not for all of them.
            EntryType::XGlobalHeader => {
                let data = self.metadata(header)?;
                let mut global = Extended::default();
                self.apply_pax(&data, &mut global)?;
                let Extended {
                    path: None,
                    link: None,
                    size: None,
                    sparse: false,
                } = global
                else {
                    return Err(self.damaged("a global header names a path or size"));
                };
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn apply_pax(&self, data: &[u8], extended: &mut Extended) -> Result<(), ArchiveError> {
        let mut rest = data;
        while !rest.is_empty() {
            let record =
                pax_record(rest).ok_or_else(|| self.damaged("a pax header is malformed"))?;
            rest = record.rest;
            match (record.key, record.value) {
                (b"path", value) => extended.path = Some(value.to_vec()),
                (b"linkpath", value) => extended.link = Some(value.to_vec()),
                (b"size", value) => {
                    let size = std::str::from_utf8(value).ok().and_then(|n| n.parse().ok());
                    let size = size.ok_or_else(|| self.damaged("a pax header has a bad size"))?;
                    extended.size = Some(size);
                }
                (key, _) if key.starts_with(b"GNU.sparse.") => extended.sparse = true,
                _ => {}
            }
        }
        Ok(())
    }

    fn entry(&mut self, extended: Extended, header: &Header) -> Result<(), ArchiveError> {
        let path = extended
            .path
            .unwrap_or_else(|| header.path_bytes().into_owned());
        let link = extended
            .link
            .or_else(|| Some(header.link_name_bytes()?.into_owned()));
        let link = link.unwrap_or_default();
        let size = match extended.size {
            Some(size) => size,
            None => self.size(header)?,
        };
        let kind = header.entry_type();
        let is_file = matches!(kind, EntryType::Regular | EntryType::Continuous);
        // Before POSIX, a folder was a file with a slash at the end of its name.
        if is_file && !path.ends_with(b"/") {
            return self.file(&path, size, extended.sparse);
        }
        if kind == EntryType::GNUSparse {
            return self.file(&path, size, true);
        }
        if size != 0 {
            return Err(self.damaged_at(&path, "an entry that is no file has a size"));
        }
        match kind {
            EntryType::Regular | EntryType::Continuous | EntryType::Directory => {
                self.entries.folder(&path)
            }
            EntryType::Symlink => self.entries.link(&path, &link),
            EntryType::Link => self.entries.hard_link(&path, &link),
            EntryType::Char | EntryType::Block => Err(self.entries.special(&path, Special::Device)),
            EntryType::Fifo => Err(self.entries.special(&path, Special::Pipe)),
            other => Err(ArchiveError::Unsupported {
                path: shown(&path),
                reason: Unsupported::EntryType(char::from(other.as_byte())),
            }),
        }
    }

    fn file(&mut self, path: &[u8], size: u64, sparse: bool) -> Result<(), ArchiveError> {
        let Some(path) = self.entries.file(path)? else {
            return self.skip(padded(size));
        };
        if sparse {
            let reason = Unsupported::Sparse;
            return Err(ArchiveError::Unsupported { path, reason });
        }
        self.entries.unpack(padded(size))?;
        self.entries.hold(size)?;
        let content = self.exactly(size)?;
        self.discard(padded(size) - size)?;
        self.entries.keep(path, content);
        Ok(())
    }

    /// A name that is too long for a header, with a NUL at its end.
    fn long_name(&mut self, header: &Header) -> Result<Vec<u8>, ArchiveError> {
        let mut name = self.metadata(header)?;
        while name.last() == Some(&0) {
            name.pop();
        }
        Ok(name)
    }

    fn metadata(&mut self, header: &Header) -> Result<Vec<u8>, ArchiveError> {
        let size = self.size(header)?;
        if size > MOST_METADATA {
            return Err(self.damaged("an extended header is too large"));
        }
        self.entries.unpack(padded(size))?;
        let data = self.exactly(size)?;
        self.discard(padded(size) - size)?;
        Ok(data)
    }

    fn size(&self, header: &Header) -> Result<u64, ArchiveError> {
        let size = header.entry_size().ok().filter(|size| *size <= MOST_SIZE);
        size.ok_or_else(|| self.damaged("a header has a bad size"))
    }

    fn block(&mut self) -> Result<[u8; BLOCK], ArchiveError> {
        self.entries.unpack(BLOCK as u64)?;
        let mut block = [0; BLOCK];
        let read = self.input.read_exact(&mut block);
        read.map_err(|error| io_error(error, self.format))?;
        Ok(block)
    }

    /// Reads bytes that are already counted.
    fn exactly(&mut self, size: u64) -> Result<Vec<u8>, ArchiveError> {
        let first = usize::try_from(size.min(FIRST_BUFFER)).unwrap_or_default();
        let mut content = Vec::with_capacity(first);
        let read = (&mut *self.input).take(size).read_to_end(&mut content);
        match read.map_err(|error| io_error(error, self.format))? as u64 {
            read if read == size => Ok(content),
            _ => Err(ArchiveError::Truncated(self.format)),
        }
    }

    fn skip(&mut self, size: u64) -> Result<(), ArchiveError> {
        self.entries.unpack(size)?;
        self.discard(size)
    }

    fn discard(&mut self, size: u64) -> Result<(), ArchiveError> {
        let skipped = io::copy(&mut (&mut *self.input).take(size), &mut io::sink());
        match skipped.map_err(|error| io_error(error, self.format))? {
            skipped if skipped == size => Ok(()),
            _ => Err(ArchiveError::Truncated(self.format)),
        }
    }

    /// Only zeros may follow the end mark. Reading them also checks the checksum of a gzip file.
    fn finish(&mut self) -> Result<(), ArchiveError> {
        let mut block = [0; BLOCK];
        loop {
            let read = match self.input.read(&mut block) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(io_error(error, self.format)),
            };
            self.entries.unpack(read as u64)?;
            if !is_zero(block.get(..read).unwrap_or_default()) {
                return Err(ArchiveError::Trailing(self.format));
            }
        }
    }

    fn damaged(&self, detail: &str) -> ArchiveError {
        ArchiveError::Damaged {
            format: self.format,
            path: None,
            detail: detail.to_owned(),
        }
    }

    fn damaged_at(&self, path: &[u8], detail: &str) -> ArchiveError {
        ArchiveError::Damaged {
            format: self.format,
            path: Some(shown(path)),
            detail: detail.to_owned(),
        }
    }
}

/// A larger size cannot be padded.
const MOST_SIZE: u64 = u64::MAX / 2;

/// The size with the padding to a whole block.
fn padded(size: u64) -> u64 {
    size.min(MOST_SIZE).next_multiple_of(BLOCK as u64)
}

struct PaxRecord<'a> {
    key: &'a [u8],
    value: &'a [u8],
    /// What follows the record.
    rest: &'a [u8],
}

/// The first record, `<length> <key>=<value>\n`. The crate ends a record at the first line break,
/// but a value can contain one.
fn pax_record(data: &[u8]) -> Option<PaxRecord<'_>> {
    let blank = data.iter().take(20).position(|byte| *byte == b' ')?;
    let digits = data.get(..blank)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let length: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let record = data.get(blank + 1..length)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some(PaxRecord {
        key: record.get(..equals)?,
        value: record.get(equals + 1..)?,
        rest: data.get(length..)?,
    })
}

fn is_zero(block: &[u8]) -> bool {
    block.iter().all(|byte| *byte == 0)
}

/// The sum of all bytes, with blanks in place of the checksum itself.
fn checksum_matches(block: &[u8; BLOCK]) -> bool {
    const FIELD: std::ops::Range<usize> = 148..156;
    let bytes = block.iter().enumerate();
    let sum: u32 = bytes
        .map(|(at, byte)| u32::from(if FIELD.contains(&at) { b' ' } else { *byte }))
        .sum();
    Header::from_byte_slice(block).cksum().ok() == Some(sum)
}

pub(super) fn io_error(error: io::Error, format: Format) -> ArchiveError {
    let trailing = error
        .get_ref()
        .is_some_and(<dyn std::error::Error + Send + Sync>::is::<TrailingData>);
    match error.kind() {
        _ if trailing => ArchiveError::Trailing(format),
        ErrorKind::UnexpectedEof => ArchiveError::Truncated(format),
        ErrorKind::InvalidData | ErrorKind::InvalidInput => ArchiveError::Damaged {
            format,
            path: None,
            detail: error.to_string(),
        },
        _ => ArchiveError::Read(error),
    }
}
