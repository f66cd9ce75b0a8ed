//! Entries of `requirements` as pip and uv read them, as far as they name files of this machine:
//! the content of such files is part of the environment's identity, and installers run in another
//! folder.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// The endings by which pip recognises a file without a slash in its name.
const ARCHIVES: [&str; 8] = [
    ".whl", ".zip", ".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tar.xz", ".tbz",
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Requirement {
    /// From an index, or from a remote URL.
    Remote(String),
    Local(LocalFile),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LocalFile {
    /// The text as written.
    pub text: String,
    pub path: PathBuf,
    /// The name before an `@`.
    name: Option<String>,
    /// The extras and the marker.
    rest: String,
}

impl Requirement {
    pub(super) fn read(text: &str, here: &Path) -> Self {
        let text = text.trim();
        let (source, marker) = match text.split_once(';') {
            Some((source, marker)) => (source.trim_end(), format!(" ; {}", marker.trim())),
            None => (text, String::new()),
        };
        let (name, source) = match source.split_once('@') {
            Some((name, source)) if is_name(name) => (Some(name.trim()), source.trim()),
            _ => (None, source),
        };
        let (source, extras) = match source.rfind('[') {
            Some(at) if source.ends_with(']') => source.split_at(at),
            _ => (source, ""),
        };
        let path = match source.strip_prefix("file:") {
            Some(rest) => {
                let rest = rest.strip_prefix("//localhost").unwrap_or(rest);
                let rest = rest.strip_prefix("//").unwrap_or(rest);
                Some(decoded(rest.split('#').next().unwrap_or_default()))
            }
            None if source.contains("://") => None,
            None => is_path(source, name.is_some()).then(|| source.to_owned()),
        };
        let home = std::env::var_os("HOME").map(PathBuf::from);
        match path {
            None => Self::Remote(text.to_owned()),
            Some(path) => Self::Local(LocalFile {
                text: text.to_owned(),
                path: match (path.strip_prefix("~/"), home) {
                    (Some(rest), Some(home)) => home.join(rest),
                    _ => here.join(&path),
                },
                name: name.map(str::to_owned),
                rest: format!("{extras}{marker}"),
            }),
        }
    }

    /// The argument for pip and uv, independent of their working folder.
    pub(super) fn argument(&self) -> String {
        match self {
            Self::Remote(text) => text.clone(),
            Self::Local(file) => {
                let path = file.path.display().to_string();
                match &file.name {
                    Some(name) => format!("{name} @ file://{}{}", encoded(&path), file.rest),
                    None => format!("{path}{}", file.rest),
                }
            }
        }
    }
}

impl LocalFile {
    /// A digest of the content.
    pub(super) fn digest(&self) -> io::Result<String> {
        // The content of a pipe or a device may be endless.
        if !fs::metadata(&self.path)?.is_file() {
            let kind = io::ErrorKind::InvalidInput;
            return Err(io::Error::new(kind, "it is not a regular file"));
        }
        let mut hash = Sha256::new();
        io::copy(&mut File::open(&self.path)?, &mut hash)?;
        Ok(hex::encode(hash.finalize()))
    }
}

/// Whether this is a package name with its extras.
fn is_name(text: &str) -> bool {
    let text = text.trim();
    let known = |c: char| c.is_ascii_alphanumeric() || "-_.[], ".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(known)
}

fn is_path(source: &str, named: bool) -> bool {
    let is_remote = ["git+", "hg+", "svn+", "bzr+"]
        .iter()
        .any(|scheme| source.starts_with(scheme));
    let lower = source.to_ascii_lowercase();
    let is_archive = ARCHIVES.iter().any(|ending| lower.ends_with(ending));
    !is_remote && (named || source.starts_with('.') || source.contains('/') || is_archive)
}

/// Decodes the percent signs of a URL.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let number = after.get(..2).and_then(|two| {
            let two = std::str::from_utf8(two).ok()?;
            u8::from_str_radix(two, 16).ok()
        });
        if let (b'%', Some(byte)) = (first, number) {
            bytes.push(byte);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn encoded(path: &str) -> String {
    let mut text = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~+".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_a_file_is_found_from_where_terraform_runs() {
        let here = Path::new("/here");
        for (text, path, argument) in [
            ("./w/m.whl", "/here/./w/m.whl", "/here/./w/m.whl"),
            (
                "m-1-py3-none-any.whl",
                "/here/m-1-py3-none-any.whl",
                "/here/m-1-py3-none-any.whl",
            ),
            (
                "../p/m.tar.gz[a,b]",
                "/here/../p/m.tar.gz",
                "/here/../p/m.tar.gz[a,b]",
            ),
            (
                "/w/m.whl; python_version > '3'",
                "/w/m.whl",
                "/w/m.whl ; python_version > '3'",
            ),
            ("file:///w/a%20b.whl", "/w/a b.whl", "/w/a b.whl"),
            ("file:w/m.whl", "/here/w/m.whl", "/here/w/m.whl"),
            (
                "m @ file:///w/a%20b.whl#x=1",
                "/w/a b.whl",
                "m @ file:///w/a%20b.whl",
            ),
            (
                "m[x]@./a b.whl ; s",
                "/here/./a b.whl",
                "m[x] @ file:///here/./a%20b.whl ; s",
            ),
            (
                "./a,b%c/m.whl",
                "/here/./a,b%c/m.whl",
                "/here/./a,b%c/m.whl",
            ),
        ] {
            let read = Requirement::read(text, here);
            let Requirement::Local(file) = &read else {
                panic!("{text}");
            };
            assert_eq!(file.path, Path::new(path), "{text}");
            assert_eq!(file.text, text);
            assert_eq!(read.argument(), argument, "{text}");
        }
    }

    #[test]
    fn what_names_no_file_is_left_as_it_is() {
        for text in [
            "numpy",
            "numpy>=2; sys_platform == 'a/b'",
            "torch[x,y]==2.1",
            "m @ https://u:p@host/a/m.whl",
            "https://host/a/m.whl",
            "git+https://host/a.git@v1",
            "m @ git+ssh://git@host/a.git",
            "zope.interface",
        ] {
            let read = Requirement::read(text, Path::new("/here"));
            assert_eq!(read, Requirement::Remote(text.to_owned()));
            assert_eq!(read.argument(), text);
        }
    }
}
