//! Why an address or token cannot be used; nothing has been sent yet.

use thiserror::Error;

/// Why an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// Not a URL with a scheme and a host.
    #[error("the address is not a URL like https://superlink.example.org:8000")]
    NotAUrl,
    /// The token is invalid.
    #[error("the token is empty or has invalid characters")]
    Token,
    /// The token cannot be read.
    #[error("the token cannot be read from {path:?}: {cause}")]
    TokenFile {
        /// The file.
        path: String,
        /// The message of the cause.
        cause: String,
    },
    /// The token would be sent without TLS to another machine.
    #[error("a token is set, but the address has no TLS")]
    TokenWithoutTls,
    /// The kube:// address is not that of a pod.
    #[error("the address is not of the form kube://namespace/name")]
    NotAPod,
    /// The scheme is not http, https, grpc or grpcs.
    #[error("the scheme {scheme:?} cannot be used for a Control API")]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// The URL has more parts than scheme, host and port.
    #[error("the address contains {what}, but only scheme, host and port are used")]
    TooMuch {
        /// The additional part.
        what: &'static str,
    },
    /// http or grpc with a CA certificate.
    #[error("a CA certificate is set, but the address does not use TLS")]
    AuthorityWithoutTls,
    /// The CA certificate is invalid.
    #[error("the CA certificate cannot be used: {cause}")]
    Authority {
        /// The reason.
        cause: String,
    },
}

impl EndpointError {
    /// The remedy.
    pub fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::NotAUrl | Self::TooMuch { .. } => {
                "Write it as https://host:port, or http://host:port for a SuperLink without TLS; up to Flower 1.36 as grpcs://host:port or grpc://host:port."
            }
            Self::Token | Self::TokenFile { .. } => {
                "Check `control_token`, or the file in `token_file`: it must contain only the \
                 token."
            }
            Self::TokenWithoutTls => "Use an address with TLS, or remove `token_file`.",
            Self::NotAPod => "Pass the whole `flower_superlink.NAME.control`.",
            Self::Scheme { .. } => {
                "Use https://, or http:// for a SuperLink without TLS; up to Flower 1.36 grpcs:// or grpc://."
            }
            Self::AuthorityWithoutTls => {
                "Use https:// (up to Flower 1.36 grpcs://), or remove the CA certificate."
            }
            Self::Authority { .. } => {
                "Set one or more certificates in PEM format, each between BEGIN CERTIFICATE and \
                 END CERTIFICATE."
            }
        };
        Some(text.to_owned())
    }
}
