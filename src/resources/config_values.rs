//! Converts a dynamic attribute to the typed values that Flower uses, with errors at the right
//! path.

use std::collections::BTreeMap;

use crate::flower::run_config::{ConfigValue, RunConfig};
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::path::Path;
use crate::tfplugin::schema::ModelPath;
use crate::tfplugin::value::{Number, Value};

/// The values of an object; nested values get dotted keys. Unknown values are left out and checked
/// once they are known.
pub fn flatten<M>(value: &Value, attribute: ModelPath<M>) -> Result<RunConfig> {
    let mut walk = Walk::default();
    let at = attribute.path();
    match inner(value) {
        Value::Null | Value::Unknown(_) => {}
        Value::Map(entries) => walk.entries(entries, "", &at),
        other => walk.found.push(unsuitable(other, &at)),
    }
    walk.found.or(walk.flat)
}

#[derive(Default)]
struct Walk {
    flat: RunConfig,
    /// The path of each key.
    written: BTreeMap<String, Path>,
    found: Diagnostics,
}

impl Walk {
    fn entries(&mut self, entries: &BTreeMap<String, Value>, prefix: &str, at: &Path) {
        for (name, value) in entries {
            let at = at.key(name);
            let key = if prefix.is_empty() {
                name.clone()
            } else {
                format!("{prefix}.{name}")
            };
            let value = match inner(value) {
                Value::Map(entries) if !entries.is_empty() => {
                    self.entries(entries, &key, &at);
                    continue;
                }
                Value::Unknown(_) => continue,
                Value::Bool(bool) => ConfigValue::Bool(*bool),
                Value::String(text) => ConfigValue::Str(text.clone()),
                Value::Number(number) => {
                    let Some(value) = number_value(number) else {
                        self.found.push(inexact(number, &at));
                        continue;
                    };
                    value
                }
                other => {
                    self.found.push(unsuitable(other, &at));
                    continue;
                }
            };
            if let Some(other) = self.written.insert(key.clone(), at.clone()) {
                self.found.push(given_twice(&key, &other, &at));
            }
            self.flat.insert(key, value);
        }
    }
}

/// Terraform does not distinguish 1 from 1.0: a whole number is an integer. `None` for a number
/// that 64 bits cannot represent.
fn number_value(number: &Number) -> Option<ConfigValue> {
    if let Some(int) = number.as_i64() {
        return Some(ConfigValue::Int(int));
    }
    let float = number.as_f64();
    let is_fraction = number.plain().contains('.');
    let fits = if is_fraction {
        // Rounding is allowed, as in every program, but not to zero.
        float.is_finite() && float != 0.0
    } else {
        // The float must print the same digits or be exact.
        let digits = Number::parse(&float.to_string());
        float.is_finite() && (digits.as_ref() == Some(number) || Number::Float(float) == *number)
    };
    fits.then_some(ConfigValue::Float(float))
}

fn inner(value: &Value) -> &Value {
    match value {
        Value::Dynamic(pair) => &pair.1,
        other => other,
    }
}

fn unsuitable(value: &Value, at: &Path) -> Diagnostic {
    let remedy = match value {
        Value::Map(_) => "Remove the empty object.",
        Value::Null => "Remove the key, or give it a value.",
        // A string is only wrong as the whole value.
        other if other.as_str().is_some() => {
            "Write an object of the app's keys, such as `{ num-server-rounds = 3 }`."
        }
        _ => "Write a list as one string, and split it in the app.",
    };
    let kind = match value {
        Value::Map(_) => "an empty object",
        other if other.as_str().is_some() => "a string, not an object",
        other => other.kind(),
    };
    Diagnostic::error(format!("Flower does not support the value of {at}"))
        .detail(format!(
            "It is {kind}. Apps accept bools, numbers, strings, and objects of those."
        ))
        .detail(remedy)
        .at(at.clone())
}

fn inexact(number: &Number, at: &Path) -> Diagnostic {
    let shown: String = number.to_string().chars().take(40).collect();
    Diagnostic::error(format!("Flower does not support the value of {at}"))
        .detail(format!(
            "Apps accept integers and floats of 64 bits, which cannot hold {shown}."
        ))
        .detail("Write it as a string, and convert it in the app.")
        .at(at.clone())
}

