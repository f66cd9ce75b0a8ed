//! TLS on a command line: either off, in so many words, or a complete set of files.

use super::push;

/// How a SuperLink serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerTls {
    /// Without TLS.
    Insecure,
    /// With a certificate. Paths are those the process sees.
    Files {
        /// Certificate chain.
        certificate: String,
        /// Its private key.
        key: String,
        /// The authority that signed it; also what the SuperLink's own SuperExec trusts.
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

    /// What a client of this server needs.
    pub(super) fn client(&self) -> ClientTls {
        match self {
            Self::Insecure => ClientTls::Insecure,
            Self::Files { ca, .. } => ClientTls::Roots(ca.clone()),
        }
    }
}

/// How a SuperNode or SuperExec connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientTls {
    /// Without TLS.
    Insecure,
    /// Trusting the authorities in this file, and no others.
    Roots(String),
    /// Trusting what the system trusts.
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
