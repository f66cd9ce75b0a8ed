//! `flower_app_run`: one run of an app.

mod address;
mod app;
mod artifacts;
mod cause;
mod changes;
mod federation;
mod follow;
mod import;
mod model;
mod outputs;
mod planned_app;
mod ready;
mod report_files;
mod requirements;
mod run_log;
mod run_report;
mod simulation;
pub(crate) mod source;
mod stall;
mod standing;
mod submission;
mod tainted;
mod training;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value as Json;
use tokio::time::Instant;

use crate::at;
use crate::flower::control::{ControlError, RunId, RunStatus};
use crate::flower::version::FlowerVersion;
use crate::resources::Configured;
use crate::resources::config_values::flatten;
use crate::resources::connection_checks;
use crate::resources::control_access::control;
use crate::resources::journal;
use crate::resources::operation::{Operation, Waited, wait};
use crate::resources::place;
use crate::resources::report;
use crate::resources::timeouts;
use crate::runtime::RuntimeError;
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::schema::{Attr as _, Dynamic, Maybe, Tree};
use crate::tfplugin::{Call, Import, Plan, Resource, Slot};
pub(crate) use app::build;
pub(crate) use artifacts::Downloads;
use changes::{Declared, Values};
pub use model::Model;
use model::{OnMissing, Status};
pub use outputs::{
    ClientFailureOutput, MetricsOutput, PhaseOutput, RoundOutput, RunOutputs, UsageOutput, usage,
};
use planned_app::PlannedApp;
use ready::ready;
pub use run_report::RunReport;
use source::Pinned;
pub use source::Source;
pub(crate) use source::{RecentBundles, Repositories};
pub(crate) use tainted::RunsSeen;

const COMPLETE: Duration = Duration::from_hours(24);
/// The time limit of an update, which may have to download artifacts.
const DOWNLOAD: Duration = Duration::from_hours(1);
const STOP: Duration = Duration::from_mins(5);
/// The maximum age of an answer that many runs share during one refresh.
const SHARED: Duration = Duration::from_secs(15);

pub struct AppRun;

impl Resource for AppRun {
    type Model = Model;
    type Provider = Configured;

    const TYPE: &'static str = "flower_app_run";
    const IDENTITY_VERSION: i64 = 1;

    fn validate(config: &Tree<Model>) -> Diagnostics {
        let mut found = connection_checks::control(config, at!(Model, control));
        found.extend(source::exactly_one(config, at!(Model, source)));
        found.absorb(
            flatten(config.value(at!(Model, run_config)), at!(Model, run_config)).map(drop),
        );
        found.extend(timeouts::validate(config, at!(Model, timeouts)));
        found
    }

    async fn plan(provider: Option<Arc<Configured>>, plan: &mut Plan<Model>) -> Result<()> {
        ready::check(plan)?;
        simulation::check(plan)?;
        report_files::check(plan)?;
        connection_checks::leads_somewhere(provider.as_deref(), plan, at!(Model, control))?;
        let source = plan.config.get::<Source>(at!(Model, source))?;
        if let Some(attribute) = changes::moved(plan)? {
            plan.replace(attribute);
        }
        if simulation::differs(plan)? {
            plan.replace(at!(Model, control.simulation));
        }
        if changes::triggered(plan)? {
            plan.replace(at!(Model, triggers));
        }
        artifacts::plan(provider.as_deref(), plan, &source)?;
        artifacts::check_report(plan)?;
        let Maybe::Known(source) = source else {
            plan.set_unknown(at!(Model, fab_hash));
            if !plan.is_create() {
                plan.replace(at!(Model, source));
            }
            return Ok(());
        };
        if let Some(app) = &source.hub {
            return source::hub::plan(plan, app);
        }
        let version = plan
            .config
            .get::<Option<FlowerVersion>>(at!(Model, control.flower_version))?;
        let version = app::release(version.known().flatten());
        let repositories = provider.as_deref().map(|provider| &provider.repositories);
        let commit = match source::pin(repositories, plan, &source).await? {
            Pinned::Unchanged => return Ok(()),
            Pinned::Later(unread) => {
                plan.notes
                    .push(unread.detail("The apply reads it, and checks the app then."));
                plan.set_unknown(at!(Model, fab_hash));
                plan.set_unknown(at!(Model, resolved_commit));
                return Ok(());
            }
            Pinned::Commit(commit) => Some(commit),
            Pinned::Open => None,
        };
        plan.set(
            at!(Model, resolved_commit),
            commit.map(|commit| commit.to_string()),
        );
        let built = match source::read(provider.as_deref(), &source, version, commit).await {
            Err(unread) if source::is_unchanged(plan) => {
                plan.notes.extend(source::kept(unread));
                return Ok(());
            }
            read => read?,
        };
        let fab = match built {
            Ok(fab) => fab,
            Err(error) if error.may_pass() && plan.is_create() => {
                let unread = source::not_built(&source, &error).as_warning();
                plan.notes
                    .push(unread.detail("The apply reads it, and checks the app then."));
                plan.set_unknown(at!(Model, fab_hash));
                return Ok(());
            }
            Err(error) if error.is_missing() && !plan.is_create() => {
                return changes::without_app(plan, &source, &error);
            }
            Err(error) => return tainted::without_app(provider.as_deref(), plan, &source, &error),
        };
        app::runs_unattended(&source, &fab)?;
        report_files::check_bundle(plan, &source, &fab)?;
        let run_config = plan.config.get::<Option<Dynamic>>(at!(Model, run_config))?;
        if let Maybe::Known(run_config) = run_config {
            app::overrides(&fab, run_config.as_ref())?;
        }
        plan.set(at!(Model, fab_hash), fab.hash.as_str().to_owned());
        if plan.is_create() {
            plan.private = PlannedApp::of(&source, &fab).to_private();
            return requirements::check(provider.as_deref(), plan, &source, &fab).await;
        }
        if plan.changes(at!(Model, fab_hash)) {
            plan.replace(at!(Model, fab_hash));
        }
        match changes::of_run_config(plan, Declared::In(&fab))? {
            Values::Other => plan.replace(at!(Model, run_config)),
            Values::Respelled if !plan.is_replacement() => changes::keep_spelling(plan),
            Values::Respelled | Values::Same => {}
        }
        Ok(())
    }

