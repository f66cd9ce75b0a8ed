//! Fields of objects, as JSON.

use serde_json::Value as Json;

/// Adds fields to an object.
pub(super) fn extend(object: &mut Json, more: Json) {
    if let (Some(object), Json::Object(more)) = (object.as_object_mut(), more) {
        object.extend(more);
    }
}

/// An object without the fields that are not set.
pub(super) fn without_nulls(mut object: Json) -> Json {
    if let Some(object) = object.as_object_mut() {
        object.retain(|_, value| !value.is_null());
    }
    object
}
