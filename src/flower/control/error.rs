//! The errors of a call, grouped by the possible remedy.
//!
//! The most important distinction is between "nothing was sent", "the server refused" and "no
//! reply": only after the first may a call be repeated without a check, and only after the last is
//! it unknown whether a run was started. [`ControlError::never_sent`] and
//! [`ControlError::outcome_unknown`] tell them apart.

use std::time::Duration;

use thiserror::Error;

use super::call::Call;
use super::tls;
use crate::flower::tls::TlsReason;
use crate::flower::version::FlowerVersion;

/// A refusal: the server, the call, and the reason that the server gave.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the SuperLink at {at} refused to {}: {words}", call.purpose())]
pub struct Answer {
    /// host:port of the server.
    pub at: String,
    /// The call.
    pub call: Call,
    /// The reason that the server gave.
    pub words: String,
}

/// A failed call.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ControlError {
    /// The run or node does not exist.
    #[error("{0}")]
    NotFound(Answer),
    /// The run has already ended.
    #[error("{0}")]
    AlreadyFinished(Answer),
    /// A node with this public key is or was registered.
    #[error("{0}")]
    KeyInUse(Answer),
    /// The key is not a public key on a NIST curve in PEM format.
    #[error("{0}")]
    KeyInvalid(Answer),
    /// The app does not declare a key of the run configuration.
    #[error("{0}")]
    ConfigInvalid(Answer),
    /// The server requires an account.
    #[error("{0}")]
    Unauthenticated(Answer),
    /// The server accepts only registered SuperNodes.
    #[error("{0}")]
    RegistrationDisabled(Answer),
    /// The federation does not exist, or the account may not use it.
    #[error("{0}")]
    FederationMissing(Answer),
    /// Any other refusal.
    #[error("{0}")]
    Refused(Answer),
    /// The app bundle exceeds the limit of the server or of a proxy in front of it.
    #[error("{0}")]
    TooLarge(Answer),
    /// The server is unreachable, or reports that it is not ready.
    #[error("cannot reach the SuperLink at {at}: {cause}")]
    Unavailable {
        /// host:port of the server.
        at: String,
        /// Whether there was no connection at all, so that the call had no effect.
        never_connected: bool,
        /// The message of the cause.
        cause: String,
    },
    /// The server has no trusted TLS connection.
    #[error("the provider does not trust the SuperLink at {at}: {reason}")]
    Tls {
        /// host:port of the server.
        at: String,
        /// The reason.
        reason: TlsReason,
    },
    /// The reply did not arrive in time.
    #[error("the SuperLink at {at} did not {} within {after:?}", call.purpose())]
    Timeout {
        /// host:port of the server.
        at: String,
        /// The call.
        call: Call,
        /// How long the provider waited.
        after: Duration,
    },
    /// Access to the server is not allowed; a retry does not help.
    #[error("cannot open a connection to the SuperLink at {at}: {cause}")]
    NoAccess {
        /// The address of the server.
        at: String,
        /// The message of the cause.
        cause: String,
    },
    /// The request was sent, but the connection broke before the reply was complete.
    #[error("the connection to the SuperLink at {at} broke after it was asked to {}: {cause}", call.purpose())]
    LostReply {
        /// host:port of the server.
        at: String,
        /// The call.
        call: Call,
        /// The message of the cause.
        cause: String,
    },
    /// The release of the server does not have the call.
    #[error("the Flower version at {at} cannot {}; the first version that can is {since}", call.purpose())]
    Unsupported {
        /// host:port of the server.
        at: String,
        /// The call.
        call: Call,
        /// The first release with the call.
        since: FlowerVersion,
    },
    /// The reply is not one of a SuperLink of a known release.
    #[error("the server at {at} does not {} like a SuperLink: {cause}", call.purpose())]
    Protocol {
        /// host:port of the server.
        at: String,
        /// The call.
        call: Call,
        /// What is wrong with the reply.
        cause: String,
    },
}

impl ControlError {
    /// Whether the request certainly did not reach the server, so that it may be sent again.
    pub const fn never_sent(&self) -> bool {
        matches!(
            self,
            Self::Unavailable {
                never_connected: true,
                ..
            } | Self::Tls { .. }
                | Self::NoAccess { .. }
        )
    }

    /// Whether the server may have executed the call.
    pub const fn outcome_unknown(&self) -> bool {
        matches!(self, Self::LostReply { .. } | Self::Timeout { .. })
    }

    /// Whether the same call may succeed a moment later without a change.
    pub const fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { .. } | Self::LostReply { .. } | Self::Timeout { .. }
        )
    }

    /// The remedy, if there is one.
    pub fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::KeyInUse(_) => {
                "Create a new key: a SuperLink registers each key only once. If the SuperNode is \
                 still registered there, you can import it instead."
            }
            Self::KeyInvalid(_) => {
                "Use an elliptic-curve key (P-256, P-384 or P-521), as PEM \"PUBLIC KEY\"."
            }
            Self::ConfigInvalid(_) => {
                "Set only keys that the app declares under [tool.flwr.app.config] in its pyproject.toml."
            }
            Self::Unauthenticated(_) => {
                "Set the token of an account that may do this, in the file of `control.token_file` \
                 or in `control_token` of the provider. Check that the program that writes the \
                 file renews the token before it expires. The log of the SuperLink, or of the \
                 proxy in front of it, contains the reason."
            }
            Self::RegistrationDisabled(_) => {
                "Register the SuperNode's public key with the SuperLink first (`supernodes`)."
            }
            Self::FederationMissing(_) => {
                "Leave `federation` unset for the default federation, or use one that the \
                 SuperLink lists."
            }
            Self::TooLarge(_) => {
                "Remove data from the app: narrow the bundle with `fab-include` and `fab-exclude` \
                 under [tool.flwr.app]. If a proxy in front of the SuperLink refused it, raise the \
                 proxy's limit for requests to 11 MiB."
            }
            Self::Unavailable { .. } => {
                "Check that the SuperLink runs, that this is the address of its Control API, and \
                 that this machine may connect to it."
            }
            Self::NoAccess { .. } => {
                "Give the provider's account the missing rights: for kube:// use the Role in the \
                 provider's documentation."
            }
            Self::Tls { reason, .. } => return Some(tls::remedy(reason).to_owned()),
            Self::LostReply { .. } => {
                "Read the SuperLink's log, check the network to it, then apply again. A SuperLink \
                 with TLS closes a connection without TLS (http://, grpc://): in this case write \
                 https:// or grpcs://, and set `ca_certificate`."
            }
            Self::Timeout { .. } => {
                "Read the SuperLink's log, check the network to it, then apply again."
            }
            Self::Unsupported { since, .. } => {
                return Some(format!(
                    "Run the SuperLink with Flower {since} or newer, or do not use this feature."
                ));
            }
            Self::Protocol { .. } => {
                "Check that the address and port are those of the SuperLink's Control API, that \
                 the scheme is right (http or https from Flower 1.37 on, grpc or grpcs before), \
                 and that the SuperLink has the configured version."
            }
            Self::NotFound(_) | Self::AlreadyFinished(_) | Self::Refused(_) => return None,
        };
        Some(text.to_owned())
    }
}
