//! The address of a Control API, parsed and checked before anything is sent there.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use http::Uri;
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use thiserror::Error;

use super::tls;

/// With or without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `http://`
    Http,
    /// `https://`
    Https,
}

/// Where a Control API is and whom to trust there. Two are equal if they lead to the same place with
/// the same trust.
#[derive(Clone)]
pub struct ControlEndpoint {
    host: String,
    port: u16,
    trust: Option<Trust>,
    /// `namespace/name`, when the SuperLink listens for its pod alone.
    pod: Option<String>,
}

/// The port of the Control API within a pod.
const POD_PORT: u16 = 8000;
/// The name that every SuperLink's certificate has besides those that it is dialled by.
const POD_HOST: &str = "localhost";

#[derive(Clone)]
pub(super) struct Trust {
    authorities: Vec<CertificateDer<'static>>,
    pub(super) name: ServerName<'static>,
    pub(super) config: Arc<ClientConfig>,
}

/// Why an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// Not a URL with a scheme and a host.
    #[error("the address is not a URL like https://superlink.example.org:8000")]
    NotAUrl,
    /// A kube:// address that is not of a pod's object.
    #[error("the address is not of the form kube://namespace/name")]
    NotAPod,
    /// Neither http nor https.
    #[error("the scheme {scheme:?} cannot be used for a Control API")]
    Scheme {
        /// The scheme as given.
        scheme: String,
    },
    /// There is more in the URL than scheme, host and port.
    #[error("the address contains {what}, but only scheme, host and port are used")]
    TooMuch {
        /// What there is too much.
        what: &'static str,
    },
    /// https without a CA certificate.
    #[error("the address uses https, but no CA certificate was given to trust")]
    NoAuthority,
    /// http with a CA certificate.
    #[error("a CA certificate was given, but the address uses http, which trusts anyone")]
    AuthorityWithoutTls,
    /// The CA certificate is none.
    #[error("the CA certificate cannot be used: {cause}")]
    Authority {
        /// What is wrong with it.
        cause: String,
    },
}

impl EndpointError {
    /// What to do about it.
    pub fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::NotAUrl | Self::TooMuch { .. } => {
                "Write it as https://host:port, or http://host:port for a SuperLink without TLS."
            }
            Self::NotAPod => "Use `flower_superlink.NAME.control` whole.",
            Self::Scheme { .. } => "Use https://, or http:// for a SuperLink without TLS.",
            Self::NoAuthority => {
                "Give the certificate of the authority that signed the SuperLink's certificate, as PEM."
            }
            Self::AuthorityWithoutTls => "Use https://, or leave the CA certificate out.",
            Self::Authority { .. } => {
                "Give one or more certificates as PEM, each between BEGIN CERTIFICATE and END CERTIFICATE."
            }
        };
        Some(text.to_owned())
    }
}

impl ControlEndpoint {
    /// Parses `http://host:port` or `https://host:port`. A missing port is the scheme's own (80, 443).
    ///
    /// https needs the authority to trust, as PEM; it is then the only one trusted.
    pub fn parse(url: &str, ca_certificate: Option<&str>) -> Result<Self, EndpointError> {
        let uri: Uri = url.parse().map_err(|_| EndpointError::NotAUrl)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(EndpointError::NotAUrl);
        };
        let scheme = match scheme {
            "kube" => return Self::in_pod(&uri, ca_certificate),
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => {
                return Err(EndpointError::Scheme {
                    scheme: other.to_owned(),
                });
            }
        };
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
            // The http crate drops an empty or too large port instead of complaining.
            None if authority.as_str() != authority.host() => return Err(EndpointError::NotAUrl),
            None if scheme == Scheme::Http => 80,
            None => 443,
        };
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_ascii_lowercase();
        if host.is_empty() || port == 0 {
            return Err(EndpointError::NotAUrl);
        }
        let trust = match (scheme, ca_certificate) {
            (Scheme::Http, None) => None,
            (Scheme::Http, Some(_)) => return Err(EndpointError::AuthorityWithoutTls),
            (Scheme::Https, None) => return Err(EndpointError::NoAuthority),
            (Scheme::Https, Some(pem)) => Some(Trust::parse(&host, pem)?),
        };
        Ok(Self {
            host,
            port,
            trust,
            pod: None,
        })
    }

    /// `kube://namespace/name`: TLS when there is an authority to trust.
    fn in_pod(uri: &Uri, ca_certificate: Option<&str>) -> Result<Self, EndpointError> {
        let namespace = uri.authority().map_or("", |authority| authority.as_str());
        let name = uri.path().trim_start_matches('/');
        let is_label = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        if !is_label(namespace) || !is_label(name) || uri.query().is_some() {
            return Err(EndpointError::NotAPod);
        }
        Ok(Self {
            host: POD_HOST.to_owned(),
            port: POD_PORT,
            trust: ca_certificate
                .map(|pem| Trust::parse(POD_HOST, pem))
                .transpose()?,
            pod: Some(format!("{namespace}/{name}")),
        })
    }

    /// `namespace/name` of a SuperLink that listens for its pod alone.
    pub fn pod(&self) -> Option<&str> {
        self.pod.as_deref()
    }

    /// With or without TLS.
    pub const fn scheme(&self) -> Scheme {
        if self.trust.is_some() {
            Scheme::Https
        } else {
            Scheme::Http
        }
    }

    /// Host name or address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Where it is, as messages name it.
    pub fn at(&self) -> String {
        match &self.pod {
            Some(pod) => format!("kube://{pod}"),
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

    /// True if traffic does not leave the machine.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self
                .host
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    }

    pub(super) fn trust(&self) -> Option<&Trust> {
        self.trust.as_ref()
    }

    fn authorities(&self) -> &[CertificateDer<'static>] {
        self.trust.as_ref().map_or(&[], |trust| &trust.authorities)
    }
}

