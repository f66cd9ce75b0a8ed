//! What one run overrides.
//!
//! Flower accepts an override of the wrong type, and the `ServerApp` fails minutes later. So the
//! provider checks overrides against the declared values before it submits a run.

use super::conversion::{TextFault, exact_float, from_text};
use super::{ConfigKind, ConfigValue, RunConfig};

/// An override that the app does not declare, or declares with another type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// Flower refuses keys that the app does not declare.
    #[error("the app declares no run configuration key {key:?}{}", suggestion(nearest.as_deref()))]
    UnknownKey {
        key: String,
        /// The most similar declared key, if one is similar.
        nearest: Option<String>,
        /// All declared keys.
        known: Vec<String>,
    },
    /// The app would read a value of an unexpected type.
    #[error("run configuration key {key:?} is {declared} in the app, but the value is {given}")]
    WrongType {
        key: String,
        declared: ConfigKind,
        given: ConfigKind,
    },
    /// The integer has no exact float, so the app would read another number.
    #[error(
        "run configuration key {key:?} is a float in the app, and this integer has no exact float"
    )]
    Inexact { key: String },
}

impl OverrideError {
    /// The key at fault, for an attribute path.
    pub fn key(&self) -> &str {
        match self {
            Self::UnknownKey { key, .. } | Self::WrongType { key, .. } | Self::Inexact { key } => {
                key
            }
        }
    }

    /// The remedy.
    pub fn remedy(&self) -> Option<String> {
        Some(match self {
            Self::UnknownKey { known, .. } if known.is_empty() => {
                "The app declares no run configuration. Remove the override, or declare the key \
                 under [tool.flwr.app.config] in its pyproject.toml."
                    .to_owned()
            }
            Self::UnknownKey { known, .. } => format!(
                "Use one of the declared keys ({}), or declare the new one under [tool.flwr.app.config] in the app's pyproject.toml.",
                known.join(", ")
            ),
            Self::WrongType { key, declared, .. } => format!(
                "Write {key:?} as {declared}, or change its default in [tool.flwr.app.config] to \
                 the type that you need."
            ),
            Self::Inexact { key } => {
                format!("Write {key:?} as an integer between -2^53 and 2^53, or as a float.")
            }
        })
    }
}

/// Checks overrides against what the app declares, and returns them with the declared types.
///
/// Only the overrides come back: Flower merges them with the defaults when the run starts.
pub fn resolve_overrides(
    declared: &RunConfig,
    given: &RunConfig,
) -> Result<RunConfig, Vec<OverrideError>> {
    let mut resolved = RunConfig::new();
    let mut errors = Vec::new();
    for (key, value) in given {
        match resolve_one(declared, key, value) {
            Ok(value) => {
                resolved.insert(key.clone(), value);
            }
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        Ok(resolved)
    } else {
        Err(errors)
    }
}

fn resolve_one(
    declared: &RunConfig,
    key: &str,
    value: &ConfigValue,
) -> Result<ConfigValue, OverrideError> {
    let Some(default) = declared.get(key) else {
        return Err(OverrideError::UnknownKey {
            key: key.to_owned(),
            nearest: nearest(key, declared.keys()),
            known: declared.keys().cloned().collect(),
        });
    };
    let inexact = || OverrideError::Inexact {
        key: key.to_owned(),
    };
    let wrong_type = |wanted| OverrideError::WrongType {
        key: key.to_owned(),
        declared: wanted,
        given: value.kind(),
    };
    match (default.kind(), value) {
        (wanted, value) if wanted == value.kind() => Ok(value.clone()),
        (ConfigKind::Float, ConfigValue::Int(int)) => exact_float(*int)
            .map(ConfigValue::Float)
            .ok_or_else(inexact),
        (wanted, ConfigValue::Str(text)) => match from_text(wanted, text) {
            Ok(value) => Ok(value),
            Err(TextFault::NotOne) => Err(wrong_type(wanted)),
            Err(TextFault::Inexact) => Err(inexact()),
        },
        (ConfigKind::Str, ConfigValue::Int(int)) => Ok(ConfigValue::Str(int.to_string())),
        (ConfigKind::Str, ConfigValue::Bool(bool)) => Ok(ConfigValue::Str(bool.to_string())),
        (wanted, _) => Err(wrong_type(wanted)),
    }
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |key| format!(", did you mean {key:?}?"))
}

