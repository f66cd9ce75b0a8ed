//! Why a SuperLink cannot be asked at an address, or with a token, before anything is sent there.

use thiserror::Error;

/// Why an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// Not a URL with a scheme and a host.
    #[error("the address is not a URL like https://superlink.example.org:8000")]
    NotAUrl,
    /// A token that cannot be one.
    #[error("the token is empty, or has characters that no token has")]
    Token,
    /// A token that cannot be read.
    #[error("the token cannot be read from {path:?}: {cause}")]
    TokenFile {
        /// The file.
        path: String,
        /// The cause's own words.
        cause: String,
    },
    /// A token that everyone on the way could read.
    #[error("a token was given, but the address is without TLS")]
    TokenWithoutTls,
    /// A kube:// address that is not of a pod's object.
    #[error("the address is not of the form kube://namespace/name")]
    NotAPod,
    /// None of http, https, grpc and grpcs.
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
    /// https or grpcs without a CA certificate.
    #[error("the address uses TLS, but no CA certificate was given to trust")]
    NoAuthority,
    /// http or grpc with a CA certificate.
    #[error("a CA certificate was given, but the address does not use TLS and trusts anyone")]
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
                "Write it as https://host:port, or http://host:port for a SuperLink without TLS; up to Flower 1.36 as grpcs://host:port or grpc://host:port."
            }
            Self::Token | Self::TokenFile { .. } => {
                "Check `control_token`, or the file that `token_file` names: it holds the token and nothing else."
            }
            Self::TokenWithoutTls => "Use an address with TLS, or leave `token_file` out.",
            Self::NotAPod => "Use `flower_superlink.NAME.control` whole.",
            Self::Scheme { .. } => {
                "Use https://, or http:// for a SuperLink without TLS; up to Flower 1.36 grpcs:// or grpc://."
            }
            Self::NoAuthority => {
                "Give the certificate of the authority that signed the SuperLink's certificate, as PEM."
            }
            Self::AuthorityWithoutTls => {
                "Use https:// (up to Flower 1.36 grpcs://), or leave the CA certificate out."
            }
            Self::Authority { .. } => {
                "Give one or more certificates as PEM, each between BEGIN CERTIFICATE and END CERTIFICATE."
            }
        };
        Some(text.to_owned())
    }
}
