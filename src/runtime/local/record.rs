//! The record of an object on disk: it must outlive the provider, which runs only for one plan or
//! apply.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::super::{Port, Readiness};
use super::environment::Environment;
use super::file_id::{Database, Program};
use super::files;
use super::process::Identity;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    format: u64,
    /// The provider process that creates the object, until it is settled.
    pub owner: Option<Identity>,
    /// The recorded configuration in the format of its resource, for the apply that takes it over.
    #[serde(default, rename = "memory")]
    pub configuration: serde_json::Value,
    #[serde(default)]
    pub ports: BTreeMap<Port, u16>,
    #[serde(default)]
    pub processes: BTreeMap<String, Started>,
    /// The names of the files of the object's processes.
    #[serde(default)]
    pub files: BTreeSet<String>,
    /// The data that outlives the processes.
    #[serde(default)]
    pub database: Option<Database>,
    /// The Python environment of the processes.
    #[serde(default)]
    pub environment: Option<Environment>,
    /// Whether a change is in progress: set before the first change, until the object is settled
    /// again.
    #[serde(default)]
    pub changing: bool,
}

/// How long a process may take to start the program that it keeps beside it. Imports alone take
/// half a minute on a busy machine.
const BESIDE: Duration = Duration::from_mins(3);

/// A process that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Started {
    pub identity: Identity,
    /// A digest of its configuration, to detect changes.
    pub digest: String,
    /// The position in the log at this start.
    pub log_from: u64,
    /// The time of the start.
    #[serde(default = "SystemTime::now")]
    pub at: SystemTime,
    /// The program of the process.
    #[serde(default)]
    pub program: Option<Program>,
    /// The program that it keeps beside it.
    #[serde(default)]
    pub keeps: Option<String>,
    /// Whether that program has been seen running.
    #[serde(default)]
    pub whole: bool,
    /// Whether the object was settled with this process.
    #[serde(default)]
    pub settled: bool,
}

impl Started {
    pub(super) fn readiness(&self) -> Readiness {
        if !self.identity.lives() {
            return Readiness::Stopped;
        }
        match &self.keeps {
            Some(program) if !self.identity.has_beside(program) => {
                let young = self.at.elapsed().is_ok_and(|age| age < BESIDE);
                if young && !self.whole {
                    Readiness::NotReady
                } else {
                    Readiness::Stopped
                }
            }
            _ => Readiness::Ready,
        }
    }

    /// Why a stopped process is stopped.
    pub(super) fn end(&self) -> String {
        match &self.keeps {
            Some(program) if self.identity.lives() => {
                format!("its {program} ended, and it does not start a new one")
            }
            _ => self.identity.end(),
        }
    }
}

impl Record {
    pub(super) fn new(owner: Identity) -> Self {
        Self {
            format: files::FORMAT,
            owner: Some(owner),
            configuration: serde_json::Value::Null,
            ports: BTreeMap::new(),
            processes: BTreeMap::new(),
            files: BTreeSet::new(),
            database: None,
            environment: None,
            changing: false,
        }
    }

    /// The readiness of the object, which is that of its worst process.
    pub(super) fn readiness(&self) -> Readiness {
        let each = self.processes.values().map(Started::readiness);
        each.max().unwrap_or(Readiness::Ready)
    }
}
