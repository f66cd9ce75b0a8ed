//! The creation and the removal of an object with processes, the same for every kind. A name is
//! claimed before anything is created, and afterwards the object is either in the state or removed.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Configured;
use super::operation::Operation;
use super::report;
use super::superlink::Model as Superlink;
use super::supernode::Model as Supernode;
use super::timeouts::Timeouts;
use super::{place, recorded_configuration};
use crate::at;
use crate::runtime::{Claim, Claimed, ObjectRef, Removal, RuntimeError};
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::schema::Model;
use crate::tfplugin::{Call, Slot};

/// How long a removal may take by default.
const REMOVE: Duration = Duration::from_mins(2);

/// What a removal deletes with the object, and what it keeps.
#[derive(Debug, Clone, Copy, Default)]
pub struct Remains<'a> {
    pub secrets: &'a [String],
    pub keep_logs: Option<bool>,
}

/// Claims the name. Returns the claim, and the place where the object lives.
pub async fn begin(
    call: &Call<Configured>,
    object: &ObjectRef,
    resource: &str,
) -> Result<(Claimed, String)> {
    let runtime = call.provider.runtime.as_ref();
    let place = place::here(runtime, object).await?;
    let claimed = runtime.claim(object, &call.stop).await.map_err(|error| {
        let message = report::error(format!("{object} was not created"), &error)
            .at(at!(Superlink | Supernode, name));
        recorded_configuration::offer(message, &error, resource, object.name.as_str())
    })?;
    if claimed.claim() == Claim::Unfinished {
        call.warn(
            Diagnostic::warning(format!("{object} was taken over")).detail(
                "An earlier apply ended while it created the object. This apply finished \
                         the work.",
            ),
        );
    }
    Ok((claimed, place))
}

/// Records the created object, even an incomplete one, or removes it if the state has nothing of it
/// yet.
pub async fn end<M: Model>(
    call: &Call<Configured>,
    claimed: Claimed,
    made: Option<&M>,
    slot: &Slot<M>,
    remains: Remains<'_>,
    ended: Result<()>,
) -> Result<()> {
    let mut found = Diagnostics::default();
    found.absorb(ended);
    let runtime = call.provider.runtime.as_ref();
    let object = claimed.object().clone();
    if let Some(model) = made {
        slot.put(model);
        if let Err(error) = recorded_configuration::settle(runtime, claimed, model).await {
            found.push(report::error(
                format!("{object} was created, but not recorded"),
                &error,
            ));
        }
    } else {
        // Also if Terraform was interrupted: no state knows the object.
        let stop = CancellationToken::new();
        let how = Removal {
            secrets: remains.secrets,
            keep_logs: remains.keep_logs.unwrap_or(false),
            limit: REMOVE,
            stop: &stop,
        };
        if let Err(error) = runtime.release(claimed, how).await {
            let what = format!("{object} was not removed completely");
            call.warn(
                report::warning(what, &error)
                    .detail("The next apply takes over what is left of it."),
            );
        }
    }
    found.or(())
}

/// Removes an object of a state.
pub async fn remove(
    call: &Call<Configured>,
    object: &ObjectRef,
    timeouts: Option<&Timeouts>,
    remains: Remains<'_>,
) -> std::result::Result<(), RuntimeError> {
    let how = Removal {
        secrets: remains.secrets,
        keep_logs: remains.keep_logs.unwrap_or(false),
        limit: Operation::Delete.limit(timeouts, REMOVE),
        stop: &call.stop,
    };
    call.provider.runtime.remove(object, how).await
}

/// Warns of processes of an object that is gone: when the state forgets it, nothing manages them.
pub async fn tell_left_behind(call: &Call<Configured>, object: &ObjectRef) {
    if let Some(end) = call.provider.runtime.left_behind(object).await {
        call.warn(
            Diagnostic::warning(format!("Processes of {object} still run"))
                .detail("Its folder was removed, but its processes were not ended.")
                .detail(format!(
                    "An apply that creates the object again ends them. To end them now: {end}"
                )),
        );
    }
}
