//! Checks the directory at the end of a zip archive before the `zip` crate reads it.
//!
//! The crate reserves memory for as many entries as the archive declares, keeps the last of several
//! entries with the same name, and accepts data behind the archive. This module walks over the
//! directory once, so that what the crate reads is bounded and complete.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::io::{self, BufReader, ErrorKind, Read, SeekFrom};

use super::entries::shown;
use super::error::{ArchiveError, Excess, Format};
use super::{BUFFER, Limits, Source};

const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const LOCATOR: &[u8] = b"PK\x06\x07";
const END64: &[u8] = b"PK\x06\x06";
const END_SIZE: u64 = 22;
const LOCATOR_SIZE: usize = 20;
const END64_SIZE: u64 = 56;
const MOST_COMMENT: u64 = 0xffff;

/// Whether a file with this beginning is a zip archive; the second form is an empty one.
pub(super) fn is_zip(head: &[u8]) -> bool {
    head.starts_with(LOCAL) || head.starts_with(END)
}

/// Whether a file of this length ends like a zip archive.
pub(super) fn has_end(source: &mut dyn Source, length: u64) -> bool {
    Directory::find(source, length).is_ok()
}

/// The directory, as the record at the end of the archive describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Directory {
    pub(super) entries: u64,
    pub(super) start: u64,
    end: u64,
}

/// What the `zip` crate needs in memory for each entry beside its bytes in the directory.
const INDEX_COST: u64 = 320;

/// Checks the directory of an archive of this length.
pub(super) fn check(
    source: &mut dyn Source,
    length: u64,
    limits: &Limits,
) -> Result<Directory, ArchiveError> {
    let directory = Directory::find(source, length)?;
    if directory.entries > limits.entries as u64 {
        return Err(ArchiveError::TooLarge(Excess::Entries(limits.entries)));
    }
    let size = directory.end.checked_sub(directory.start);
    let size = size.ok_or_else(|| damaged("the directory lies behind its end"))?;
    if size > limits.kept {
        return Err(ArchiveError::TooLarge(Excess::Kept(limits.kept)));
    }
    let start = SeekFrom::Start(directory.start);
    source.seek(start).map_err(io_error)?;
    let mut records = BufReader::with_capacity(BUFFER, source.take(size));
    walk(&mut records, directory.entries)?;
    Ok(directory)
}

impl Directory {
    /// What the `zip` crate needs in memory for all entries.
    pub(super) const fn cost(&self) -> u64 {
        let size = self.end.saturating_sub(self.start);
        size.saturating_add(self.entries.saturating_mul(INDEX_COST))
    }

    /// Finds the record, which must be the last of the file.
    fn find(source: &mut dyn Source, length: u64) -> Result<Self, ArchiveError> {
        let incomplete = || ArchiveError::Truncated(Format::Zip);
        let tail = length.min(END_SIZE + MOST_COMMENT);
        let tail = bytes(source, length - tail, tail)?;
        let at = memchr::memmem::rfind(&tail, END).ok_or_else(incomplete)?;
        let record = tail.get(at..).unwrap_or_default();
        let (entries, start, comment) = short_record(record).ok_or_else(incomplete)?;
        match (record.len() as u64).cmp(&(END_SIZE + comment)) {
            Ordering::Less => return Err(incomplete()),
            Ordering::Greater => return Err(ArchiveError::Trailing(Format::Zip)),
            Ordering::Equal => {}
        }
        let end = length - record.len() as u64;
        if let Some(before) = end.checked_sub(LOCATOR_SIZE as u64 + END64_SIZE) {
            let records = bytes(source, before, LOCATOR_SIZE as u64 + END64_SIZE)?;
            let records = records.split_last_chunk::<LOCATOR_SIZE>();
            if let Some((record, locator)) = records.filter(|(_, last)| last.starts_with(LOCATOR)) {
                return long_record(record, locator, before);
            }
        }
        Ok(Self {
            entries,
            start,
            end,
        })
    }
}

/// The number of entries, where the directory starts, and the length of the comment.
fn short_record(record: &[u8]) -> Option<(u64, u64, u64)> {
    Some((
        number(record, 10, 2)?,
        number(record, 16, 4)?,
        number(record, 20, 2)?,
    ))
}

/// The record of an archive with many entries or large files, and what points to it. It must lie
/// directly before that.
fn long_record(record: &[u8], locator: &[u8], at: u64) -> Result<Directory, ArchiveError> {
    let fields = (number(record, 32, 8), number(record, 48, 8));
    match (fields, number(locator, 8, 8)) {
        ((Some(entries), Some(directory)), Some(pointer))
            if record.starts_with(END64) && pointer == at =>
        {
            Ok(Directory {
                entries,
                start: directory,
                end: at,
            })
        }
        _ => Err(damaged("the zip64 record is not where it must be")),
    }
}

/// Reads over the directory, which must contain exactly these entries.
fn walk(directory: &mut impl Read, entries: u64) -> Result<(), ArchiveError> {
    let mut names = HashSet::new();
    for _ in 0..entries {
        let mut header = [0; 46];
        directory.read_exact(&mut header).map_err(io_error)?;
        if !header.starts_with(&CENTRAL) {
            return Err(damaged("the directory has fewer entries than it declares"));
        }
        let length = |at| number(&header, at, 2).unwrap_or_default();
        let mut name = Vec::new();
        let read = directory.take(length(28)).read_to_end(&mut name);
        let rest = length(30) + length(32);
        let skipped = io::copy(&mut directory.take(rest), &mut io::sink());
        let complete =
            read.map_err(io_error)? as u64 == length(28) && skipped.map_err(io_error)? == rest;
        if !complete {
            return Err(ArchiveError::Truncated(Format::Zip));
        }
        if let Some(name) = names.replace(name) {
            let path = shown(&name);
            return Err(ArchiveError::Duplicate { path });
        }
    }
    let mut next = [0];
    match directory.read(&mut next).map_err(io_error)? {
        0 => Ok(()),
        _ => Err(damaged("the directory is larger than its entries")),
    }
}

fn bytes(source: &mut dyn Source, at: u64, count: u64) -> Result<Vec<u8>, ArchiveError> {
    let mut bytes = Vec::new();
    source.seek(SeekFrom::Start(at)).map_err(io_error)?;
    source
        .take(count)
        .read_to_end(&mut bytes)
        .map_err(io_error)?;
    Ok(bytes)
}

/// A number of this width, least byte first.
fn number(record: &[u8], at: usize, width: usize) -> Option<u64> {
    let bytes = record.get(at..at + width)?.iter().rev();
    Some(bytes.fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn damaged(detail: &str) -> ArchiveError {
    ArchiveError::Damaged {
        format: Format::Zip,
        path: None,
        detail: detail.to_owned(),
    }
}

pub(super) fn io_error(error: io::Error) -> ArchiveError {
    match error.kind() {
        ErrorKind::UnexpectedEof => ArchiveError::Truncated(Format::Zip),
        _ => ArchiveError::Read(error),
    }
}
