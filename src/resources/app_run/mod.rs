//! `flower_app_run`: one run of an app.

mod address;
mod app;
mod follow;
mod import;
mod model;
mod ready;
mod submission;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::flower::control::{ControlEndpoint, ControlError, RunId, SubStatus};
use crate::flower::run_config::RunConfig;
use crate::flower::version::{DEFAULT, FlowerVersion};
use crate::resources::Configured;
use crate::resources::config_values::flatten;
use crate::resources::handover::is_in_cluster;
use crate::resources::journal;
use crate::resources::place;
use crate::resources::reach::control;
use crate::resources::report::{failed, noticed};
use crate::resources::timeouts::{Operation, Waited, wait};
use crate::runtime::RuntimeError;
use crate::tfplugin::diagnostic::{Diagnostic, Result};
use crate::tfplugin::schema::{Dynamic, Maybe, Tree};
use crate::tfplugin::{Call, Plan, Resource, Slot};
pub(crate) use app::build;
use model::OnMissing;
pub use model::{Model, Source};
use ready::ready;

const COMPLETE: Duration = Duration::from_hours(24);
const STOP: Duration = Duration::from_mins(5);
/// How old an answer may be that many runs share during one refresh.
const SHARED: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(500);

/// The release of the SuperLink: the newest where it is not said, or not known yet.
fn release(said: Option<FlowerVersion>) -> FlowerVersion {
    said.unwrap_or(DEFAULT)
}

pub struct AppRun;

impl Resource for AppRun {
    type Model = Model;
    type Provider = Configured;

    const TYPE: &'static str = "flower_app_run";

    async fn plan(_: Option<Arc<Configured>>, plan: &mut Plan) -> Result<()> {
        ready::check(plan)?;
        let source = plan.config.get::<Source>("source")?;
        if moved(plan)? {
            let why = "a run belongs to the SuperLink that it was submitted to";
            plan.replace("control.url", why);
        }
        if triggered(plan)? {
            plan.replace("triggers", "a trigger was added or changed");
        }
        let Maybe::Known(source) = source else {
            plan.set_unknown("fab_hash");
            if !plan.is_create() {
                plan.replace("source", "which app it is becomes known only when applied");
            }
            return Ok(());
        };
        let version = plan
            .config
            .get::<Option<FlowerVersion>>("control.flower_version")?;
        let fab = app::build(&source, release(version.known().flatten())).await?;
        let run_config = plan.config.get::<Option<Dynamic>>("run_config")?;
        if let Maybe::Known(run_config) = run_config {
            app::overrides(&fab, run_config.as_ref())?;
        }
        plan.set("fab_hash", fab.hash.as_str().to_owned());
        if plan.changes("fab_hash") {
            plan.replace("fab_hash", "the app changed");
        }
        if reconfigured(plan)? {
            plan.replace("run_config", "a run's configuration is fixed");
        }
        Ok(())
    }

    async fn create(
        call: Call<Configured>,
        mut planned: Model,
        _: Tree,
        slot: Slot<Model>,
    ) -> Result<()> {
        let start = app::checked(&mut planned).await?;
        let control = control(&call, &planned.control)?;
        let client = control.client();
        let runtime = call.provider.runtime.as_ref();
        let limit = Operation::Create.limit(planned.timeouts.as_ref(), COMPLETE);
        let begun = Instant::now();
        planned.place =
            place::of_run(runtime, &planned.control, "The run was not submitted").await?;
        ready(&call, &planned, &control, limit).await?;

        let submission = submission::submit_once(runtime, client, &planned, start).await?;
        let id = submission.id;
        if submission.taken_over {
            call.warn(taken_over(id));
        }
        planned.run_id.set(id.to_string());
        planned.id.set(format!("{}#{id}", planned.control.url));
        planned.status.set("pending".to_owned());
        slot.put(&planned);
        control.forget();

        // One limit for all of it.
        let limit = limit.saturating_sub(begun.elapsed());
        let followed = follow::to_the_end(&call, client, id, &mut planned, limit).await;
        slot.put(&planned);
        // What others read from now on is how it ended.
        control.forget();
        if !call.stop.is_cancelled() {
            // Else Terraform may be dead, and its state without the run.
            submission.forget(runtime).await;
        }
        follow::conclude(&call, client, id, &planned, followed).await
    }

