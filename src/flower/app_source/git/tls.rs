//! Trust in HTTPS servers: the machine's authorities, and those of the configuration.
//!
//! Into the provider goes only [`trusting_machine`]; [`TlsReason`] stands for the type of the same
//! name in `flower::control::tls`.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, ClientConfig, RootCertStore};

/// Why there is no trusted connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsReason {
    /// Neither the machine's nor the given authorities signed the certificate.
    WrongAuthority,
    NameMismatch {
        detail: String,
    },
    Expired {
        detail: String,
    },
    NotYetValid {
        detail: String,
    },
    NotTls,
    /// The machine has no authorities, and none was given.
    NoAuthorities {
        detail: String,
    },
    Handshake {
        detail: String,
    },
}

impl fmt::Display for TlsReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongAuthority => {
                f.write_str("its certificate was not signed by a trusted authority")
            }
            Self::NameMismatch { detail } => {
                write!(f, "its certificate is for another name: {detail}")
            }
            Self::Expired { detail } => write!(f, "its certificate has expired: {detail}"),
            Self::NotYetValid { detail } => write!(f, "its certificate is not valid yet: {detail}"),
            Self::NotTls => f.write_str("it does not use TLS"),
            Self::NoAuthorities { detail } => {
                write!(f, "this machine has no certificates of authorities{detail}")
            }
            Self::Handshake { detail } => f.write_str(detail),
        }
    }
}

impl TlsReason {
    /// The remedy.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::WrongAuthority => "Set the CA certificate that signed the server's certificate.",
            Self::NameMismatch { .. } => "Use a name that is in the server's certificate.",
            Self::Expired { .. } => "Ask the server's administrator to renew its certificate.",
            Self::NotYetValid { .. } => "Check the clocks of this machine and of the server.",
            Self::NotTls => "Check the port.",
            Self::NoAuthorities { .. } => {
                "Install the package ca-certificates, set SSL_CERT_FILE, or set a CA certificate."
            }
            Self::Handshake { .. } => "Read the server's log about the handshake.",
        }
    }

    /// Converts the error of a handshake.
    pub(super) fn from_io(error: &std::io::Error) -> Self {
        use CertificateError as E;
        let inner = error.get_ref();
        let inner = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let certificate = match inner {
            Some(rustls::Error::InvalidCertificate(certificate)) => certificate,
            Some(rustls::Error::InvalidMessage(_)) => return Self::NotTls,
            _ => {
                let detail = format!("the handshake failed: {error}");
                return Self::Handshake { detail };
            }
        };
        let detail = certificate.to_string();
        match certificate {
            E::UnknownIssuer | E::BadSignature => Self::WrongAuthority,
            E::NotValidForName | E::NotValidForNameContext { .. } => Self::NameMismatch { detail },
            E::Expired | E::ExpiredContext { .. } => Self::Expired { detail },
            E::NotValidYet | E::NotValidYetContext { .. } => Self::NotYetValid { detail },
            _ => Self::Handshake {
                detail: format!("its certificate was refused: {detail}"),
            },
        }
    }
}

/// Trusts the authorities of this machine and these. `SSL_CERT_FILE` and `SSL_CERT_DIR` replace those
/// of the machine, as for other programs.
pub(super) fn trusting_machine(
    more: &[CertificateDer<'static>],
) -> Result<Arc<ClientConfig>, TlsReason> {
    let machine = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A machine often has a few certificates that cannot be used.
    roots.add_parsable_certificates(machine.certs);
    let failed = |error: rustls::Error| TlsReason::Handshake {
        detail: error.to_string(),
    };
    for authority in more {
        roots.add(authority.clone()).map_err(failed)?;
    }
    if roots.is_empty() {
        let first = machine.errors.first().map(|error| format!(": {error}"));
        return Err(TlsReason::NoAuthorities {
            detail: first.unwrap_or_default(),
        });
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
