//! The run configuration of an app: the values in `[tool.flwr.app.config]`, and the overrides of
//! one run.

mod conversion;
mod overrides;

use std::collections::BTreeMap;
use std::fmt;

pub use overrides::{OverrideError, resolve_overrides};
use toml::{Table, Value};

/// A flat configuration: the keys of nested tables are joined with dots.
pub type RunConfig = BTreeMap<String, ConfigValue>;

/// The four types of value that Flower passes to an app.
#[derive(Debug, Clone, PartialEq)]
pub enum ConfigValue {
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(String),
}

impl ConfigValue {
    /// The type.
    pub fn kind(&self) -> ConfigKind {
        match self {
            Self::Bool(_) => ConfigKind::Bool,
            Self::Int(_) => ConfigKind::Int,
            Self::Float(_) => ConfigKind::Float,
            Self::Str(_) => ConfigKind::Str,
        }
    }
}

/// The type of a [`ConfigValue`], for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigKind {
    Bool,
    Int,
    Float,
    Str,
}

impl fmt::Display for ConfigKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "a bool",
            Self::Int => "an integer",
            Self::Float => "a float",
            Self::Str => "a string",
        })
    }
}

/// A value that a run configuration cannot contain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{key:?} is {found}, but a run configuration contains only bools, integers, floats, strings \
     and tables of those"
)]
pub struct FlattenError {
    /// The dotted key, relative to the flattened table.
    pub key: String,
    /// The TOML type.
    pub found: &'static str,
}

impl FlattenError {
    /// The remedy.
    pub fn remedy(&self) -> Option<String> {
        Some(format!(
            "Write {:?} as one string (for example comma separated) and split it in the app, or move it out of the run configuration.",
            self.key
        ))
    }
}

/// Joins nested tables with dots. All invalid values are reported together.
pub fn flatten(table: &Table) -> Result<RunConfig, Vec<FlattenError>> {
    let mut flat = RunConfig::new();
    let mut errors = Vec::new();
    flatten_into(table, "", &mut flat, &mut errors);
    if errors.is_empty() {
        Ok(flat)
    } else {
        Err(errors)
    }
}

fn flatten_into(table: &Table, prefix: &str, flat: &mut RunConfig, errors: &mut Vec<FlattenError>) {
    for (name, value) in table {
        let key = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        let value = match value {
            Value::Table(inner) => {
                flatten_into(inner, &key, flat, errors);
                continue;
            }
            Value::Boolean(value) => ConfigValue::Bool(*value),
            Value::Integer(value) => ConfigValue::Int(*value),
            Value::Float(value) => ConfigValue::Float(*value),
            Value::String(value) => ConfigValue::Str(value.clone()),
            Value::Array(_) => {
                errors.push(FlattenError {
                    key,
                    found: "an array",
                });
                continue;
            }
            Value::Datetime(_) => {
                errors.push(FlattenError {
                    key,
                    found: "a date or time",
                });
                continue;
            }
        };
        flat.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> RunConfig {
        flatten(&text.parse().unwrap()).unwrap()
    }

    #[test]
    fn nested_tables_become_dotted_keys() {
        let flat = config("a = 1\nb.c = 'x'\n[d.e]\nf = 1.5\ng = true\n\"q.r\" = 2");
        let keys: Vec<&str> = flat.keys().map(String::as_str).collect();
        assert_eq!(keys, ["a", "b.c", "d.e.f", "d.e.g", "d.e.q.r"]);
        assert_eq!(flat.get("d.e.f"), Some(&ConfigValue::Float(1.5)));
    }

    #[test]
    fn every_value_that_does_not_fit_is_named() {
        let errors = flatten(&"a = [1]\nb.c = 2020-01-01\nd = 1".parse().unwrap()).unwrap_err();
        let keys: Vec<&str> = errors.iter().map(|e| e.key.as_str()).collect();
        assert_eq!(keys, ["a", "b.c"]);
    }
}
