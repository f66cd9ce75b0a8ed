//! `flower_superlink`: the server of a federation.

mod active_runs;
mod allow_list;
mod certificate;
mod drift;
mod effect;
mod model;
mod nodes;
mod planned_outputs;
mod storage;
mod workload;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::at;
use crate::flower::control::SharedReads;
use crate::flower::launch::Role;
use crate::flower::version::{FlowerVersion, NodeAuth, keeps_state, row_of};
use crate::resources::Configured;
use crate::resources::choices::Status;
use crate::resources::control_access::until_healthy;
use crate::resources::exposure;
use crate::resources::failure::{self, BringUp};
use crate::resources::journal;
use crate::resources::lifecycle::{self, Remains};
use crate::resources::place;
use crate::resources::pod;
use crate::resources::processes;
use crate::resources::recorded_configuration;
use crate::resources::release;
use crate::resources::report;
use crate::resources::service;
use crate::resources::superlink_id::SuperlinkId;
use crate::resources::timeouts::Operation;
use crate::runtime::{LayoutRequest, Port};
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::schema::{Maybe, Schema, Tree};
use crate::tfplugin::{Call, Import, Plan, Resource, Slot};
pub use model::{AllowedNode, Model};
use workload::object;

/// Flower may have to be installed first.
const START: Duration = Duration::from_mins(15);
/// How old an answer may be that many resources share during one refresh.
const SHARED: Duration = Duration::from_secs(15);

pub struct Superlink;

impl Resource for Superlink {
    type Model = Model;
    type Provider = Configured;

    const TYPE: &'static str = "flower_superlink";
    const IDENTITY_VERSION: i64 = 1;

    fn schema() -> Schema {
        let schema = Schema::of::<Model>();
        let description = format!("{}\n\n{}", schema.description, effect::table());
        Schema {
            description,
            ..schema
        }
    }

    fn validate(config: &Tree<Model>) -> Diagnostics {
        let mut found = Diagnostics::default();
        let insecure = config.get::<Option<bool>>(at!(Model, insecure));
        if let Ok(Maybe::Known(Some(true))) = insecure {
            if config.is_set(at!(Model, supernodes)) {
                found.push(
                    Diagnostic::error("Node keys need TLS")
                        .detail(
                            "Flower refuses to check the keys of SuperNodes without TLS, and \
                             `insecure` turns TLS off.",
                        )
                        .detail("Remove `insecure` or `supernodes`.")
                        .at(at!(Model, supernodes)),
                );
            }
            found.absorb(config.conflict(
                at!(Model, insecure),
                at!(Model, tls),
                "Without TLS there is no certificate.",
            ));
        }
        found.extend(certificate::validate(config));
        found.extend(storage::validate(config));
        found.absorb(pod::validate(config, at!(Model, kubernetes)));
        found.extend(exposure::validate(config));
        let policy = at!(Model, kubernetes.network_policy);
        found.extend(service::validate(config, at!(Model, service), policy));
        found.extend(processes::validate(config, Role::SuperLink));
        found.extend(nodes::check(config.value(at!(Model, supernodes))));
        found
    }

