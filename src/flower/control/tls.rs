//! The TLS settings of a connection, and readable reasons why it failed.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, ClientConfig, RootCertStore};

/// Why there is no trusted connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsReason {
    /// The given authority did not sign the certificate.
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
                f.write_str("its certificate was not signed by the given CA certificate")
            }
            Self::NameMismatch { detail } => {
                write!(f, "its certificate is for another name: {detail}")
            }
            Self::Expired { detail } => write!(f, "its certificate has expired: {detail}"),
            Self::NotYetValid { detail } => {
                write!(f, "its certificate is not valid yet: {detail}")
            }
            Self::NotTls => f.write_str("it does not use TLS"),
            Self::Handshake { detail } => f.write_str(detail),
        }
    }
}

impl TlsReason {
    /// The remedy.
    pub fn remedy(&self) -> String {
        match self {
            Self::WrongAuthority => {
                "Set the CA certificate that signed this SuperLink's certificate. If the authority \
                 was renewed, set its whole bundle."
            }
            Self::NameMismatch { .. } => {
                "Use a name or address that is in the certificate, or add this one to the SuperLink's `tls` names."
            }
            Self::Expired { .. } => "Renew the SuperLink's certificate: apply the configuration \
                                     that manages it.",
            Self::NotYetValid { .. } => "Check the clocks of this machine and of the SuperLink's \
                                         machine.",
            Self::NotTls => {
                "Check the port. If this SuperLink runs without TLS on purpose, use http:// instead."
            }
            Self::Handshake { .. } => "Read the SuperLink's log about the handshake.",
        }
        .to_owned()
    }

    /// Converts the error of a handshake.
    pub(super) fn from_io(error: &std::io::Error) -> Self {
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
            _ => Self::Handshake {
                detail: format!("its certificate was refused: {detail}"),
            },
        }
    }
}

/// Trusts only these authorities.
pub(super) fn trusting(
    authorities: &[CertificateDer<'static>],
) -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority.clone())?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
