//! A file on an HTTP server, such as the archive of a release. It goes into a file without a name, so
//! that nothing is left however the process ends.
//!
//! Errors show addresses without their queries, which often hold the signature of a download link.

use std::error::Error as _;
use std::fmt;
use std::fs::File;
use std::io::SeekFrom;
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};

use super::connect::{Connector, DialError};
use crate::flower::tls::{NoCertificates, TlsReason, authorities};

const MOST_REDIRECTS: usize = 5;
const CONNECT: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_mins(1);
const TOTAL: Duration = Duration::from_mins(10);
const USER_AGENT: &str = concat!("terraform-provider-flower/", env!("CARGO_PKG_VERSION"));

/// Why a file cannot be downloaded.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    #[error("{url:?} cannot be downloaded from: {reason}")]
    Url { url: String, reason: &'static str },
    #[error("{at} is not encrypted, so the file needs a `sha256`")]
    Unverified { at: String },
    #[error("{at} is not encrypted, so no token is sent to it")]
    NotEncrypted { at: String },
    #[error("the token or CA certificate for {at} cannot be used: {reason}")]
    Credentials { at: String, reason: &'static str },
    #[error("failed to connect to {at}: {reason}")]
    Tls { at: String, reason: TlsReason },
    #[error("failed to read {at}: {cause}")]
    Connection { at: String, cause: String },
    #[error("{at} sent nothing for {} s", after.as_secs())]
    Timeout { at: String, after: Duration },
    #[error("{at} answered with status {status}")]
    Status { at: String, status: u16 },
    #[error("{at} redirects to {to:?}: {reason}")]
    Redirect {
        at: String,
        to: String,
        reason: &'static str,
    },
    #[error("{at} has more than {most} bytes")]
    TooLarge { at: String, most: u64 },
    #[error("the temporary file for {at} cannot be written: {cause}")]
    Disk { at: String, cause: String },
}

impl RemoteError {
    /// Whether a later attempt may succeed.
    pub const fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Connection { .. }
                | Self::Timeout { .. }
                | Self::Status {
                    status: 429 | 500..=599,
                    ..
                }
        )
    }

    /// The remedy.
    pub fn remedy(&self) -> String {
        match self {
            Self::Url { .. } => "Use an address such as https://host/path/app.tar.gz.",
            Self::Unverified { .. } => "Set `sha256`, or use https://.",
            Self::NotEncrypted { .. } => "Use https://, or remove `token_file`.",
            Self::Credentials { .. } => "Correct `token_file` or `ca_certificate`.",
            Self::Tls { reason, .. } => return super::git::tls_remedy(reason).to_owned(),
            Self::Connection { .. } | Self::Timeout { .. } => {
                "Check host, port and network, and the variables HTTPS_PROXY and NO_PROXY if there \
                 is a proxy."
            }
            Self::Status {
                status: 401 | 403, ..
            } => "Set `token_file`, or check that its token may read the file.",
            Self::Status { status: 404, .. } => {
                "Check the address. Some servers say this, too, if a private file is read without \
                 a token."
            }
            Self::Status { .. } => "Try again later, or ask the server's administrator.",
            Self::Redirect { .. } => {
                "Use the address to which the file has moved. A redirect to a login page means \
                 that the server needs a token."
            }
            Self::TooLarge { .. } => "Use an archive that holds only the app.",
            Self::Disk { .. } => "Check the space in the temporary folder (TMPDIR).",
        }
        .to_owned()
    }
}

/// A file that can be downloaded.
#[derive(Clone)]
pub struct RemoteFile {
    url: Uri,
    authorities: Vec<CertificateDer<'static>>,
    token: Option<HeaderValue>,
}

/// What was downloaded.
#[derive(Debug)]
pub struct Downloaded {
    /// Open at its start.
    pub file: File,
    /// In hexadecimal digits.
    pub sha256: String,
}

/// The token is never shown.
impl fmt::Debug for RemoteFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RemoteFile")
            .field(&shown(&self.url))
            .finish()
    }
}

/// An address in a message: without its query, which may hold a signature, and without a user name
/// and password.
pub(crate) fn shown_address(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (host, path) = rest.find('/').map_or((rest, ""), |end| rest.split_at(end));
    match host.rsplit_once('@') {
        Some((user, host)) if user != "git" => format!("{scheme}://***@{host}{path}"),
        _ => url.to_owned(),
    }
}

