//! The observed state of an object.

/// Whether the processes of an object run, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Readiness {
    Ready,
    /// They exist and are not ready: they are starting, or are restarted again and again.
    NotReady,
    /// They should run and do not, and nothing restarts them.
    Stopped,
}

/// A part of an object besides its processes, which can be missing while they run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The Service, if the runtime creates one.
    Service,
    /// The volume of [`Workload::storage`](super::Workload::storage), or its file in runtimes
    /// without volumes.
    Volume,
    /// The secret with this name.
    Secret(String),
}

/// A missing part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    pub part: Part,
    /// The name of the part, and what happened to it.
    pub words: String,
}

/// The observed state of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    pub readiness: Readiness,
    /// Descriptions of changes by others.
    pub changed: Vec<String>,
    /// Whether the running processes were started by an apply that did not settle them.
    pub unfinished: bool,
    /// Descriptions of inputs that have changed since the object was created.
    pub outdated: Vec<String>,
    /// The requested parts that are missing.
    pub missing: Vec<Missing>,
}
