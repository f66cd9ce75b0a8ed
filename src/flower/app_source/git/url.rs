//! The address of a repository, checked before anything is started or connected.
//!
//! Another person may have written the configuration that contains it. So everything that could
//! become an option of `ssh`, a second line of a request, or a password in a state file is refused
//! here, and later steps need not think of it.

use std::fmt;
use std::path::PathBuf;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::error::GitError;

/// Characters that are percent-encoded in the path of a URL. A `%` stays: the path may already be
/// encoded.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The address of a repository. It contains no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GitUrl {
    /// `https://` or `http://`.
    Http(HttpUrl),
    /// `ssh://`, or `user@host:path`.
    Ssh(SshUrl),
    /// `file://`, or a path.
    Local(PathBuf),
}

/// A repository on an HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl {
    pub(super) secure: bool,
    /// In lower case; an IPv6 address is in brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// Begins with a slash and does not end with one.
    path: String,
}

/// A repository on an SSH server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshUrl {
    pub(super) user: Option<String>,
    /// A name, an address without brackets, or a `Host` of the user's ssh configuration.
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) path: String,
}

impl GitUrl {
    /// Parses an address.
    pub fn parse(text: &str) -> Result<Self, GitError> {
        let parsed = if text.chars().any(char::is_control) {
            Err("it contains a control character")
        } else if let Some((scheme, rest)) = text.split_once("://") {
            match scheme.to_ascii_lowercase().as_str() {
                "https" => HttpUrl::parse(true, rest).map(Self::Http),
                "http" => HttpUrl::parse(false, rest).map(Self::Http),
                "ssh" | "git+ssh" | "ssh+git" => SshUrl::from_url(rest).map(Self::Ssh),
                "file" => local(rest).map(Self::Local),
                "git" => Err("the git:// protocol has neither encryption nor login"),
                _ => Err("its scheme is not https, http, ssh or file"),
            }
        } else if text.starts_with(['/', '.']) {
            Ok(Self::Local(PathBuf::from(text)))
        } else {
            SshUrl::from_scp(text).map(Self::Ssh)
        };
        parsed.map_err(|reason| GitError::Url {
            url: shown(text),
            reason,
        })
    }
}

impl fmt::Display for GitUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(url) => url.fmt(f),
            Self::Ssh(url) => url.fmt(f),
            Self::Local(path) => path.display().fmt(f),
        }
    }
}

