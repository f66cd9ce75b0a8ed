//! Opens connections to HTTP and HTTPS servers, through a proxy if the environment names one, and
//! reports why one failed.
//!
//! Errors name host and port only: the address of a proxy may contain its password.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::flower::link::Link;
use crate::flower::tls::{Broken, TlsReason, handshake, trusting_machine};

/// The longest answer of a proxy.
const LONGEST_ANSWER: usize = 8 * 1024;

/// Why there is no connection.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum DialError {
    #[error("no connection was possible within {0:?}")]
    TimedOut(Duration),
    #[error("{0}")]
    Unreachable(String),
    #[error("{0}")]
    Tls(TlsReason),
}

impl From<Broken> for DialError {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Off(cause) => Self::Unreachable(cause),
            Broken::Refused(reason) => Self::Tls(reason),
        }
    }
}

/// The connector of the HTTP client.
#[derive(Clone)]
pub(super) struct Connector {
    deadline: Duration,
    proxies: Arc<Matcher>,
    authorities: Arc<[CertificateDer<'static>]>,
    /// Made for the first HTTPS connection.
    trust: Arc<OnceLock<Result<Arc<ClientConfig>, TlsReason>>>,
}

impl Connector {
    /// Uses the proxies of `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`.
    pub(super) fn new(authorities: &[CertificateDer<'static>], deadline: Duration) -> Self {
        Self {
            deadline,
            proxies: Arc::new(Matcher::from_env()),
            authorities: authorities.into(),
            trust: Arc::default(),
        }
    }

    /// The login for the proxy of an unencrypted request, which goes into the request itself.
    pub(super) fn proxy_login(&self, uri: &Uri) -> Option<HeaderValue> {
        let proxy = self.proxies.intercept(uri)?;
        proxy.basic_auth().filter(|_| !is_secure(uri)).cloned()
    }

    async fn connect(self, uri: Uri) -> Result<TokioIo<Link>, DialError> {
        match tokio::time::timeout(self.deadline, self.open(&uri)).await {
            Ok(opened) => opened.map(TokioIo::new),
            Err(_) => Err(DialError::TimedOut(self.deadline)),
        }
    }

    async fn open(&self, uri: &Uri) -> Result<Link, DialError> {
        let host = uri.host().unwrap_or_default();
        let port = uri
            .port_u16()
            .unwrap_or(if is_secure(uri) { 443 } else { 80 });
        let proxy = self.proxies.intercept(uri);
        let stream = match &proxy {
            Some(proxy) => through(proxy, is_secure(uri).then(|| format!("{host}:{port}"))).await?,
            None => tcp(host, port).await?,
        };
        if !is_secure(uri) {
            return Ok(Link::plain(stream, proxy.is_some()));
        }
        let trust = self
            .trust
            .get_or_init(|| trusting_machine(&self.authorities));
        let trust = trust.clone().map_err(DialError::Tls)?;
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
            .map_err(|error| DialError::Unreachable(error.to_string()))?;
        Ok(Link::direct(handshake(trust, name, stream).await?))
    }
}

fn is_secure(uri: &Uri) -> bool {
    uri.scheme_str() == Some("https")
}

async fn tcp(host: &str, port: u16) -> Result<TcpStream, DialError> {
    let unreachable = |error: io::Error| DialError::Unreachable(error.to_string());
    let address = (host.trim_matches(['[', ']']), port);
    let stream = TcpStream::connect(address).await.map_err(unreachable)?;
    stream.set_nodelay(true).map_err(unreachable)?;
    Ok(stream)
}

/// Connects to a proxy, and through it to `target` if there is one.
async fn through(proxy: &Intercept, target: Option<String>) -> Result<TcpStream, DialError> {
    let host = proxy.uri().host().unwrap_or_default();
    let port = proxy.uri().port_u16().unwrap_or(80);
    let failed = |cause: &str| DialError::Unreachable(format!("the proxy {host}:{port} {cause}"));
    if proxy.uri().scheme_str() != Some("http") {
        return Err(failed(
            "is not an http:// proxy; no other kind is supported",
        ));
    }
    let stream = tcp(host, port).await;
    let mut stream = stream.map_err(|error| failed(&format!("cannot be reached: {error}")))?;
    let Some(target) = target else {
        return Ok(stream);
    };
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").into_bytes();
    if let Some(login) = proxy.basic_auth() {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(login.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    let broken = |error: io::Error| failed(&format!("closed the connection: {error}"));
    stream.write_all(&request).await.map_err(broken)?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") && answer.len() < LONGEST_ANSWER {
        // One byte at a time: what follows belongs to the server behind the proxy.
        answer.push(stream.read_u8().await.map_err(broken)?);
    }
    match answer.split(|byte| *byte == b' ').nth(1) {
        Some(b"200") => Ok(stream),
        Some(b"407") => Err(failed("needs a login; add it to the variable HTTPS_PROXY")),
        Some(status) => Err(failed(&format!(
            "refuses to connect to {target}: status {}",
            String::from_utf8_lossy(status).escape_debug()
        ))),
        None => Err(failed("does not answer with HTTP")),
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Link>;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}
