//! Environment variables of a Flower process.
//!
//! Telemetry and the update check are always off: both call home, and an air-gapped site must not
//! wait for them.

use std::collections::BTreeMap;

use super::LaunchError;

/// How much Flower logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Everything; Flower itself warns that this may show sensitive details.
    Debug,
    /// The usual.
    Info,
    /// Warnings and errors.
    Warning,
    /// Errors only.
    Error,
}

impl LogLevel {
    const fn variable(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
        }
    }
}

/// What the environment is made of, besides what is always set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessEnvironment {
    /// Flower's own folder for apps and runtime environments.
    pub flwr_home: String,
    /// Log level; `None` leaves Flower's default, INFO.
    pub log_level: Option<LogLevel>,
    /// The user's `env`.
    pub variables: BTreeMap<String, String>,
}

/// Variables with an owner, and who that is.
const OWNED: &[(&str, &str)] = &[
    ("HOME", "the provider chooses"),
    ("FLWR_HOME", "the provider chooses"),
    ("FLWR_LOG_LEVEL", "is set from `log_level`"),
    ("FLWR_TELEMETRY_ENABLED", "the provider keeps off"),
    ("FLWR_DISABLE_UPDATE_CHECK", "the provider keeps set"),
    (
        "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION",
        "is set from `requirements`",
    ),
    ("FLWR_INTERNAL_GRPC_CONTROL_API", "the provider chooses"),
    ("FLWR_INTERNAL_GRPC_FLEET_API", "the provider chooses"),
    // By which a runtime knows processes of its own.
    ("TERRAFORM_PROVIDER_FLOWER_PROCESS", "the provider chooses"),
];

/// An error where one of the user's variables has an owner, or is none.
pub fn check_variable(name: &str, value: &str) -> Result<(), LaunchError> {
    if let Some((_, owner)) = OWNED.iter().find(|(owned, _)| *owned == name) {
        return Err(LaunchError::OwnedVariable {
            name: name.to_owned(),
            owner,
        });
    }
    if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
        return Err(LaunchError::NotAVariable {
            name: name.to_owned(),
        });
    }
    Ok(())
}

impl ProcessEnvironment {
    /// What is set besides the user's variables.
    pub(super) fn build(&self) -> Result<BTreeMap<String, String>, LaunchError> {
        for (name, value) in &self.variables {
            check_variable(name, value)?;
        }
        let mut env = BTreeMap::new();
        let mut set = |name: &str, value: &str| env.insert(name.to_owned(), value.to_owned());
        set("FLWR_TELEMETRY_ENABLED", "0");
        set("FLWR_DISABLE_UPDATE_CHECK", "1");
        set("FLWR_HOME", &self.flwr_home);
        if let Some(level) = self.log_level {
            set("FLWR_LOG_LEVEL", level.variable());
        }
        Ok(env)
    }
}