impl HttpUrl {
    /// Parses the part after `://`.
    pub(super) fn parse(secure: bool, rest: &str) -> Result<Self, &'static str> {
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err("it contains a user name or password");
        }
        if rest.contains(['?', '#']) {
            return Err("it contains a query or fragment");
        }
        let (host, port) = host_and_port(authority)?;
        let path = path.trim_end_matches('/');
        if path.is_empty() {
            return Err("it has no path");
        }
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.to_ascii_lowercase()
        };
        Ok(Self {
            secure,
            host,
            port: port.unwrap_or(if secure { 443 } else { 80 }),
            path: format!("/{}", utf8_percent_encode(path, ENCODED)),
        })
    }

    /// Whether credentials for one of the two may be sent to the other.
    pub(super) fn same_origin(&self, other: &Self) -> bool {
        (self.secure, &self.host, self.port) == (other.secure, &other.host, other.port)
    }

    /// Whether the server is this machine.
    pub(super) fn is_loopback(&self) -> bool {
        let host = self.host.trim_matches(['[', ']']);
        let address = host.parse::<std::net::IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    /// The address that a response redirects to. Relative paths without a leading slash are not
    /// resolved: no git server sends them.
    pub(super) fn redirected(&self, location: &str, suffix: &str) -> Result<Self, &'static str> {
        let base = location
            .strip_suffix(suffix)
            .ok_or("it is not the address of a git repository")?;
        if let Some(rest) = base.strip_prefix("https://") {
            Self::parse(true, rest)
        } else if let Some(rest) = base.strip_prefix("http://") {
            Self::parse(false, rest)
        } else if let Some(rest) = base.strip_prefix("//") {
            Self::parse(self.secure, rest)
        } else if base.starts_with('/') {
            Self::parse(self.secure, &format!("{}{base}", self.authority()))
        } else {
            Err("it is not a URL")
        }
    }

    /// Host and port, without the default port.
    pub(super) fn authority(&self) -> String {
        match (self.secure, self.port) {
            (true, 443) | (false, 80) => self.host.clone(),
            (_, port) => format!("{}:{port}", self.host),
        }
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

impl SshUrl {
    /// Parses the part after `ssh://`, as git does: percent-encoded, `/~user/` for a home folder.
    fn from_url(rest: &str) -> Result<Self, &'static str> {
        let (authority, path) = rest.split_once('/').ok_or("it has no path")?;
        let (user, host) = user_and_host(authority);
        let (host, port) = host_and_port(host)?;
        let path = percent_decode_str(path)
            .decode_utf8()
            .map_err(|_| "its path is not valid UTF-8")?;
        let path = if path.starts_with('~') {
            path.into_owned()
        } else {
            format!("/{path}")
        };
        Self::checked(user, host, port, path)
    }

    /// Parses `user@host:path`.
    fn from_scp(text: &str) -> Result<Self, &'static str> {
        const NEITHER: &str = "it is neither a URL nor a path";
        let (authority, path) = if let Some((authority, path)) = text.split_once("]:") {
            (format!("{authority}]"), path)
        } else {
            let (authority, path) = text.split_once(':').ok_or(NEITHER)?;
            (authority.to_owned(), path)
        };
        if authority.contains('/') || path.starts_with(':') {
            return Err(NEITHER);
        }
        let first = path.split('/').next().unwrap_or(path);
        if first
            .split_once('@')
            .is_some_and(|(_, host)| host.contains(':'))
        {
            return Err("it contains a password");
        }
        let (user, host) = user_and_host(&authority);
        let (host, port) = host_and_port(host)?;
        Self::checked(user, host, port, path.to_owned())
    }

    fn checked(
        user: Option<&str>,
        host: &str,
        port: Option<u16>,
        path: String,
    ) -> Result<Self, &'static str> {
        if let Some(user) = user {
            if user.contains(':') {
                return Err("it contains a password");
            }
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-+@".contains(c);
            if user.is_empty() || user.starts_with('-') || !user.chars().all(plain) {
                return Err(
                    "its user name contains other characters than letters, digits and ._-+@",
                );
            }
        }
        if path.trim_matches('/').is_empty() {
            return Err("it has no path");
        }
        if path.starts_with('-') {
            return Err("its path begins with a hyphen");
        }
        if path.chars().any(char::is_control) {
            return Err("it contains a control character");
        }
        Ok(Self {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port,
            path,
        })
    }
}

impl fmt::Display for SshUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ssh://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        let slash = if self.path.starts_with('/') { "" } else { "/" };
        write!(f, "{slash}{}", self.path)
    }
}

fn user_and_host(authority: &str) -> (Option<&str>, &str) {
    match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    }
}

/// Splits an authority without user. A host cannot begin with a hyphen, or contain anything that a
/// shell, `ssh` or an HTTP server treats specially.
fn host_and_port(authority: &str) -> Result<(&str, Option<u16>), &'static str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or("its IPv6 address has no ]")?;
            host.parse::<std::net::Ipv6Addr>()
                .map_err(|_| "the text in brackets is not an IPv6 address")?;
            (host, port.strip_prefix(':'))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let is_name = !host.starts_with('-') && host.chars().all(plain);
    if host.is_empty() {
        return Err("it has no host");
    }
    if !is_name && !host.contains(':') {
        return Err("its host contains other characters than letters, digits and ._-");
    }
    let port = port.filter(|port| !port.is_empty()).map(str::parse::<u16>);
    match port.transpose() {
        Ok(Some(0)) | Err(_) => Err("its port is not a number from 1 to 65535"),
        Ok(port) => Ok((host, port)),
    }
}

/// The path of a `file://` URL.
fn local(rest: &str) -> Result<PathBuf, &'static str> {
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    if !path.starts_with('/') {
        return Err("a file:// URL has three slashes and an absolute path");
    }
    let path = percent_decode_str(path)
        .decode_utf8()
        .map_err(|_| "its path is not valid UTF-8")?;
    if path.chars().any(char::is_control) {
        Err("it contains a control character")
    } else {
        Ok(PathBuf::from(path.as_ref()))
    }
}

/// The refused text, without what could be a secret: everything before the last `@`, and a query.
pub(super) fn shown(text: &str) -> String {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), text),
    };
    let rest = match rest.rsplit_once('@') {
        Some((_, rest)) => format!("***@{rest}"),
        None => rest.to_owned(),
    };
    let rest = match rest.split_once(['?', '#']) {
        Some((rest, _)) => format!("{rest}?***"),
        None => rest,
    };
    format!("{scheme}{rest}").escape_debug().to_string()
}

#[cfg(test)]
#[path = "url_tests.rs"]
mod tests;
