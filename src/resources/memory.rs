//! What an object was made from, kept beside it by its runtime, so that another state can take it over
//! whole: an import then needs nothing but a name, and the plan after it is empty.

use crate::resources::report::failed;
use crate::runtime::{ObjectName, ObjectRef, Runtime, RuntimeError};
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::path::Path;
use crate::tfplugin::schema::{Model, Schema};
use crate::tfplugin::value::{from_json, to_state};

/// Records that the object is in a state, with all that the state knows of it.
pub async fn settle(
    runtime: &dyn Runtime,
    object: &ObjectRef,
    model: &impl Model,
) -> std::result::Result<(), RuntimeError> {
    runtime.settle(object, &to_state(&model.encode())).await
}

/// The state of the object with this name, for an import.
pub async fn recall<M: Model>(
    runtime: &dyn Runtime,
    kind: crate::runtime::Kind,
    id: &str,
) -> Result<M> {
    let unknown = |why: &str| {
        Diagnostics::from(
            Diagnostic::error(format!("There is no {kind} {id:?} to import"))
                .detail(format!("The id to import is the {kind}'s name: {why}.")),
        )
    };
    let name: ObjectName = id.parse().map_err(|error| unknown(&format!("{error}")))?;
    let memories = runtime.memories(kind).await;
    let mut memories =
        memories.map_err(|error| failed(format!("{kind}s could not be listed"), &error))?;
    let memory = memories.remove(&name).ok_or_else(|| {
        let known: Vec<_> = memories.keys().map(ObjectName::as_str).collect();
        unknown(&if known.is_empty() {
            "this provider configuration has none".to_owned()
        } else {
            format!("this provider configuration has {}", known.join(", "))
        })
    })?;
    read(&memory)
}

/// A state from what a runtime keeps.
pub fn read<M: Model>(memory: &serde_json::Value) -> Result<M> {
    let value = from_json(memory, &Schema::of::<M>().ty()).map_err(|error| {
        Diagnostic::error("What the runtime keeps of the object cannot be read").detail(error)
    })?;
    M::decode(&value, &Path::default())
}

/// Says how to take over what exists already, where that is why it was not made.
pub fn offer(message: Diagnostic, error: &RuntimeError, resource: &str, name: &str) -> Diagnostic {
    match error {
        RuntimeError::Exists { .. } => message.detail(format!(
            "import {{\n  to = {resource}.NAME\n  id = {name:?}\n}}"
        )),
        _ => message,
    }
}
