//! What all errors have in common, and the errors that only one runtime knows.

/// What an error means for whoever gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// There is an object of that name, in some state or in none.
    Exists,
    /// Trying again changes nothing until somebody has changed who we are or what we may.
    Refused,
    Other,
}

/// The setting to which an error belongs. Which attribute that is, the resources know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concern {
    FlowerVersion,
    Requirements,
    /// The ports of this machine.
    Ports,
    /// How others reach the object.
    Exposure,
}

/// An error that only one runtime knows, as all others see it.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Fault {
    pub kind: ErrorKind,
    pub concern: Option<Concern>,
    pub remedy: Option<String>,
    /// In the words of the runtime.
    pub error: Box<dyn std::error::Error + Send + Sync>,
}
