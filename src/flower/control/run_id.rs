//! The number of a run.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The ID of a run. It is random and mostly too large for an exact JSON number: write it as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(pub u64);

impl TryFrom<String> for RunId {
    type Error = NotARunId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A text that is not a run ID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a run ID is a number: `flower_app_run.NAME.run_id`, or one that `flwr list` shows")]
pub struct NotARunId;

impl FromStr for RunId {
    type Err = NotARunId;

    /// Accepts only the canonical form: no sign, no leading zero.
    fn from_str(text: &str) -> Result<Self, NotARunId> {
        let id = text.parse().map(Self).map_err(|_| NotARunId)?;
        if id.to_string() == text {
            Ok(id)
        } else {
            Err(NotARunId)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_number_keeps_all_its_digits_as_text() {
        let id: RunId = "18446744073709551615".parse().unwrap();
        assert_eq!(id, RunId(u64::MAX));
        assert_eq!(id.to_string(), "18446744073709551615");
        assert!("-1".parse::<RunId>().is_err());
    }
}
