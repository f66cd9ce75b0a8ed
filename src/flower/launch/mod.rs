//! Command lines and environments of Flower's processes: pure functions, no IO.
//!
//! A runtime asks for the processes of a SuperLink or SuperNode before it starts them, and again on
//! every later plan to see whether they would be started differently. So the same settings always give
//! the same lines, and everything that differs between releases comes from the version table.

mod app_runner;
mod environment;
mod extra_args;
mod superlink;
mod supernode;
mod tls;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use thiserror::Error;

pub use environment::{LogLevel, ProcessEnvironment, refused_variables};
pub use extra_args::refused_arguments;
pub use superlink::{Database, KeyPair, NodeKeys, SuperLinkSettings, superlink_processes};
pub use supernode::{SuperNodeSettings, supernode_processes};
pub use tls::{ClientTls, ServerTls};

use super::node_config::NodeConfigError;

/// Longest argument, and longest `NAME=value`, that Linux starts a process with: `MAX_ARG_STRLEN` without
/// the byte that ends it.
pub(crate) const LONGEST: usize = 128 * 1024 - 1;

/// A process to start: program, arguments and the whole environment that Flower needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchedProcess {
    /// What it is.
    pub role: Role,
    /// Name of the program, to be found in the environment's `bin`.
    pub program: &'static str,
    /// Its arguments, in a fixed order.
    pub args: Vec<String>,
    /// Its environment variables.
    pub env: BTreeMap<String, String>,
    /// Those that the user gave, which may be secrets.
    pub private_env: BTreeMap<String, String>,
    /// The program that it starts beside itself and does not start again: without that it goes on,
    /// and no app runs any more.
    pub keeps: Option<&'static str>,
}

/// The kinds of long-running process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// `flower-superlink`
    SuperLink,
    /// `flower-supernode`
    SuperNode,
    /// `flower-superexec`, beside a SuperLink or SuperNode in process isolation.
    SuperExec,
    /// `flwr-serverapp`, in its place before 1.21.
    ServerApp,
    /// `flwr-clientapp`, in its place before 1.21.
    ClientApp,
}

impl Role {
    /// The program Flower installs for it.
    pub const fn program(self) -> &'static str {
        match self {
            Self::SuperLink => "flower-superlink",
            Self::SuperNode => "flower-supernode",
            Self::SuperExec => "flower-superexec",
            Self::ServerApp => "flwr-serverapp",
            Self::ClientApp => "flwr-clientapp",
        }
    }
}

/// Where apps run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// In child processes that the SuperLink or SuperNode starts itself.
    Subprocess,
    /// In a SuperExec of its own, which we start.
    Process,
}

impl Isolation {
    const fn flag(self) -> &'static str {
        match self {
            Self::Subprocess => "subprocess",
            Self::Process => "process",
        }
    }
}

