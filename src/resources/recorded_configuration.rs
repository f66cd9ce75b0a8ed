//! The configuration that an object was created with. The runtime keeps it with the object, so
//! another state can take over the whole object: an import needs only a name, and the next plan is
//! empty.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::resources::report;
use crate::runtime::{
    Claimed, ErrorKind, Kind, Managed, ObjectName, ObjectRef, Runtime, RuntimeError, Whereabouts,
};
use crate::tfplugin::Import;
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::path::Path;
use crate::tfplugin::schema::{Model, ModelPath, without_secrets};
use crate::tfplugin::value::{from_json, to_state};

/// A model of a recorded object, and where its identity is.
pub trait Recorded: Model {
    const KIND: Kind;
    const NAME: ModelPath<Self>;
    const PLACE: ModelPath<Self>;
}

/// Records the object in a state after an update.
pub async fn record<M: Model>(
    runtime: &dyn Runtime,
    object: &Managed,
    model: &M,
) -> std::result::Result<(), RuntimeError> {
    let configuration = configuration(model);
    runtime.record_configuration(object, &configuration).await
}

/// Records that a created object is in a state.
pub async fn settle<M: Model>(
    runtime: &dyn Runtime,
    claimed: Claimed,
    model: &M,
) -> std::result::Result<(), RuntimeError> {
    runtime.settle(claimed, &configuration(model)).await
}

/// All values of the state except sensitive ones; after an import, the configuration provides those
/// again.
fn configuration<M: Model>(model: &M) -> Json {
    to_state(&without_secrets(&M::attributes(), model.encode()))
}

/// Upgrades an identity of version 0, which had only the name. A refresh fills in the place.
pub fn upgrade_identity(version: i64, identity: Json) -> Json {
    if version > 0 {
        return identity;
    }
    json!({ "place": null, "name": identity.get("id") })
}

/// The state of the object with this id or identity, for an import.
pub async fn restore<M: Recorded>(runtime: &dyn Runtime, what: &Import<M>) -> Result<M> {
    let kind = M::KIND;
    let (id, place) = match what {
        Import::Id(id) => (id.clone(), None),
        Import::Identity(identity) => {
            let text = |path| -> Result<Option<String>> {
                Ok(identity.get::<Option<_>>(path)?.known().flatten())
            };
            let name = text(M::NAME)?;
            let place = text(M::PLACE)?;
            (name.unwrap_or_default(), place)
        }
    };
    let unknown = |why: &str| {
        Diagnostics::from(
            Diagnostic::error(format!("There is no {kind} {id:?} to import"))
                .detail(format!("The import ID is the name of the {kind}: {why}.")),
        )
    };
    let name: ObjectName = id.parse().map_err(|error| unknown(&format!("{error}")))?;
    let object = ObjectRef { kind, name };
    if let Some(place) = place {
        is_here(runtime, &object, &place).await?;
    }
    let recorded = runtime.recorded_configurations(kind).await;
    let mut recorded =
        recorded.map_err(|error| report::error(format!("{kind}s could not be listed"), &error))?;
    let configuration = recorded.remove(&object.name).ok_or_else(|| {
        let known: Vec<_> = recorded.keys().map(ObjectName::as_str).collect();
        unknown(&if known.is_empty() {
            "this provider configuration has none".to_owned()
        } else {
            format!("this provider configuration has {}", known.join(", "))
        })
    })?;
    read(&configuration)
}

/// An error if an identity names another place than that of this provider.
async fn is_here(runtime: &dyn Runtime, object: &ObjectRef, there: &str) -> Result<()> {
    let explain = |error| report::error(format!("{object} was not imported"), &error);
    let found = runtime.whereabouts(object, there).await.map_err(explain)?;
    if found == Whereabouts::Here {
        return Ok(());
    }
    let here = runtime.place().await.map_err(explain)?;
    Err(Diagnostic::error(format!("{object} is in another place"))
        .detail(format!(
            "The import identity names {there}, but this provider configuration points to {here}."
        ))
        .detail(
            "Import it with the provider configuration that points there (`provider` of the \
             resource), or omit `place`.",
        )
        .into())
}

/// Reads a state from a record of the runtime.
pub fn read<M: Model>(configuration: &Json) -> Result<M> {
    let value = from_json(configuration, M::ty()).map_err(|error| {
        Diagnostic::error("The record of the object cannot be read").detail(error)
    })?;
    M::decode(&value, &Path::default())
}

/// The readable records of these objects. Others are skipped, and the log says why.
pub fn readable<M: Model>(
    recorded: BTreeMap<ObjectName, Json>,
) -> impl Iterator<Item = (ObjectName, M)> {
    recorded.into_iter().filter_map(|(name, configuration)| {
        let model = read(&configuration).inspect_err(|refused| {
            for one in refused.iter() {
                tracing::warn!(%name, "its record is not used: {}: {}", one.summary, one.detail);
            }
        });
        Some((name, model.ok()?))
    })
}

/// If a create failed because the object exists, adds why it may exist and how to take it over.
pub fn offer(message: Diagnostic, error: &RuntimeError, resource: &str, name: &str) -> Diagnostic {
    match error.kind() {
        // This code cannot see whether it is the object of the same state.
        ErrorKind::Exists => message
            .detail(
                "If Terraform is replacing that object now, it cannot create the new object first: \
                 `create_before_destroy`, on this resource or on a resource that depends on it, \
                 does not work with a fixed name. Remove `create_before_destroy`, or change `name` \
                 in the same apply.",
            )
            .detail(
                "If the object belongs to another workspace or configuration, choose another name \
                 or another place. In the runtime `local`, give each workspace its own data \
                 folder, such as `data_dir = \".flower/${terraform.workspace}\"`.",
            )
            .detail("Take it over with an `import` block if it is in no state:")
            .detail(format!(
                "import {{\n  to = {resource}.NAME\n  id = {name:?}\n}}"
            )),
        ErrorKind::Refused | ErrorKind::Other => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_exists_may_be_the_one_that_is_being_replaced() {
        let object = ObjectRef {
            kind: Kind::Superlink,
            name: "s1".parse().unwrap(),
        };
        let error = RuntimeError::Exists {
            object,
            place: "/data/.flower/superlink/s1".to_owned(),
        };
        let message = report::error("SuperLink \"s1\" was not made", &error);
        let message = offer(message, &error, "flower_superlink", "s1");
        insta::assert_snapshot!(format!("{}\n\n{}", message.summary, message.detail));
    }
}