    async fn plan(provider: Option<Arc<Configured>>, plan: &mut Plan<Model>) -> Result<()> {
        processes::can_install(provider.as_deref(), plan)?;
        if let Maybe::Known(version) = plan.get::<FlowerVersion>(at!(Model, flower_version))? {
            release::row(version)?;
            let prior = plan
                .prior
                .get::<Option<FlowerVersion>>(at!(Model, flower_version))?;
            if let Maybe::Known(Some(prior)) = prior
                && !keeps_state(prior, version)
            {
                lose_state(plan, prior, version)?;
            }
            allow_list::note_memory(plan, version)?;
            allow_list::can_check_keys(plan, version)?;
            let supernodes = plan.planned.value(at!(Model, supernodes));
            plan.notes.extend(nodes::without_place(supernodes, version));
            plan.notes.extend(release::newer(version));
        }
        plan.notes.extend(allow_list::open_to_outside(
            provider.as_deref(),
            &plan.config,
        ));
        planned_outputs::plan_outputs(plan)?;
        if plan.is_create() {
            return Ok(());
        }
        drift::repair(plan)?;
        storage::grows(plan)?;
        if storage::is_kept(&plan.prior)? != storage::is_kept(&plan.planned)? {
            plan.replace(at!(Model, persistence));
        }
        // Its names follow from how it is reached.
        let has_service = provider.as_ref().is_none_or(|one| one.runtime.has_pods());
        let service = planned_outputs::REACHED_BY.iter().filter(|_| has_service);
        let mut causes = service
            .copied()
            .chain([at!(Model, tls), at!(Model, insecure)]);
        let is_another =
            |cause| effect::is_changed(plan.prior.value(cause), plan.planned.value(cause));
        if causes.any(is_another) {
            plan.set_unknown(at!(Model, certificate_not_after));
        }
        allow_list::foresee(plan)?;
        allow_list::keeps_locations(plan)?;
        allow_list::note_revoked(plan)?;
        storage::note_loss(plan)?;
        active_runs::note(provider.as_deref(), plan).await
    }

    async fn create(
        call: Call<Configured>,
        mut planned: Model,
        _: Tree<Model>,
        slot: Slot<Model>,
    ) -> Result<()> {
        let object = object(&planned.name);
        let runtime = call.provider.runtime.as_ref();
        let requirements = planned.requirements.as_deref();
        // What could not be looked at while it was unknown is looked at before anything is made.
        can_start(&planned)?;
        processes::can_run(runtime, &object, planned.flower_version, requirements).await?;
        let place = lifecycle::begin(&call, &object, Self::TYPE).await?;
        planned.id.set(planned.name.to_string());
        planned.place.set(place);
        planned.superlink_id.set(SuperlinkId::random());
        let ended = bring_up(&call, &mut planned, &slot, Operation::Create, false).await;
        let made = planned.control.get().is_some().then_some(&planned);
        let secrets = workload::secrets(&planned.name);
        lifecycle::end(
            &call,
            &object,
            made,
            &slot,
            remains(&planned, &secrets),
            ended,
        )
        .await
    }

    async fn read(call: Call<Configured>, mut state: Model) -> Result<Option<Model>> {
        let runtime = &call.provider.runtime;
        let object = object(&state.name);
        if !place::is_within_reach(&call, &object, &mut state.place).await? {
            return Ok(Some(state));
        }
        let observed = runtime.observe(&object, &workload::parts(&state)).await;
        let observed = observed
            .map_err(|error| report::error(format!("{object} could not be read"), &error))?;
        let Some(observed) = observed else {
            lifecycle::tell_left_behind(&call, &object).await;
            return Ok(None);
        };
        let status = failure::status(&call, &object, &observed, true);
        let status = drift::report_missing(&call, &object, status, &observed.missing);
        state.status.set(status);
        let runs = matches!(status, Status::Running | Status::Changed);
        let before = state.nodes.get().cloned().unwrap_or_default();
        let any = state.supernodes.is_some() || !before.is_empty();
        if registers(&state) && any && runs && is_trusted(&state) {
            let keys = state.supernodes.as_ref().map(nodes::keys).transpose()?;
            match control(&call, &state)?.nodes(SHARED).await {
                Ok(found) => {
                    let mut ids = nodes::ours(&found, &keys.unwrap_or_default(), &before);
                    if state.supernodes.is_some() {
                        // A list is all who may join: whoever else is registered is drift.
                        ids.extend(nodes::others(&found, &ids, &nodes::NodeIds::new()));
                    }
                    state.nodes.set(ids);
                }
                Err(error) => call.warn(report::warning(
                    format!("The SuperNodes of {object} could not be listed"),
                    &error,
                )),
            }
        }
        // A release that is not known any more must not keep the rest from being looked at.
        if let Ok(exposure) = workload::exposure(&state) {
            let now = runtime.fleet_address(&object, &exposure).await;
            let now =
                now.map_err(|error| report::error(format!("{object} could not be read"), &error))?;
            if let Some(note) = drift::readdress(&mut state, now.as_deref()) {
                call.warn(note);
            }
        }
        drift::forget_outdated(&mut state, &observed);
        Ok(Some(state))
    }