/// The candidate with the fewest edits, unless it differs too much for a typo.
fn nearest<'a>(key: &str, candidates: impl Iterator<Item = &'a String>) -> Option<String> {
    let limit = (key.chars().count() / 3).max(2);
    candidates
        .map(|candidate| (edits(key, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.clone())
}

/// Levenshtein distance in which `-` equals `_`, the usual typo in these keys.
fn edits(left: &str, right: &str) -> usize {
    let fold = |c: char| {
        if c == '_' {
            '-'
        } else {
            c.to_ascii_lowercase()
        }
    };
    let right: Vec<char> = right.chars().map(fold).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, from) in left.chars().map(fold).enumerate() {
        let mut diagonal = line;
        let mut before = line + 1;
        let mut next = vec![before];
        for (to, above) in right.iter().zip(row.iter().skip(1)) {
            before = (diagonal + usize::from(from != *to))
                .min(before + 1)
                .min(above + 1);
            next.push(before);
            diagonal = *above;
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flower::run_config::flatten;

    fn config(text: &str) -> RunConfig {
        flatten(&text.parse().unwrap()).unwrap()
    }

    #[test]
    fn overrides_take_the_declared_type() {
        let declared = config("lr = 0.1\nrounds = 3\nname = 'x'\non = false");
        let given = config("lr = 1\nrounds = 5");
        let resolved = resolve_overrides(&declared, &given).unwrap();
        assert_eq!(resolved, config("lr = 1.0\nrounds = 5"));
    }

    #[test]
    fn wrong_types_and_unknown_keys_come_together() {
        let declared = config("lr = 0.1\nnum-server-rounds = 3\non = false");
        let given = config("lr = 'high'\nnum_server_round = 2\non = 1\nzzzzzzzz = 1");
        let errors = resolve_overrides(&declared, &given).unwrap_err();
        let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            text,
            [
                "run configuration key \"lr\" is a float in the app, but the value is a string",
                "the app declares no run configuration key \"num_server_round\", did you mean \"num-server-rounds\"?",
                "run configuration key \"on\" is a bool in the app, but the value is an integer",
                "the app declares no run configuration key \"zzzzzzzz\"",
            ]
        );
        assert_eq!(errors[1].key(), "num_server_round");
        assert!(
            errors[1]
                .remedy()
                .unwrap()
                .contains("lr, num-server-rounds, on")
        );
    }

    #[test]
    fn texts_take_the_declared_type_where_nothing_is_lost() {
        let declared = config("n = 3\nlr = 0.1\non = false\nname = 'x'");
        let given = |key: &str, value: ConfigValue| RunConfig::from([(key.to_owned(), value)]);
        let text = |text: &str| ConfigValue::Str(text.to_owned());
        for (key, value, expected) in [
            ("n", text("3"), ConfigValue::Int(3)),
            (
                "n",
                text("-9223372036854775808"),
                ConfigValue::Int(i64::MIN),
            ),
            ("n", text("3.0"), ConfigValue::Int(3)),
            ("n", text("1e3"), ConfigValue::Int(1000)),
            ("lr", text("0.5"), ConfigValue::Float(0.5)),
            ("lr", text("1"), ConfigValue::Float(1.0)),
            ("lr", text("1e-3"), ConfigValue::Float(0.001)),
            ("on", text("true"), ConfigValue::Bool(true)),
            ("on", text("0"), ConfigValue::Bool(false)),
            ("name", ConfigValue::Int(3), text("3")),
            ("name", ConfigValue::Bool(true), text("true")),
            ("name", text("3"), text("3")),
        ] {
            let resolved = resolve_overrides(&declared, &given(key, value.clone()));
            assert_eq!(resolved, Ok(given(key, expected)), "{key} = {value:?}");
        }
        for (key, value) in [
            ("n", "3.5"),
            ("n", ""),
            ("n", " 3"),
            ("n", "three"),
            ("n", "0x10"),
            ("n", "9223372036854775808"),
            ("n", "1e30"),
            ("lr", "fast"),
            ("lr", "inf"),
            ("lr", "nan"),
            ("lr", "1e400"),
            ("lr", "9007199254740993"),
            ("lr", "1."),
            ("on", "True"),
            ("on", "yes"),
        ] {
            let errors = resolve_overrides(&declared, &given(key, text(value))).unwrap_err();
            assert_eq!(errors[0].key(), key, "{value:?}");
        }
        // The original text of a float is lost before this point: 1.10 would become the text 1.1.
        resolve_overrides(&declared, &given("name", ConfigValue::Float(1.1))).unwrap_err();
    }

    #[test]
    fn a_float_for_an_integer_key_is_refused() {
        let errors = resolve_overrides(&config("n = 3"), &config("n = 3.0")).unwrap_err();
        assert!(matches!(
            errors[0],
            OverrideError::WrongType {
                declared: ConfigKind::Int,
                given: ConfigKind::Float,
                ..
            }
        ));
    }

    #[test]
    fn an_integer_without_an_exact_float_is_refused() {
        let declared = config("x = 0.5");
        assert!(resolve_overrides(&declared, &config("x = 9007199254740992")).is_ok());
        let errors = resolve_overrides(&declared, &config("x = 9007199254740993")).unwrap_err();
        assert_eq!(
            errors,
            [OverrideError::Inexact {
                key: "x".to_owned()
            }]
        );
    }
}
