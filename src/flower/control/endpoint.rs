//! The address of a Control API, parsed and checked before anything is sent there.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use http::Uri;
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, ServerName};
use zeroize::Zeroizing;

use super::endpoint_error::EndpointError;
pub use super::scheme::Protocol;
use super::scheme::Scheme;
use super::token::{AccountToken, Login, TokenFile};
use crate::flower::tls::{TlsReason, authorities, trusting, trusting_machine};
use crate::pod_address::PodAddress;

/// The address of a Control API, and the CA certificates to trust. Two endpoints are equal if both
/// are the same.
#[derive(Clone)]
pub struct ControlEndpoint {
    host: String,
    port: u16,
    protocol: Protocol,
    trust: Option<Trust>,
    /// The pod, if the SuperLink listens only inside it.
    pod: Option<PodAddress>,
    /// The credentials for a SuperLink with accounts.
    login: Option<Arc<Login>>,
}

/// The port of the Control API in a pod, unless it uses gRPC.
const POD_PORT: u16 = 8000;
/// A name that the certificate of every SuperLink has.
const POD_HOST: &str = "localhost";

#[derive(Clone)]
pub(super) struct Trust {
    /// Empty for those of this machine.
    authorities: Vec<CertificateDer<'static>>,
    pub(super) name: ServerName<'static>,
    /// `None` for the authorities of this machine, which the first connection reads.
    config: Option<Arc<ClientConfig>>,
}

impl ControlEndpoint {
    /// Parses `http://host:port`, `https://…`, `grpc://…` or `grpcs://…`. The default port depends
    /// on the scheme (80, 443, 9093).
    ///
    /// With TLS, only `ca_certificate` (PEM) is trusted or, without it, the authorities of this
    /// machine.
    pub fn parse(url: &str, ca_certificate: Option<&str>) -> Result<Self, EndpointError> {
        match Address::parse(url)? {
            Address::Pod(pod) => Ok(Self {
                host: POD_HOST.to_owned(),
                port: POD_PORT,
                protocol: Protocol::Either,
                // TLS if there is a CA certificate.
                trust: ca_certificate
                    .map(|pem| Trust::parse(POD_HOST, pem))
                    .transpose()?,
                pod: Some(pod),
                login: None,
            }),
            Address::Server { scheme, host, port } => Ok(Self {
                trust: match (scheme.has_tls(), ca_certificate) {
                    (false, None) => None,
                    (false, Some(_)) => return Err(EndpointError::AuthorityWithoutTls),
                    (true, None) => Some(Trust::of_machine(&host)?),
                    (true, Some(pem)) => Some(Trust::parse(&host, pem)?),
                },
                host,
                port,
                protocol: scheme.protocol(),
                pod: None,
                login: None,
            }),
        }
    }

    /// Whether two URLs name the same SuperLink. The protocol and TLS may differ: they can change
    /// with its release and its settings.
    pub fn is_same_place(one: &str, other: &str) -> bool {
        match (Address::parse(one), Address::parse(other)) {
            (Ok(one), Ok(other)) => one.is_same_place(&other),
            _ => one == other,
        }
    }

    /// Sets the protocol of a pod. The scheme of an address with a host already tells the protocol,
    /// so such an endpoint stays unchanged.
    #[must_use]
    pub fn speaking(self, protocol: Protocol) -> Self {
        match self.pod {
            None => self,
            Some(_) => Self { protocol, ..self },
        }
    }

    /// Adds the token in this file, which identifies an account.
    pub fn with_token_file(self, path: &Path) -> Result<Self, EndpointError> {
        if !self.keeps_secrets() {
            return Err(EndpointError::TokenWithoutTls);
        }
        Ok(self.with_login(Login::File(TokenFile::open(path)?)))
    }

    /// Adds this token, which identifies an account, unless it would be sent without TLS to another
    /// machine.
    #[must_use]
    pub fn with_token(self, token: &AccountToken) -> Self {
        if self.keeps_secrets() {
            self.with_login(Login::Given(token.clone()))
        } else {
            self
        }
    }

    fn with_login(self, login: Login) -> Self {
        Self {
            login: Some(Arc::new(login)),
            ..self
        }
    }

    /// Whether what is sent stays secret: with TLS, or on this machine.
    pub fn keeps_secrets(&self) -> bool {
        self.trust.is_some() || self.is_loopback()
    }

    /// The credentials.
    pub(super) fn login(&self) -> Option<Arc<Login>> {
        self.login.clone()
    }

    /// The current token, which must be masked.
    pub fn secret(&self) -> Option<Zeroizing<String>> {
        self.login.as_ref().map(|login| login.current())
    }

