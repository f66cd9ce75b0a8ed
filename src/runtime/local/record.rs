//! What this runtime knows of an object, on disk: it must survive the provider, which lives only
//! for one plan or apply.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::super::{Port, RuntimeError};
use super::files;
use super::process::Identity;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    format: u64,
    /// The provider process that is making it, until it is settled.
    pub owner: Option<Identity>,
    /// What it was made from, in its owner's words, for whoever takes it over.
    #[serde(default)]
    pub memory: serde_json::Value,
    #[serde(default)]
    pub ports: BTreeMap<Port, u16>,
    #[serde(default)]
    pub processes: BTreeMap<String, Started>,
    /// Whether it is being changed, from before the first change until it is settled anew.
    #[serde(default)]
    pub changing: bool,
}

/// A process that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Started {
    pub identity: Identity,
    /// What it was started as, to see when that changes.
    pub digest: String,
    /// Where in its log this start begins.
    pub log_from: u64,
}

impl Record {
    pub(super) fn new(owner: Identity) -> Self {
        Self {
            format: files::FORMAT,
            owner: Some(owner),
            memory: serde_json::Value::Null,
            ports: BTreeMap::new(),
            processes: BTreeMap::new(),
            changing: false,
        }
    }

    pub(super) fn load(path: &Path) -> Result<Option<Self>, RuntimeError> {
        files::read_form(path)
    }

    pub(super) fn save(&self, path: &Path) -> Result<(), RuntimeError> {
        files::write_form(path, self)
    }
}