impl Trust {
    fn parse(host: &str, pem: &str) -> Result<Self, EndpointError> {
        let refused = |cause: String| EndpointError::Authority { cause };
        let authorities = CertificateDer::pem_slice_iter(pem.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| refused(error.to_string()))?;
        if authorities.is_empty() {
            return Err(refused("it contains no certificate".to_owned()));
        }
        Ok(Self {
            config: tls::trusting(&authorities).map_err(|error| refused(error.to_string()))?,
            name: ServerName::try_from(host.to_owned()).map_err(|_| EndpointError::NotAUrl)?,
            authorities,
        })
    }
}

impl PartialEq for ControlEndpoint {
    fn eq(&self, other: &Self) -> bool {
        (&self.host, self.port, &self.pod, self.authorities())
            == (&other.host, other.port, &other.pod, other.authorities())
            && self.scheme() == other.scheme()
    }
}

impl Eq for ControlEndpoint {}

impl Hash for ControlEndpoint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.host, self.port, &self.pod, self.scheme()).hash(state);
        for authority in self.authorities() {
            authority.as_ref().hash(state);
        }
    }
}

impl fmt::Display for ControlEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(pod) = &self.pod {
            return write!(f, "kube://{pod}");
        }
        let scheme = match self.scheme() {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(f, "{scheme}://{}", self.address())
    }
}

impl fmt::Debug for ControlEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ControlEndpoint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority() -> String {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().pem()
    }

    fn parse(url: &str) -> Result<String, EndpointError> {
        ControlEndpoint::parse(url, None).map(|endpoint| endpoint.to_string())
    }

    #[test]
    fn an_address_is_scheme_host_and_port() {
        assert_eq!(
            parse("http://127.0.0.1:8000").unwrap(),
            "http://127.0.0.1:8000"
        );
        assert_eq!(parse("http://[::1]:8000/").unwrap(), "http://[::1]:8000");
        assert_eq!(
            parse("http://SuperLink.example").unwrap(),
            "http://superlink.example:80"
        );
        for url in [
            "",
            "127.0.0.1:8000",
            "superlink",
            "http://",
            "http://h:0",
            "http://h:99999",
            "http://h:x",
        ] {
            assert_eq!(parse(url), Err(EndpointError::NotAUrl), "{url}");
        }
        assert!(
            matches!(parse("grpc://h:9093"), Err(EndpointError::Scheme { scheme }) if scheme == "grpc")
        );
        for url in [
            "http://h:1/x",
            "http://h:1/?q",
            "http://u:secret@h:1",
            "http://h:1/#f",
        ] {
            assert!(
                matches!(parse(url), Err(EndpointError::TooMuch { .. })),
                "{url}"
            );
        }
        assert!(
            !parse("http://u:secret@h:1")
                .unwrap_err()
                .to_string()
                .contains("secret")
        );
    }

    #[test]
    fn trust_belongs_to_https_and_to_nothing_else() {
        let ca = authority();
        let https = ControlEndpoint::parse("https://h", Some(&ca)).unwrap();
        assert_eq!(https.to_string(), "https://h:443");
        assert_eq!(parse("https://h"), Err(EndpointError::NoAuthority));
        assert_eq!(
            ControlEndpoint::parse("http://h", Some(&ca)),
            Err(EndpointError::AuthorityWithoutTls)
        );
        for pem in [
            "",
            "no pem",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            assert!(
                matches!(
                    ControlEndpoint::parse("https://h", Some(pem)),
                    Err(EndpointError::Authority { .. })
                ),
                "{pem}"
            );
        }
    }

    #[test]
    fn the_same_place_with_other_trust_is_another_endpoint() {
        let (one, other) = (authority(), authority());
        let endpoint = |ca: &str| ControlEndpoint::parse("https://h:1", Some(ca)).unwrap();
        assert_eq!(endpoint(&one), endpoint(&format!("\n{one}\n")));
        assert_ne!(endpoint(&one), endpoint(&other));
    }

    #[test]
    fn a_pod_is_named_by_namespace_and_name() {
        let endpoint = ControlEndpoint::parse("kube://fl-a/superlink-main", None).unwrap();
        assert_eq!(endpoint.pod(), Some("fl-a/superlink-main"));
        assert_eq!(endpoint.to_string(), "kube://fl-a/superlink-main");
        assert_eq!(endpoint.address(), "localhost:8000");
        let ca = authority();
        assert_ne!(
            endpoint,
            ControlEndpoint::parse("kube://fl-a/superlink-main", Some(&ca)).unwrap()
        );
        assert_ne!(
            endpoint,
            ControlEndpoint::parse("kube://fl-b/superlink-main", None).unwrap()
        );
        for url in [
            "kube://a",
            "kube://a/",
            "kube://a/b/c",
            "kube://a:1/b",
            "kube://a/b?c",
            "kube:///b",
        ] {
            assert!(ControlEndpoint::parse(url, None).is_err(), "{url}");
        }
    }

    #[test]
    fn loopback_is_recognized() {
        for (url, loopback) in [
            ("http://127.0.0.9:1", true),
            ("http://localhost:1", true),
            ("http://[::1]:1", true),
            ("http://10.0.0.1:1", false),
            ("http://localhost.example:1", false),
        ] {
            assert_eq!(
                ControlEndpoint::parse(url, None).unwrap().is_loopback(),
                loopback,
                "{url}"
            );
        }
    }
}
