//! How far a run is, and how it ended, in Flower's words.

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunStatus {
    /// Waits for a SuperExec to pick it up.
    Pending,
    /// Picked up.
    Starting,
    /// The `ServerApp` runs.
    Running,
    /// Over, one way or another: see [`SubStatus`].
    Finished,
    /// A status of a newer release.
    Other(String),
}

impl RunStatus {
    /// Flower's word for it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pending => "pending",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Other(word) => word,
        }
    }
}

impl From<&str> for RunStatus {
    fn from(word: &str) -> Self {
        match word {
            "pending" => Self::Pending,
            "starting" => Self::Starting,
            "running" => Self::Running,
            "finished" => Self::Finished,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// How a finished run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubStatus {
    /// Not finished yet.
    None,
    /// Went through.
    Completed,
    /// Ended with an error.
    Failed,
    /// Was stopped by someone.
    Stopped,
    /// A sub-status of a newer release.
    Other(String),
}

impl SubStatus {
    /// Flower's word for it; empty for a run that has not finished.
    pub fn as_str(&self) -> &str {
        match self {
            Self::None => "",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Other(word) => word,
        }
    }
}

impl From<&str> for SubStatus {
    fn from(word: &str) -> Self {
        match word {
            "" => Self::None,
            "completed" => Self::Completed,
            "failed" => Self::Failed,
            "stopped" => Self::Stopped,
            other => Self::Other(other.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_of_the_future_keeps_its_word() {
        assert_eq!(
            RunStatus::from("queued"),
            RunStatus::Other("queued".to_owned())
        );
        for word in ["pending", "starting", "running", "finished", "queued"] {
            assert_eq!(RunStatus::from(word).as_str(), word);
        }
        for word in ["", "completed", "failed", "stopped", "merged"] {
            assert_eq!(SubStatus::from(word).as_str(), word);
        }
    }
}
