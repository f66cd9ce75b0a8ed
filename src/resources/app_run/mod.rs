//! `flower_app_run`: one run of an app.

mod app;
mod follow;
mod import;
mod model;
mod submission;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::flower::control::{ControlEndpoint, ControlError, Run, RunId, SharedReads, StartRun};
use crate::flower::run_config::RunConfig;
use crate::flower::version::{DEFAULT, FlowerVersion};
use crate::resources::Configured;
use crate::resources::config_values::flatten;
use crate::resources::reach::{control, until_healthy};
use crate::resources::report::{failed, noticed};
use crate::resources::timeouts::{Operation, Waited, wait};
use crate::runtime::RuntimeError;
use crate::tfplugin::diagnostic::{Diagnostic, Result};
use crate::tfplugin::schema::{Dynamic, Maybe, Tree};
use crate::tfplugin::{Call, Plan, Resource, Slot};
pub(crate) use app::build;
pub use model::{Model, Source};
use model::{OnMissing, Until};

const COMPLETE: Duration = Duration::from_hours(24);
const STOP: Duration = Duration::from_mins(5);
/// How long a SuperLink may be out of reach before a run is submitted.
const REACH: Duration = Duration::from_secs(10);
/// How old an answer may be that many runs share during one refresh.
const SHARED: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(500);

/// The release of the SuperLink: the newest where it is not said, or not known yet.
fn release(said: Option<&str>) -> FlowerVersion {
    said.and_then(|text| text.parse().ok()).unwrap_or(DEFAULT)
}

pub struct AppRun;

impl Resource for AppRun {
    type Model = Model;
    type Provider = Configured;

    const TYPE: &'static str = "flower_app_run";

