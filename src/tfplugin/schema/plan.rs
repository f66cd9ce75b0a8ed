//! The plan that follows from the schema alone: defaults, values that stay, values that become
//! unknown, and replacements. A resource then refines it.

use super::super::path::Path;
use super::super::value::Value;
use super::{Attribute, Keep, Kind, Nesting};

/// The plan that follows from the schema.
#[derive(Debug, Clone)]
pub struct Planned {
    pub state: Value,
    /// Attributes whose change replaces the resource.
    pub replace: Vec<Path>,
}

/// Plans a create (`prior` is null) or an update. `proposed` is Terraform's merge of the
/// configuration with the prior state.
pub fn plan(attributes: &[Attribute], prior: &Value, proposed: &Value, config: &Value) -> Planned {
    let merged = with_defaults(attributes, proposed, config);
    let changed = merged != *prior;
    let state = if changed {
        with_unknowns(attributes, prior, merged, config)
    } else {
        merged
    };
    let mut replace = Vec::new();
    if changed && !prior.is_null() {
        find_replacements(attributes, prior, &state, &Path::default(), &mut replace);
    }
    Planned { state, replace }
}

/// Sets defaults and removes write-only values.
fn with_defaults(attributes: &[Attribute], proposed: &Value, config: &Value) -> Value {
    map_attributes(attributes, proposed, config, &|attribute, value, config| {
        if attribute.write_only {
            return Value::Null;
        }
        match &attribute.default {
            Some(default) if config.is_null() => default.clone(),
            _ => value,
        }
    })
}

/// Makes the computed values unknown that this change may change.
fn with_unknowns(attributes: &[Attribute], prior: &Value, merged: Value, config: &Value) -> Value {
    let Value::Map(mut entries) = merged else {
        return merged;
    };
    let exists = !prior.is_null();
    for attribute in attributes {
        let name = &attribute.name;
        let Some(value) = entries.get_mut(name) else {
            continue;
        };
        let config = config.get(name);
        let prior = prior.get(name);
        if config.is_null() && attribute.is_computed() && attribute.default.is_none() {
            let is_kept = match attribute.keep {
                Keep::No => false,
                Keep::Known => !prior.is_null(),
                Keep::Always => exists,
            };
            *value = if is_kept {
                prior.clone()
            } else {
                Value::UNKNOWN
            };
        } else if let Kind::Nested(nesting, inner) = &attribute.kind {
            let taken = std::mem::take(value);
            *value = map_objects(*nesting, taken, config, prior, &|value, config, prior| {
                with_unknowns(inner, prior, value, config)
            });
        }
    }
    Value::Map(entries)
}

fn find_replacements(
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
            find_replacements(inner, before, after, &at, &mut within);
            let whole = before.is_null() || after.is_null() || after.is_unknown();
            let within = within.into_iter();
            found.extend(within.map(|inner| if whole { at.clone() } else { inner }));
        }
    }
}

/// Rebuilds an object attribute by attribute, the innermost first.
fn map_attributes(
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
            taken = map_objects(
                *nesting,
                taken,
                config,
                &Value::Null,
                &|value, config, _| map_attributes(inner, &value, config, change),
            );
        }
        *value = change(attribute, taken, config);
    }
    Value::Map(entries)
}

/// Applies `change` to each object of a nested attribute, with its counterparts in `config` and
/// `prior`.
fn map_objects(
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
                .map(|(index, item)| change(item, item_at(config, index), item_at(prior, index)))
                .collect(),
        ),
        (_, other) => other,
    }
}

fn item_at(list: &Value, index: usize) -> &Value {
    match list {
        Value::List(items) => items.get(index).unwrap_or(&Value::Null),
        _ => &Value::Null,
    }
}

#[cfg(test)]
mod tests;
