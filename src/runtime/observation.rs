//! What is found of an object when it is looked at.

/// Whether the processes of an object run, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Readiness {
    Ready,
    /// They are there, and not ready: they start, or are started again and again.
    NotReady,
    /// They should run and do not, and nobody starts them.
    Stopped,
}

/// A part of an object beside its processes, which may be gone without them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The way that others come in, where a runtime makes one.
    Service,
    /// The volume of [`Workload::storage`](super::Workload::storage), or its file where a runtime has no volumes.
    Volume,
    /// The secret of this name.
    Secret(String),
}

/// A part that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    pub part: Part,
    /// Which one, and what has become of it.
    pub words: String,
}

/// What was found of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    pub readiness: Readiness,
    /// What somebody else changed, in words.
    pub changed: Vec<String>,
    /// Whether what runs was started by an apply that did not get so far as to settle it.
    pub unfinished: bool,
    /// What it was made with that is another by now, in words.
    pub outdated: Vec<String>,
    /// Which of the parts that were asked for are gone.
    pub missing: Vec<Missing>,
}