    async fn plan(_: Option<Arc<Configured>>, plan: &mut Plan) -> Result<()> {
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
            .get::<Option<String>>("control.flower_version")?;
        let fab = app::build(&source, release(version.known().flatten().as_deref())).await?;
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
        let version = release(planned.control.flower_version.as_deref());
        let fab = app::build(&planned.source, version).await?;
        let hash = fab.hash.as_str().to_owned();
        if planned
            .fab_hash
            .get()
            .is_some_and(|expected| *expected != hash)
        {
            return Err(Diagnostic::error("The app changed after it was planned")
                .detail("Nothing was submitted. Plan and apply again.")
                .on("source")
                .into());
        }
        planned.fab_hash.set(hash);
        let overrides = app::overrides(&fab, planned.run_config.as_ref())?;
        let control = control(&call, &planned.control)?;
        let client = control.client();
        let limit = Operation::Create.limit(planned.timeouts.as_ref(), COMPLETE);
        let begun = Instant::now();
        ready(&call, &planned, &control, limit).await?;

        let federation = planned.federation.clone().unwrap_or_default();
        let start = StartRun::new(fab.bytes, overrides, federation);
        let submission = submission::submit_once(&call, client, &planned, start).await?;
        let id = submission.id;
        planned.run_id.set(id.to_string());
        planned.id.set(format!("{}#{id}", planned.control.url));
        planned.status.set("pending".to_owned());
        slot.put(&planned);
        control.forget();

        let until = planned
            .wait
            .as_ref()
            .map_or(Until::Completed, |wait| wait.until);
        let mut last = None;
        // One limit for all of it.
        let waited = wait(
            &call.stop,
            limit.saturating_sub(begun.elapsed()),
            follow::until(client, id, until, &mut last),
        )
        .await;
        if let Some(run) = &last {
            follow::record(&mut planned, run);
            if run.is_finished() {
                follow::record_log(&mut planned, client, id).await;
            }
        }
        if let Waited::Done(Err(ControlError::NotFound(_))) = &waited {
            planned.status.set("lost".to_owned());
        }
        slot.put(&planned);
        // What others read from now on is how it ended.
        control.forget();
        submission.forget(call.provider.runtime.as_ref()).await;
        match (waited, last) {
            // The run is there, and may go on well: an error would have it replaced.
            (Waited::Done(Err(error)), _) => {
                call.warn(follow::unfollowed(id, &error));
                Ok(())
            }
            (Waited::Done(Ok(())), Some(run)) => follow::verdict(&planned, &run, client).await,
            (Waited::Done(Ok(())), None) => Ok(()),
            (ended @ (Waited::Stopped | Waited::TimedOut), _) => {
                call.warn(still_running(id, ended == Waited::TimedOut));
                Ok(())
            }
        }
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
        let control = control(&call, &state.control)?;
        match control.run(id, SHARED).await {
            Ok(run) => {
                follow::record(&mut state, &run);
                if run.is_finished() {
                    follow::record_log(&mut state, control.client(), id).await;
                    warn_of_failure(&call, &run);
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
        _: Call<Configured>,
        _: Model,
        planned: Model,
        _: Tree,
        slot: Slot<Model>,
    ) -> Result<()> {
        slot.put(&planned);
        Ok(())
    }

    async fn delete(call: Call<Configured>, state: Model) -> Result<()> {
        let over = state
            .status
            .get()
            .is_some_and(|status| matches!(status.as_str(), "finished" | "lost"));
        if let Some(id) = run_id(&state) {
            submission::forget_run(call.provider.runtime.as_ref(), &state, id).await;
        }
        let Some(id) = run_id(&state).filter(|_| !over && state.stop_on_destroy) else {
            return Ok(());
        };
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

/// Whether the run would be one of another SuperLink. One whose address is not known yet is one that is
/// being changed, and nothing runs again for that.
fn moved(plan: &Plan) -> Result<bool> {
    let url = |tree: &Tree| -> Result<Option<String>> {
        Ok(tree.get::<Option<_>>("control.url")?.known().flatten())
    };
    let (Some(before), Some(after)) = (url(&plan.prior)?, url(&plan.planned)?) else {
        return Ok(false);
    };
    Ok(!ControlEndpoint::is_same_place(&before, &after))
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

/// Waits until the SuperLink answers and the nodes that the run needs are online.
async fn ready(
    call: &Call<Configured>,
    model: &Model,
    control: &SharedReads,
    limit: Duration,
) -> Result<()> {
    let client = control.client();
    let what = "The run was not submitted";
    match wait(&call.stop, REACH.min(limit), until_healthy(client)).await {
        Waited::Done(done) => done.map_err(|error| failed(what, &error).on("control"))?,
        Waited::Stopped => return Err(failed(what, &RuntimeError::Interrupted).into()),
        Waited::TimedOut => {
            if let Err(error) = client.health().await {
                return Err(failed(what, &error).on("control").into());
            }
        }
    }
    let mut seen = Vec::new();
    match wait(
        &call.stop,
        limit,
        follow::nodes_online(client, model, &mut seen),
    )
    .await
    {
        Waited::Done(Ok(())) => Ok(()),
        Waited::Done(Err(error)) => Err(failed(what, &error).on("control").into()),
        Waited::Stopped => Err(failed(what, &RuntimeError::Interrupted).into()),
        Waited::TimedOut => Err(Diagnostic::error(what)
            .detail(format!(
                "The SuperNodes that `wait` asks for were not online within {} s. {}",
                limit.as_secs(),
                follow::online_words(&seen)
            ))
            .detail("Look at the logs of those that are missing, or raise `timeouts.create`.")
            .on("wait")
            .into()),
    }
}

fn still_running(id: RunId, timed_out: bool) -> Diagnostic {
    let why = if timed_out {
        "`timeouts.create` is over"
    } else {
        "Terraform was interrupted"
    };
    Diagnostic::warning(format!("The run {id} still goes on"))
        .detail(format!("{why}; the run was left alone."))
        .detail("The next plan or apply reads how it ended; nothing is submitted again.")
}

fn warn_of_failure(call: &Call<Configured>, run: &Run) {
    if run.sub_status != crate::flower::control::SubStatus::Completed {
        call.warn(
            Diagnostic::warning(format!(
                "The run {} ended as {}",
                run.id,
                run.sub_status.as_str()
            ))
            .detail(run.details.clone())
            .detail("It is not run again by itself; use `-replace` for that."),
        );
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
