//! Where an object lives is part of its state: a provider that was pointed elsewhere would find
//! nothing there and plan to make everything anew.

use crate::resources::report::failed;
use crate::runtime::{ObjectRef, Runtime};
use crate::tfplugin::diagnostic::{Diagnostic, Result};
use crate::tfplugin::schema::Computed;

/// The place of this runtime, for a new object.
pub async fn here(runtime: &dyn Runtime, object: &ObjectRef) -> Result<String> {
    let place = runtime.place().await;
    place.map_err(|error| failed(format!("{object} was not made"), &error).into())
}

/// An error unless the object of a state lives in this runtime.
pub async fn check(
    runtime: &dyn Runtime,
    object: &ObjectRef,
    recorded: &mut Computed<String>,
) -> Result<()> {
    let place = runtime.place().await;
    let place =
        place.map_err(|error| failed(format!("{object} could not be looked at"), &error))?;
    match recorded.get() {
        Some(before) if *before != place => {
            Err(Diagnostic::error(format!("{object} lives elsewhere"))
                .detail(format!(
                    "It was made in {before}, and this provider configuration leads to {place}. \
                     Nothing was changed."
                ))
                .detail(
                    "Point the provider (its context, host or namespace) back to where it was, or \
                     remove the object from the state with `terraform state rm`.",
                )
                .into())
        }
        _ => {
            recorded.set(place);
            Ok(())
        }
    }
}
