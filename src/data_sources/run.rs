//! `flower_run`: one run, as the SuperLink shows it.

use super::{run_of, shown_details, time};
use crate::flower::control::{RunId, RunStatus, SubStatus};
use crate::resources::Configured;
use crate::resources::app_run::{UsageOutput, usage};
use crate::resources::connection_attributes::ControlInput;
use crate::resources::connection_checks;
use crate::tfplugin::diagnostic::{Diagnostics, Result};
use crate::tfplugin::schema::{Computed, Tree, computed, required};
use crate::tfplugin::{Call, DataSource};
use crate::{at, model};

model! {
    /// A run of a SuperLink, no matter who submitted it. Its rounds and metrics are in
    /// `flower_run_metrics`, its log in `flower_run_log`.
    pub struct Model {
        /// The SuperLink: `flower_superlink.NAME.control`, or an object that you write yourself.
        control: ControlInput = required(),
        /// The run ID: `flower_app_run.NAME.run_id`, or one that `flower_runs` lists.
        run_id: RunId = required(),
        /// The app, as `publisher/name`.
        app: Computed<String> = computed(),
        /// The version of the app.
        app_version: Computed<String> = computed(),
        /// The SHA-256 hash of the app bundle (FAB).
        fab_hash: Computed<String> = computed(),
        /// The federation of the run.
        federation: Computed<String> = computed(),
        /// The status: `pending`, `starting`, `running` or `finished`.
        status: Computed<RunStatus> = computed(),
        /// The result of a finished run: `completed`, `failed` or `stopped`. Empty before.
        sub_status: Computed<SubStatus> = computed(),
        /// Flower's explanation of how the run ended. Mostly empty; at most 16,000 characters.
        details: Computed<String> = computed(),
        /// When the run was submitted.
        pending_at: Computed<String> = computed(),
        /// When the ServerApp started.
        running_at: Computed<String> = computed(),
        /// When the run ended.
        finished_at: Computed<String> = computed(),
        /// What the run used. Null before the first use, and with Flower 1.24 and older.
        usage: Computed<UsageOutput> = computed(),
    }
}

/// The data source `flower_run`.
pub struct RunSource;

impl DataSource for RunSource {
    type Model = Model;
    type Provider = Configured;

    const TYPE: &'static str = "flower_run";

    fn validate(config: &Tree<Model>) -> Diagnostics {
        connection_checks::control(config, at!(Model, control))
    }

    async fn read(call: Call<Configured>, mut config: Model) -> Result<Model> {
        let (_, run) = run_of(&call, &config.control, config.run_id).await?;
        config.details.set(shown_details(&run));
        config.pending_at = time(run.pending_at.as_ref()).into();
        config.running_at = time(run.running_at.as_ref()).into();
        config.finished_at = time(run.finished_at.as_ref()).into();
        config.usage = run.usage.as_ref().map(usage).into();
        config.app.set(run.app_id);
        config.app_version.set(run.app_version);
        config.fab_hash.set(run.fab_hash);
        config.federation.set(run.federation);
        config.status.set(run.status);
        config.sub_status.set(run.sub_status);
        Ok(config)
    }
}
