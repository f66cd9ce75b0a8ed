//! The token of an account: from a file that another program renews, or a fixed one for the life of
//! the process. A token is valid for minutes and a run takes hours, so the file is read for each
//! call.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use zeroize::Zeroizing;

use super::endpoint_error::EndpointError;
use crate::masking;
use crate::secret_file::text_of;

/// The token. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountToken(Zeroizing<String>);

impl FromStr for AccountToken {
    type Err = EndpointError;

    /// Accepts visible ASCII characters without blanks.
    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let token = text.trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(EndpointError::Token);
        }
        masking::hide(token);
        Ok(Self(Zeroizing::new(token.to_owned())))
    }
}

impl fmt::Debug for AccountToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccountToken")
    }
}

/// The credentials. Two are equal if they always give the same token.
pub(super) enum Login {
    File(TokenFile),
    Given(AccountToken),
}

impl Login {
    /// The token for the next call.
    pub(super) fn current(&self) -> Zeroizing<String> {
        match self {
            Self::File(file) => file.current(),
            Self::Given(token) => token.0.clone(),
        }
    }
}

impl PartialEq for Login {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(a), Self::File(b)) => a.path == b.path,
            (Self::Given(a), Self::Given(b)) => a == b,
            _ => false,
        }
    }
}

impl Hash for Login {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if let Self::File(file) = self {
            file.path.hash(state);
        }
    }
}

/// The file, and its content when it was last readable.
pub(super) struct TokenFile {
    path: PathBuf,
    last: Mutex<AccountToken>,
}

impl TokenFile {
    /// Opens a file, which must be readable and contain a token.
    pub(super) fn open(path: &Path) -> Result<Self, EndpointError> {
        Ok(Self {
            path: path.to_owned(),
            last: Mutex::new(read(path)?),
        })
    }

    /// The current content of the file; the last one while the file is being replaced.
    pub(super) fn current(&self) -> Zeroizing<String> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(now) = read(&self.path) {
            *last = now;
        }
        last.0.clone()
    }
}

fn read(path: &Path) -> Result<AccountToken, EndpointError> {
    let text = text_of(path).map_err(|error| EndpointError::TokenFile {
        path: path.display().to_string(),
        cause: error.to_string(),
    })?;
    text.parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_with_a_token_is_refused_and_not_read_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let long = dir.path().join("long");
        std::fs::write(&long, "a".repeat(70 << 10)).unwrap();
        for path in [Path::new("/dev/zero"), dir.path(), &long] {
            let refused = read(path).unwrap_err();
            assert!(
                matches!(refused, EndpointError::TokenFile { .. }),
                "{refused}"
            );
        }
        let good = dir.path().join("token");
        std::fs::write(&good, "a-token\n").unwrap();
        assert_eq!(read(&good).unwrap().0.as_str(), "a-token");
    }
}
