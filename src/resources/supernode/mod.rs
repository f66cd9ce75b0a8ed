//! `flower_supernode`: the process at the site of a data owner.

mod join;
mod model;
mod node_membership;
mod recently_removed;
mod registrar;
mod skew;
mod workload;

use std::sync::Arc;

use serde_json::Value as Json;

use crate::at;
use crate::flower::launch::Role;
use crate::flower::version::FlowerVersion;
use crate::resources::Configured;
use crate::resources::choices::Status;
use crate::resources::connection_attributes::{FleetInput, same_by_id};
use crate::resources::connection_checks::{self, fleet_release};
use crate::resources::failure;
use crate::resources::lifecycle::{self, Remains};
use crate::resources::operation::Operation;
use crate::resources::place;
use crate::resources::pod;
use crate::resources::process_checks;
use crate::resources::processes;
use crate::resources::recorded_configuration;
use crate::resources::release;
use crate::resources::report;
use crate::resources::superlink_id::SuperlinkId;
use crate::runtime::Managed;
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::schema::{Maybe, ModelPath, Tree};
use crate::tfplugin::{Call, Import, Plan, Resource, Slot};
use join::{bring_up, told};
pub use model::Model;
pub(super) use recently_removed::RecentlyRemoved;
use recently_removed::may_be_known;
use workload::object;

pub struct Supernode;

impl Resource for Supernode {
    type Model = Model;
    type Provider = Configured;

    const TYPE: &'static str = "flower_supernode";
    const IDENTITY_VERSION: i64 = 1;

    fn validate(config: &Tree<Model>) -> Diagnostics {
        let mut found = Diagnostics::default();
        let insecure = config.get::<Option<bool>>(at!(Model, superlink.insecure));
        if matches!(insecure, Ok(Maybe::Known(Some(true)))) && config.is_set(at!(Model, key)) {
            found.push(
                Diagnostic::error("A node key needs TLS")
                    .detail(
                        "Flower refuses keys without TLS, and `superlink.insecure` turns TLS off.",
                    )
                    .detail("Remove `insecure` or `key`.")
                    .at(at!(Model, key)),
            );
        }
        found.extend(connection_checks::fleet(config));
        found.extend(connection_checks::control(config, at!(Model, control)));
        found.extend(connection_checks::secret(config));
        found.absorb(pod::checks::validate(config, at!(Model, kubernetes)));
        found.extend(process_checks::validate(config, Role::SuperNode));
        found.absorb(workload::node_config(config.value(at!(Model, node_config))).map(drop));
        found
    }

    async fn plan(provider: Option<Arc<Configured>>, plan: &mut Plan<Model>) -> Result<()> {
        processes::can_install(provider.as_deref(), plan)?;
        if !plan.config.is_set(at!(Model, flower_version)) {
            match plan.get::<Option<String>>(at!(Model, superlink.flower_version))? {
                Maybe::Known(text) => {
                    let version = fleet_release(text.as_deref())?;
                    let prior = plan
                        .prior
                        .get::<Option<FlowerVersion>>(at!(Model, flower_version))?;
                    if prior != Maybe::Known(Some(version)) || plan.has_changes() {
                        plan.set(at!(Model, flower_version), version);
                    }
                }
                Maybe::Unknown => plan.set_unknown(at!(Model, flower_version)),
            }
        }
        if let Maybe::Known(Some(own)) = plan
            .config
            .get::<Option<FlowerVersion>>(at!(Model, flower_version))?
        {
            release::row(own)?;
        }
        skew::speaks_with_superlink(plan)?;
        connection_checks::leads_somewhere(provider.as_deref(), plan, at!(Model, control))?;
        if plan.is_create() {
            return Ok(());
        }
        let has_pods = provider.as_ref().is_none_or(|one| one.runtime.has_pods());
        if let Some(note) = restart_note(plan, has_pods) {
            plan.notes.push(note);
        }
        let status = plan.prior.get::<Option<Status>>(at!(Model, status))?;
        if matches!(status, Maybe::Known(Some(Status::Changed))) {
            plan.set_unknown(at!(Model, status));
            if !plan.planned.is_set(at!(Model, key)) {
                plan.set_unknown(at!(Model, node_id));
            }
        }
        if matches!(status, Maybe::Known(Some(Status::Stopped))) {
            plan.set_unknown(at!(Model, status));
            plan.set_unknown(at!(Model, node_id));
        } else if plan.has_changes() && is_same_node(plan) {
            let kept = plan.prior.value(at!(Model, node_id)).clone();
            if !kept.is_null() {
                plan.planned.set(at!(Model, node_id), kept);
            }
        }
        Ok(())
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
        processes::can_run(runtime, &object, version(&planned)?, requirements).await?;
        let (claimed, place) = lifecycle::begin(&call, &object, Self::TYPE).await?;
        planned.id.set(planned.name.to_string());
        planned.place.set(place);
        let known = call.provider.recently_removed.has(&planned);
        let ended = bring_up(
            &call,
            &claimed,
            &mut planned,
            &slot,
            Operation::Create,
            known,
        )
        .await;
        let made = planned.status.get().is_some().then_some(&planned);
        lifecycle::end(&call, claimed, made, &slot, remains(&planned), ended).await
    }

