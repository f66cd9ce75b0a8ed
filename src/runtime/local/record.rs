//! What this runtime knows of an object, on disk: it must survive the provider, which lives only
//! for one plan or apply.

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
    /// The provider process that is making it, until it is settled.
    pub owner: Option<Identity>,
    /// What it was made from, in its owner's words, for whoever takes it over.
    #[serde(default, rename = "memory")]
    pub configuration: serde_json::Value,
    #[serde(default)]
    pub ports: BTreeMap<Port, u16>,
    #[serde(default)]
    pub processes: BTreeMap<String, Started>,
    /// The names of the files that its processes read.
    #[serde(default)]
    pub files: BTreeSet<String>,
    /// What outlives its processes.
    #[serde(default)]
    pub database: Option<Database>,
    /// The Python environment in which they run.
    #[serde(default)]
    pub environment: Option<Environment>,
    /// Whether it is being changed, from before the first change until it is settled anew.
    #[serde(default)]
    pub changing: bool,
}

/// How long a process may take to start what it keeps beside it, until that is a failure. Imports
/// alone take half a minute on a busy machine.
const BESIDE: Duration = Duration::from_mins(3);

/// A process that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Started {
    pub identity: Identity,
    /// What it was started as, to see when that changes.
    pub digest: String,
    /// Where in its log this start begins.
    pub log_from: u64,
    /// When that was.
    #[serde(default = "SystemTime::now")]
    pub at: SystemTime,
    /// The program that it was started from.
    #[serde(default)]
    pub program: Option<Program>,
    /// The program that it keeps beside it.
    #[serde(default)]
    pub keeps: Option<String>,
    /// Whether that program was seen to run.
    #[serde(default)]
    pub whole: bool,
    /// Whether its object was settled with it.
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

    /// What is wrong with one that is down.
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

    /// How it stands: as the worst of its processes does.
    pub(super) fn readiness(&self) -> Readiness {
        let each = self.processes.values().map(Started::readiness);
        each.max().unwrap_or(Readiness::Ready)
    }
}
