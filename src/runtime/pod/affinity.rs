//! Checks whether Kubernetes accepts an affinity as written.

use k8s_openapi::api::core::v1::Affinity;
use serde_json::Value as Json;

/// Why a cluster would refuse the affinity, or which part of it has no meaning there.
pub fn check_affinity(written: &Json) -> Result<(), String> {
    if !written.is_object() {
        return Err("it is not an object".to_owned());
    }
    let read: Affinity =
        serde_json::from_value(written.clone()).map_err(|error| error.to_string())?;
    let read = serde_json::to_value(read).map_err(|error| error.to_string())?;
    match lost(written, &read, "") {
        Some(place) => Err(format!("Kubernetes has no field `{place}` there")),
        None => Ok(()),
    }
}

/// The first part of the written value that is not in the parsed one. Empty parts do not count.
fn lost(written: &Json, read: &Json, place: &str) -> Option<String> {
    match (written, read) {
        (Json::Object(written), read) => written.iter().find_map(|(name, value)| {
            let place = if place.is_empty() {
                name.clone()
            } else {
                format!("{place}.{name}")
            };
            match read.get(name) {
                Some(read) => lost(value, read, &place),
                None => (!is_empty(value)).then_some(place),
            }
        }),
        (Json::Array(written), Json::Array(read)) => {
            let mut pairs = written.iter().zip(read).enumerate();
            pairs.find_map(|(index, (one, other))| lost(one, other, &format!("{place}[{index}]")))
        }
        _ => None,
    }
}

fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Array(items) => items.is_empty(),
        Json::Object(_) | Json::Bool(_) | Json::Number(_) | Json::String(_) => false,
    }
}