/// Settings from which no process can be started.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LaunchError {
    /// `extra_args` sets something that has an attribute.
    #[error("`extra_args` contains {flag}, which is set from `{attribute}`")]
    OwnedFlag {
        /// The flag as written.
        flag: String,
        /// The attribute that sets it.
        attribute: &'static str,
    },
    /// `extra_args` sets something that the provider chooses.
    #[error("`extra_args` contains {flag}, which the provider chooses")]
    ChosenFlag {
        /// The flag as written.
        flag: String,
    },
    /// `extra_args` holds a flag with which the program prints something and ends.
    #[error("`extra_args` contains {flag}, which makes the process end at once")]
    EndsAtOnce {
        /// The flag as written.
        flag: String,
    },
    /// `env` sets a variable that has an attribute or that the provider chooses.
    #[error("`env` contains {name}, which {owner}")]
    OwnedVariable {
        /// The variable.
        name: String,
        /// Who sets it.
        owner: &'static str,
    },
    /// `extra_args` holds what the program takes neither for a flag nor for the value of one.
    #[error("`extra_args` contains {argument:?}, which is neither a flag nor the value of one")]
    NotAFlag {
        /// What stands there.
        argument: String,
    },
    /// `extra_args` holds what no process can be given.
    #[error("an entry of `extra_args` has a NUL character in it, which no argument can have")]
    NotAnArgument,
    /// `extra_args` holds more than a process can be given.
    #[error("an entry of `extra_args` has {bytes} bytes; the maximum is {limit} for {}", whole(*limit))]
    LongArgument {
        /// Its length.
        bytes: usize,
        /// The limit that it exceeds, alone or with those before it.
        limit: usize,
    },
    /// `env` holds what no process can be given.
    #[error(
        "`env` contains {name:?}, which is not a valid variable name or has a NUL in its value"
    )]
    NotAVariable {
        /// Its name.
        name: String,
    },
    /// `env` holds more than a process can be given.
    #[error("the variable {name} has {bytes} bytes with its value; the maximum is {limit} for {}", whole(*limit))]
    LongVariable {
        /// Its name.
        name: String,
        /// Its length with its value.
        bytes: usize,
        /// The limit that it exceeds, alone or with those before it.
        limit: usize,
    },
    /// Node keys without TLS: Flower exits with 104 or 303.
    #[error("node keys need TLS, but TLS is off; Flower refuses to start")]
    KeysWithoutTls,
    /// The release knows SuperNodes in another way than the settings say.
    #[error("this Flower release knows SuperNodes in another way than was prepared for")]
    OtherNodeAuth,
    /// The release wants a key pair of the SuperLink itself and none was made.
    #[error("node keys of this Flower release need a key pair of the SuperLink, and none was made")]
    OwnKeyMissing,
    /// The release has a port of its own for apps and none was given.
    #[error("this Flower release serves apps on a port of their own, and none was chosen")]
    AppPortMissing,
    /// The release has a Fleet port of its own and none was given.
    #[error("this Flower release serves SuperNodes on a port of their own, and none was chosen")]
    FleetPortMissing,
    /// The node configuration cannot be written.
    #[error("`node_config`: {0}")]
    NodeConfig(#[from] NodeConfigError),
}

impl LaunchError {
    /// What to do about it.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::OwnedFlag { flag, attribute } => {
                Some(format!("Remove {flag} and set `{attribute}` instead."))
            }
            Self::ChosenFlag { flag } | Self::EndsAtOnce { flag } => {
                Some(format!("Remove {flag} from `extra_args`."))
            }
            Self::OwnedVariable { name, .. } => Some(format!("Remove {name} from `env`.")),
            Self::NotAFlag { .. } => Some(
                "Write a flag and its value as two entries, `\"--flag\", \"value\"`, or as one, \
                 `\"--flag=value\"`."
                    .to_owned(),
            ),
            Self::NotAnArgument => Some("Remove the NUL character.".to_owned()),
            Self::LongArgument { .. } | Self::LongVariable { .. } => {
                Some("Put large data into a file, and write its path here.".to_owned())
            }
            Self::NotAVariable { .. } => Some(
                "A name has letters, digits, `_`, `-` and `.`, and does not begin with a digit; a value \
                 may be any text without a NUL character."
                    .to_owned(),
            ),
            Self::KeysWithoutTls => Some("Remove `insecure`, or do not use node keys.".to_owned()),
            Self::FleetPortMissing
            | Self::AppPortMissing
            | Self::OtherNodeAuth
            | Self::OwnKeyMissing => None,
            Self::NodeConfig(error) => error.remedy(),
        }
    }
}

/// What a limit is for.
const fn whole(limit: usize) -> &'static str {
    if limit == LONGEST {
        "one"
    } else {
        "all of them together"
    }
}

/// `host:port`, with the brackets an IPv6 address needs.
fn address(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// The address at which a process on the same machine reaches what is bound to `host`.
fn local_address(host: &str, port: u16) -> String {
    match host {
        "0.0.0.0" => address("127.0.0.1", port),
        "::" => address("::1", port),
        _ => address(host, port),
    }
}

/// Appends a flag and its value.
fn push(args: &mut Vec<String>, flag: &str, value: impl Into<String>) {
    args.push(flag.to_owned());
    args.push(value.into());
}
