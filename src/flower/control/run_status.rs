//! How far a run is, and how it ended, in Flower's words.

/// The status of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunStatus {
    /// Waiting for a SuperExec.
    Pending,
    /// A SuperExec has started to prepare it.
    Starting,
    /// The `ServerApp` is running.
    Running,
    /// Ended; [`SubStatus`] has the result.
    Finished,
    /// A status of a newer release.
    Other(String),
}

impl RunStatus {
    /// Flower's name of the status.
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

/// The result of a finished run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubStatus {
    /// Not finished yet.
    None,
    /// Completed without an error.
    Completed,
    /// Ended with an error.
    Failed,
    /// Stopped by a user.
    Stopped,
    /// A sub-status of a newer release.
    Other(String),
}

impl SubStatus {
    /// Flower's name of the result; empty for a run that has not ended.
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
