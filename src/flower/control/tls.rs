//! What to do about a SuperLink that TLS does not trust.

use crate::flower::tls::TlsReason;

/// The remedy.
pub(super) const fn remedy(reason: &TlsReason) -> &'static str {
    match reason {
        TlsReason::WrongAuthority => {
            "Set the CA certificate that signed this SuperLink's certificate. If the authority was \
             renewed, set its whole bundle. Without a CA certificate, the authorities of this \
             machine are trusted."
        }
        TlsReason::NameMismatch { .. } => {
            "Use a name or address that is in the certificate, or add this one to the SuperLink's \
             `tls` names."
        }
        TlsReason::Expired { .. } => {
            "Renew the SuperLink's certificate: apply the configuration that manages it."
        }
        TlsReason::NotYetValid { .. } => {
            "Check the clocks of this machine and of the SuperLink's machine."
        }
        TlsReason::NotTls => {
            "Check the port. If this SuperLink runs without TLS on purpose, use http:// instead."
        }
        TlsReason::NoAuthorities { .. } => {
            "Set the CA certificate of the SuperLink, install the package ca-certificates, or set \
             SSL_CERT_FILE."
        }
        TlsReason::Handshake { .. } => "Read the SuperLink's log about the handshake.",
    }
}
