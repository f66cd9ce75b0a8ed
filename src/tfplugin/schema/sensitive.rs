//! The secrets in a value: its sensitive and write-only attributes.

use super::super::value::Value;
use super::{Attribute, Kind, Nesting};

/// Calls `found` with each text of a sensitive attribute.
pub fn each_secret(attributes: &[Attribute], value: &Value, found: &mut impl FnMut(&str)) {
    for attribute in attributes {
        let value = value.get(&attribute.name);
        if attribute.sensitive {
            each_text(value, found);
        } else if let Kind::Nested(nesting, inner) = &attribute.kind {
            match (nesting, value) {
                (Nesting::Single, one) => each_secret(inner, one, found),
                (Nesting::List, Value::List(items)) => {
                    for one in items {
                        each_secret(inner, one, found);
                    }
                }
                (Nesting::Map, Value::Map(entries)) => {
                    for one in entries.values() {
                        each_secret(inner, one, found);
                    }
                }
                _ => {}
            }
        }
    }
}

fn each_text(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => found(text),
        Value::List(items) => items.iter().for_each(|one| each_text(one, found)),
        Value::Map(entries) => entries.values().for_each(|one| each_text(one, found)),
        Value::Dynamic(inner) => each_text(&inner.1, found),
        Value::Null | Value::Unknown(_) | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The value with null for every sensitive attribute.
pub fn without_secrets(attributes: &[Attribute], mut value: Value) -> Value {
    for attribute in attributes {
        let Value::Map(object) = &mut value else {
            break;
        };
        let Some(slot) = object.get_mut(&attribute.name) else {
            continue;
        };
        if attribute.sensitive {
            *slot = Value::Null;
        } else if let Kind::Nested(nesting, inner) = &attribute.kind {
            let without = |one: &mut Value| *one = without_secrets(inner, std::mem::take(one));
            match (nesting, slot) {
                (Nesting::Single, one) => without(one),
                (Nesting::List, Value::List(items)) => items.iter_mut().for_each(without),
                (Nesting::Map, Value::Map(entries)) => entries.values_mut().for_each(without),
                _ => {}
            }
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::super::{Schema, WriteOnly, optional};
    use super::*;
    use crate::model;
    use crate::tfplugin::value::{from_json, to_json};

    model! {
        /// Outer.
        struct Outer {
            /// Shown.
            shown: Option<String> = optional(),
            /// Hidden.
            env: Option<BTreeMap<String, String>> = optional().sensitive(),
            /// Never stored.
            key_wo: WriteOnly<String> = optional(),
            /// One.
            one: Option<Inner> = optional(),
            /// Several.
            list: Option<Vec<Inner>> = optional(),
            /// By name.
            map: Option<BTreeMap<String, Inner>> = optional(),
        }
    }

    model! {
        /// Inner.
        struct Inner {
            /// Shown.
            shown: Option<String> = optional(),
            /// Hidden.
            token: Option<String> = optional().sensitive(),
        }
    }

    #[test]
    fn what_is_sensitive_is_found_and_left_out_wherever_it_stands() {
        let inner = |token: &str| json!({ "shown": "s", "token": token });
        let all = json!({
            "shown": "s",
            "env": { "A": "1", "B": "2" },
            "key_wo": "3",
            "one": inner("4"),
            "list": [inner("5")],
            "map": { "token": inner("6") },
        });
        let schema = Schema::of::<Outer>();
        let value = from_json(&all, &schema.ty()).unwrap();
        let mut found = Vec::new();
        each_secret(&schema.attributes, &value, &mut |text| {
            found.push(text.to_owned());
        });
        assert_eq!(found, ["1", "2", "3", "4", "5", "6"]);
        let inner = json!({ "shown": "s", "token": null });
        assert_eq!(
            to_json(&without_secrets(&schema.attributes, value)),
            json!({
                "shown": "s",
                "env": null,
                "key_wo": null,
                "one": inner,
                "list": [inner],
                "map": { "token": inner },
            })
        );
    }
}
