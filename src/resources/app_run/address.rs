//! The ID of a run in an import: `SUPERLINK#RUN`, with the id or the URL of the SuperLink. For a
//! SuperLink that this provider configuration did not create, `#CA_FILE` and `#TOKEN_FILE` follow.

use std::str::FromStr;

use crate::flower::control::{NotARunId, RunId};

/// A run, and how to reach its SuperLink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub superlink: String,
    pub run: RunId,
    pub ca_file: Option<String>,
    pub token_file: Option<String>,
}

/// Why a text is not the address of a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum AddressError {
    #[error("There is no # in it")]
    NoRun,
    #[error("{0:?} is not the number of a run")]
    NotARun(String),
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        // The last part is a path, which may contain any character.
        let mut parts = text.splitn(4, '#');
        let superlink = parts.next().unwrap_or_default().to_owned();
        let run = parts.next().ok_or(AddressError::NoRun)?;
        let run = run
            .parse()
            .map_err(|NotARunId| AddressError::NotARun(run.to_owned()))?;
        let mut file = || parts.next().filter(|file| !file.is_empty());
        let (ca_file, token_file) = (file().map(str::to_owned), file().map(str::to_owned));
        Ok(Self {
            superlink,
            run,
            ca_file,
            token_file,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_are_not_needed_are_left_out_or_empty() {
        let of = |ca: Option<&str>, token: Option<&str>| Address {
            superlink: "https://h:1".to_owned(),
            run: RunId(7),
            ca_file: ca.map(str::to_owned),
            token_file: token.map(str::to_owned),
        };
        for (text, expected) in [
            ("https://h:1#7", of(None, None)),
            ("https://h:1#7#", of(None, None)),
            ("https://h:1#7#ca.pem", of(Some("ca.pem"), None)),
            ("https://h:1#7#ca.pem#t", of(Some("ca.pem"), Some("t"))),
            ("https://h:1#7##t", of(None, Some("t"))),
            ("https://h:1#7##~/a, b#c", of(None, Some("~/a, b#c"))),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_names_no_run_says_why() {
        let why = |text: &str| text.parse::<Address>().unwrap_err().to_string();
        assert_eq!(why("https://h:1"), "There is no # in it");
        assert_eq!(why("https://h:1#x"), "\"x\" is not the number of a run");
    }
}
