//! The place where an object lives, which is part of its state. Without it, a provider that points
//! to another place would find nothing there and plan to create everything again. An object on
//! another machine cannot be read from here, so the plan uses the values in the state, which keeps
//! a plan in CI useful. An apply that would change the object fails.

use std::fmt::Display;

use crate::at;
use crate::resources::Configured;
use crate::resources::app_run::Model as AppRun;
use crate::resources::connection_attributes::ControlInput;
use crate::resources::report;
use crate::resources::supernode::Model as Supernode;
use crate::runtime::{ObjectRef, Runtime, Whereabouts};
use crate::tfplugin::Call;
use crate::tfplugin::diagnostic::{Diagnostic, Result};
use crate::tfplugin::schema::Computed;

const BACK: &str = "Point the provider configuration to the former place again (its context, host \
                    or namespace, or `local.data_dir`; with workspaces, check the variables file), \
                    or remove the object from the state with `terraform state rm`.";
const THERE: &str = "Run Terraform there: on that machine, with `local.data_dir` set to that folder. \
                     If the machine or the folder is gone for good, remove the object from the state \
                     with `terraform state rm`.";

/// The place of this runtime, for a new object.
pub async fn here(runtime: &dyn Runtime, object: &ObjectRef) -> Result<String> {
    let place = runtime.place().await;
    place.map_err(|error| report::error(format!("{object} was not created"), &error).into())
}

/// The place of a run if its SuperLink is reached through the runtime; otherwise the URL is enough.
pub async fn of_run(
    runtime: &dyn Runtime,
    control: &ControlInput,
    what: &str,
) -> Result<Computed<String>> {
    if !control.is_in_cluster() {
        return Ok(Computed::Null);
    }
    let place = runtime.place().await;
    let place =
        place.map_err(|error| report::error(what, &error).at(at!(AppRun | Supernode, control)))?;
    Ok(Computed::Known(place))
}

/// An error unless the object in the state lives in this runtime.
pub async fn check(
    runtime: &dyn Runtime,
    object: &ObjectRef,
    recorded: &mut Computed<String>,
) -> Result<()> {
    let (place, whereabouts) = find(runtime, object, recorded).await?;
    let before = recorded.get().cloned().unwrap_or_default();
    let remedy = match whereabouts {
        Whereabouts::Here => {
            // The value that the plan showed stays, even if it is another name of this place.
            if recorded.get().is_none() {
                recorded.set(place);
            }
            return Ok(());
        }
        Whereabouts::OutOfReach => THERE,
        Whereabouts::Elsewhere => BACK,
    };
    Err(elsewhere(object, &before, &place).detail(remedy).into())
}

/// An error unless the run in the state belongs to a SuperLink that this runtime can reach.
pub async fn check_run(
    runtime: &dyn Runtime,
    run: &(dyn Display + Sync),
    recorded: &Computed<String>,
) -> Result<()> {
    let Some(before) = recorded.get() else {
        return Ok(());
    };
    let place = runtime.place().await;
    let place = place.map_err(|error| report::error(format!("{run} could not be read"), &error))?;
    if place == *before {
        return Ok(());
    }
    Err(elsewhere(run, before, &place).detail(BACK).into())
}

fn elsewhere(what: &(dyn Display + Sync), before: &str, here: &str) -> Diagnostic {
    Diagnostic::error(format!("{what} is in another place")).detail(format!(
        "It was created in {before}, but this provider configuration points to {here}. Nothing was \
         changed."
    ))
}

/// Whether a refresh can read the object in the state. If it is out of reach, warns and keeps the
/// state.
pub async fn is_within_reach(
    call: &Call<Configured>,
    object: &ObjectRef,
    recorded: &mut Computed<String>,
) -> Result<bool> {
    let runtime = call.provider.runtime.as_ref();
    let (place, whereabouts) = find(runtime, object, recorded).await?;
    match whereabouts {
        Whereabouts::Here => {
            recorded.set(place);
            Ok(true)
        }
        Whereabouts::OutOfReach => {
            let before = recorded.get().cloned().unwrap_or_default();
            call.warn(
                Diagnostic::warning(format!("{object} was not read"))
                    .detail(format!(
                        "It was created in {before}, but this is {place}. The plan uses the values \
                         in the state; an apply that changes the object fails."
                    ))
                    .detail(THERE),
            );
            Ok(false)
        }
        Whereabouts::Elsewhere => check(runtime, object, recorded).await.map(|()| true),
    }
}

/// The place of this runtime, and whether the object is here.
async fn find(
    runtime: &dyn Runtime,
    object: &ObjectRef,
    recorded: &Computed<String>,
) -> Result<(String, Whereabouts)> {
    let explain = |error| report::error(format!("{object} could not be read"), &error);
    let place = runtime.place().await.map_err(explain)?;
    let whereabouts = match recorded.get() {
        None => Whereabouts::Here,
        Some(before) => {
            let found = runtime.whereabouts(object, before).await;
            found.map_err(explain)?
        }
    };
    Ok((place, whereabouts))
}