/// An address for messages.
fn shown(url: &Uri) -> String {
    let scheme = url.scheme_str().unwrap_or_default();
    let host = url.authority().map_or("", http::uri::Authority::as_str);
    format!("{scheme}://{host}{}", url.path())
}

impl RemoteFile {
    /// Parses an address. `token` is sent as `Authorization: Bearer`; an http:// address needs a
    /// file whose hash is known.
    pub fn new(
        url: &str,
        ca_certificate: Option<&str>,
        token: Option<&str>,
        is_hash_known: bool,
    ) -> Result<Self, RemoteError> {
        let bad = |reason| RemoteError::Url {
            url: shown_address(url),
            reason,
        };
        let text = url.split('#').next().unwrap_or(url);
        let parsed: Uri = text.parse().map_err(|_| bad("it is not a URL"))?;
        match parsed.authority() {
            None => return Err(bad("it has no host")),
            // It would be in states, plans and messages.
            Some(host) if host.as_str().contains('@') => {
                return Err(bad("it contains a user name or password"));
            }
            Some(_) => {}
        }
        let at = shown(&parsed);
        match parsed.scheme_str() {
            Some("http") if !is_hash_known => return Err(RemoteError::Unverified { at }),
            Some("http") if token.is_some() => return Err(RemoteError::NotEncrypted { at }),
            Some("https" | "http") => {}
            _ => return Err(bad("its scheme is not https or http")),
        }
        let credentials = |reason| RemoteError::Credentials {
            at: at.clone(),
            reason,
        };
        let token = token.map(|token| HeaderValue::from_str(&format!("Bearer {token}")));
        let token = token.transpose();
        let mut token = token.map_err(|_| credentials("the token has characters of no token"))?;
        if let Some(token) = &mut token {
            token.set_sensitive(true);
        }
        let authorities = ca_certificate.map(authorities).transpose();
        let authorities = authorities.map_err(|error| {
            credentials(match error {
                NoCertificates::NotPem(_) => "the certificate is not in PEM",
                NoCertificates::Empty => "`ca_certificate` holds no certificate",
            })
        })?;
        Ok(Self {
            url: parsed,
            authorities: authorities.unwrap_or_default(),
            token,
        })
    }

    /// The address for messages.
    pub fn at(&self) -> String {
        shown(&self.url)
    }

    /// Downloads at most this many bytes.
    pub async fn download(&self, most: u64) -> Result<Downloaded, RemoteError> {
        let at = shown(&self.url);
        match tokio::time::timeout(TOTAL, self.get(&at, most)).await {
            Ok(done) => done,
            Err(_) => Err(RemoteError::Timeout { at, after: TOTAL }),
        }
    }

    async fn get(&self, at: &str, most: u64) -> Result<Downloaded, RemoteError> {
        let disk = |error: std::io::Error| RemoteError::Disk {
            at: at.to_owned(),
            cause: error.to_string(),
        };
        let mut body = self.response(at).await?.into_body();
        let file = tempfile::tempfile().map_err(disk)?;
        let mut file = tokio::fs::File::from_std(file);
        let (mut hash, mut size) = (Sha256::new(), 0_u64);
        loop {
            let frame = within(at, body.frame()).await?;
            let Some(frame) = frame else {
                break;
            };
            let frame = frame.map_err(|error| broken(at, &error))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            size += data.len() as u64;
            if size > most {
                let at = at.to_owned();
                return Err(RemoteError::TooLarge { at, most });
            }
            hash.update(&data);
            file.write_all(&data).await.map_err(disk)?;
        }
        file.flush().await.map_err(disk)?;
        file.seek(SeekFrom::Start(0)).await.map_err(disk)?;
        Ok(Downloaded {
            file: file.into_std().await,
            sha256: hex::encode(hash.finalize()),
        })
    }

