//! The allowed values of attributes with a choice.

use crate::flower::control::{Location, NodeId, NodeStatus, RunId, RunStatus, SubStatus};
use crate::flower::launch::{Isolation, LogLevel};
use crate::flower::version::FlowerVersion;
use crate::pki::NodeKeyAlgorithm;
use crate::resources::superlink_id::SuperlinkId;
use crate::runtime::ObjectName;
use crate::{choice_attribute, open_choice_attribute, text_attribute};

choice_attribute!(Isolation {
    "subprocess" => Self::Subprocess => Self::Subprocess,
    "process" => Self::Process => Self::Process,
});

choice_attribute!(LogLevel {
    "DEBUG" => Self::Debug => Self::Debug,
    "INFO" => Self::Info => Self::Info,
    "WARNING" => Self::Warning => Self::Warning,
    "ERROR" => Self::Error => Self::Error,
});

choice_attribute!(NodeKeyAlgorithm {
    "ECDSA-P256" => Self::EcdsaP256 => Self::EcdsaP256,
    "ECDSA-P384" => Self::EcdsaP384 => Self::EcdsaP384,
    "ECDSA-P521" => Self::EcdsaP521 => Self::EcdsaP521,
});

text_attribute!(
    FlowerVersion,
    Location,
    NodeId,
    ObjectName,
    RunId,
    SuperlinkId
);

open_choice_attribute!(NodeStatus, RunStatus, SubStatus);

/// Whether the processes of an object run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Running,
    /// A process ended by itself; the next apply starts it again.
    Stopped,
    /// Something else changed how the object runs, an apply did not finish, or something that it
    /// was created from has changed since.
    Changed,
    /// The volume is gone, with all its data.
    Lost,
}

choice_attribute!(Status {
    "running" => Self::Running => Self::Running,
    "stopped" => Self::Stopped => Self::Stopped,
    "changed" => Self::Changed => Self::Changed,
    "lost" => Self::Lost => Self::Lost,
});
