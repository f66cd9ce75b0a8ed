//! What to do about a server that TLS does not trust.

use crate::flower::tls::TlsReason;

/// The remedy.
pub(in crate::flower) const fn remedy(reason: &TlsReason) -> &'static str {
    match reason {
        TlsReason::WrongAuthority => "Set the CA certificate that signed the server's certificate.",
        TlsReason::NameMismatch { .. } => "Use a name that is in the server's certificate.",
        TlsReason::Expired { .. } => "Ask the server's administrator to renew its certificate.",
        TlsReason::NotYetValid { .. } => "Check the clocks of this machine and of the server.",
        TlsReason::NotTls => "Check the port.",
        TlsReason::NoAuthorities { .. } => {
            "Install the package ca-certificates, set SSL_CERT_FILE, or set a CA certificate."
        }
        TlsReason::Handshake { .. } => "Read the server's log about the handshake.",
    }
}
