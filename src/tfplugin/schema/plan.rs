//! What a change would come to, from the schema alone: defaults, what stays, what becomes unknown,
//! and what needs a new resource. A resource refines it afterwards with what only it knows.

use super::super::path::Path;
use super::super::value::Value;
use super::{Attribute, Kind, Nesting};

/// The outcome of planning from the schema.
#[derive(Debug, Clone)]
pub struct Planned {
    pub state: Value,
    /// Attributes whose change needs a new resource.
    pub replace: Vec<Path>,
}

/// Plans a create (`prior` null) or a change. `proposed` is the host's merge of the configuration
/// with the prior state.
pub fn plan(attributes: &[Attribute], prior: &Value, proposed: &Value, config: &Value) -> Planned {
    let settled = settle(attributes, proposed, config);
    let changed = settled != *prior;
    let state = if changed {
        foresee(attributes, prior, settled, config)
    } else {
        settled
    };
    let mut replace = Vec::new();
    if changed && !prior.is_null() {
        replaced(attributes, prior, &state, &Path::default(), &mut replace);
    }
    Planned { state, replace }
}

/// Defaults filled in, write-only values left out.
fn settle(attributes: &[Attribute], proposed: &Value, config: &Value) -> Value {
    each(attributes, proposed, config, &|attribute, value, config| {
        if attribute.write_only {
            return Value::Null;
        }
        match &attribute.default {
            Some(default) if config.is_null() => default.clone(),
            _ => value,
        }
    })
}

/// Computed values that this change may change become unknown.
fn foresee(attributes: &[Attribute], prior: &Value, settled: Value, config: &Value) -> Value {
    let Value::Map(mut entries) = settled else {
        return settled;
    };
    for attribute in attributes {
        let name = &attribute.name;
        let Some(value) = entries.get_mut(name) else {
            continue;
        };
        let config = config.get(name);
        let prior = prior.get(name);
        if config.is_null() && attribute.is_computed() && attribute.default.is_none() {
            *value = if attribute.keep && !prior.is_null() {
                prior.clone()
            } else {
                Value::UNKNOWN
            };
        } else if let Kind::Nested(nesting, inner) = &attribute.kind {
            let taken = std::mem::take(value);
            *value = nested(*nesting, taken, config, prior, &|value, config, prior| {
                foresee(inner, prior, value, config)
            });
        }
    }
    Value::Map(entries)
}

fn replaced(
    attributes: &[Attribute],
    prior: &Value,
    planned: &Value,
    at: &Path,
    found: &mut Vec<Path>,
) {
    for attribute in attributes {
        let before = prior.get(&attribute.name);
        let after = planned.get(&attribute.name);
        if before == after {
            continue;
        }
        let at = at.name(&attribute.name);
        if attribute.replace.is_some() {
            found.push(at);
        } else if let Kind::Nested(Nesting::Single, inner) = &attribute.kind {
            let mut within = Vec::new();
            replaced(inner, before, after, &at, &mut within);
            let whole = before.is_null() || after.is_null() || after.is_unknown();
            let within = within.into_iter();
            found.extend(within.map(|inner| if whole { at.clone() } else { inner }));
        }
    }
}

/// Rebuilds an object attribute by attribute, innermost first.
fn each(
    attributes: &[Attribute],
    value: &Value,
    config: &Value,
    change: &impl Fn(&Attribute, Value, &Value) -> Value,
) -> Value {
    let Value::Map(entries) = value else {
        return value.clone();
    };
    let mut entries = entries.clone();
    for attribute in attributes {
        let Some(value) = entries.get_mut(&attribute.name) else {
            continue;
        };
        let config = config.get(&attribute.name);
        let mut taken = std::mem::take(value);
        if let Kind::Nested(nesting, inner) = &attribute.kind {
            taken = nested(
                *nesting,
                taken,
                config,
                &Value::Null,
                &|value, config, _| each(inner, &value, config, change),
            );
        }
        *value = change(attribute, taken, config);
    }
    Value::Map(entries)
}

/// Applies `change` to each object of a nested attribute, with its like in `config` and `prior`.
fn nested(
    nesting: Nesting,
    value: Value,
    config: &Value,
    prior: &Value,
    change: &dyn Fn(Value, &Value, &Value) -> Value,
) -> Value {
    match (nesting, value) {
        (Nesting::Single, value @ Value::Map(_)) => change(value, config, prior),
        (Nesting::Map, Value::Map(entries)) => Value::Map(
            entries
                .into_iter()
                .map(|(key, entry)| {
                    let entry = change(entry, config.get(&key), prior.get(&key));
                    (key, entry)
                })
                .collect(),
        ),
        (Nesting::List, Value::List(items)) => Value::List(
            items
                .into_iter()
                .enumerate()
                .map(|(index, item)| change(item, item_of(config, index), item_of(prior, index)))
                .collect(),
        ),
        (_, other) => other,
    }
}

fn item_of(list: &Value, index: usize) -> &Value {
    match list {
        Value::List(items) => items.get(index).unwrap_or(&Value::Null),
        _ => &Value::Null,
    }
}

#[cfg(test)]
mod tests;
