//! Who may read a repository, and whom the provider trusts to be its server.

use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use rustls::pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::error::GitError;
use super::url::GitUrl;
use crate::flower::tls::{NoCertificates, authorities};

/// Everything that a repository's server asks for.
#[derive(Debug, Clone, Default)]
pub struct GitAccess {
    /// For `https://`.
    pub login: Option<GitLogin>,
    /// For `https://`: authorities that are trusted beside those of this machine.
    pub authorities: Vec<CertificateDer<'static>>,
    /// For `ssh`.
    pub ssh: SshAccess,
}

/// What replaces settings of the user's ssh configuration.
#[derive(Debug, Clone, Default)]
pub struct SshAccess {
    /// The only key to log in with. Without it, `ssh` uses the agent and the user's keys.
    pub key_file: Option<PathBuf>,
    /// The only file of trusted host keys. Without it, `ssh` uses the user's and the system's.
    pub known_hosts: Option<PathBuf>,
}

/// A user name with a password or token.
#[derive(Clone)]
pub struct GitLogin {
    username: String,
    password: Zeroizing<String>,
}

impl GitLogin {
    /// Servers that need only a token accept any user name with it.
    pub fn new(username: &str, password: &str) -> Result<Self, GitError> {
        let reason = if username.contains(':') || username.chars().any(char::is_control) {
            "a user name cannot contain colons or control characters"
        } else if password.is_empty() {
            "the password is empty"
        } else if password.chars().any(char::is_control) {
            "a password cannot contain line breaks or other control characters"
        } else {
            return Ok(Self {
                username: username.to_owned(),
                password: Zeroizing::new(password.to_owned()),
            });
        };
        Err(GitError::Credentials { reason })
    }

    /// The value of the `Authorization` header.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let mut value =
            HeaderValue::from_str(&format!("Basic {}", self.encoded().as_str())).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    fn encoded(&self) -> Zeroizing<String> {
        let plain = Zeroizing::new(format!("{}:{}", self.username, self.password.as_str()));
        Zeroizing::new(STANDARD.encode(plain.as_bytes()))
    }
}

/// The password is never shown.
impl fmt::Debug for GitLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitLogin")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

impl GitAccess {
    /// The authorities in the text of `ca_certificate`.
    pub fn authorities(pem: &str) -> Result<Vec<CertificateDer<'static>>, GitError> {
        authorities(pem).map_err(|error| GitError::Credentials {
            reason: match error {
                NoCertificates::NotPem(_) => "`ca_certificate` is not a certificate in PEM format",
                NoCertificates::Empty => "`ca_certificate` holds no certificate in PEM format",
            },
        })
    }

    /// Whether this can be used for the address.
    pub(super) fn check(&self, url: &GitUrl) -> Result<(), GitError> {
        let wrong = |reason| Err(GitError::Credentials { reason });
        let has_ssh = self.ssh.key_file.is_some() || self.ssh.known_hosts.is_some();
        match url {
            GitUrl::Http(_) if has_ssh => wrong("a key file or known hosts need an ssh address"),
            GitUrl::Http(http) if self.login.is_some() && !http.secure && !http.is_loopback() => {
                Err(GitError::NotEncrypted {
                    at: url.to_string(),
                })
            }
            GitUrl::Ssh(_) if self.login.is_some() => {
                wrong("a password or token needs an https:// address; ssh logs in with a key")
            }
            GitUrl::Ssh(_) => {
                check_file(self.ssh.key_file.as_deref())?;
                check_file(self.ssh.known_hosts.as_deref())
            }
            GitUrl::Local(_) if self.login.is_some() || has_ssh => {
                wrong("a local repository needs no login")
            }
            _ => Ok(()),
        }
    }

    /// A text of the server, without a secret that the server repeats.
    pub(super) fn masked(&self, text: &str) -> String {
        match &self.login {
            Some(login) => text
                .replace(login.password.as_str(), "***")
                .replace(login.encoded().as_str(), "***"),
            None => text.to_owned(),
        }
    }
}

/// `ssh` expands variables in names of files, and would go on without a file that it cannot read.
fn check_file(path: Option<&Path>) -> Result<(), GitError> {
    let Some(path) = path else {
        return Ok(());
    };
    let bad = |reason| {
        Err(GitError::File {
            path: path.to_owned(),
            reason,
        })
    };
    let expands = |text: &str| text.contains(['"', '$']) || text.chars().any(char::is_control);
    match path.to_str() {
        None => return bad("its name is not valid UTF-8".to_owned()),
        Some(text) if !path.is_absolute() || expands(text) => {
            return bad("ssh needs an absolute path without quotes, $ and line breaks".to_owned());
        }
        Some(_) => {}
    }
    match std::fs::File::open(path) {
        Ok(_) => Ok(()),
        Err(error) => bad(error.to_string()),
    }
}
