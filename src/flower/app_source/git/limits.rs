//! How much a repository may cost. A server, or whoever pushes to it, cannot fill the memory or the
//! disk of the machine that runs Terraform, or keep a plan waiting.

use std::time::Duration;

const MIB: u64 = 1024 * 1024;

/// Limits of one operation.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Files below the subdirectory.
    pub files: usize,
    /// Bytes of all these files.
    pub bytes: u64,
    /// Bytes that the server sends, most of which is a compressed pack.
    pub received: u64,
    /// Objects in the pack. Each needs about 100 bytes of memory while it is indexed.
    pub objects: usize,
    /// For a connection, with TLS.
    pub connect: Duration,
    /// Without a byte from the server.
    pub silence: Duration,
    /// For everything.
    pub total: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            files: 20_000,
            bytes: 64 * MIB,
            received: 512 * MIB,
            objects: 1_000_000,
            connect: Duration::from_secs(10),
            silence: Duration::from_mins(1),
            total: Duration::from_mins(10),
        }
    }
}

/// What was too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    Files(usize),
    Bytes(u64),
    Received(u64),
    Objects(usize),
    Depth(usize),
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Files(files) => write!(f, "it has more than {files} files"),
            Self::Bytes(bytes) => write!(f, "its files have more than {bytes} bytes"),
            Self::Received(bytes) => write!(f, "the server sends more than {bytes} bytes"),
            Self::Objects(objects) => write!(f, "the server sends more than {objects} objects"),
            Self::Depth(depth) => write!(f, "its folders are nested more than {depth} deep"),
        }
    }
}