    async fn update(
        call: Call<Configured>,
        prior: Model,
        mut planned: Model,
        _: Tree<Model>,
        slot: Slot<Model>,
    ) -> Result<()> {
        let runtime = call.provider.runtime.as_ref();
        place::check(runtime, &object(&planned.name), &mut planned.place).await?;
        drift::has_database(&prior)?;
        refuse(&call, &prior, &planned).await?;
        let reissue = planned.certificate_not_after.get().is_none();
        for secret in workload::secrets(&planned.name) {
            let relabelled = runtime
                .relabel_secret(&object(&planned.name), &secret)
                .await;
            relabelled.map_err(|error| {
                report::error("The SuperLink's secrets were not stored", &error)
            })?;
        }
        planned
            .nodes
            .set(prior.nodes.get().cloned().unwrap_or_default());
        let brought = bring_up(&call, &mut planned, &slot, Operation::Update, reissue).await;
        if brought.is_err() {
            // Nothing is in the state that did not come about, and no node is out of it that did.
            slot.put(&Model {
                nodes: planned.nodes,
                ..prior
            });
            return brought;
        }
        slot.put(&planned);
        let settled =
            recorded_configuration::settle(runtime, &object(&planned.name), &planned).await;
        settled.map_err(|error| {
            report::error("The SuperLink changed, but not its record", &error).into()
        })
    }

    async fn delete(call: Call<Configured>, mut state: Model) -> Result<()> {
        let object = object(&state.name);
        place::check(call.provider.runtime.as_ref(), &object, &mut state.place).await?;
        active_runs::warn_of_their_end(&call, &state).await;
        let secrets = workload::secrets(&state.name);
        let remains = remains(&state, &secrets);
        let removed = lifecycle::remove(&call, &object, state.timeouts.as_ref(), remains).await;
        removed.map_err(|error| report::error(format!("{object} was not removed"), &error))?;
        if let Some(control) = state.control.get() {
            journal::settle_superlink(call.provider.runtime.as_ref(), &control.url).await;
        }
        Ok(())
    }

    async fn import(call: Call<Configured>, what: Import<Model>) -> Result<Model> {
        recorded_configuration::restore(call.provider.runtime.as_ref(), &what).await
    }

    fn upgrade_identity(version: i64, identity: Json) -> Result<Json> {
        Ok(recorded_configuration::upgrade_identity(version, identity))
    }
}

/// An error where no process and no certificate could be made of it.
pub(crate) fn can_start(model: &Model) -> Result<()> {
    workload::sketch(model).map(drop)
}

/// Plans a new SuperLink in place of one whose database the other release cannot read, where that
/// was asked for.
fn lose_state(plan: &mut Plan<Model>, prior: FlowerVersion, version: FlowerVersion) -> Result<()> {
    let keeps = storage::is_kept(&plan.prior)?.unwrap_or(true);
    let allowed = plan
        .get::<Option<bool>>(at!(Model, allow_state_loss))?
        .known()
        .flatten();
    if keeps && !allowed.unwrap_or(false) {
        return Err(Diagnostic::error(format!(
            "Flower {version} cannot use the database of Flower {prior}"
        ))
        .detail("A SuperLink with that version would refuse to start, or not find its runs.")
        .detail(
            "Keep the version, or set `allow_state_loss = true`. Apply then creates a new \
             SuperLink without the runs and SuperNodes of this one, and SuperNodes need new keys.",
        )
        .at(at!(Model, flower_version))
        .into());
    }
    plan.replace(at!(Model, flower_version));
    Ok(())
}

/// Refuses what cannot be done, and what is not to be done now, before anything is touched: what was
/// refused is no change that an apply left unfinished.
async fn refuse(call: &Call<Configured>, prior: &Model, planned: &Model) -> Result<()> {
    let object = object(&planned.name);
    let sketch = workload::sketch(planned)?;
    let what = format!("{object} was not changed");
    let limit = Operation::Update.limit(planned.timeouts.as_ref(), START);
    processes::prepare(call, &sketch, &what, limit).await?;
    active_runs::spare(call, prior, planned, limit).await
}

