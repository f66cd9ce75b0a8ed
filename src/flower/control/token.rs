//! The token of an account, in a file that somebody else renews: tokens live for minutes and runs for
//! hours, so the file is read for each call.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use zeroize::Zeroizing;

use super::endpoint::EndpointError;

/// The file, and what it held when it was last readable.
pub(super) struct TokenFile {
    path: PathBuf,
    last: Mutex<Zeroizing<String>>,
}

impl TokenFile {
    /// The file must be readable, and hold one word of visible ASCII characters.
    pub(super) fn open(path: &Path) -> Result<Self, EndpointError> {
        Ok(Self {
            path: path.to_owned(),
            last: Mutex::new(read(path)?),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What the file holds now; what it held before while it is being replaced.
    pub(super) fn current(&self) -> Zeroizing<String> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(now) = read(&self.path) {
            *last = now;
        }
        last.clone()
    }
}

fn read(path: &Path) -> Result<Zeroizing<String>, EndpointError> {
    let text = std::fs::read_to_string(path).map(Zeroizing::new);
    let text = text.map_err(|error| EndpointError::TokenFile {
        path: path.display().to_string(),
        cause: error.to_string(),
    })?;
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(EndpointError::Token);
    }
    Ok(Zeroizing::new(token.to_owned()))
}
