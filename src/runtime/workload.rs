//! What is to run: processes, their files, and the Python that they run in.

use std::collections::BTreeMap;

use super::{Duty, Exposure, PodSettings, Storage};

/// The Python in which processes run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PythonEnvironment {
    pub flower_version: String,
    /// The Pythons, major and minor, that it can be installed on.
    pub oldest: (u32, u32),
    pub newest: Option<(u32, u32)>,
    /// Further requirements, as pip takes them.
    pub requirements: Vec<String>,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its name among the processes of its object, such as `superlink`.
    pub name: &'static str,
    /// What it is there for, by which settings are chosen.
    pub duty: Duty,
    /// Whether apps run in it, and so whatever they need.
    pub runs_apps: bool,
    /// The image that holds its program, as its publisher calls it.
    pub image: String,
    /// How it is seen whether it answers, where that can be seen.
    pub health: Option<Health>,
    /// A program of the environment.
    pub program: String,
    pub args: Vec<String>,
    pub env: BTreeMap<String, String>,
    /// Those that may be secrets.
    pub private_env: BTreeMap<String, String>,
    /// The program that it starts beside itself and does not start again, without which it is of no
    /// use.
    pub keeps: Option<&'static str>,
}

/// How a process shows that it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// By a gRPC health service on this port.
    Service(u16),
    /// By nothing but that this port is open: it answers once it takes connections.
    Open(u16),
}

/// What a file of an object holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Public(String),
    /// A text that nobody but the processes should read.
    Private(String),
    /// An entry of a secret.
    Secret {
        name: String,
        key: String,
    },
}

/// What is to run.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    pub python: PythonEnvironment,
    pub processes: Vec<Process>,
    /// Files by name, which the processes can read and nobody else.
    pub files: BTreeMap<String, Content>,
    /// Where a runtime has pods: what they are like.
    pub pod: PodSettings,
    /// How others reach it.
    pub exposure: Option<Exposure>,
    /// The folder that outlives the processes, where it needs a volume.
    pub storage: Option<Storage>,
}
