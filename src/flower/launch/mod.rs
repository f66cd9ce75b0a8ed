//! Command lines and environments of Flower's processes: pure functions, no IO.
//!
//! A runtime uses the processes of a SuperLink or SuperNode to start them, and later plans use them
//! to detect changes. So the same settings always give the same command lines, and all differences
//! between releases come from the version table.

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
use super::version::{first_with, oldest};

/// The maximum length of an argument and of a `NAME=value`: Linux's `MAX_ARG_STRLEN` without the
/// final NUL.
pub(crate) const LONGEST: usize = 128 * 1024 - 1;

/// A process to start: program, arguments and environment variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchedProcess {
    /// The kind of process.
    pub role: Role,
    /// The name of the program, in the environment's `bin`.
    pub program: &'static str,
    /// Its arguments, in a fixed order.
    pub args: Vec<String>,
    /// Its environment variables.
    pub env: BTreeMap<String, String>,
    /// Variables of the user, which may be secrets.
    pub private_env: BTreeMap<String, String>,
    /// A program that the process starts only once: without it, the process keeps running but runs
    /// no apps.
    pub keeps: Option<&'static str>,
}

/// The kinds of long-running process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// `flower-superlink`
    SuperLink,
    /// `flower-supernode`
    SuperNode,
    /// `flower-superexec`, for a SuperLink or SuperNode in process isolation.
    SuperExec,
    /// `flwr-serverapp`, instead of it before 1.21.
    ServerApp,
    /// `flwr-clientapp`, instead of it before 1.21.
    ClientApp,
}

impl Role {
    /// The program.
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
    /// In child processes that the SuperLink or SuperNode starts.
    Subprocess,
    /// In a separate SuperExec, which the provider starts.
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

/// Settings with which no process can be started.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LaunchError {
    /// `extra_args` sets a flag that belongs to an attribute.
    #[error("`extra_args` contains {flag}, which is set from `{attribute}`")]
    OwnedFlag {
        /// The flag.
        flag: String,
        /// The attribute.
        attribute: &'static str,
    },
    /// `extra_args` sets a flag that the provider chooses.
    #[error("`extra_args` contains {flag}, which the provider chooses")]
    ChosenFlag {
        /// The flag.
        flag: String,
    },
    /// `extra_args` contains a flag with which the program only prints something.
    #[error("`extra_args` contains {flag}, which makes the process end at once")]
    EndsAtOnce {
        /// The flag.
        flag: String,
    },
    /// `env` sets a variable that an attribute or the provider sets.
    #[error("`env` contains {name}, which {owner}")]
    OwnedVariable {
        /// The variable.
        name: String,
        /// What sets it.
        owner: &'static str,
    },
    /// `extra_args` contains a text that is neither a flag nor the value of a flag.
    #[error("`extra_args` contains {argument:?}, which is neither a flag nor the value of one")]
    NotAFlag {
        /// The text.
        argument: String,
    },
    /// `extra_args` contains a NUL character.
    #[error("an entry of `extra_args` contains a NUL character, which an argument cannot contain")]
    NotAnArgument,
    /// `extra_args` is too long.
    #[error("an entry of `extra_args` has {bytes} bytes; the maximum is {limit} for {}", whole(*limit))]
    LongArgument {
        /// The length.
        bytes: usize,
        /// The exceeded limit: of this entry, or of all together.
        limit: usize,
    },
    /// `env` contains an invalid name or value.
    #[error(
        "`env` contains {name:?}, which is not a valid variable name or whose value contains a NUL character"
    )]
    NotAVariable {
        /// The name.
        name: String,
    },
    /// `env` is too long.
    #[error("the variable {name} has {bytes} bytes with its value; the maximum is {limit} for {}", whole(*limit))]
    LongVariable {
        /// The name.
        name: String,
        /// The length with the value.
        bytes: usize,
        /// The exceeded limit: of this variable, or of all together.
        limit: usize,
    },
    /// Node keys without TLS: Flower exits with 104 or 303.
    #[error("node keys need TLS, but TLS is off; Flower refuses to start")]
    KeysWithoutTls,
    /// The release authenticates SuperNodes in another way than the settings.
    #[error("this Flower release authenticates SuperNodes in another way than these settings")]
    OtherNodeAuth,
    /// The release needs a key pair of the SuperLink, but there is none.
    #[error("node keys of this Flower release need a key pair of the SuperLink, but there is none")]
    OwnKeyMissing,
    /// The release cannot simulate SuperNodes as the settings ask for.
    #[error("this Flower release takes no configuration of a simulation with a run")]
    NoSimulation,
    /// The release needs a separate port for apps, but there is none.
    #[error("this Flower release needs a separate port for apps, but none was chosen")]
    AppPortMissing,
    /// The release needs a separate port for SuperNodes, but there is none.
    #[error("this Flower release needs a separate port for SuperNodes, but none was chosen")]
    FleetPortMissing,
    /// The node configuration is invalid.
    #[error("`node_config`: {0}")]
    NodeConfig(#[from] NodeConfigError),
}

impl LaunchError {
    /// The remedy, if there is one.
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
                "Use a name of letters, digits, `_`, `-` and `.` that does not begin with a digit, and a \
                 value without a NUL character."
                    .to_owned(),
            ),
            Self::NoSimulation => Some(simulation_remedy()),
            Self::KeysWithoutTls => Some("Remove `insecure`, or do not use node keys.".to_owned()),
            Self::FleetPortMissing
            | Self::AppPortMissing
            | Self::OtherNodeAuth
            | Self::OwnKeyMissing => None,
            Self::NodeConfig(error) => error.remedy(),
        }
    }
}

/// The remedy for a release without simulation.
pub fn simulation_remedy() -> String {
    let first = first_with(|row| row.simulates).unwrap_or_else(oldest);
    format!("Set `flower_version` to {first} or later, or remove `simulation`.")
}

/// What a limit applies to.
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

/// The address with which a process on the same machine connects to a server that listens on
/// `host`.
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
