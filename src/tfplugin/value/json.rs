//! The JSON of stored states. A state of the current schema version is read without an upgrade, so
//! no digit may get lost.

use serde_json::{Map, Value as Json};

use super::{Number, Type, Value};

/// Reads a JSON value of type `ty`. Unknown attributes are dropped (a later version removed them),
/// missing ones become null.
pub fn from_json(json: &Json, ty: &Type) -> Result<Value, String> {
    if json.is_null() {
        return Ok(Value::Null);
    }
    // The message never contains the value: a state may contain secrets.
    let unexpected = || format!("expected {}, found {}", ty.to_json(), kind(json));
    match ty {
        Type::Bool => json.as_bool().map(Value::Bool).ok_or_else(unexpected),
        Type::String => json.as_str().map(Value::from).ok_or_else(unexpected),
        Type::Number => {
            let text = match json {
                Json::Number(number) => number.to_string(),
                Json::String(text) => text.clone(),
                _ => return Err(unexpected()),
            };
            let number = Number::parse(&text).map(Value::Number);
            number.ok_or_else(unexpected)
        }
        Type::Dynamic => {
            let ty = json.get("type").ok_or_else(unexpected)?;
            let ty = Type::from_json(ty.to_string().as_bytes()).ok_or_else(unexpected)?;
            let value = from_json(json.get("value").unwrap_or(&Json::Null), &ty)?;
            Ok(Value::Dynamic(Box::new((ty, value))))
        }
        Type::List(element) | Type::Set(element) => json
            .as_array()
            .ok_or_else(unexpected)?
            .iter()
            .map(|item| from_json(item, element))
            .collect::<Result<_, _>>()
            .map(Value::List),
        Type::Tuple(items) => {
            let array = json.as_array().ok_or_else(unexpected)?;
            if array.len() != items.len() {
                return Err(unexpected());
            }
            array
                .iter()
                .zip(items)
                .map(|(item, ty)| from_json(item, ty))
                .collect::<Result<_, _>>()
                .map(Value::List)
        }
        Type::Map(element) => json
            .as_object()
            .ok_or_else(unexpected)?
            .iter()
            .map(|(name, item)| Ok((name.clone(), from_json(item, element)?)))
            .collect::<Result<_, _>>()
            .map(Value::Map),
        Type::Object(attributes) => {
            let object = json.as_object().ok_or_else(unexpected)?;
            attributes
                .iter()
                .map(|(name, ty)| {
                    let item = object.get(name).unwrap_or(&Json::Null);
                    let item = from_json(item, ty).map_err(|error| format!("{name}: {error}"))?;
                    Ok((name.clone(), item))
                })
                .collect::<Result<_, _>>()
                .map(Value::Map)
        }
    }
}

const fn kind(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a bool",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "an array",
        Json::Object(_) => "an object",
    }
}

/// The value as JSON of a stored state, which [`from_json`] reads; unknown values become null.
pub fn to_state(value: &Value) -> Json {
    match value {
        Value::List(items) => Json::Array(items.iter().map(to_state).collect()),
        Value::Map(entries) => Json::Object(
            entries
                .iter()
                .map(|(name, value)| (name.clone(), to_state(value)))
                .collect::<Map<_, _>>(),
        ),
        Value::Dynamic(inner) => {
            let (ty, value) = &**inner;
            serde_json::json!({ "type": ty.to_json(), "value": to_state(value) })
        }
        plain => to_json(plain),
    }
}

/// A known value as plain JSON, for hashes and messages; unknown values become null.
pub fn to_json(value: &Value) -> Json {
    match value {
        Value::Null | Value::Unknown(_) => Json::Null,
        Value::Bool(bool) => Json::Bool(*bool),
        Value::Number(number) => serde_json::from_str(&number.plain()).unwrap_or(Json::Null),
        Value::String(text) => Json::String(text.clone()),
        Value::List(items) => Json::Array(items.iter().map(to_json).collect()),
        Value::Map(entries) => Json::Object(
            entries
                .iter()
                .map(|(name, value)| (name.clone(), to_json(value)))
                .collect::<Map<_, _>>(),
        ),
        Value::Dynamic(inner) => to_json(&inner.1),
    }
}
