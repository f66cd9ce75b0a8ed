//! `flower_superlink`: the server of a federation.

mod active_runs;
mod allow_list;
mod bring_up;
mod certificate;
mod credentials;
mod drift;
mod effect;
mod model;
mod nodes;
mod planned_outputs;
mod storage;
mod workload;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;

use crate::at;
use crate::flower::launch::Role;
use crate::flower::version::{FlowerVersion, keeps_state};
use crate::resources::Configured;
use crate::resources::choices::Status;
use crate::resources::exposure;
use crate::resources::failure;
use crate::resources::journal;
use crate::resources::lifecycle::{self, Remains};
use crate::resources::operation::Operation;
use crate::resources::place;
use crate::resources::pod;
use crate::resources::process_checks;
use crate::resources::processes;
use crate::resources::recorded_configuration;
use crate::resources::release;
use crate::resources::report;
use crate::resources::service;
use crate::resources::simulation;
use crate::resources::superlink_id::SuperlinkId;
use crate::runtime::Managed;
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::schema::{Maybe, Schema, Tree};
use crate::tfplugin::{Call, Import, Plan, Resource, Slot};
use bring_up::{START, bring_up, control, registers};
pub use model::{AllowedNode, Model};
use workload::object;

/// The maximum age of an answer that many resources share during one refresh.
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
        found.absorb(simulation::excludes_supernodes(config));
        found.extend(simulation::validate(config, at!(Model, simulation)));
        found.extend(certificate::validate(config));
        found.extend(storage::validate(config));
        found.absorb(pod::checks::validate(config, at!(Model, kubernetes)));
        found.extend(exposure::validate(config));
        let policy = at!(Model, kubernetes.network_policy);
        found.extend(service::validate(config, at!(Model, service), policy));
        found.extend(process_checks::validate(config, Role::SuperLink));
        found.extend(nodes::check(config.value(at!(Model, supernodes))));
        found
    }

    async fn plan(provider: Option<Arc<Configured>>, plan: &mut Plan<Model>) -> Result<()> {
        processes::can_install(provider.as_deref(), plan)?;
        simulation::is_possible(provider.as_deref(), plan)?;
        if let Maybe::Known(version) = plan.get::<FlowerVersion>(at!(Model, flower_version))? {
            release::row(version)?;
            let prior = plan
                .prior
                .get::<Option<FlowerVersion>>(at!(Model, flower_version))?;
            if let Maybe::Known(Some(prior)) = prior
                && !keeps_state(prior, version)
            {
                storage::lose(plan, prior, version)?;
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
        // The names of the certificate depend on the Service.
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
        // Values that were unknown in the plan are checked before anything is created.
        can_start(&planned)?;
        if planned.simulation.is_some() {
            simulation::is_without(runtime.has_pods())?;
        }
        processes::can_run(runtime, &object, planned.flower_version, requirements).await?;
        let (claimed, place) = lifecycle::begin(&call, &object, Self::TYPE).await?;
        planned.id.set(planned.name.to_string());
        planned.place.set(place);
        planned.superlink_id.set(SuperlinkId::random());
        let ended = bring_up(
            &call,
            &claimed,
            &mut planned,
            &slot,
            Operation::Create,
            false,
        )
        .await;
        let made = planned.control.get().is_some().then_some(&planned);
        let secrets = credentials::secrets(&planned.name);
        lifecycle::end(
            &call,
            claimed,
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
                        // With a list, only its SuperNodes may join: every other registration is
                        // drift.
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
        // A release that this provider does not know must not prevent the other checks.
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
        let managed = Managed::in_state(object(&planned.name));
        place::check(runtime, managed.object(), &mut planned.place).await?;
        drift::has_database(&prior)?;
        refuse(&call, &prior, &planned).await?;
        let reissue = planned.certificate_not_after.get().is_none();
        for secret in credentials::secrets(&planned.name) {
            let relabelled = runtime.relabel_secret(managed.object(), &secret).await;
            relabelled.map_err(|error| {
                report::error("The SuperLink's secrets were not stored", &error)
            })?;
        }
        planned
            .nodes
            .set(prior.nodes.get().cloned().unwrap_or_default());
        let brought = bring_up(
            &call,
            &managed,
            &mut planned,
            &slot,
            Operation::Update,
            reissue,
        )
        .await;
        if brought.is_err() {
            // The state keeps the prior values, but has every node that was registered.
            slot.put(&Model {
                nodes: planned.nodes,
                ..prior
            });
            return brought;
        }
        slot.put(&planned);
        let recorded = recorded_configuration::record(runtime, &managed, &planned).await;
        recorded.map_err(|error| {
            report::error("The SuperLink changed, but not its record", &error).into()
        })
    }

    async fn delete(call: Call<Configured>, mut state: Model) -> Result<()> {
        let object = object(&state.name);
        place::check(call.provider.runtime.as_ref(), &object, &mut state.place).await?;
        active_runs::warn_of_their_end(&call, &state).await;
        let secrets = credentials::secrets(&state.name);
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

/// An error if no process and no certificate can be created with this configuration.
pub(crate) fn can_start(model: &Model) -> Result<()> {
    workload::sketch(model).map(drop)
}

/// Refuses what is impossible, and what `on_active_runs` forbids now, before anything is changed: a
/// refusal here does not leave an unfinished change.
async fn refuse(call: &Call<Configured>, prior: &Model, planned: &Model) -> Result<()> {
    let object = object(&planned.name);
    let sketch = workload::sketch(planned)?;
    if planned.simulation.is_some() {
        simulation::is_without(call.provider.runtime.has_pods())?;
    }
    let what = format!("{object} was not changed");
    let limit = Operation::Update.limit(planned.timeouts.as_ref(), START);
    processes::prepare(call, &object, &sketch, &what, limit).await?;
    active_runs::spare(call, prior, planned, limit).await
}

/// Whether the SuperLink can be read: without its authority, it cannot prove its identity.
fn is_trusted(state: &Model) -> bool {
    let control = state.control.get();
    control.is_some_and(|control| state.insecure || control.ca_certificate.is_some())
}

fn remains<'a>(model: &Model, secrets: &'a [String]) -> Remains<'a> {
    Remains {
        secrets,
        keep_logs: model.local.as_ref().and_then(|local| local.keep_logs),
    }
}