    async fn read(call: Call<Configured>, mut state: Model) -> Result<Option<Model>> {
        let finished = state
            .status
            .get()
            .is_some_and(|status| status == "finished");
        let Some(id) = run_id(&state).filter(|_| !finished) else {
            // The end of a run is history: it cannot change, and nobody needs to be asked.
            return Ok(Some(state));
        };
        check_place(&call, id, &mut state).await?;
        journal::settle_run(&call.provider, id).await;
        let control = control(&call, &state.control)?;
        match control.run(id, SHARED).await {
            Ok(run) => {
                follow::record(&mut state, &run);
                if run.is_finished() && run.sub_status != SubStatus::Completed {
                    // Only then: a refresh may find the end of a thousand runs at once.
                    follow::record_log(&mut state, control.client(), id).await;
                    call.warn(follow::failed_meanwhile(&run));
                }
                Ok(Some(state))
            }
            Err(ControlError::NotFound(_)) if state.on_missing == OnMissing::Recreate => Ok(None),
            Err(error @ ControlError::NotFound(_)) => {
                call.warn(noticed(format!("The run {id} is lost"), &error).detail(
                    "It is kept as `lost` and not submitted again. Use `-replace` to run it \
                         again, or set `on_missing = \"recreate\"`.",
                ));
                state.status.set("lost".to_owned());
                Ok(Some(state))
            }
            // A dead SuperLink must not keep the plan from healing it.
            Err(error) => {
                call.warn(
                    noticed(format!("The run {id} could not be looked at"), &error)
                        .detail("What was known of it is kept."),
                );
                Ok(Some(state))
            }
        }
    }

    async fn update(
        call: Call<Configured>,
        prior: Model,
        planned: Model,
        _: Tree,
        slot: Slot<Model>,
    ) -> Result<()> {
        if let Some(id) = run_id(&prior) {
            journal::settle_run(&call.provider, id).await;
        }
        if prior.source.is_imported() {
            submission::settle_import(call.provider.runtime.as_ref(), &planned).await;
        }
        slot.put(&planned);
        Ok(())
    }

    async fn delete(call: Call<Configured>, mut state: Model) -> Result<()> {
        let over = state
            .status
            .get()
            .is_some_and(|status| matches!(status.as_str(), "finished" | "lost"));
        if let Some(id) = run_id(&state) {
            journal::settle_run(&call.provider, id).await;
        }
        let Some(id) = run_id(&state).filter(|_| !over && state.stop_on_destroy) else {
            return Ok(());
        };
        check_place(&call, id, &mut state).await?;
        let control = control(&call, &state.control)?;
        let client = control.client();
        let stop = async {
            match client.stop_run(id).await {
                Err(ControlError::AlreadyFinished(_) | ControlError::NotFound(_)) => return Ok(()),
                done => done?,
            }
            while !client.run(id).await?.is_finished() {
                tokio::time::sleep(LOOK).await;
            }
            Ok(())
        };
        let limit = Operation::Delete.limit(state.timeouts.as_ref(), STOP);
        let what = format!("The run {id} was not stopped");
        match wait(&call.stop, limit, stop).await {
            Waited::Done(Ok(()) | Err(ControlError::NotFound(_))) => {
                control.forget();
                Ok(())
            }
            Waited::Done(Err(error)) => Err(failed(what, &error)
                .detail("To forget the run without stopping it, set `stop_on_destroy = false`.")
                .into()),
            Waited::Stopped => Err(failed(what, &RuntimeError::Interrupted).into()),
            Waited::TimedOut => Err(Diagnostic::error(what)
                .detail(format!(
                    "It was told to stop, and went on for {} s.",
                    limit.as_secs()
                ))
                .detail("Raise `timeouts.delete`, or set `stop_on_destroy = false`.")
                .into()),
        }
    }