    async fn read(call: Call<Configured>, mut state: Model) -> Result<Option<Model>> {
        let object = object(&state.name);
        if !place::is_within_reach(&call, &object, &mut state.place).await? {
            return Ok(Some(state));
        }
        let observed = call.provider.runtime.observe(&object, &[]).await;
        let observed = observed
            .map_err(|error| report::error(format!("{object} could not be read"), &error))?;
        let Some(observed) = observed else {
            lifecycle::tell_left_behind(&call, &object).await;
            return Ok(None);
        };
        let status = failure::status(&call, &object, &observed, state.wait);
        state.status.set(status);
        if status == Status::Running
            && let Some(id) = told(&call, &object, &state).await
        {
            state.node_id.set(id);
        }
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
        can_start(&planned)?;
        // Another key is another node, which has no node id until it joins. Another SuperLink gives
        // the node another id.
        let entry = |model: &Model| model.key.as_ref().map(|key| key.key.clone());
        let same_key = planned.key.is_some() && entry(&planned) == entry(&prior);
        let same_superlink = is_same_superlink(&prior.superlink, &planned.superlink);
        if planned.node_id.get().is_none() && same_key && same_superlink {
            planned.node_id = prior.node_id;
        }
        // A SuperNode without a key either keeps running or becomes another node.
        let known = (same_key && same_superlink) || planned.node_id.get().is_some();
        bring_up(
            &call,
            &managed,
            &mut planned,
            &slot,
            Operation::Update,
            known,
        )
        .await?;
        slot.put(&planned);
        let recorded = recorded_configuration::record(runtime, &managed, &planned).await;
        recorded.map_err(|error| {
            report::error("The SuperNode changed, but not its record", &error).into()
        })
    }

    async fn delete(call: Call<Configured>, mut state: Model) -> Result<()> {
        let object = object(&state.name);
        place::check(call.provider.runtime.as_ref(), &object, &mut state.place).await?;
        let timeouts = state.timeouts.as_ref();
        let known = may_be_known(&call, &state).await;
        let removed = lifecycle::remove(&call, &object, timeouts, remains(&state)).await;
        removed.map_err(|error| report::error(format!("{object} was not removed"), &error))?;
        if known {
            call.provider.recently_removed.remember(&state);
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

/// An error if no process can be started with this configuration.
pub(crate) fn can_start(model: &Model) -> Result<()> {
    workload::sketch(model, version(model)?).map(drop)
}

/// Whether the node id stays the same after the change. A registered key keeps its id, and so does
/// a process that is not restarted. Without a key, a restarted SuperNode is another node.
fn is_same_node(plan: &Plan<Model>) -> bool {
    if plan.planned.is_set(at!(Model, key)) {
        let same = match same_by_id(plan, at!(Model, superlink.superlink_id)) {
            Ok(Some(same)) => same,
            // A new SuperLink may have the address of a destroyed one, but it has another
            // authority.
            Ok(None) => {
                !plan.changes(at!(Model, superlink.address))
                    && !plan.changes(at!(Model, superlink.ca_certificate))
            }
            Err(_) => false,
        };
        return same && !plan.changes(at!(Model, key));
    }
    // If the status has drifted, the apply restarts the SuperNode.
    let status = runs(plan).then_some(at!(Model, status));
    let goes_on = [
        at!(Model, timeouts),
        at!(Model, wait),
        at!(Model, control),
        at!(Model, node_id),
    ];
    let mut planned = plan.planned.clone();
    for path in goes_on.into_iter().chain(status) {
        planned.set(path, plan.prior.value(path).clone());
    }
    planned.0 == plan.prior.0
}

/// The attributes that a running SuperNode is started with: a change of one restarts it.
const STARTED_WITH: &[ModelPath<Model>] = &[
    at!(Model, flower_version),
    at!(Model, superlink.address),
    at!(Model, superlink.ca_certificate),
    at!(Model, superlink.insecure),
    at!(Model, key),
    at!(Model, isolation),
    at!(Model, node_config),
    at!(Model, requirements),
    at!(Model, env),
    at!(Model, extra_args),
    at!(Model, log_level),
];

/// Warns that the SuperNode restarts, and what that means for a training.
fn restart_note(plan: &Plan<Model>, has_pods: bool) -> Option<Diagnostic> {
    if !runs(plan) || !plan.replaced_for().is_empty() {
        return None;
    }
    let pod = has_pods.then_some(at!(Model, kubernetes));
    let names = STARTED_WITH.iter().copied().chain(pod);
    let causes: Vec<_> = names.filter(|name| plan.changes(*name)).collect();
    let first = *causes.first()?;
    let causes: Vec<_> = causes.iter().map(ToString::to_string).collect();
    Some(
        Diagnostic::warning("The SuperNode restarts")
            .detail(format!(
                "A change of `{}` restarts it.",
                causes.join("`, `")
            ))
            .detail(
                "A run loses the work of this SuperNode and may fail. Apply when no run is in \
                 progress.",
            )
            .at(first),
    )
}

/// Whether both are the same SuperLink: by their ids or, if one has none, by address and authority.
fn is_same_superlink(before: &FleetInput, now: &FleetInput) -> bool {
    let same = SuperlinkId::same(before.superlink_id.as_ref(), now.superlink_id.as_ref());
    same.unwrap_or_else(|| {
        before.address == now.address && before.ca_certificate == now.ca_certificate
    })
}

/// Whether the last refresh found it running.
fn runs(plan: &Plan<Model>) -> bool {
    let status = plan.prior.get::<Option<Status>>(at!(Model, status));
    matches!(status, Ok(Maybe::Known(Some(Status::Running))))
}

/// Its own release; the SuperLink's if it has none.
fn version(model: &Model) -> Result<FlowerVersion> {
    match model.flower_version.get() {
        Some(version) => Ok(*version),
        None => fleet_release(model.superlink.flower_version.as_deref()),
    }
}

/// A SuperNode has no secrets of its own: its key is a separate object.
fn remains(model: &Model) -> Remains<'static> {
    Remains {
        secrets: &[],
        keep_logs: model.local.as_ref().and_then(|local| local.keep_logs),
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod plan_tests;