fn given_twice(key: &str, first: &Path, second: &Path) -> Diagnostic {
    Diagnostic::error(format!("The key {key:?} is given twice"))
        .detail(format!(
            "Flower joins nested keys with dots, so {first} and {second} are the same key. An app \
             gets only one value for it."
        ))
        .detail("Remove one of the two.")
        .at(second.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(number: i64) -> Value {
        Value::Number(number.into())
    }

    fn number(text: &str) -> Value {
        Value::Number(Number::parse(text).unwrap())
    }

    fn of(entries: Vec<(&str, Value)>) -> Value {
        Value::object(entries)
    }

    /// The path and summary of each error.
    fn errors(value: &Value) -> Vec<(String, String)> {
        let found = flatten(value, ModelPath::<()>::dotted("node_config")).unwrap_err();
        let pair = |one: &Diagnostic| (one.path.as_ref().unwrap().to_string(), one.summary.clone());
        found.iter().map(pair).collect()
    }

    #[test]
    fn a_key_that_is_given_twice_is_an_error_that_names_it() {
        for twins in [
            of(vec![("a", of(vec![("b", int(1))])), ("a.b", int(2))]),
            of(vec![("a", of(vec![("b", int(1))])), ("a.b", int(1))]),
        ] {
            assert_eq!(
                errors(&twins),
                [(
                    "node_config[\"a.b\"]".to_owned(),
                    "The key \"a.b\" is given twice".to_owned()
                )]
            );
        }
        let deep = of(vec![
            ("a", of(vec![("b", of(vec![("c", int(1))]))])),
            ("a.b", of(vec![("c", int(2))])),
        ]);
        assert_eq!(errors(&deep)[0].1, "The key \"a.b.c\" is given twice");
        let fine = of(vec![("a", of(vec![("b", int(1))])), ("a.c", int(2))]);
        assert_eq!(
            flatten(&fine, ModelPath::<()>::dotted("run_config"))
                .unwrap()
                .len(),
            2
        );
    }

    #[test]
    fn what_would_be_dropped_is_an_error() {
        for lost in [
            Value::Null,
            Value::List(Vec::new()),
            Value::Map(BTreeMap::new()),
        ] {
            let value = of(vec![("a", of(vec![("b", lost)])), ("c", int(1))]);
            assert_eq!(errors(&value)[0].0, "node_config[\"a\"][\"b\"]");
        }
        assert!(
            flatten(&Value::Map(BTreeMap::new()), ModelPath::<()>::dotted("a"))
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn a_number_arrives_as_it_was_written_or_not_at_all() {
        for (text, expected) in [
            ("3", ConfigValue::Int(3)),
            ("3.0", ConfigValue::Int(3)),
            ("9223372036854775807", ConfigValue::Int(i64::MAX)),
            ("0.1", ConfigValue::Float(0.1)),
            ("1e300", ConfigValue::Float(1e300)),
            (
                "9223372036854775808",
                ConfigValue::Float(9_223_372_036_854_775_808.0),
            ),
        ] {
            let flat =
                flatten(&of(vec![("a", number(text))]), ModelPath::<()>::dotted("a")).unwrap();
            assert_eq!(flat.get("a"), Some(&expected), "{text}");
        }
        for text in [
            "9223372036854775809",
            "1e400",
            "-1e400",
            "1e-400",
            "123456789012345678901",
        ] {
            let value = of(vec![("a", number(text))]);
            assert_eq!(errors(&value).len(), 1, "{text}");
        }
    }

    #[test]
    fn what_is_unknown_is_looked_at_once_it_is_known() {
        let value = of(vec![("a", Value::UNKNOWN), ("b", of(vec![("c", int(1))]))]);
        assert_eq!(
            flatten(&value, ModelPath::<()>::dotted("a")).unwrap().len(),
            1
        );
        let value = of(vec![("a", Value::UNKNOWN), ("b", Value::Null)]);
        assert_eq!(errors(&value).len(), 1);
        assert!(
            flatten(&Value::UNKNOWN, ModelPath::<()>::dotted("a"))
                .unwrap()
                .is_empty()
        );
    }
}
