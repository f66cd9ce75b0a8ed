//! The zip file itself, in the layout of Python's `zipfile`.
//!
//! The FAB's hash covers every byte of the headers, and zip libraries fill these fields in
//! different ways. Nothing is compressed, every entry has the same date, and there are no extra
//! fields, so the format is small.

use bytes::Bytes;

/// 1 October 2024, midnight, in DOS form: every FAB has this date.
const DOS_TIME: u16 = 0;
const DOS_DATE: u16 = (2024 - 1980) << 9 | 10 << 5 | 1;
const VERSION: u16 = 20;
const UNIX: u16 = 3 << 8;
const UTF8_NAME: u16 = 0x800;
/// `rw-------`, in the upper half, as for Unix attributes.
const ATTRIBUTES: u32 = 0o600 << 16;

/// A file of the archive.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) content: Bytes,
}

/// The entries are too many or too large for the plain format. A FAB is much smaller.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overflow;

impl From<std::num::TryFromIntError> for Overflow {
    fn from(_: std::num::TryFromIntError) -> Self {
        Self
    }
}

/// Writes an archive with these entries, in order.
pub(super) fn write(entries: &[Entry]) -> Result<Vec<u8>, Overflow> {
    let total: usize = entries
        .iter()
        .map(|e| e.content.len() + 2 * e.name.len() + 76)
        .sum();
    let mut out = Vec::with_capacity(total + 22);
    let mut directory = Vec::new();
    for entry in entries {
        let offset = u32::try_from(out.len())?;
        let fields = fields(entry)?;
        put32(&mut out, 0x0403_4b50);
        out.extend_from_slice(&fields);
        out.extend_from_slice(entry.name.as_bytes());
        out.extend_from_slice(&entry.content);

        put32(&mut directory, 0x0201_4b50);
        put16(&mut directory, UNIX | VERSION);
        directory.extend_from_slice(&fields);
        for _ in ["comment length", "disk", "internal attributes"] {
            put16(&mut directory, 0);
        }
        put32(&mut directory, ATTRIBUTES);
        put32(&mut directory, offset);
        directory.extend_from_slice(entry.name.as_bytes());
    }
    let start = u32::try_from(out.len())?;
    let count = u16::try_from(entries.len())?;
    out.extend_from_slice(&directory);
    put32(&mut out, 0x0605_4b50);
    put32(&mut out, 0);
    put16(&mut out, count);
    put16(&mut out, count);
    put32(&mut out, u32::try_from(directory.len())?);
    put32(&mut out, start);
    put16(&mut out, 0);
    Ok(out)
}

/// The part that the local header and the central directory share, from "version needed" to "extra
/// length".
fn fields(entry: &Entry) -> Result<Vec<u8>, Overflow> {
    let size = u32::try_from(entry.content.len())?;
    let mut out = Vec::with_capacity(26);
    put16(&mut out, VERSION);
    put16(&mut out, if entry.name.is_ascii() { 0 } else { UTF8_NAME });
    put16(&mut out, 0);
    put16(&mut out, DOS_TIME);
    put16(&mut out, DOS_DATE);
    put32(&mut out, crc32fast::hash(&entry.content));
    put32(&mut out, size);
    put32(&mut out, size);
    put16(&mut out, u16::try_from(entry.name.len())?);
    put16(&mut out, 0);
    Ok(out)
}

fn put16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn another_zip_library_reads_it() {
        let entries = [
            ("a.py", "print(1)"),
            ("é/leer.py", ""),
            (".info/CONTENT", "x"),
        ]
        .map(|(name, text)| Entry {
            name: name.to_owned(),
            content: Bytes::from_static(text.as_bytes()),
        });
        let bytes = write(&entries).unwrap();
        let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
        assert_eq!(zip.len(), 3);
        for (index, entry) in entries.iter().enumerate() {
            let mut file = zip.by_index(index).unwrap();
            let mut content = Vec::new();
            file.read_to_end(&mut content).unwrap();
            assert_eq!(
                (file.name().unwrap().as_ref(), content.as_slice()),
                (entry.name.as_str(), entry.content.as_ref())
            );
        }
    }
}
