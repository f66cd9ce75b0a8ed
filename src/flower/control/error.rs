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
    #[error("no trusted TLS connection to the SuperLink at {at}: {reason}")]
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
    #[error("no way to the SuperLink at {at}: {cause}")]
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
    #[error("the release of Flower at {at} cannot {} yet; the first that can is {since}", call.purpose())]
    Unsupported {
        /// host:port of the server.
        at: String,
        /// What it was asked for.
        call: Call,
        /// The first release with the call.
        since: FlowerVersion,
    },
    /// An answer that no SuperLink of a known release gives.
    #[error("what answers at {at} does not {} as a SuperLink would: {cause}", call.purpose())]
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
                "Make a new key: a SuperLink never takes a key again that was registered once. If the node is still registered there, it can be imported instead."
            }
            Self::KeyInvalid(_) => {
                "Use an elliptic-curve key (P-256, P-384 or P-521), as PEM \"PUBLIC KEY\"."
            }
            Self::ConfigInvalid(_) => {
                "Set only keys that the app declares under [tool.flwr.app.config] in its pyproject.toml."
            }
            Self::Unauthenticated(_) => {
                "Give a token of an account that may do this in the file that `token_file` of `control` names, and see that whoever writes it renews it before it expires, or in `control_token` of the provider. The log of the SuperLink, or of the proxy before it, says why it refused."
            }
            Self::RegistrationDisabled(_) => {
                "Register the SuperNode's public key with the SuperLink first (`supernodes`)."
            }
            Self::FederationMissing(_) => {
                "Leave `federation` unset for the default federation, or name one of those the SuperLink lists."
            }
            Self::TooLarge(_) => {
                "Keep data out of the app; narrow the bundle with `fab-include` and `fab-exclude` under [tool.flwr.app]. If a proxy before the SuperLink refused it, raise the proxy's limit for requests to 11 MiB."
            }
            Self::Unavailable { .. } => {
                "Check that the SuperLink runs, that the address is that of its Control API, and that this machine may connect to it."
            }
            Self::NoAccess { .. } => {
                "Give the account of the provider what is missing: for kube:// that is the Role in the provider's documentation."
            }
            Self::Tls { reason, .. } => return Some(reason.remedy()),
            Self::LostReply { .. } => {
                "Look at the SuperLink's log and at what lies between here and there, then apply again. A SuperLink with TLS breaks a connection without TLS (http://, grpc://): then write https:// or grpcs://, and give `ca_certificate`."
            }
            Self::Timeout { .. } => {
                "Look at the SuperLink's log and at what lies between here and there, then apply again."
            }
            Self::Unsupported { since, .. } => {
                return Some(format!(
                    "Run the SuperLink with Flower {since} or newer, or do without this."
                ));
            }
            Self::Protocol { .. } => {
                "Check that the address and port are those of the SuperLink's Control API, that the scheme is right (http or https from Flower 1.37 on, grpc or grpcs before), and that the SuperLink is of the release given."
            }
            Self::NotFound(_) | Self::AlreadyFinished(_) | Self::Refused(_) => return None,
        };
        Some(text.to_owned())
    }
}