/// Starts the SuperLink, waits until it answers, and makes its allow-list what it should be.
async fn bring_up(
    call: &Call<Configured>,
    model: &mut Model,
    slot: &Slot<Model>,
    operation: Operation,
    reissue: bool,
) -> Result<()> {
    let runtime = call.provider.runtime.as_ref();
    let object = object(&model.name);
    let what = format!("{object} did not start");
    let fixed = model.local.as_ref().and_then(|local| local.port);
    let ports = workload::ports(model)?;
    let exposure = workload::exposure(model)?;
    let coming = BringUp {
        call,
        object: &object,
        process: "superlink",
        what: &what,
        operation,
        limit: operation.limit(model.timeouts.as_ref(), START),
        begun: Instant::now(),
    };
    let layout = coming.told_within(async {
        let laid_out = runtime.layout(LayoutRequest {
            object: &object,
            ports: &ports,
            fixed: fixed.map(|port| (Port::Api, port)),
            exposure: Some(&exposure),
            until: coming.until(),
        });
        let laid_out = laid_out.await;
        laid_out.map_err(|error| failure::not_placed(what.as_str(), &error).into())
    });
    let layout = layout.await?;
    let ca = workload::ensure_certificate(runtime, model, &layout, reissue).await?;
    workload::ensure_own_key(runtime, model).await?;
    let (fleet, control) = workload::addresses(model, &layout, ca.as_deref());
    let workload = workload::workload(model, &layout)?;
    model.fleet.set(fleet);
    model.control.set(control);
    model.status.set(Status::Stopped);
    let before = model.nodes.get().cloned().unwrap_or_default();
    model.nodes.set(before.clone());
    if matches!(operation, Operation::Create) {
        // Identity before waiting: from here on nothing is lost.
        slot.put(model);
    }
    let shared = self::control(call, model)?;
    let healthy = async {
        runtime
            .start(&workload, &call.stop)
            .await
            .map_err(|error| failure::not_started(what.as_str(), &error))?;
        tokio::select! {
            failure = runtime.watch_failure(&object, coming.wait_policy(&workload.pod)) => Err(failure::report(&what, &failure).into()),
            stands = async {
                let ready = runtime.ready(&object).await;
                ready.map_err(|error| report::error(what.as_str(), &error))?;
                let healthy = until_healthy(shared.client()).await;
                healthy.map_err(|error| report::error(what.as_str(), &error).into())
            } => stands,
        }
    };
    coming.within(healthy).await?;
    model.status.set(Status::Running);
    if !registers(model) {
        model.nodes.set(nodes::NodeIds::new());
        return Ok(());
    }
    let what = format!("The SuperNodes of {object} were not registered");
    let registering = BringUp {
        what: &what,
        ..coming
    };
    let list = model.supernodes.as_ref();
    let mut ids = before;
    let reconciled = async { nodes::reconcile(&shared, list, &mut ids).await.or(()) };
    let reconciled = registering.within(reconciled).await;
    // Whatever was registered by then lets in, and must be known.
    model.nodes.set(ids);
    reconciled
}

/// Whether its allow-list is made of registrations.
fn registers(model: &Model) -> bool {
    row_of(model.flower_version).is_ok_and(|row| row.node_auth == NodeAuth::Registration)
}

/// Whether it can be asked: one that lost its authority proves nothing to anybody.
fn is_trusted(state: &Model) -> bool {
    let control = state.control.get();
    control.is_some_and(|control| state.insecure || control.ca_certificate.is_some())
}

fn control(call: &Call<Configured>, model: &Model) -> Result<Arc<SharedReads>> {
    let Some(control) = model.control.get() else {
        return Err(Diagnostic::error("The SuperLink has no address").into());
    };
    let control = call.provider.control(&control.clone().into());
    control.map_err(|error| report::error("The SuperLink's address cannot be used", &error).into())
}

fn remains<'a>(model: &Model, secrets: &'a [String]) -> Remains<'a> {
    Remains {
        secrets,
        keep_logs: model.local.as_ref().and_then(|local| local.keep_logs),
    }
}
