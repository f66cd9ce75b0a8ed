//! Errors of the cluster, with the object, the reason and the remedy.

use kube::client::{AuthError, UpgradeConnectionError};

use super::super::{Concern, ErrorKind, Fault, RuntimeError};
use super::cause::{chain, find};
use super::login::{Login, LoginFault};
use super::request_timeout::NoAnswer;

/// Why an operation in the cluster failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ClusterError {
    #[error("the cluster access {place} cannot be used: {cause}")]
    Config { place: String, cause: String },
    #[error("there are no credentials for the cluster {at}: {fault}")]
    Login { at: String, fault: LoginFault },
    #[error("the cluster at {at} cannot be reached: {cause}")]
    Unreachable { at: String, cause: String },
    #[error("the cluster at {at} did not answer within {seconds} s: it was asked to {asked}")]
    NoAnswer {
        at: String,
        /// Method and path.
        asked: String,
        seconds: u64,
    },
    #[error("{object}: the cluster at {at} answered with status {code}: {words}")]
    Busy {
        object: String,
        at: String,
        code: u16,
        words: String,
    },
    #[error("the cluster at {at} does not accept the credentials: {words}")]
    Unauthenticated { at: String, words: String },
    #[error("the cluster does not allow it: {words}")]
    Forbidden { words: String },
    #[error("a quota is used up: {words}")]
    Quota { words: String },
    #[error("there is no namespace {namespace:?} in the cluster")]
    NoNamespace { namespace: String },
    #[error("{object} is also managed by others: {}", owners(fields))]
    Conflict {
        object: String,
        /// The manager and the field.
        fields: Vec<(String, String)>,
    },
    #[error("the cluster does not accept {object}: {words}")]
    Invalid { object: String, words: String },
    #[error(
        "{object} already exists in the namespace {namespace:?}, and the provider did not \
             create it"
    )]
    Foreign { object: String, namespace: String },
    #[error("{object} still exists after {seconds} s: {why}")]
    Stuck {
        object: String,
        seconds: u64,
        why: String,
        remedy: &'static str,
    },
    #[error(
        "{object} in the namespace {namespace:?} got no address within {seconds} s: {}",
        told(said)
    )]
    NoAddress {
        object: String,
        namespace: String,
        seconds: u64,
        /// Its last events.
        said: Vec<String>,
    },
    #[error("no pod of {object} runs")]
    NoPod { object: String },
    #[error("{object}: {words}")]
    Api { object: String, words: String },
}

