//! The errors of runtimes: their messages, their kind, the setting that caused them, and the
//! remedy. An error that only one runtime knows is a [`Fault`].

use std::path::PathBuf;

use super::{Concern, Distrust, ErrorKind, Fault, InstallFault, ObjectRef, Port, PythonFault};
use crate::pod_address::PodAddress;

#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    #[error("{object} already exists in {place}")]
    Exists { object: ObjectRef, place: String },
    #[error("another apply is creating {object} now ({by})")]
    BeingMade { object: ObjectRef, by: String },
    #[error("another apply is doing the same work now (note {key:?})")]
    BeingDone { key: String },
    #[error("there is no {0}")]
    Gone(ObjectRef),
    #[error("port {port} for the {purpose} is in use")]
    PortTaken { port: u16, purpose: Port },
    #[error("no port between {0} and {1} is free")]
    NoPort(u16, u16),
    #[error("{path} has format {found}, but this provider supports format {known}")]
    Format {
        path: PathBuf,
        found: u64,
        known: u64,
    },
    #[error("{path} is damaged: {cause}")]
    Damaged { path: PathBuf, cause: String },
    #[error("the note {note} of work that must not be done twice cannot be read: {cause}")]
    DamagedNote { note: String, cause: String },
    #[error("cannot {what} {path}: {cause}")]
    File {
        what: &'static str,
        path: PathBuf,
        cause: std::io::Error,
    },
    #[error("{} {why}", path.display())]
    Distrusted { path: PathBuf, why: Distrust },
    #[error("the Python {python:?} cannot be used: {fault}")]
    PythonMissing { python: String, fault: PythonFault },
    #[error(
        "Python environments cannot be stored in {}: its path contains {}",
        path.display(),
        found.map_or_else(|| "bytes that are not UTF-8".to_owned(), character)
    )]
    UnfitCache {
        path: PathBuf,
        /// The invalid character, if there is one.
        found: Option<char>,
    },
    #[error("{text:?} in `requirements` is a folder")]
    FolderRequirement { text: String },
    #[error("{text:?} in `requirements` cannot be read: {}: {cause}", path.display())]
    RequirementFile {
        text: String,
        path: PathBuf,
        cause: std::io::Error,
    },
    #[error(
        "{python:?} is Python {found}, but Flower {version} needs Python {}",
        pythons(*oldest, *newest)
    )]
    PythonUnfit {
        python: String,
        found: String,
        version: String,
        oldest: (u32, u32),
        newest: Option<(u32, u32)>,
    },
    #[error("{0} has no secret entry {1:?}")]
    NoSecret(String, String),
    #[error("the Python environment for Flower {version} could not be created: {fault}\n{words}")]
    Environment {
        version: String,
        fault: InstallFault,
        /// The last lines of the program that created it.
        words: String,
    },
    #[error("the database {} no longer exists", path.display())]
    StateLost { path: PathBuf },
    #[error(
        "the folder of the {object} is a copy of {}, where its processes run",
        path.display()
    )]
    Copied { object: ObjectRef, path: PathBuf },
    #[error("{program} could not be started: {cause}")]
    Spawn { program: String, cause: String },
    #[error("process {pid} ({process}) does not end, even after SIGKILL")]
    Unkillable { process: String, pid: u32 },
    #[error(
        "a Service of type NodePort needs `service.hostname`, the address that SuperNodes connect \
         to"
    )]
    NoHostname,
    #[error(transparent)]
    Other(#[from] Fault),
    #[error("`requirements` cannot be installed into a pod's image")]
    NeedsImage,
    #[error("interrupted")]
    Interrupted,
    #[error(
        "{} needs a cluster, but this provider configuration has none",
        PodAddress::PREFIX
    )]
    NoPods,
    #[error("the runtime `local` needs Linux or macOS")]
    Unsupported,
}

