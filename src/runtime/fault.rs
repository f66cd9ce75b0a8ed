//! The common part of all errors, and the errors that only one runtime knows.

/// The meaning of an error for its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// An object with this name exists, whether in a state or not.
    Exists,
    /// A retry is useless until a user changes our credentials or our rights.
    Refused,
    Other,
}

/// The setting that caused an error. The resources know which attribute that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concern {
    FlowerVersion,
    Requirements,
    /// The ports of this machine.
    Ports,
    /// How clients outside reach the object.
    Exposure,
}

/// An error that only one runtime knows, in a form for all callers.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Fault {
    pub kind: ErrorKind,
    pub concern: Option<Concern>,
    pub remedy: Option<String>,
    /// The error of the runtime.
    pub error: Box<dyn std::error::Error + Send + Sync>,
}
