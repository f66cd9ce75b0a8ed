//! Environment variables of a Flower process.
//!
//! Telemetry and the update check are always off: both contact a server, and a site without
//! internet access must not wait for that.

use std::collections::BTreeMap;

use super::{LONGEST, LaunchError};

/// Flower's log level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Everything; Flower warns that this may show sensitive details.
    Debug,
    /// The default.
    Info,
    /// Warnings and errors.
    Warning,
    /// Errors only.
    Error,
}

impl LogLevel {
    /// The word for it, as in `FLWR_LOG_LEVEL`.
    pub const fn variable(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
        }
    }
}

/// The settings of the environment, besides the fixed variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessEnvironment {
    /// Flower's folder for apps and runtime environments.
    pub flwr_home: String,
    /// The log level; `None` keeps Flower's default, INFO.
    pub log_level: Option<LogLevel>,
    /// The folder in which ServerApps may leave files, if there is one.
    pub artifacts: Option<String>,
    /// The user's `env`.
    pub variables: BTreeMap<String, String>,
}

/// Tells a ServerApp where it may leave files. Flower has no such variable of its own.
const ARTIFACTS_DIR: &str = "FLOWER_ARTIFACTS_DIR";

/// Variables that a user cannot set, and what sets them.
const OWNED: &[(&str, &str)] = &[
    ("HOME", "the provider chooses"),
    ("FLWR_HOME", "the provider chooses"),
    ("FLWR_LOG_LEVEL", "is set from `log_level`"),
    ("FLWR_TELEMETRY_ENABLED", "the provider turns off"),
    ("FLWR_DISABLE_UPDATE_CHECK", "the provider sets"),
    (
        "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION",
        "is set from `requirements`",
    ),
    (ARTIFACTS_DIR, "is set from `artifacts` of the SuperLink"),
    ("FLWR_INTERNAL_GRPC_CONTROL_API", "the provider chooses"),
    ("FLWR_INTERNAL_GRPC_FLEET_API", "the provider chooses"),
    // With this variable, a runtime recognises its own processes.
    ("TERRAFORM_PROVIDER_FLOWER_PROCESS", "the provider chooses"),
];

/// The maximum size of all variables, and of all arguments, of a process: Linux allows twice that,
/// and a cluster stores no larger pod.
pub(super) const MOST: usize = 1024 * 1024;

/// The variables that a process cannot get, by name. A value may be unknown.
pub fn refused_variables<'a>(
    variables: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
) -> Vec<(&'a str, LaunchError)> {
    let mut all = 0;
    let check = |(name, value): (&'a str, Option<&'a str>)| {
        let value = value.unwrap_or_default();
        let bytes = name.len() + 1 + value.len();
        all += bytes;
        let error = if let Some((_, owner)) = OWNED.iter().find(|(owned, _)| *owned == name) {
            LaunchError::OwnedVariable {
                name: name.to_owned(),
                owner,
            }
        } else if !is_name(name) || value.contains('\0') {
            LaunchError::NotAVariable {
                name: name.to_owned(),
            }
        } else if bytes > LONGEST || all > MOST {
            LaunchError::LongVariable {
                name: name.to_owned(),
                bytes,
                limit: if bytes > LONGEST { LONGEST } else { MOST },
            }
        } else {
            return None;
        };
        Some((name, error))
    };
    variables.into_iter().filter_map(check).collect()
}

/// Whether every runtime accepts a variable with this name.
fn is_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(inner)
}

impl ProcessEnvironment {
    /// The variables besides those of the user.
    pub(super) fn build(&self) -> Result<BTreeMap<String, String>, LaunchError> {
        let variables = self.variables.iter();
        let variables = variables.map(|(name, value)| (name.as_str(), Some(value.as_str())));
        if let Some((_, error)) = refused_variables(variables).into_iter().next() {
            return Err(error);
        }
        let mut env = BTreeMap::new();
        let mut set = |name: &str, value: &str| env.insert(name.to_owned(), value.to_owned());
        set("FLWR_TELEMETRY_ENABLED", "0");
        set("FLWR_DISABLE_UPDATE_CHECK", "1");
        set("FLWR_HOME", &self.flwr_home);
        if let Some(folder) = &self.artifacts {
            set(ARTIFACTS_DIR, folder);
        }
        if let Some(level) = self.log_level {
            set("FLWR_LOG_LEVEL", level.variable());
        }
        Ok(env)
    }
}