impl ClusterError {
    /// Whether a retry is useless until a user changes our credentials or our rights.
    pub(super) const fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Config { .. }
                | Self::Login { .. }
                | Self::Forbidden { .. }
                | Self::Unauthenticated { .. }
        )
    }

    /// Whether a retry may succeed a moment later: the API server restarts, or the connection is
    /// cut.
    pub(super) const fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::NoAnswer { .. } | Self::Busy { .. }
        )
    }

    /// The remedy.
    pub(super) fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::Config { .. } => {
                "Check `kubernetes` in the provider configuration: the file, its context, and \
                 their credentials."
            }
            Self::Login { fault, .. } => fault.remedy(),
            Self::Unreachable { .. } => {
                "Check the address, that this machine may connect to it, and the CA certificate."
            }
            Self::NoAnswer { .. } => {
                "Check the address, and that no firewall, proxy or VPN drops the packets. Apply \
                 again when the cluster answers."
            }
            Self::Busy { .. } => {
                "Apply again when the cluster answers. If the error stays, check its API server \
                 and what is in front of it (proxies, webhooks)."
            }
            Self::Unauthenticated { .. } => {
                "Check the token, client certificate or exec plugin; it may have expired."
            }
            Self::Forbidden { .. } => {
                "Give the provider's account the Role from the provider's documentation, or remove \
                 the rule that forbids the request."
            }
            Self::Quota { .. } => {
                "Raise the ResourceQuota of the namespace, free some of it, or request less in \
                 `kubernetes.resources` and `persistence.size`."
            }
            Self::NoNamespace { .. } => {
                "Create the namespace first (for example with a kubernetes_namespace resource), or \
                 set another one in the provider configuration."
            }
            Self::Conflict { .. } => {
                "Nothing was overwritten. Undo the change with the tool that made it (kubectl \
                 edit, another tool), or write the same value into this configuration."
            }
            Self::Foreign { .. } => "Remove it, or choose another name.",
            Self::Stuck { remedy, .. } => remedy,
            Self::NoAddress { .. } => {
                "The cluster needs a load-balancer controller, such as the cloud provider's or \
                 MetalLB. Without one, set `service = { service_type = \"NodePort\", hostname = \
                 \"…\" }`. Raise `timeouts` if the load balancer only needs more time."
            }
            Self::NoPod { .. } => {
                "Apply the configuration that manages it, which starts it and \
                                   waits for it."
            }
            Self::Invalid { .. } | Self::Api { .. } => return None,
        };
        Some(text.to_owned())
    }

    /// An error about `object`, from the API server or from the connection to it, of a client with
    /// this login.
    pub(super) fn of(error: &kube::Error, object: &str, at: &str, login: &Login) -> Self {
        let at = at.to_owned();
        if let Some(error) = find::<AuthError>(error) {
            let fault = login.fault(error);
            return Self::Login { at, fault };
        }
        if let Some(NoAnswer { asked, limit }) = find::<NoAnswer>(error) {
            return Self::NoAnswer {
                at,
                asked: asked.clone(),
                seconds: limit.as_secs(),
            };
        }
        match error {
            kube::Error::Api(status) => Self::of_status(status, object, &at),
            kube::Error::HyperError(error) => Self::Unreachable {
                at,
                cause: chain(error),
            },
            kube::Error::Service(error) => Self::Unreachable {
                at,
                cause: chain(error.as_ref()),
            },
            kube::Error::UpgradeConnection(UpgradeConnectionError::ProtocolSwitch(status)) => {
                Self::of_upgrade(status.as_u16(), object, &at)
            }
            other => Self::Api {
                object: object.to_owned(),
                words: chain(other),
            },
        }
    }
}

impl From<ClusterError> for RuntimeError {
    fn from(error: ClusterError) -> Self {
        let kind = if error.is_refusal() {
            ErrorKind::Refused
        } else {
            ErrorKind::Other
        };
        let concern = match error {
            ClusterError::NoAddress { .. } => Some(Concern::Exposure),
            _ => None,
        };
        Self::Other(Fault {
            kind,
            concern,
            remedy: error.remedy(),
            error: Box::new(error),
        })
    }
}

/// The events, or a sentence if there are none.
fn told(said: &[String]) -> String {
    if said.is_empty() {
        "no event shows a controller that works on it".to_owned()
    } else {
        format!("its last events are {}", said.join("; "))
    }
}

fn owners(fields: &[(String, String)]) -> String {
    let texts: Vec<_> = fields
        .iter()
        .map(|(manager, field)| format!("{field} by {manager:?}"))
        .collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_cluster_says_is_told_the_same_by_every_runtime() {
        let words = || "no".to_owned();
        let no_address = ClusterError::NoAddress {
            object: words(),
            namespace: words(),
            seconds: 1,
            said: Vec::new(),
        };
        for (error, kind, concern) in [
            (no_address, ErrorKind::Other, Some(Concern::Exposure)),
            (
                ClusterError::Forbidden { words: words() },
                ErrorKind::Refused,
                None,
            ),
            (
                ClusterError::Quota { words: words() },
                ErrorKind::Other,
                None,
            ),
        ] {
            let told = RuntimeError::from(error.clone());
            assert_eq!((told.kind(), told.concern()), (kind, concern));
            assert_eq!(told.to_string(), error.to_string());
            assert_eq!(told.remedy(), error.remedy());
        }
    }
}
