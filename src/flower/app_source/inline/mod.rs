//! An app whose files are in the configuration.
//!
//! A small app needs no repository: its files are texts in HCL, or only the code of its `ServerApp`
//! and `ClientApp`, around which this module writes a package and its `pyproject.toml`. Each text
//! becomes a file with exactly these bytes, and the same input gives the same files, so that a plan
//! sees a change only if there is one.

mod error;
mod package;

use std::collections::BTreeMap;
use std::fmt;

pub use self::error::InlineError;
use self::package::Code;
use super::entry_path;
use crate::flower::run_config::RunConfig;

const PYPROJECT: &str = "pyproject.toml";
/// Flower's limit.
const LONGEST_NAME: usize = 32;
const LONGEST_PATH: usize = 1024;
/// The attributes of the source, as configured.
#[derive(Clone, Default)]
pub struct InlineFields {
    /// All files by path. This excludes all other attributes.
    pub files: Option<BTreeMap<String, String>>,
    /// The code of the `ServerApp`.
    pub server: Option<String>,
    /// The code of the `ClientApp`.
    pub client: Option<String>,
    /// The variable of the `ServerApp`; `app` by default.
    pub server_app: Option<String>,
    /// The variable of the `ClientApp`; `app` by default.
    pub client_app: Option<String>,
    /// The name of the app; `inline` by default.
    pub name: Option<String>,
    /// Python packages in PEP 508 format.
    pub requirements: Vec<String>,
    /// The default run configuration.
    pub config: RunConfig,
}

/// An attribute of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    Files,
    Server,
    Client,
    ServerApp,
    ClientApp,
    Name,
    Requirements,
    Config,
}

impl Attribute {
    /// The name in HCL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Server => "server",
            Self::Client => "client",
            Self::ServerApp => "server_app",
            Self::ClientApp => "client_app",
            Self::Name => "name",
            Self::Requirements => "requirements",
            Self::Config => "config",
        }
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.name())
    }
}

/// The files of the app that the attributes describe, or all errors in them.
pub fn files(fields: InlineFields) -> Result<BTreeMap<String, Vec<u8>>, Vec<InlineError>> {
    let mut errors = Vec::new();
    let files = match fields.files {
        Some(ref files) => {
            errors.extend(others(&fields).map(InlineError::BothForms));
            check_files(files, &mut errors);
            fields.files.unwrap_or_default()
        }
        None if others(&fields).next().is_none() => return Err(vec![InlineError::NoForm]),
        None => Code::new(fields, &mut errors).files(),
    };
    if errors.is_empty() {
        let bytes = files
            .into_iter()
            .map(|(path, text)| (path, text.into_bytes()));
        Ok(bytes.collect())
    } else {
        Err(errors)
    }
}

/// The attributes beside `files` that are set.
fn others(fields: &InlineFields) -> impl Iterator<Item = Attribute> {
    let set = [
        (Attribute::Server, fields.server.is_some()),
        (Attribute::Client, fields.client.is_some()),
        (Attribute::ServerApp, fields.server_app.is_some()),
        (Attribute::ClientApp, fields.client_app.is_some()),
        (Attribute::Name, fields.name.is_some()),
        (Attribute::Requirements, !fields.requirements.is_empty()),
        (Attribute::Config, !fields.config.is_empty()),
    ];
    let set = set.into_iter().filter(|(_, is_set)| *is_set);
    set.map(|(attribute, _)| attribute)
}

fn check_files(files: &BTreeMap<String, String>, errors: &mut Vec<InlineError>) {
    if !files.contains_key(PYPROJECT) {
        errors.push(InlineError::NoPyproject);
    }
    for (path, text) in files {
        if let Err(fault) = entry_path::check(path, LONGEST_PATH) {
            let path = path.clone();
            errors.push(InlineError::BadPath { path, fault });
        }
        let folders = path
            .match_indices('/')
            .filter_map(|(end, _)| path.get(..end));
        for folder in folders.filter(|folder| files.contains_key(*folder)) {
            let path = folder.to_owned();
            errors.push(InlineError::FileAndFolder { path });
        }
        check_text(text, Attribute::Files, Some(path), errors);
    }
    errors.dedup();
}

fn check_text(
    text: &str,
    attribute: Attribute,
    path: Option<&String>,
    errors: &mut Vec<InlineError>,
) {
    if let Some((before, _)) = text.split_once('\0') {
        errors.push(InlineError::Nul {
            attribute,
            path: path.cloned(),
            line: 1 + before.matches('\n').count(),
        });
    }
}

#[cfg(test)]
mod tests;
