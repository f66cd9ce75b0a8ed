//! What a file that is no archive looks like.
//!
//! A wrong address usually returns a web page, and a wrong command another format. The error names
//! what was found, so that the user does not have to open the file.

use std::fmt;

/// What the first bytes of a file look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looks {
    Empty,
    Html,
    Xml,
    Json,
    SevenZip,
    Rar,
    Xz,
    Bzip2,
    Zstd,
    Lzip,
    Lz4,
    Compress,
    Gzip,
    Zip,
    ZipBehindData,
    ZipPart,
    GitBundle,
    LfsPointer,
    Program,
    Text,
    Unknown,
}

const MAGIC: [(&[u8], Looks); 17] = [
    (b"7z\xbc\xaf\x27\x1c", Looks::SevenZip),
    (b"Rar!\x1a\x07", Looks::Rar),
    (b"\xfd7zXZ\0", Looks::Xz),
    (b"BZh", Looks::Bzip2),
    (b"\x28\xb5\x2f\xfd", Looks::Zstd),
    (b"LZIP", Looks::Lzip),
    (b"\x04\x22\x4d\x18", Looks::Lz4),
    (b"\x1f\x9d", Looks::Compress),
    (b"\x1f\x8b", Looks::Gzip),
    (b"PK\x03\x04", Looks::Zip),
    (b"PK\x05\x06", Looks::Zip),
    (b"PK\x07\x08", Looks::ZipPart),
    (b"# v2 git bundle", Looks::GitBundle),
    (b"# v3 git bundle", Looks::GitBundle),
    (b"version https://git-lfs", Looks::LfsPointer),
    (b"\x7fELF", Looks::Program),
    (b"MZ", Looks::Program),
];

impl Looks {
    /// What the file with this beginning looks like.
    pub(in crate::flower) fn of(head: &[u8]) -> Self {
        if head.is_empty() {
            return Self::Empty;
        }
        if let Some((_, looks)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
            return *looks;
        }
        let Some(text) = text(head) else {
            return Self::Unknown;
        };
        let start = text.trim_start_matches('\u{feff}').trim_start();
        let begins = |tag: &str| {
            start
                .get(..tag.len())
                .is_some_and(|begin| begin.eq_ignore_ascii_case(tag))
        };
        if begins("<!doctype html") || begins("<html") {
            Self::Html
        } else if begins("<") {
            Self::Xml
        } else if begins("{") || begins("[") {
            Self::Json
        } else {
            Self::Text
        }
    }

    /// The remedy, if the user can pack the files again or use another address or source.
    pub(super) const fn remedy(self) -> &'static str {
        match self {
            Self::Html | Self::Xml | Self::Json => {
                "Use the address of the archive itself. A server often returns such a text instead \
                 of an archive if it needs a login or has no such file."
            }
            Self::GitBundle => "Use the source `git`, or pack the files with `git archive`.",
            Self::LfsPointer => "Fetch the file with `git lfs pull`.",
            Self::Empty => "Check that the file was written or downloaded completely.",
            Self::ZipBehindData => "Use a zip archive without data before it.",
            _ => {
                "Pack the app as a zip or tar.gz archive, for example with `tar -czf app.tar.gz app`."
            }
        }
    }
}

impl fmt::Display for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "an empty file",
            Self::Html => "an HTML page",
            Self::Xml => "an XML document",
            Self::Json => "a JSON document",
            Self::SevenZip => "a 7z archive",
            Self::Rar => "a RAR archive",
            Self::Xz => "an xz file, such as .tar.xz",
            Self::Bzip2 => "a bzip2 file, such as .tar.bz2",
            Self::Zstd => "a Zstandard file, such as .tar.zst",
            Self::Lzip => "an lzip file, such as .tar.lz",
            Self::Lz4 => "an LZ4 file, such as .tar.lz4",
            Self::Compress => "a file of the program compress, such as .tar.Z",
            Self::Gzip => "a gzip file",
            Self::Zip => "a zip archive",
            Self::ZipBehindData => "a zip archive behind other data",
            Self::ZipPart => "one part of a zip archive in several parts",
            Self::GitBundle => "a git bundle",
            Self::LfsPointer => "a pointer of Git LFS instead of the file",
            Self::Program => "a program",
            Self::Text => "a text",
            Self::Unknown => "data of an unknown type",
        })
    }
}

/// The beginning of a file as text, unless it contains bytes that a text does not. The last
/// character may be incomplete.
fn text(head: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            let valid = head.get(..error.valid_up_to())?;
            std::str::from_utf8(valid).ok()?
        }
        Err(_) => return None,
    };
    let printable = |c: char| !c.is_control() || c.is_ascii_whitespace();
    text.chars().all(printable).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_mistakes_are_known() {
        for (head, looks) in [
            (&b""[..], Looks::Empty),
            (b"\n<!DOCTYPE html><html>", Looks::Html),
            (b"\xef\xbb\xbf<HTML>", Looks::Html),
            (b"<?xml version='1.0'?><Error>", Looks::Xml),
            (b"{\"message\": \"Not Found\"}", Looks::Json),
            (b"7z\xbc\xaf\x27\x1c\0\x04", Looks::SevenZip),
            (b"\xfd7zXZ\0\0", Looks::Xz),
            (b"BZh91AY", Looks::Bzip2),
            (b"\x28\xb5\x2f\xfd\x04", Looks::Zstd),
            (b"# v2 git bundle\n", Looks::GitBundle),
            (
                b"version https://git-lfs.github.com/spec/v1\n",
                Looks::LfsPointer,
            ),
            (b"\x7fELF\x02", Looks::Program),
            (b"Not Found \xc3", Looks::Text),
            (b"\0\0\0", Looks::Unknown),
            (b"\xff\xfe\xfd", Looks::Unknown),
        ] {
            assert_eq!(Looks::of(head), looks, "{head:?}");
        }
    }
}
