//! Git over HTTP, with rustls in place of the OpenSSL that libgit2 would use.
//!
//! The list of refs is one request and each step of a download another. Only the first may be
//! redirected, never from https:// to http://, and the credentials go to the configured server alone:
//! to the server of a redirect no request ever carries them.

use std::error::Error as _;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::TokioExecutor;

use super::super::connect::{Connector, DialError};
use super::error::GitError;
use super::http_exchange::Exchange;
use super::session::Session;
use super::url::HttpUrl;
use crate::error_chain::error_chain;

const REFS: &str = "/info/refs?service=git-upload-pack";
const REFS_TYPE: &str = "application/x-git-upload-pack-advertisement";
const PACK: &str = "/git-upload-pack";
const PACK_TYPE: &str = "application/x-git-upload-pack-result";
const REQUEST_TYPE: &str = "application/x-git-upload-pack-request";
const MOST_REDIRECTS: usize = 5;
/// Servers that show web pages at the same address look for "git/" at the beginning.
const USER_AGENT: &str = concat!(
    "git/2.0 (terraform-provider-flower/",
    env!("CARGO_PKG_VERSION"),
    ")"
);

/// A repository on an HTTP server.
#[derive(Clone)]
pub(super) struct HttpTransport(Arc<Server>);

pub(super) struct Server {
    pub(super) session: Arc<Session>,
    connector: Connector,
    client: Client<Connector, Full<Bytes>>,
    /// The address from the configuration; the credentials are for this server.
    given: HttpUrl,
    /// Where it led to.
    current: Mutex<HttpUrl>,
}

impl HttpTransport {
    pub(super) fn new(session: Arc<Session>, url: &HttpUrl) -> Self {
        let connector = Connector::new(&session.access.authorities, session.limits.connect);
        Self(Arc::new(Server {
            client: Client::builder(TokioExecutor::new()).build(connector.clone()),
            connector,
            session,
            given: url.clone(),
            current: Mutex::new(url.clone()),
        }))
    }
}

impl SmartSubtransport for HttpTransport {
    fn action(
        &self,
        _: &str,
        service: Service,
    ) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        let is_refs = match service {
            Service::UploadPackLs => true,
            Service::UploadPack => false,
            Service::ReceivePackLs | Service::ReceivePack => {
                return Err(git2::Error::from_str("nothing is ever pushed"));
            }
        };
        Ok(Box::new(Exchange::new(self.0.clone(), is_refs)))
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

impl Server {
    /// Gets the list of refs, and follows redirects.
    pub(super) fn refs(&self) -> Result<Response<Incoming>, GitError> {
        for _ in 0..=MOST_REDIRECTS {
            let at = self.at();
            let response = self.send(&at, Method::GET, Bytes::new())?;
            if !response.status().is_redirection() {
                return self.checked(&at, response, REFS_TYPE);
            }
            let next = self.redirected(&at, &response)?;
            *self.current.lock().unwrap_or_else(PoisonError::into_inner) = next;
        }
        Err(self.redirect(&self.at().to_string(), "it redirects too often"))
    }

    pub(super) fn pack(&self, request: Bytes) -> Result<Response<Incoming>, GitError> {
        let at = self.at();
        let response = self.send(&at, Method::POST, request)?;
        if response.status().is_redirection() {
            Err(self.redirect(&at.to_string(), "only the first request may be redirected"))
        } else {
            self.checked(&at, response, PACK_TYPE)
        }
    }