    async fn create(
        call: Call<Configured>,
        mut planned: Model,
        _: Tree<Model>,
        slot: Slot<Model>,
    ) -> Result<()> {
        let as_planned = PlannedApp::from_private(&call.private());
        // The private data is used up: a later destroy must not ask for the app.
        call.keep_private(Bytes::new());
        let (start, parts) =
            planned_app::checked(&call.provider, &mut planned, as_planned.as_ref()).await?;
        let control = control(&call, &planned.control)?;
        let client = control.client();
        let runtime = call.provider.runtime.as_ref();
        let limit = Operation::Create.limit(planned.timeouts.as_ref(), COMPLETE);
        let begun = Instant::now();
        planned.place =
            place::of_run(runtime, &planned.control, "The run was not submitted").await?;
        stall::check(runtime, &planned).await?;
        artifacts::can_download(runtime, &planned).await?;
        ready(&call, &planned, &control, limit).await?;
        source::hub::can_be_fetched(client, &planned).await?;

        let submission = submission::submit_once(runtime, client, &planned, start).await?;
        let id = submission.id;
        if submission.taken_over {
            call.warn(taken_over(id));
        }
        planned.run_id.set(id);
        planned.id.set(format!("{}#{id}", planned.control.url));
        planned
            .superlink
            .set(planned.control.superlink().to_owned());
        planned.status.set(RunStatus::Pending.into());
        slot.put(&planned);
        control.forget();

        // One limit for the whole create.
        let limit = limit.saturating_sub(begun.elapsed());
        let followed = follow::to_the_end(&call, client, id, &mut planned, limit).await;
        slot.put(&planned);
        // Later reads must see how the run ended.
        control.forget();
        artifacts::bring_after_run(&call, &mut planned, limit.saturating_sub(begun.elapsed()))
            .await;
        slot.put(&planned);
        let concluded = follow::conclude(&call, client, id, &planned, &parts, followed).await;
        if !call.stop.is_cancelled() {
            // After an interruption Terraform may die before it stores the run in its state, so the
            // note stays. The interruption can come until this point.
            submission.forget(runtime).await;
        }
        concluded
    }

    async fn read(call: Call<Configured>, mut state: Model) -> Result<Option<Model>> {
        call.provider.runs_seen.add(&state.source);
        if state.superlink.get().is_none() {
            // A state from before SuperLinks had ids.
            state.superlink.set(state.control.superlink().to_owned());
        }
        let finished = state.status.get().is_some_and(Status::is_finished);
        let Some(id) = state.run_id.get().copied().filter(|_| !finished) else {
            // A finished run cannot change, so the SuperLink is not asked.
            artifacts::look(&call, &mut state);
            if let Some(note) = standing::note(&state) {
                call.warn(note);
            }
            return Ok(Some(state));
        };
        check_place(&call, id, &mut state).await?;
        journal::settle_run(&call.provider, id).await;
        let control = control(&call, &state.control)?;
        match control.run(id, SHARED).await {
            Ok(run) => {
                follow::record(&mut state, &run);
                if run.is_finished() {
                    follow::ended_meanwhile(&call, control.client(), &mut state, &run).await;
                }
                Ok(Some(state))
            }
            Err(ControlError::NotFound(_)) if state.on_missing == OnMissing::Recreate => Ok(None),
            Err(error @ ControlError::NotFound(_)) => {
                call.warn(report::warning(format!("The run {id} is lost"), &error).detail(
                    "The state keeps it as `lost`, and the provider does not submit it again. To \
                     run it again, use `-replace` or set `on_missing = \"recreate\"`.",
                ));
                state.status.set(Status::Lost);
                Ok(Some(state))
            }
            // A dead SuperLink must not keep the plan from repairing it.
            Err(error) => {
                call.warn(
                    report::warning(format!("The run {id} could not be read"), &error)
                        .detail("The state keeps its last known values."),
                );
                Ok(Some(state))
            }
        }
    }

