//! Reads gzip files: one or more compressed members, one after the other.
//!
//! Parallel compressors write several members. After the last one, only zeros may follow, which
//! tapes and some servers add; the `flate2` crate would report these as damage.

use std::fmt;
use std::io::{self, BufRead, ErrorKind, Read};

use flate2::bufread::GzDecoder;

use super::entries::Entries;
use super::error::{ArchiveError, Format};
use super::looks::Looks;
use super::tar;

const MAGIC: &[u8] = b"\x1f\x8b";

pub(super) fn is_gzip(head: &[u8]) -> bool {
    head.starts_with(MAGIC)
}

/// Reads the tar archive in a gzip file.
pub(super) fn read(input: impl BufRead, entries: &mut Entries<'_>) -> Result<(), ArchiveError> {
    let mut members = Members::new(input);
    let mut head = Vec::with_capacity(tar::BLOCK);
    let first = (&mut members).take(tar::BLOCK as u64);
    let read = { first }.read_to_end(&mut head);
    read.map_err(|error| tar::io_error(error, Format::Gzip))?;
    if !tar::is_tar(&head) {
        return Err(ArchiveError::NotATar(Looks::of(&head)));
    }
    tar::read(&mut head.chain(members), Format::Gzip, entries)
}

/// The error if data follows the last member.
#[derive(Debug)]
pub(super) struct TrailingData;

impl fmt::Display for TrailingData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("data follows the last member")
    }
}

impl std::error::Error for TrailingData {}

/// The content of all members.
enum Members<R> {
    Member(Box<GzDecoder<R>>),
    End,
}

impl<R: BufRead> Members<R> {
    fn new(input: R) -> Self {
        Self::Member(Box::new(GzDecoder::new(input)))
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Self::Member(decoder) = self {
            let read = decoder.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let Self::Member(decoder) = std::mem::replace(self, Self::End) else {
                break;
            };
            let mut input = decoder.into_inner();
            if begins_member(&mut input)? {
                *self = Self::new(input);
            }
        }
        Ok(0)
    }
}

/// Whether another member follows, and not the end of the file or zeros up to it.
fn begins_member(input: &mut impl BufRead) -> io::Result<bool> {
    let mut padding = false;
    loop {
        let buffer = match input.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        match buffer.first() {
            None => return Ok(false),
            // The decoder reports a header that only begins like one.
            Some(first) if MAGIC.first() == Some(first) && !padding => return Ok(true),
            Some(0) if buffer.iter().all(|byte| *byte == 0) => padding = true,
            Some(_) => return Err(io::Error::new(ErrorKind::InvalidData, TrailingData)),
        }
        let length = buffer.len();
        input.consume(length);
    }
}
