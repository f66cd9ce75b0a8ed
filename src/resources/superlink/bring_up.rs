//! How a SuperLink starts: the provider creates its parts, starts its processes and waits for them,
//! and registers the keys of its allow-list.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::model::Model;
use super::nodes::{self, NodeIds};
use super::{credentials, workload};
use crate::flower::control::SharedReads;
use crate::flower::version::{NodeAuth, row_of};
use crate::resources::Configured;
use crate::resources::choices::Status;
use crate::resources::control_access::until_healthy;
use crate::resources::failure::{self, BringUp};
use crate::resources::operation::Operation;
use crate::resources::report;
use crate::runtime::{LayoutRequest, Managed, Port};
use crate::tfplugin::diagnostic::{Diagnostic, Result};
use crate::tfplugin::{Call, Slot};

/// The runtime may have to install Flower first.
pub(super) const START: Duration = Duration::from_mins(15);

/// Starts the SuperLink, waits until it answers, and reconciles its allow-list.
pub(super) async fn bring_up(
    call: &Call<Configured>,
    managed: &Managed,
    model: &mut Model,
    slot: &Slot<Model>,
    operation: Operation,
    reissue: bool,
) -> Result<()> {
    let runtime = call.provider.runtime.as_ref();
    let object = managed.object();
    let what = format!("{object} did not start");
    let fixed = model.local.as_ref().and_then(|local| local.port);
    let ports = workload::ports(model)?;
    let exposure = workload::exposure(model)?;
    let coming = BringUp {
        call,
        object,
        process: "superlink",
        what: &what,
        operation,
        limit: operation.limit(model.timeouts.as_ref(), START),
        begun: Instant::now(),
    };
    let layout = coming.told_within(async {
        let laid_out = runtime.layout(LayoutRequest {
            object: managed,
            ports: &ports,
            fixed: fixed.map(|port| (Port::Api, port)),
            exposure: Some(&exposure),
            until: coming.until(),
        });
        let laid_out = laid_out.await;
        laid_out.map_err(|error| failure::not_started(what.as_str(), &error).into())
    });
    let layout = layout.await?;
    let ca = credentials::ensure_certificate(runtime, managed, model, &layout, reissue).await?;
    credentials::ensure_own_key(runtime, managed, model).await?;
    let (fleet, control) = workload::addresses(model, &layout, ca.as_deref());
    let workload = workload::workload(model, &layout)?;
    model.fleet.set(fleet);
    model.control.set(control);
    model.status.set(Status::Stopped);
    let before = model.nodes.get().cloned().unwrap_or_default();
    model.nodes.set(before.clone());
    if matches!(operation, Operation::Create) {
        // The identity goes into the state before the wait, so that a failure loses nothing.
        slot.put(model);
    }
    let shared = self::control(call, model)?;
    let healthy = async {
        runtime
            .start(managed, &workload, &call.stop)
            .await
            .map_err(|error| failure::not_started(what.as_str(), &error))?;
        tokio::select! {
            failure = runtime.watch_failure(object, coming.wait_policy(&workload.pod)) => {
                Err(coming.bounded(&failure, failure::report(&what, &failure)).into())
            }
            stands = async {
                let ready = runtime.ready(object).await;
                ready.map_err(|error| report::error(what.as_str(), &error))?;
                let healthy = until_healthy(shared.client()).await;
                healthy.map_err(|error| report::error(what.as_str(), &error).into())
            } => stands,
        }
    };
    coming.within(healthy).await?;
    model.status.set(Status::Running);
    if !registers(model) {
        model.nodes.set(NodeIds::new());
        return Ok(());
    }
    let what = format!("The SuperNodes of {object} were not registered");
    let registering = BringUp {
        what: &what,
        ..coming
    };
    register(&registering, &shared, model, before).await
}

/// Reconciles the registrations with the allow-list. `before` are the earlier registrations.
async fn register(
    coming: &BringUp<'_>,
    control: &SharedReads,
    model: &mut Model,
    before: NodeIds,
) -> Result<()> {
    let list = model.supernodes.as_ref();
    let mut ids = before;
    let reconciled = async { nodes::reconcile(control, list, &mut ids).await.or(()) };
    let reconciled = coming.within(reconciled).await;
    // The keys that are registered by now can join, so the state must know them.
    model.nodes.set(ids);
    reconciled
}

/// Whether its release registers the keys of the allow-list.
pub(super) fn registers(model: &Model) -> bool {
    row_of(model.flower_version).is_ok_and(|row| row.node_auth == NodeAuth::Registration)
}

/// The client of the SuperLink of a state or plan that has an address.
pub(super) fn control(call: &Call<Configured>, model: &Model) -> Result<Arc<SharedReads>> {
    let Some(control) = model.control.get() else {
        return Err(Diagnostic::error("The SuperLink has no address").into());
    };
    let control = call.provider.control(&control.clone().into());
    control.map_err(|error| report::error("The SuperLink's address cannot be used", &error).into())
}
