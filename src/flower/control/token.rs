//! The token of an account: in a file that somebody else renews, or one that is given for as long as
//! we live. Tokens live for minutes and runs for hours, so the file is read for each call.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use zeroize::Zeroizing;

use super::endpoint::EndpointError;
use crate::masking;

/// A token as such. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountToken(Zeroizing<String>);

impl FromStr for AccountToken {
    type Err = EndpointError;

    /// One word of visible ASCII characters.
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

/// What says who we are. Two are equal if they will always say the same.
pub(super) enum Login {
    File(TokenFile),
    Given(AccountToken),
}

impl Login {
    /// The token to send with the next call.
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

/// The file, and what it held when it was last readable.
pub(super) struct TokenFile {
    path: PathBuf,
    last: Mutex<AccountToken>,
}

impl TokenFile {
    /// The file must be readable, and hold a token.
    pub(super) fn open(path: &Path) -> Result<Self, EndpointError> {
        Ok(Self {
            path: path.to_owned(),
            last: Mutex::new(read(path)?),
        })
    }

    /// What the file holds now; what it held before while it is being replaced.
    pub(super) fn current(&self) -> Zeroizing<String> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(now) = read(&self.path) {
            *last = now;
        }
        last.0.clone()
    }
}

fn read(path: &Path) -> Result<AccountToken, EndpointError> {
    let text = std::fs::read_to_string(path).map(Zeroizing::new);
    let text = text.map_err(|error| EndpointError::TokenFile {
        path: path.display().to_string(),
        cause: error.to_string(),
    })?;
    text.parse()
}
