//! Why an archive cannot be the source of an app, for the user who named it.

use std::fmt;

use super::Looks;
use crate::flower::app_source::entry_path::PathFault;

/// Why an archive cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The operating system returned an error.
    #[error("failed to read the archive: {0}")]
    Read(#[source] std::io::Error),
    /// The format is decided by the content; the name of the file does not matter.
    #[error("the file is not a zip, tar or tar.gz archive: it looks like {0}")]
    NotAnArchive(Looks),
    /// Only a tar archive is unpacked from a gzip file.
    #[error("the gzip file does not contain a tar archive, but what looks like {0}")]
    NotATar(Looks),
    /// The archive ends too early.
    #[error("the {0} is incomplete")]
    Truncated(Format),
    /// Bytes that no entry accounts for.
    #[error("the {0} is followed by other data")]
    Trailing(Format),
    /// The archive contradicts itself or its checksums.
    #[error("the {format} is damaged{}: {detail}", at(.path.as_ref()))]
    Damaged {
        format: Format,
        path: Option<String>,
        detail: String,
    },
    /// The path could leave the folder into which an app is unpacked.
    #[error("the archive contains the path {path:?}, which cannot be in an app: {fault}")]
    BadPath { path: String, fault: PathFault },
    /// Only for a file that a bundle could contain.
    #[error("the archive contains a file name that is not valid UTF-8, shown as {path:?}")]
    NotUtf8 { path: String },
    /// Programs disagree about which of the two counts.
    #[error("the archive contains {path:?} more than once")]
    Duplicate { path: String },
    /// A folder cannot contain both.
    #[error("the archive contains {path:?} both as a folder and as a file or link")]
    FileAndFolder { path: String },
    /// A second name of another file, without content of its own.
    #[error("the archive contains the file {path:?} only as a hard link to {target:?}")]
    HardLink { path: String, target: String },
    /// A symbolic link that leads out of the app's archive.
    #[error("the symbolic link {path:?} leads out of the archive: {target:?}")]
    LinkLeaves { path: String, target: String },
    /// A device, pipe or socket.
    #[error("the archive contains {path:?}, which is {kind}")]
    Special { path: String, kind: Special },
    /// A file whose content this program cannot read.
    #[error("cannot read {path:?} in the archive: {reason}")]
    Unsupported { path: String, reason: Unsupported },
    /// A limit that protects the machine on which Terraform runs.
    #[error("the archive is too large to unpack: {0}")]
    TooLarge(Excess),
    /// The subdirectory is not a path.
    #[error("{path:?} cannot be a subdirectory of an archive: {fault}")]
    BadSubdirectory { path: String, fault: PathFault },
    /// The archive has no such folder.
    #[error("the archive has no folder {path:?}{}{apps}", actual(*.found))]
    NoSubdirectory {
        path: String,
        found: Option<NotAFolder>,
        apps: Apps,
    },
    /// The folder is not an app.
    #[error("{} has no pyproject.toml{apps}", folder(.path))]
    NoPyproject { path: String, apps: Apps },
}

/// An archive format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Zip,
    Tar,
    Gzip,
}

/// A kind of entry that has no content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    Device,
    Pipe,
    Socket,
}

/// Why the content of a file cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    #[error("it is encrypted")]
    Encrypted,
    #[error("it is compressed with {0}, and only deflate is supported")]
    Method(&'static str),
    #[error("it is a sparse file")]
    Sparse,
    #[error("it has the tar entry type {0:?}")]
    EntryType(char),
}

/// The limit that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    #[error("it contains more than {0} bytes")]
    Unpacked(u64),
    #[error(
        "its names and the files that a bundle could contain need more than {0} bytes of memory"
    )]
    Kept(u64),
    #[error("it contains more than {0} files and folders")]
    Entries(usize),
    #[error("its content is more than {0} times as large as the archive")]
    Ratio(u64),
}

/// What is in the place of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAFolder {
    File,
    Link,
}

