//! From a dynamic attribute to the typed values that Flower carries, with errors at their place.

use std::collections::BTreeMap;

use crate::flower::run_config::{ConfigValue, RunConfig};
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::path::Path;
use crate::tfplugin::value::{Number, Value};

/// The values of an object, nested ones under dotted keys.
pub fn flatten(value: &Value, attribute: &str) -> Result<RunConfig> {
    let mut flat = BTreeMap::new();
    let mut found = Diagnostics::default();
    let at = Path::attribute(attribute);
    match inner(value) {
        Value::Null => {}
        Value::Map(entries) => walk(entries, "", &at, &mut flat, &mut found),
        other => found.push(unsuitable(other, &at)),
    }
    found.or(flat)
}

fn walk(
    entries: &BTreeMap<String, Value>,
    prefix: &str,
    at: &Path,
    flat: &mut RunConfig,
    found: &mut Diagnostics,
) {
    for (name, value) in entries {
        let at = at.key(name);
        let key = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        let value = match inner(value) {
            Value::Map(entries) => {
                walk(entries, &key, &at, flat, found);
                continue;
            }
            Value::Bool(bool) => Some(ConfigValue::Bool(*bool)),
            Value::String(text) => Some(ConfigValue::Str(text.clone())),
            Value::Number(number) => Some(number_value(number)),
            _ => None,
        };
        match value {
            Some(value) => {
                flat.insert(key, value);
            }
            None => found.push(unsuitable(entries.get(name).unwrap_or(&Value::Null), &at)),
        }
    }
}

/// Terraform does not tell 1 from 1.0: a whole number is an integer.
fn number_value(number: &Number) -> ConfigValue {
    number
        .as_i64()
        .map_or_else(|| ConfigValue::Float(number.as_f64()), ConfigValue::Int)
}

fn inner(value: &Value) -> &Value {
    match value {
        Value::Dynamic(pair) => &pair.1,
        other => other,
    }
}

fn unsuitable(value: &Value, at: &Path) -> Diagnostic {
    Diagnostic::error(format!("Flower cannot carry the value of {at}"))
        .detail(format!(
            "It is {}. Apps get bools, numbers, strings, and objects of those.",
            value.kind()
        ))
        .detail("Write a list as one string, and split it in the app.")
        .at(at.clone())
}