    async fn import(call: Call<Configured>, id: String) -> Result<Model> {
        import::import(&call, &id).await
    }
}

/// Whether the run would get other values. How they are written makes no difference: nested or with
/// dots, as an object or a map, 0.1 as a text or as a double.
fn reconfigured(plan: &Plan) -> Result<bool> {
    let values = |tree: &Tree| tree.get::<Option<Dynamic>>("run_config");
    let (Maybe::Known(planned), Maybe::Known(prior)) =
        (values(&plan.planned)?, values(&plan.prior)?)
    else {
        return Ok(true);
    };
    let flat = |values: Option<Dynamic>| match values {
        Some(values) => flatten(&values.0, "run_config"),
        None => Ok(RunConfig::new()),
    };
    Ok(flat(planned)? != flat(prior)?)
}

/// Whether the run would be one of another SuperLink. Terraform asks again once an address is known
/// that was not when it planned, and the answer must stay the same. So a SuperLink of ours that is
/// being changed is known by its authority, which no other one has; without one, an address that is
/// not known may be any.
fn moved(plan: &Plan) -> Result<bool> {
    let text = |tree: &Tree, name: &str| -> Result<Option<String>> {
        Ok(tree.get::<Option<_>>(name)?.known().flatten())
    };
    let Some(before) = text(&plan.prior, "control.url")? else {
        return Ok(false);
    };
    let authority = |tree| text(tree, "control.ca_certificate");
    let has_same_authority = authority(&plan.prior)?
        .is_some_and(|ca| matches!(authority(&plan.planned), Ok(Some(now)) if now == ca));
    let is_ours = |url: &str| has_same_authority && ControlEndpoint::is_by_runtime(url);
    Ok(match text(&plan.planned, "control.url")? {
        None => !is_ours(&before),
        Some(after) => {
            let is_on_the_move = is_ours(&before) && is_ours(&after) && !is_in_cluster(&after);
            !ControlEndpoint::is_same_place(&before, &after) && !is_on_the_move
        }
    })
}

/// Whether a trigger was added or changed; removing one never runs anything again.
fn triggered(plan: &Plan) -> Result<bool> {
    let triggers = |tree: &Tree| tree.get::<Option<BTreeMap<String, String>>>("triggers");
    let Maybe::Known(planned) = triggers(&plan.planned)? else {
        return Ok(true);
    };
    let source = plan
        .prior
        .get::<Option<Source>>("source")?
        .known()
        .flatten();
    if source.is_some_and(|source| source.is_imported()) {
        // What once triggered a run that was taken over is not known: it is what is written now.
        return Ok(false);
    }
    let prior = triggers(&plan.prior)?.known().flatten().unwrap_or_default();
    let planned = planned.unwrap_or_default();
    Ok(planned
        .iter()
        .any(|(name, value)| prior.get(name) != Some(value)))
}

fn run_id(state: &Model) -> Option<RunId> {
    state.run_id.get()?.parse().ok()
}

/// An error where the provider leads to another cluster than the one that the run is in: its SuperLink
/// would be looked for there.
async fn check_place(call: &Call<Configured>, id: RunId, state: &mut Model) -> Result<()> {
    if !state.control.is_in_cluster() {
        return Ok(());
    }
    let runtime = call.provider.runtime.as_ref();
    place::check_run(runtime, &format!("The run {id}"), &state.place).await
}

fn taken_over(id: RunId) -> Diagnostic {
    Diagnostic::warning(format!("The run {id} was taken over"))
        .detail("An earlier apply had submitted it and was killed.")
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod plan_tests;
#[cfg(test)]
mod tests;