    fn at(&self) -> HttpUrl {
        self.current
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn redirected(&self, at: &HttpUrl, response: &Response<Incoming>) -> Result<HttpUrl, GitError> {
        let location = response.headers().get(header::LOCATION);
        let location = location
            .and_then(|location| location.to_str().ok())
            .unwrap_or("");
        let next = at
            .redirected(location, REFS)
            .map_err(|reason| self.redirect(location, reason))?;
        if at.secure && !next.secure {
            Err(self.redirect(location, "it is not encrypted"))
        } else {
            Ok(next)
        }
    }

    fn redirect(&self, to: &str, reason: &'static str) -> GitError {
        GitError::Redirect {
            at: self.session.at.clone(),
            to: self.session.cause(&super::url::shown(to)),
            reason,
        }
    }

    fn send(
        &self,
        at: &HttpUrl,
        method: Method,
        body: Bytes,
    ) -> Result<Response<Incoming>, GitError> {
        let is_refs = method == Method::GET;
        let (path, accept) = if is_refs {
            (REFS, REFS_TYPE)
        } else {
            (PACK, PACK_TYPE)
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("{at}{path}"))
            .header(header::ACCEPT, accept)
            .header(header::ACCEPT_ENCODING, "identity")
            .header(header::USER_AGENT, USER_AGENT)
            .body(Full::new(body));
        let mut request = request.map_err(|error| self.session.protocol(&error.to_string()))?;
        if !is_refs {
            let kind = http::HeaderValue::from_static(REQUEST_TYPE);
            request.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        if let Some(login) = self.connector.proxy_login(request.uri()) {
            request
                .headers_mut()
                .insert(header::PROXY_AUTHORIZATION, login);
        }
        let login = self
            .session
            .access
            .login
            .as_ref()
            .filter(|_| at.same_origin(&self.given));
        if let Some(login) = login.and_then(super::access::GitLogin::header) {
            request.headers_mut().insert(header::AUTHORIZATION, login);
        }
        let silence = self.session.limits.silence;
        let sent = self.session.wait(silence, self.client.request(request))?;
        sent.map_err(|error| self.failed(&error))
    }

    /// A successful response of the expected type.
    fn checked(
        &self,
        at: &HttpUrl,
        response: Response<Incoming>,
        expected: &str,
    ) -> Result<Response<Incoming>, GitError> {
        let status = response.status();
        if status != StatusCode::OK {
            return Err(self.refused(at, status));
        }
        let kind = response.headers().get(header::CONTENT_TYPE);
        let kind = kind
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or("no content type");
        let kind = kind.split(';').next().unwrap_or(kind).trim();
        let detail = match kind {
            kind if kind == expected => return Ok(response),
            "text/html" => "it answers with a web page".to_owned(),
            "text/plain" if expected == REFS_TYPE => {
                "it serves the files of the repository, but not git's protocol".to_owned()
            }
            other => format!("it answers with {other}"),
        };
        Err(GitError::NotAGitServer {
            at: self.session.at.clone(),
            detail: self.session.cause(&detail),
        })
    }

    fn refused(&self, at: &HttpUrl, status: StatusCode) -> GitError {
        let here = self.session.at.clone();
        let has_login = self.session.access.login.is_some();
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if !has_login => {
                GitError::LoginNeeded { at: here }
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if !at.same_origin(&self.given) => {
                self.redirect(
                    &at.to_string(),
                    "this server needs a login, but the credentials are for another one",
                )
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => GitError::LoginRefused {
                at: here,
                cause: format!("status {}", status.as_u16()),
            },
            StatusCode::NOT_FOUND | StatusCode::GONE => GitError::RepositoryNotFound { at: here },
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => GitError::Connection {
                at: here,
                cause: "the proxy needs a login".to_owned(),
            },
            other => GitError::Status {
                at: here,
                status: other.as_u16(),
            },
        }
    }

    fn failed(&self, error: &ClientError) -> GitError {
        let at = self.session.at.clone();
        let source = error.source();
        let dial = source.and_then(|source| source.downcast_ref::<DialError>());
        match dial {
            Some(DialError::Tls(reason)) => {
                let reason = reason.clone();
                return GitError::Tls { at, reason };
            }
            Some(DialError::TimedOut(after)) => {
                let after = *after;
                return GitError::Timeout { at, after };
            }
            Some(DialError::Unreachable(cause)) => {
                let cause = self.session.cause(cause);
                return GitError::Connection { at, cause };
            }
            None => {}
        }
        let inner = source.and_then(|source| source.downcast_ref::<hyper::Error>());
        if inner.is_some_and(hyper::Error::is_parse) {
            let detail = "it does not answer with HTTP".to_owned();
            return GitError::NotAGitServer { at, detail };
        }
        GitError::Connection {
            at,
            cause: self.session.cause(&error_chain(error)),
        }
    }
}
