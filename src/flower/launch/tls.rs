//! TLS on a command line: explicitly off, or a complete set of files.

use super::push;

/// The TLS settings of a SuperLink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerTls {
    /// Without TLS.
    Insecure,
    /// With a certificate. Paths are those that the process sees.
    Files {
        /// The certificate chain.
        certificate: String,
        /// The private key.
        key: String,
        /// The CA certificate, which the SuperLink's own SuperExec trusts.
        ca: String,
    },
}

impl ServerTls {
    pub(super) fn push(&self, args: &mut Vec<String>) {
        match self {
            Self::Insecure => args.push("--insecure".to_owned()),
            Self::Files {
                certificate,
                key,
                ca,
            } => {
                push(args, "--ssl-ca-certfile", ca);
                push(args, "--ssl-certfile", certificate);
                push(args, "--ssl-keyfile", key);
            }
        }
    }

    /// The settings of a client of this server.
    pub(super) fn client(&self) -> ClientTls {
        match self {
            Self::Insecure => ClientTls::Insecure,
            Self::Files { ca, .. } => ClientTls::Roots(ca.clone()),
        }
    }
}

/// The TLS settings of a SuperNode or SuperExec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientTls {
    /// Without TLS.
    Insecure,
    /// Trusts only the CA certificates in this file.
    Roots(String),
    /// Trusts the CA certificates of the operating system.
    SystemRoots,
}

impl ClientTls {
    pub(super) fn push(&self, args: &mut Vec<String>) {
        match self {
            Self::Insecure => args.push("--insecure".to_owned()),
            Self::Roots(path) => push(args, "--root-certificates", path),
            Self::SystemRoots => {}
        }
    }
}