    async fn update(
        call: Call<Configured>,
        prior: Model,
        mut planned: Model,
        _: Tree<Model>,
        slot: Slot<Model>,
    ) -> Result<()> {
        call.keep_private(Bytes::new());
        if let Some(id) = prior.run_id.get().copied() {
            journal::settle_run(&call.provider, id).await;
        }
        if planned.report.encode() != prior.report.encode() {
            rewrite_report(&call, &planned).await;
        }
        if prior.source.is_imported() {
            submission::settle_import(call.provider.runtime.as_ref(), &planned).await;
        }
        let limit = Operation::Update.limit(planned.timeouts.as_ref(), DOWNLOAD);
        let brought = artifacts::bring_again(&call, &mut planned, limit).await;
        slot.put(&planned);
        brought
    }

    async fn delete(call: Call<Configured>, mut state: Model) -> Result<()> {
        // In a replacement, the new run must be possible before this run is removed.
        let private = call.private();
        // Also if that is refused: the next destroy must not ask for the app of this plan.
        call.keep_private(Bytes::new());
        planned_app::still_there(Some(&call.provider), &private).await?;
        let over = state.status.get();
        let over = over.is_some_and(|status| status.is_finished() || *status == Status::Lost);
        let Some(id) = state.run_id.get().copied() else {
            return Ok(());
        };
        journal::settle_run(&call.provider, id).await;
        if over || !state.stop_on_destroy {
            return Ok(());
        }
        check_place(&call, id, &mut state).await?;
        let control = control(&call, &state.control)?;
        let client = control.client();
        let stop = follow::stop(client, id);
        let limit = Operation::Delete.limit(state.timeouts.as_ref(), STOP);
        let what = format!("The run {id} was not stopped");
        match wait(&call.stop, limit, stop).await {
            Waited::Done(Ok(()) | Err(ControlError::NotFound(_))) => {
                control.forget();
                Ok(())
            }
            // A run ends with its SuperLink, so nothing is left to stop. An apply that replaces the
            // run can go on and start the SuperLink again.
            Waited::Done(Err(_))
                if federation::has_ended(call.provider.runtime.as_ref(), &state.control).await =>
            {
                Ok(())
            }
            Waited::Done(Err(error)) => Err(report::error(what, &error)
                .detail("To forget the run without stopping it, set `stop_on_destroy = false`.")
                .into()),
            Waited::Stopped => Err(report::error(what, &RuntimeError::Interrupted).into()),
            Waited::TimedOut => Err(Diagnostic::error(what)
                .detail(format!(
                    "The SuperLink was asked to stop it, but the run was still in progress after \
                     {} s.",
                    limit.as_secs()
                ))
                .detail("Raise `timeouts.delete`, or set `stop_on_destroy = false`.")
                .into()),
        }
    }

    async fn import(call: Call<Configured>, what: Import<Model>) -> Result<Model> {
        import::import(&call, what).await
    }

    fn upgrade_identity(version: i64, identity: Json) -> Result<Json> {
        import::upgrade_identity(version, identity)
    }
}

/// An error if the provider points to another cluster than that of the run: the provider would look
/// for its SuperLink there.
async fn check_place(call: &Call<Configured>, id: RunId, state: &mut Model) -> Result<()> {
    if !state.control.is_in_cluster() {
        return Ok(());
    }
    let runtime = call.provider.runtime.as_ref();
    place::check_run(runtime, &format!("The run {id}"), &state.place).await
}

/// Writes a report whose files were configured after the run was submitted.
async fn rewrite_report(call: &Call<Configured>, model: &Model) {
    let (Some(files), Some(id)) = (&model.report, model.run_id.get().copied()) else {
        return;
    };
    let Ok(control) = control(call, &model.control) else {
        return;
    };
    let client = control.client();
    match client.run(id).await {
        Ok(run) => {
            let mut report = RunReport::read(call, client, &model.control, run).await;
            report.add_times(model.rounds.get().map(Vec::as_slice).unwrap_or_default());
            if let Some(unwritten) = files.write(&report) {
                call.warn(unwritten);
            }
        }
        Err(error) => call.warn(
            report::warning("The report of the run could not be written", &error)
                .at(at!(Model, report)),
        ),
    }
}

fn taken_over(id: RunId) -> Diagnostic {
    Diagnostic::warning(format!("The run {id} was taken over"))
        .detail("An earlier apply submitted it and was then killed.")
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod plan_tests;
#[cfg(test)]
mod tests;