impl RuntimeError {
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Exists { .. } => ErrorKind::Exists,
            Self::NoPods => ErrorKind::Refused,
            Self::Other(fault) => fault.kind,
            _ => ErrorKind::Other,
        }
    }

    /// The setting that caused the error, if there is one.
    pub const fn concern(&self) -> Option<Concern> {
        match self {
            Self::PythonUnfit { .. } => Some(Concern::FlowerVersion),
            Self::Environment { fault, .. } => fault.concern(),
            Self::NeedsImage | Self::FolderRequirement { .. } | Self::RequirementFile { .. } => {
                Some(Concern::Requirements)
            }
            Self::PortTaken { .. } | Self::NoPort(..) => Some(Concern::Ports),
            Self::NoHostname => Some(Concern::Exposure),
            Self::Other(fault) => fault.concern,
            _ => None,
        }
    }

    /// The remedy.
    pub fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::BeingMade { .. } => {
                "If both should exist, choose another name. If not, wait for the other apply."
            }
            Self::BeingDone { .. } => {
                "Wait for the other apply. If you want both runs, give them different `triggers`."
            }
            Self::PortTaken { .. } => {
                "Stop the program that uses it (`ss -ltnp` lists listening programs), or set \
                 another port in `local`. Without a port, a new object gets a free one."
            }
            Self::NoPort(..) => "Stop a program that uses one of them, or set the port in `local`.",
            Self::Format { .. } => {
                "Use the provider version that wrote this data_dir, or set another data_dir."
            }
            Self::Damaged { .. } => {
                "Restore the file, or remove the object's folder and apply again."
            }
            Self::DamagedNote { .. } => {
                "If another provider version wrote it, use that version. If not, check with `flwr \
                 list` whether the run was submitted, import or stop it, remove the note and apply \
                 again."
            }
            Self::Distrusted { path, why } => return Some(why.remedy(path)),
            Self::File { .. } => "Check the folder's owner, permissions and free space.",
            Self::PythonMissing { fault, .. } => fault.remedy(),
            Self::UnfitCache { .. } => {
                "Flower cannot find its database migrations and programs if a path, or the target \
                 of a link in it, has blanks, commas, colons or percent signs. Set another folder: \
                 provider \"flower\" { local = { cache_dir = \"/path/without/them\" } }."
            }
            Self::FolderRequirement { .. } => {
                "The content of a folder changes with every build. Build a wheel from it (`pip \
                 wheel --no-deps --wheel-dir wheels FOLDER`) and use that file."
            }
            Self::RequirementFile { .. } => {
                "Build or restore the file, or correct the entry. Relative paths start in the \
                 folder where Terraform runs."
            }
            Self::PythonUnfit { .. } => {
                "Set another Python: provider \"flower\" { local = { python = \"python3.12\" } }."
            }
            Self::NoSecret(..) => {
                "Create the key in the same provider configuration (flower_supernode_key), or \
                 apply it first."
            }
            Self::Environment { fault, .. } => fault.remedy(),
            Self::StateLost { .. } => {
                "Restore it from a backup, or plan again and read about `allow_state_loss`."
            }
            Self::Copied { .. } => {
                "Run Terraform in the original folder. For another SuperLink or SuperNode start \
                 without a state and without a `data_dir`: copies of them mean the same object."
            }
            Self::Unkillable { .. } => "Check what the process waits for (often a failed disk).",
            Self::NoHostname => {
                "Set `service = { hostname = \"…\" }` to the name or address of a Kubernetes node \
                 that SuperNodes can reach."
            }
            Self::Other(fault) => return fault.remedy.clone(),
            Self::NeedsImage => {
                "Build an image that contains them from Flower's image, set it in \
                 `kubernetes.image` (with `isolation = \"process\"`: \
                 `kubernetes.superexec_image`), and remove `requirements`."
            }
            Self::NoPods => {
                "Use the provider configuration (alias) whose `kubernetes` is that cluster."
            }
            Self::Unsupported => "Run Terraform on Linux or macOS, or use another runtime.",
            // The caller knows the states and so the owner of the object.
            Self::Exists { .. } | Self::Gone(_) | Self::Spawn { .. } | Self::Interrupted => {
                return None;
            }
        };
        Some(text.to_owned())
    }
}

/// The character in a visible form.
fn character(found: char) -> String {
    match found {
        ' ' => "a blank".to_owned(),
        ',' => "a comma".to_owned(),
        ':' => "a colon".to_owned(),
        '%' => "a percent sign".to_owned(),
        other => format!("the character {other:?}"),
    }
}

/// A range such as `3.10 to 3.12`.
fn pythons(oldest: (u32, u32), newest: Option<(u32, u32)>) -> String {
    let from = format!("{}.{}", oldest.0, oldest.1);
    match newest {
        Some((major, minor)) => format!("{from} to {major}.{minor}"),
        None => format!("{from} and newer"),
    }
}
