//! Why there is no Python environment for the processes, and the remedy.

use super::Concern;

/// Why a Python environment could not be created.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InstallFault {
    #[error("this version does not exist for this Python")]
    NoRelease,
    #[error("the package index has no Flower for this Python")]
    NoFlower,
    #[error("`requirements` asks for {0}, which the package index does not have for this Python")]
    NoRequirement(String),
    #[error(
        "Flower or a requirement depends on {0}, which the package index does not have for this Python"
    )]
    NoDependency(String),
    #[error("the requirements cannot be installed together")]
    Conflict,
    #[error("a requirement does not have pip's syntax")]
    Malformed,
    #[error("this Python has no venv")]
    NoVenv,
    #[error("the package index could not be reached")]
    Unreachable,
    #[error("the environment has no {0}")]
    Incomplete(&'static str),
    #[error("Flower cannot be imported in the environment")]
    Unusable,
    #[error("pip failed")]
    Other,
}

/// Why a Python cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PythonFault {
    #[error("there is no such program")]
    NotFound,
    #[error("it could not be started: {0}")]
    NotStarted(String),
    /// With its last lines, which may be empty.
    #[error("it ended with {how}{}{words}", if words.is_empty() { "" } else { "\n" })]
    Ended { how: String, words: String },
}

impl PythonFault {
    pub(super) fn of(error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::NotFound,
            _ => Self::NotStarted(error.to_string()),
        }
    }

    pub(super) const fn remedy(&self) -> &'static str {
        match self {
            Self::NotFound => {
                "Install Python 3.11 or newer, or set its path: provider \"flower\" { local = { \
                 python = \"/path/to/python3\" } }."
            }
            Self::NotStarted(_) => {
                "Check that it is an executable program for this machine, or set another Python: \
                 provider \"flower\" { local = { python = \"/path/to/python3\" } }."
            }
            Self::Ended { .. } => {
                "Fix the error that it prints. If it belongs to a version manager (pyenv, asdf, \
                 mise), choose a version there, or set the path of the interpreter: provider \
                 \"flower\" { local = { python = \"/path/to/python3\" } }."
            }
        }
    }
}

impl InstallFault {
    /// The setting that caused the error, if there is one.
    pub(super) const fn concern(&self) -> Option<Concern> {
        match self {
            Self::NoRelease => Some(Concern::FlowerVersion),
            Self::NoRequirement(_) | Self::Malformed | Self::Conflict => {
                Some(Concern::Requirements)
            }
            Self::NoFlower
            | Self::NoDependency(_)
            | Self::NoVenv
            | Self::Unreachable
            | Self::Incomplete(_)
            | Self::Unusable
            | Self::Other => None,
        }
    }

    pub(super) const fn remedy(&self) -> &'static str {
        match self {
            Self::NoRelease => {
                "Set `flower_version` to a version that exists, or set another Python: provider \
                 \"flower\" { local = { python = \"python3.12\" } }."
            }
            Self::NoFlower => {
                "Check which index pip uses (`pip config list`, PIP_INDEX_URL, UV_INDEX_URL). It \
                 must have `flwr`."
            }
            Self::NoRequirement(_) | Self::Malformed => {
                "Correct the entry of `requirements`: the name of a package, with a version if you \
                 need one (`numpy>=2`)."
            }
            Self::NoDependency(_) => {
                "Set another Python: provider \"flower\" { local = { python = \"python3.12\" } }. \
                 Or choose versions in `requirements` that have a wheel for this Python."
            }
            Self::Conflict => {
                "Choose versions in `requirements` that are compatible with each other and with \
                 this Flower version."
            }
            Self::NoVenv => "Install it (on Debian: apt-get install python3-venv).",
            Self::Unreachable => {
                "Check the network. To use another index or a proxy, change pip's own settings \
                 (PIP_INDEX_URL, HTTPS_PROXY, pip.conf)."
            }
            Self::Incomplete(_) => {
                "Check flower_version and requirements, and that no setting of the installer \
                 changes where it installs packages (`target`, `prefix` or `system` below `[pip]` \
                 in uv.toml)."
            }
            Self::Unusable => {
                "Read the Python error above. Correct the entry of `requirements` that is not \
                 compatible with this Flower, or set the variable in `env` that a library needs. \
                 Processes get only PATH from Terraform's environment."
            }
            Self::Other => {
                "Check flower_version and requirements, and that pip can reach a package index \
                 from this machine."
            }
        }
    }
}
