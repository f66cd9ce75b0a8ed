//! Archives for tests, written byte by byte, because no library writes the hostile ones.

// The sizes here are small, and known.
#![allow(clippy::cast_possible_truncation)]

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};

pub(in crate::flower) const STORED: u16 = 0;
pub(in crate::flower) const DEFLATED: u16 = 8;

/// An entry of a zip archive. What is not set is derived from the content.
#[derive(Clone)]
pub(in crate::flower) struct ZipEntry {
    pub(in crate::flower) name: Vec<u8>,
    pub(in crate::flower) content: Vec<u8>,
    pub(in crate::flower) method: u16,
    pub(in crate::flower) flags: u16,
    pub(in crate::flower) mode: u32,
    pub(in crate::flower) size: Option<u32>,
    pub(in crate::flower) packed_size: Option<u32>,
    pub(in crate::flower) crc: Option<u32>,
}

pub(in crate::flower) fn zip_entry(name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> ZipEntry {
    ZipEntry {
        name: name.as_ref().to_vec(),
        content: content.as_ref().to_vec(),
        method: DEFLATED,
        flags: 0x800,
        mode: 0o100_644,
        size: None,
        packed_size: None,
        crc: None,
    }
}

pub(in crate::flower) fn zip(entries: &[ZipEntry]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut directory = Vec::new();
    for entry in entries {
        let packed = match entry.method {
            DEFLATED => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(&entry.content).unwrap();
                encoder.finish().unwrap()
            }
            _ => entry.content.clone(),
        };
        let crc = entry.crc.unwrap_or_else(|| crc32fast::hash(&entry.content));
        let packed_size = entry.packed_size.unwrap_or(packed.len() as u32);
        let size = entry.size.unwrap_or(entry.content.len() as u32);
        let mut fields = Vec::new();
        for value in [20, entry.flags, entry.method, 0, 0x5921] {
            fields.extend(value.to_le_bytes());
        }
        for value in [crc, packed_size, size] {
            fields.extend(value.to_le_bytes());
        }
        fields.extend((entry.name.len() as u16).to_le_bytes());
        fields.extend([0; 2]);
        let offset = out.len() as u32;
        out.extend(b"PK\x03\x04");
        out.extend(&fields);
        out.extend(&entry.name);
        out.extend(&packed);
        directory.extend(b"PK\x01\x02\x14\x03");
        directory.extend(&fields);
        directory.extend([0; 6]);
        directory.extend((entry.mode << 16).to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(&entry.name);
    }
    let start = out.len() as u32;
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend((entries.len() as u16).to_le_bytes());
    out.extend((entries.len() as u16).to_le_bytes());
    out.extend((directory.len() as u32).to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0; 2]);
    out
}

/// An entry of a tar archive, with its padding.
pub(in crate::flower) fn tar_entry(
    kind: u8,
    name: impl AsRef<[u8]>,
    content: impl AsRef<[u8]>,
) -> Vec<u8> {
    tar_sized(kind, name, content.as_ref().len() as u64, content)
}

pub(in crate::flower) fn tar_sized(
    kind: u8,
    name: impl AsRef<[u8]>,
    size: u64,
    content: impl AsRef<[u8]>,
) -> Vec<u8> {
    tar_header(kind, name.as_ref(), b"", size)
        .into_iter()
        .chain(padded(content.as_ref()))
        .collect()
}

pub(in crate::flower) fn tar_link(
    kind: u8,
    name: impl AsRef<[u8]>,
    target: impl AsRef<[u8]>,
) -> Vec<u8> {
    tar_header(kind, name.as_ref(), target.as_ref(), 0)
}

pub(in crate::flower) fn tar_header(kind: u8, name: &[u8], link: &[u8], size: u64) -> Vec<u8> {
    let mut header = ::tar::Header::new_ustar();
    header.set_mode(0o644);
    header.set_size(size);
    let bytes = header.as_mut_bytes();
    bytes[156] = kind;
    bytes[..name.len()].copy_from_slice(name);
    bytes[157..157 + link.len()].copy_from_slice(link);
    header.set_cksum();
    header.as_bytes().to_vec()
}

pub(in crate::flower) fn padded(content: &[u8]) -> Vec<u8> {
    let mut padded = content.to_vec();
    padded.resize(content.len().next_multiple_of(512), 0);
    padded
}

pub(in crate::flower) fn tar(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut out = entries.concat();
    out.resize(out.len() + 1024, 0);
    out
}

pub(in crate::flower) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
