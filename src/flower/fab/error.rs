//! Why an app cannot be built into a FAB, for the author of the app.

use std::fmt;

use super::document::DocumentError;
use super::fab_file::FabFileError;
use super::pathspec::PatternError;
use crate::flower::app_source::TreeError;

/// Why an app cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum FabError {
    /// The files could not be read.
    #[error(transparent)]
    Source(#[from] TreeError),
    /// The file is not a valid bundle.
    #[error(transparent)]
    File(#[from] FabFileError),
    /// Without the file there is no app.
    #[error("the app has no pyproject.toml that ships: {0}")]
    NoPyproject(MissingPyproject),
    /// `pyproject.toml` could not be parsed.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// `pyproject.toml` breaks rules of Flower; the error lists all that were found.
    #[error("the app's pyproject.toml is invalid:{}", list(.0))]
    Invalid(Vec<Problem>),
    /// A pattern that Flower cannot compile; it stops there.
    #[error("the app's .gitignore is invalid: {0}")]
    Gitignore(PatternError),
    /// Flower limits the depth of files.
    #[error("{path:?} is {depth} directories deep{}; Flower accepts at most {limit}", others(*.more))]
    TooDeep {
        path: String,
        depth: usize,
        limit: usize,
        /// How many other files are too deep.
        more: usize,
    },
    /// The name would break the list of contents, which every node checks.
    #[error("the file name {path:?} cannot be in an app: {reason}")]
    BadName { path: String, reason: &'static str },
    /// Every node would get the key.
    #[error("a private key would ship with the app to the SuperLink and every SuperNode: {}", places(.0))]
    PrivateKey(Vec<KeyPlace>),
    /// States, plans and outputs contain the values of all resources, including secrets.
    #[error("a state, plan or output of Terraform would ship with the app to the SuperLink and every SuperNode: {}", .0.join(", "))]
    TerraformFile(Vec<String>),
    /// A `SuperLink` would refuse the bundle.
    #[error("the app is too large: {size} bytes; Flower accepts at most {limit}{}", sizes(.biggest))]
    TooLarge {
        size: u64,
        limit: u64,
        /// The largest files, largest first.
        biggest: Vec<(String, u64)>,
    },
}

/// One rule that `pyproject.toml` breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The dotted key with the error.
    pub key: String,
    pub message: String,
}

impl Problem {
    pub(super) fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.message)
    }
}

/// The line with the beginning of a private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPlace {
    pub path: String,
    pub line: usize,
}

/// Why `pyproject.toml` does not ship.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingPyproject {
    Absent,
    Link,
    Ignored,
}

impl fmt::Display for MissingPyproject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "its root does not contain one",
            Self::Link => "it is a symbolic link, and a bundle contains no links",
            Self::Ignored => ".gitignore excludes it",
        })
    }
}

impl FabError {
    /// Whether there is no app at all, rather than an app with an error.
    pub const fn is_missing(&self) -> bool {
        if let Self::Source(TreeError::Git(error)) = self {
            return error.is_gone();
        }
        if let Self::Source(TreeError::Remote(_)) = self {
            return true;
        }
        matches!(
            self,
            Self::NoPyproject(MissingPyproject::Absent)
                | Self::Source(
                    TreeError::NotADirectory { .. }
                        | TreeError::NotAFile { .. }
                        | TreeError::Read { .. }
                )
        )
    }

    /// Whether a later attempt may succeed.
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Source(TreeError::Git(error)) => error.may_pass(),
            Self::Source(TreeError::Remote(error)) => error.may_pass(),
            _ => false,
        }
    }

    /// The remedy, if there is one.
    pub fn remedy(&self) -> Option<String> {
        Some(match self {
            Self::Source(error) => return error.remedy(),
            Self::File(error) => return error.remedy(),
            Self::Document(error) => return error.remedy(),
            Self::NoPyproject(MissingPyproject::Absent) => {
                "Use the directory that contains pyproject.toml. `flwr new` creates one.".to_owned()
            }
            Self::NoPyproject(MissingPyproject::Link) => {
                "Replace the link with the file itself.".to_owned()
            }
            Self::NoPyproject(MissingPyproject::Ignored) => {
                "Remove the pattern that excludes it from .gitignore.".to_owned()
            }
            Self::Invalid(_) => {
                "Correct these keys in the app's pyproject.toml.".to_owned()
            }
            Self::Gitignore(_) => "Correct or remove that line of .gitignore.".to_owned(),
            Self::TooDeep { .. } => {
                "Move the file up, or exclude it with a pattern in .gitignore if the app does not \
                 need it.".to_owned()
            }
            Self::BadName { .. } => "Rename the file, or exclude it with a pattern in .gitignore.".to_owned(),
            Self::PrivateKey(found) => without_keys(found),
            Self::TerraformFile(paths) => format!("Move the file out of the app. {}", excluded(paths)),
            Self::TooLarge { .. } => {
                "Exclude files that the app does not need, with .gitignore or with fab-exclude in [tool.flwr.app].".to_owned()
            }
        })
    }
}

fn list(problems: &[Problem]) -> String {
    problems.iter().fold(String::new(), |text, problem| {
        format!("{text}\n- {problem}")
    })
}

fn places(found: &[KeyPlace]) -> String {
    let places: Vec<String> = found
        .iter()
        .map(|place| format!("{}, line {}", place.path, place.line))
        .collect();
    places.join("; ")
}

fn without_keys(found: &[KeyPlace]) -> String {
    let paths = found.iter().map(|place| place.path.clone());
    let paths: Vec<String> = paths.filter(|path| path != super::PYPROJECT).collect();
    let exclude = if paths.is_empty() {
        "Remove the key from pyproject.toml, which always ships.".to_owned()
    } else {
        excluded(&paths)
    };
    format!("{exclude} If the text is an example and not a key, write its first line in two parts.")
}

/// How to exclude files from a bundle.
fn excluded(paths: &[String]) -> String {
    let lines: Vec<String> = paths.iter().map(|path| format!("/{path}")).collect();
    format!(
        "Exclude the file with a line in the app's .gitignore ({}), or with `fab-exclude` in \
         [tool.flwr.app].",
        lines.join(", ")
    )
}

fn others(more: usize) -> String {
    match more {
        0 => String::new(),
        1 => " (and one other file too deep)".to_owned(),
        more => format!(" (and {more} other files too deep)"),
    }
}

fn sizes(biggest: &[(String, u64)]) -> String {
    let files: Vec<String> = biggest
        .iter()
        .map(|(path, size)| format!("{path} ({size} bytes)"))
        .collect();
    if files.is_empty() {
        String::new()
    } else {
        format!("; the largest files are {}", files.join(", "))
    }
}
