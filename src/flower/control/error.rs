//! What can go wrong with a call, told apart by what can be done about it.
//!
//! The line that matters most runs between "nothing was sent", "the server said no" and "no reply
//! came": only the first may be tried again blindly, and only the last leaves it open whether a run
//! was started. [`ControlError::never_sent`] and [`ControlError::outcome_unknown`] draw it.

use std::time::Duration;

use thiserror::Error;

use super::call::Call;
use super::tls::TlsReason;
use crate::flower::version::FlowerVersion;

/// A refusal: which server, what it was asked for, and its own words.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the SuperLink at {at} refused to {}: {words}", call.purpose())]
pub struct Answer {
    /// host:port of the server.
    pub at: String,
    /// What it was asked for.
    pub call: Call,
    /// What it said.
    pub words: String,
}

/// A failed call.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ControlError {
    /// The run or node does not exist there.
    #[error("{0}")]
    NotFound(Answer),
    /// The run is not running any more.
    #[error("{0}")]
    AlreadyFinished(Answer),
    /// A node with this public key was registered before, or is registered now.
    #[error("{0}")]
    KeyInUse(Answer),
    /// Not a public key on a NIST curve, as PEM.
    #[error("{0}")]
    KeyInvalid(Answer),
    /// The app does not know a key of the run configuration.
    #[error("{0}")]
    ConfigInvalid(Answer),
    /// The server wants an account.
    #[error("{0}")]
    Unauthenticated(Answer),
    /// The server takes SuperNodes only after they were registered.
    #[error("{0}")]
    RegistrationDisabled(Answer),
    /// The federation does not exist or is not ours.
    #[error("{0}")]
    FederationMissing(Answer),
    /// Any other refusal.
    #[error("{0}")]
    Refused(Answer),
    /// The app bundle is larger than the server, or what stands before it, takes.
    #[error("{0}")]
    TooLarge(Answer),
    /// Nobody answers there, or the server says that it is not ready.
    #[error("cannot reach the SuperLink at {at}: {cause}")]
    Unavailable {
        /// host:port of the server.
        at: String,
        /// True if there was no connection, so that nothing can have happened.
        never_connected: bool,
        /// The cause's own words.
        cause: String,
    },
    /// There is a server, but no TLS connection to it that can be trusted.
    #[error("the provider does not trust the SuperLink at {at}: {reason}")]
    Tls {
        /// host:port of the server.
        at: String,
        /// What is wrong.
        reason: TlsReason,
    },
    /// No answer in time.
    #[error("the SuperLink at {at} did not {} within {after:?}", call.purpose())]
    Timeout {
        /// host:port of the server.
        at: String,
        /// What it was asked for.
        call: Call,
        /// How long we waited.
        after: Duration,
    },
    /// The way to the server is closed to us; asking again changes nothing.
    #[error("cannot open a connection to the SuperLink at {at}: {cause}")]
    NoAccess {
        /// Where the server is.
        at: String,
        /// The cause's own words.
        cause: String,
    },
    /// The request was sent and the connection broke before the whole reply was here.
    #[error("the connection to the SuperLink at {at} broke after it was asked to {}: {cause}", call.purpose())]
    LostReply {
        /// host:port of the server.
        at: String,
        /// What it was asked for.
        call: Call,
        /// The cause's own words.
        cause: String,
    },
    /// The server's release came before the call did.
    #[error("the Flower version at {at} cannot {}; the first version that can is {since}", call.purpose())]
    Unsupported {
        /// host:port of the server.
        at: String,
        /// What it was asked for.
        call: Call,
        /// The first release with the call.
        since: FlowerVersion,
    },
    /// An answer that no SuperLink of a known release gives.
    #[error("the server at {at} does not {} like a SuperLink: {cause}", call.purpose())]
    Protocol {
        /// host:port of the server.
        at: String,
        /// What it was asked for.
        call: Call,
        /// What is odd.
        cause: String,
    },
}

impl ControlError {
    /// True if the request certainly did not reach the server, so that it may be sent again.
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

    /// True if the server may have done what it was asked for.
    pub const fn outcome_unknown(&self) -> bool {
        matches!(self, Self::LostReply { .. } | Self::Timeout { .. })
    }

    /// True if the same call can succeed a moment later without anyone doing anything.
    pub const fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { .. } | Self::LostReply { .. } | Self::Timeout { .. }
        )
    }

    /// What to do about it.
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
            Self::Tls { reason, .. } => return Some(reason.remedy()),
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
