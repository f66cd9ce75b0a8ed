//! Why attributes do not describe an app, for the author of the configuration.

use super::{Attribute, LONGEST_NAME};
use crate::flower::app_source::entry_path::PathFault;

/// Why the attributes do not describe an app.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InlineError {
    /// One form excludes the other.
    #[error("`files` contains the whole app, so {0} must not be set")]
    BothForms(Attribute),
    /// There is no app.
    #[error("neither `files` nor `server` and `client` are set")]
    NoForm,
    /// An app needs both components.
    #[error("{0} is missing: an app needs the code of its ServerApp and of its ClientApp")]
    NoCode(Attribute),
    /// Without the file there is no app.
    #[error("`files` does not contain \"pyproject.toml\"")]
    NoPyproject,
    /// The path is not one of a file in an app.
    #[error("`files` contains the path {path:?}, which cannot be in an app: {fault}")]
    BadPath { path: String, fault: PathFault },
    /// A folder cannot contain both.
    #[error("`files` contains {path:?} both as a file and as a folder")]
    FileAndFolder { path: String },
    /// Python refuses such a file.
    #[error("line {line} of {} contains a NUL character", place(*.attribute, .path.as_ref()))]
    Nul {
        attribute: Attribute,
        /// The key in `files`.
        path: Option<String>,
        line: usize,
    },
    /// The rule of Flower and of Python packages.
    #[error(
        "{name:?} is not a valid name of an app: it must start with a letter, end with a letter or \
         digit, contain only ASCII letters, digits and hyphens, and be at most {LONGEST_NAME} \
         characters long"
    )]
    BadName { name: String },
    /// No such variable can exist.
    #[error("{attribute}: {variable:?} is not the name of a Python variable")]
    BadVariable {
        attribute: Attribute,
        variable: String,
    },
    /// The component would not be found.
    #[error("{code} does not define the variable {variable:?}")]
    NotDefined {
        code: Attribute,
        variable: String,
        /// The attribute that names the variable.
        attribute: Attribute,
    },
    /// Flower refuses an app with such a requirement.
    #[error("requirement {} ({text:?}) is invalid: {reason}", .index + 1)]
    BadRequirement {
        index: usize,
        text: String,
        reason: String,
    },
}

impl InlineError {
    /// The attribute with the error; none for the source itself.
    pub const fn attribute(&self) -> Option<Attribute> {
        Some(match self {
            Self::NoForm => return None,
            Self::BothForms(attribute)
            | Self::NoCode(attribute)
            | Self::Nul { attribute, .. }
            | Self::BadVariable { attribute, .. } => *attribute,
            Self::NoPyproject | Self::BadPath { .. } | Self::FileAndFolder { .. } => {
                Attribute::Files
            }
            Self::BadName { .. } => Attribute::Name,
            Self::NotDefined { code, .. } => *code,
            Self::BadRequirement { .. } => Attribute::Requirements,
        })
    }

    /// The remedy, if there is one.
    pub fn remedy(&self) -> Option<String> {
        Some(match self {
            Self::BothForms(attribute @ (Attribute::Server | Attribute::Client)) => {
                format!("Remove {attribute}, or remove `files`.")
            }
            Self::BothForms(attribute) => {
                format!(
                    "Remove {attribute}, and write the value into \"pyproject.toml\" in `files`."
                )
            }
            Self::NoForm => "Set `server` and `client` to Python code, or set `files`.".to_owned(),
            Self::NoCode(attribute) => format!("Set {attribute}."),
            Self::NoPyproject => {
                "Add it, or set `server` and `client` instead of `files`: then it is generated."
                    .to_owned()
            }
            Self::BadPath { fault, .. } => fault.remedy().to_owned(),
            Self::FileAndFolder { .. } => "Rename one of them.".to_owned(),
            Self::Nul { .. } => "Remove the character.".to_owned(),
            Self::BadName { .. } => "Use a name such as \"mnist-demo\".".to_owned(),
            Self::BadVariable { .. } => "Use a name such as \"app\".".to_owned(),
            Self::NotDefined { attribute, .. } => {
                format!("Set {attribute} to the variable that holds the app in this code.")
            }
            Self::BadRequirement { .. } => {
                "Write it as in a requirements file, such as \"numpy>=2,<3\".".to_owned()
            }
        })
    }
}

fn place(attribute: Attribute, path: Option<&String>) -> String {
    match path {
        Some(path) => format!("{path:?} in {attribute}"),
        None => attribute.to_string(),
    }
}