    /// The pod of a SuperLink that listens only inside it.
    pub const fn pod(&self) -> Option<&PodAddress> {
        self.pod.as_ref()
    }

    /// The protocol.
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The host name or IP address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The address for messages.
    pub fn at(&self) -> String {
        match &self.pod {
            Some(pod) => pod.to_string(),
            None => self.address(),
        }
    }

    /// host:port.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Whether the traffic stays on this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    pub(super) fn trust(&self) -> Option<&Trust> {
        self.trust.as_ref()
    }

    fn authorities(&self) -> &[CertificateDer<'static>] {
        self.trust.as_ref().map_or(&[], |trust| &trust.authorities)
    }
}

/// The parts of a URL.
enum Address {
    Server {
        scheme: Scheme,
        host: String,
        port: u16,
    },
    Pod(PodAddress),
}

fn is_loopback(host: &str) -> bool {
    let address = host.parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

impl Address {
    fn parse(url: &str) -> Result<Self, EndpointError> {
        let uri: Uri = url.parse().map_err(|_| EndpointError::NotAUrl)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(EndpointError::NotAUrl);
        };
        if PodAddress::has_scheme(scheme) {
            let pod = PodAddress::parse(url).ok_or(EndpointError::NotAPod)?;
            return Ok(Self::Pod(pod));
        }
        let scheme = Scheme::parse(scheme).ok_or_else(|| EndpointError::Scheme {
            scheme: scheme.to_owned(),
        })?;
        let too_much = |what| Err(EndpointError::TooMuch { what });
        if authority.as_str().contains('@') {
            return too_much("a user name or password");
        }
        if uri.query().is_some() || url.contains('#') {
            return too_much("a query or fragment");
        }
        if !matches!(uri.path(), "" | "/") {
            return too_much("a path");
        }
        let port = match authority.port() {
            Some(port) => port.as_u16(),
            // The http crate ignores an empty or too large port without an error.
            None if authority.as_str() != authority.host() => return Err(EndpointError::NotAUrl),
            None => scheme.usual_port(),
        };
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_ascii_lowercase();
        if host.is_empty() || port == 0 {
            return Err(EndpointError::NotAUrl);
        }
        Ok(Self::Server { scheme, host, port })
    }

    /// Whether both lead to the same host and port, or to the same pod.
    fn is_same_place(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Server { host, port, .. },
                Self::Server {
                    host: other,
                    port: other_port,
                    ..
                },
            ) => host == other && port == other_port,
            (Self::Pod(pod), Self::Pod(other)) => pod == other,
            (Self::Server { .. }, Self::Pod(_)) | (Self::Pod(_), Self::Server { .. }) => false,
        }
    }
}

impl Trust {
    /// Trusts the authorities of this machine.
    fn of_machine(host: &str) -> Result<Self, EndpointError> {
        Ok(Self {
            authorities: Vec::new(),
            name: ServerName::try_from(host.to_owned()).map_err(|_| EndpointError::NotAUrl)?,
            config: None,
        })
    }

    /// The TLS settings of a connection.
    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, TlsReason> {
        match &self.config {
            Some(config) => Ok(Arc::clone(config)),
            None => trusting_machine(&[]),
        }
    }

    fn parse(host: &str, pem: &str) -> Result<Self, EndpointError> {
        let refused = |cause: String| EndpointError::Authority { cause };
        let authorities = authorities(pem).map_err(|error| refused(error.to_string()))?;
        Ok(Self {
            config: Some(trusting(&authorities).map_err(|error| refused(error.to_string()))?),
            name: ServerName::try_from(host.to_owned()).map_err(|_| EndpointError::NotAUrl)?,
            authorities,
        })
    }
}

impl PartialEq for ControlEndpoint {
    fn eq(&self, other: &Self) -> bool {
        (&self.host, self.port, &self.pod, self.authorities())
            == (&other.host, other.port, &other.pod, other.authorities())
            && self.trust.is_some() == other.trust.is_some()
            && self.protocol == other.protocol
            && self.login == other.login
    }
}

impl Eq for ControlEndpoint {}

impl Hash for ControlEndpoint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.host, self.port, &self.pod, self.protocol).hash(state);
        self.trust.is_some().hash(state);
        self.login.hash(state);
        for authority in self.authorities() {
            authority.as_ref().hash(state);
        }
    }
}

impl fmt::Display for ControlEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(pod) = &self.pod {
            return pod.fmt(f);
        }
        let scheme = Scheme::of(self.protocol, self.trust.is_some());
        write!(f, "{}://{}", scheme.as_str(), self.address())
    }
}

impl fmt::Debug for ControlEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ControlEndpoint({self})")
    }
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
