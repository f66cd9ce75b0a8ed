//! The workload of an object: processes, their files, and their Python.

use std::collections::BTreeMap;

use super::{Duty, Exposure, PodSettings, Storage};

/// The Python of processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PythonEnvironment {
    pub flower_version: String,
    /// The Python versions, major and minor, on which it can be installed.
    pub oldest: (u32, u32),
    pub newest: Option<(u32, u32)>,
    /// Additional requirements, in pip's format.
    pub requirements: Vec<String>,
    /// Whether Flower's simulation runtime is installed, too.
    pub simulation: bool,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its name among the processes of its object, such as `superlink`.
    pub name: &'static str,
    /// Its purpose, which selects its settings.
    pub duty: Duty,
    /// Whether apps run in it, so that it needs their requirements.
    pub runs_apps: bool,
    /// The image with its program, under the publisher's name.
    pub image: String,
    /// How to check whether it answers, if that is possible.
    pub health: Option<Health>,
    /// A program of the environment.
    pub program: String,
    pub args: Vec<String>,
    pub env: BTreeMap<String, String>,
    /// Variables that may be secret.
    pub private_env: BTreeMap<String, String>,
    /// The program that the process starts beside itself and never restarts, and without which it
    /// is useless.
    pub keeps: Option<&'static str>,
}

/// How to check whether a process answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// With a gRPC health service on this port.
    Service(u16),
    /// Only by this open port: the process answers as soon as it accepts connections.
    Open(u16),
}

/// The content of an object's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Public(String),
    /// A text that only the processes may read.
    Private(String),
    /// An entry of a secret.
    Secret {
        name: String,
        key: String,
    },
}

/// The workload of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    pub python: PythonEnvironment,
    pub processes: Vec<Process>,
    /// Files by name, readable only by the processes.
    pub files: BTreeMap<String, Content>,
    /// The pod settings, for runtimes with pods.
    pub pod: PodSettings,
    /// How SuperNodes reach it.
    pub exposure: Option<Exposure>,
    /// The volume for the folder that outlives the processes, if one is needed.
    pub storage: Option<Storage>,
    /// Whether the processes that run apps get a folder for artifacts, in the same volume.
    pub artifacts: bool,
}