/// The folders of an archive that have a `pyproject.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Apps {
    /// Relative to the root of the archive; the root itself is `.`.
    pub folders: Vec<String>,
    /// How many others there are.
    pub more: usize,
}

impl ArchiveError {
    /// The remedy, if there is one.
    pub fn remedy(&self) -> Option<String> {
        Some(
            match self {
                Self::Read(_) => {
                    "Check that the file exists and that the user who runs Terraform may read it."
                }
                Self::NotAnArchive(looks) | Self::NotATar(looks) => looks.remedy(),
                Self::Truncated(_) | Self::Trailing(_) | Self::Damaged { .. } => {
                    "Download or pack the archive again."
                }
                Self::BadPath { fault, .. } => fault.remedy(),
                Self::NotUtf8 { .. } => {
                    "Rename the file, or pack it with a program that writes UTF-8 names."
                }
                Self::Duplicate { .. } | Self::FileAndFolder { .. } => {
                    "Pack the files again into a new archive instead of adding them to an old one."
                }
                Self::HardLink { .. } => {
                    "Pack a copy of the file, for example with `tar --hard-dereference`."
                }
                Self::LinkLeaves { .. } => {
                    "Leave the link out of the archive, or pack the file in its place. A bundle \
                     contains no links."
                }
                Self::Special { .. } => "Leave it out of the archive.",
                Self::Unsupported { reason, .. } => reason.remedy(),
                Self::TooLarge(_) => {
                    "Leave data sets, models and environments out of the archive, or pack only the \
                     folder of the app."
                }
                Self::BadSubdirectory { .. } => {
                    "Use a relative path with forward slashes, such as \"apps/my_app\"."
                }
                Self::NoSubdirectory { apps, .. } | Self::NoPyproject { apps, .. } => {
                    return apps.remedy();
                }
            }
            .to_owned(),
        )
    }
}

impl Unsupported {
    const fn remedy(self) -> &'static str {
        match self {
            Self::Encrypted => "Pack the file without a password.",
            Self::Method(_) => "Pack the file with the method deflate, for example with `zip -r`.",
            Self::Sparse => "Pack the file without `--sparse`.",
            Self::EntryType(_) => "Pack the file with `tar --format=pax`.",
        }
    }
}

impl Apps {
    /// The first ten, nearest to the root first.
    pub(super) fn new(mut folders: Vec<String>) -> Self {
        const SHOWN: usize = 10;
        folders.sort_by_key(|folder| (folder.matches('/').count(), folder.clone()));
        let more = folders.len().saturating_sub(SHOWN);
        folders.truncate(SHOWN);
        Self { folders, more }
    }

    fn remedy(&self) -> Option<String> {
        let first = self.folders.first()?;
        Some(if first == "." {
            "Remove `subdirectory`: the app is at the root of the archive.".to_owned()
        } else {
            format!("Set `subdirectory` to the folder of the app, such as {first:?}.")
        })
    }
}

impl fmt::Display for Apps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.folders.is_empty() {
            return f.write_str("; no folder of the archive has a pyproject.toml");
        }
        let folders: Vec<String> = self.folders.iter().map(|one| format!("{one:?}")).collect();
        write!(f, "; these have a pyproject.toml: {}", folders.join(", "))?;
        match self.more {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zip => "zip archive",
            Self::Tar => "tar archive",
            Self::Gzip => "gzip file",
        })
    }
}

impl fmt::Display for Special {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Device => "a device",
            Self::Pipe => "a named pipe",
            Self::Socket => "a socket",
        })
    }
}

fn at(path: Option<&String>) -> String {
    path.map_or_else(String::new, |path| format!(" at {path:?}"))
}

fn actual(found: Option<NotAFolder>) -> &'static str {
    match found {
        None => "",
        Some(NotAFolder::File) => ": it is a file",
        Some(NotAFolder::Link) => ": it is a symbolic link, which is not followed",
    }
}

fn folder(path: &str) -> String {
    if path.is_empty() {
        "the root of the archive".to_owned()
    } else {
        format!("the folder {path:?} of the archive")
    }
}