    /// The response with the file, after redirects.
    async fn response(&self, at: &str) -> Result<Response<Incoming>, RemoteError> {
        let connector = Connector::new(&self.authorities, CONNECT);
        let client = Client::builder(TokioExecutor::new()).build(connector.clone());
        let mut url = self.url.clone();
        for _ in 0..=MOST_REDIRECTS {
            let request = self
                .request(&url, &connector)
                .map_err(|error| broken(at, &error))?;
            let response = within(at, client.request(request)).await?;
            let response = response.map_err(|error| failed(at, &error))?;
            if response.status() == StatusCode::OK {
                return Ok(response);
            }
            if !response.status().is_redirection() {
                return Err(RemoteError::Status {
                    at: at.to_owned(),
                    status: response.status().as_u16(),
                });
            }
            let location = response.headers().get(header::LOCATION);
            let location = location.and_then(|to| to.to_str().ok()).unwrap_or_default();
            url = redirected(&url, location).map_err(|reason| RemoteError::Redirect {
                at: at.to_owned(),
                to: shown_address(location),
                reason,
            })?;
        }
        Err(RemoteError::Redirect {
            at: at.to_owned(),
            to: shown(&url),
            reason: "it redirects too often",
        })
    }

    fn request(&self, url: &Uri, connector: &Connector) -> http::Result<Request<Empty<Bytes>>> {
        let mut request = Request::get(url)
            .header(header::ACCEPT_ENCODING, "identity")
            .header(header::USER_AGENT, USER_AGENT)
            .body(Empty::new())?;
        let headers = request.headers_mut();
        // To nobody else than the server that it is for.
        let same = url.scheme() == self.url.scheme() && url.authority() == self.url.authority();
        if let Some(token) = self.token.clone().filter(|_| same) {
            headers.insert(header::AUTHORIZATION, token);
        }
        if let Some(login) = connector.proxy_login(url) {
            headers.insert(header::PROXY_AUTHORIZATION, login);
        }
        Ok(request)
    }
}

async fn within<T>(at: &str, step: impl Future<Output = T>) -> Result<T, RemoteError> {
    let done = tokio::time::timeout(SILENCE, step).await;
    done.map_err(|_| RemoteError::Timeout {
        at: at.to_owned(),
        after: SILENCE,
    })
}

fn broken(at: &str, error: &dyn std::error::Error) -> RemoteError {
    RemoteError::Connection {
        at: at.to_owned(),
        cause: error.to_string(),
    }
}

fn failed(at: &str, error: &ClientError) -> RemoteError {
    let at = at.to_owned();
    let source = error.source();
    match source.and_then(|source| source.downcast_ref::<DialError>()) {
        Some(DialError::Tls(reason)) => RemoteError::Tls {
            at,
            reason: reason.clone(),
        },
        Some(DialError::TimedOut(after)) => RemoteError::Timeout { at, after: *after },
        Some(DialError::Unreachable(cause)) => RemoteError::Connection {
            at,
            cause: cause.clone(),
        },
        None => RemoteError::Connection {
            at,
            cause: source.map_or_else(|| error.to_string(), ToString::to_string),
        },
    }
}

/// Where a redirect leads.
fn redirected(from: &Uri, location: &str) -> Result<Uri, &'static str> {
    let bad = "it is not a URL";
    let location = location.split('#').next().unwrap_or_default();
    let next: Uri = if location.starts_with("//") {
        let scheme = from.scheme_str().unwrap_or("https");
        format!("{scheme}:{location}").parse().map_err(|_| bad)?
    } else if location.contains("://") {
        location.parse().map_err(|_| bad)?
    } else {
        let path = if location.starts_with('/') {
            location.to_owned()
        } else {
            let folder = from
                .path()
                .rsplit_once('/')
                .map_or("", |(folder, _)| folder);
            format!("{folder}/{location}")
        };
        let mut parts = from.clone().into_parts();
        parts.path_and_query = Some(path.parse::<PathAndQuery>().map_err(|_| bad)?);
        Uri::from_parts(parts).map_err(|_| bad)?
    };
    if next
        .authority()
        .is_none_or(|host| host.as_str().contains('@'))
    {
        return Err("it has no host, or a user name or password");
    }
    match (from.scheme_str(), next.scheme_str()) {
        (Some("https"), Some("http")) => Err("it is not encrypted"),
        (_, Some("https" | "http")) => Ok(next),
        _ => Err("its scheme is not https or http"),
    }
}

#[cfg(test)]
#[path = "remote_file_tests.rs"]
mod tests;
