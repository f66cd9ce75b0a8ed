//! TLS with servers: whom a connection trusts, and readable reasons why it failed.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Why there is no trusted connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsReason {
    /// No trusted authority signed the certificate.
    WrongAuthority,
    /// The certificate is for other names.
    NameMismatch {
        /// The requested name, in the message of the TLS library.
        detail: String,
    },
    /// The certificate has expired.
    Expired {
        /// When it expired, in the message of the TLS library.
        detail: String,
    },
    /// The certificate is not valid yet.
    NotYetValid {
        /// When it becomes valid, in the message of the TLS library.
        detail: String,
    },
    /// The server does not use TLS.
    NotTls,
    /// This machine has no authorities, and none was given.
    NoAuthorities {
        /// Why they could not be read, if it is known.
        detail: String,
    },
    /// Any other reason.
    Handshake {
        /// The message of the TLS library.
        detail: String,
    },
}

impl fmt::Display for TlsReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongAuthority => {
                f.write_str("its certificate was not signed by a trusted CA certificate")
            }
            Self::NameMismatch { detail } => {
                write!(f, "its certificate is for another name: {detail}")
            }
            Self::Expired { detail } => write!(f, "its certificate has expired: {detail}"),
            Self::NotYetValid { detail } => {
                write!(f, "its certificate is not valid yet: {detail}")
            }
            Self::NotTls => f.write_str("it does not use TLS"),
            Self::NoAuthorities { detail } => {
                write!(f, "this machine has no certificates of authorities{detail}")
            }
            Self::Handshake { detail } => f.write_str(detail),
        }
    }
}

impl TlsReason {
    /// Converts the error of a handshake.
    fn from_io(error: &std::io::Error) -> Self {
        let detail = error.to_string();
        let rustls = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match rustls {
            Some(rustls::Error::InvalidCertificate(certificate)) => {
                Self::from_certificate(certificate)
            }
            Some(rustls::Error::InvalidMessage(_)) => Self::NotTls,
            _ => Self::Handshake {
                detail: format!("the handshake failed: {detail}"),
            },
        }
    }

    fn from_certificate(error: &CertificateError) -> Self {
        use CertificateError as E;
        let detail = error.to_string();
        match error {
            E::UnknownIssuer | E::BadSignature => Self::WrongAuthority,
            E::NotValidForName | E::NotValidForNameContext { .. } => Self::NameMismatch { detail },
            E::Expired | E::ExpiredContext { .. } => Self::Expired { detail },
            E::NotValidYet | E::NotValidYetContext { .. } => Self::NotYetValid { detail },
            // The TLS library has no variant of its own for this frequent mistake.
            _ if detail.contains("CaUsedAsEndEntity") => Self::Handshake {
                detail:
                    "its certificate is that of an authority, which no server may use (CA:TRUE)"
                        .to_owned(),
            },
            _ => Self::Handshake {
                detail: format!("its certificate was refused: {detail}"),
            },
        }
    }
}

/// Trusts only these authorities.
pub(in crate::flower) fn trusting(
    authorities: &[CertificateDer<'static>],
) -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority.clone())?;
    }
    with(roots)
}

/// The authorities of this machine, which are read once.
fn machine() -> Result<RootCertStore, TlsReason> {
    static MACHINE: OnceLock<Result<RootCertStore, TlsReason>> = OnceLock::new();
    let read = || {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        // A machine often has a few certificates that cannot be used.
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let first = found.errors.first().map(|error| format!(": {error}"));
            return Err(TlsReason::NoAuthorities {
                detail: first.unwrap_or_default(),
            });
        }
        Ok(roots)
    };
    MACHINE.get_or_init(read).clone()
}

/// Trusts the authorities of this machine and these. `SSL_CERT_FILE` and `SSL_CERT_DIR` replace those
/// of the machine, as for other programs.
pub(in crate::flower) fn trusting_machine(
    more: &[CertificateDer<'static>],
) -> Result<Arc<ClientConfig>, TlsReason> {
    let failed = |error: rustls::Error| TlsReason::Handshake {
        detail: error.to_string(),
    };
    let mut roots = match machine() {
        // A machine without authorities may still reach servers of those that are given.
        Err(_) if !more.is_empty() => RootCertStore::empty(),
        machine => machine?,
    };
    for authority in more {
        roots.add(authority.clone()).map_err(failed)?;
    }
    with(roots).map_err(failed)
}

/// Why a text holds no authorities.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::flower) enum NoCertificates {
    #[error("{0}")]
    NotPem(String),
    #[error("it contains no certificate")]
    Empty,
}

/// The certificates in a PEM text: one or more.
pub(in crate::flower) fn authorities(
    pem: &str,
) -> Result<Vec<CertificateDer<'static>>, NoCertificates> {
    let all = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
    match all {
        Err(error) => Err(NoCertificates::NotPem(error.to_string())),
        Ok(none) if none.is_empty() => Err(NoCertificates::Empty),
        Ok(all) => Ok(all),
    }
}

/// Why there is no TLS over a connection.
pub(in crate::flower) enum Broken {
    /// The handshake was broken off. It may succeed later: a port-forward or proxy closes it, too,
    /// while the server behind it is not ready.
    Off(String),
    Refused(TlsReason),
}

/// TLS over a connection.
pub(in crate::flower) async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    stream: S,
) -> Result<TlsStream<S>, Broken> {
    let done = TlsConnector::from(config).connect(name, stream).await;
    done.map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => {
            Broken::Off(format!("the TLS handshake was interrupted: {error}"))
        }
        _ => Broken::Refused(TlsReason::from_io(&error)),
    })
}

fn with(roots: RootCertStore) -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
