//! `flower_run_metrics`: the rounds, metrics and failures of a run.

use super::run_of;
use crate::flower::control::{NodeId, RunId, RunStatus, SubStatus};
use crate::resources::Configured;
use crate::resources::app_run::{
    ClientFailureOutput, MetricsOutput, RoundOutput, RunOutputs, UsageOutput,
};
use crate::resources::connection_attributes::ControlInput;
use crate::resources::connection_checks;
use crate::tfplugin::diagnostic::{Diagnostics, Result};
use crate::tfplugin::schema::{Computed, Tree, computed, required};
use crate::tfplugin::{Call, DataSource};
use crate::{at, model};

model! {
    /// What the log of a run's ServerApp tells of its training so far, no matter who submitted the
    /// run. The attributes are those of `flower_app_run`.
    pub struct Model {
        /// The SuperLink: `flower_superlink.NAME.control`, or an object that you write yourself.
        control: ControlInput = required(),
        /// The run ID: `flower_app_run.NAME.run_id`.
        run_id: RunId = required(),
        /// The status: `pending`, `starting`, `running` or `finished`.
        status: Computed<RunStatus> = computed(),
        /// The result of a finished run: `completed`, `failed` or `stopped`. Empty before.
        sub_status: Computed<SubStatus> = computed(),
        /// The rounds that the log tells of, at most the last 1000. Null if it tells of none.
        rounds: Computed<Vec<RoundOutput>> = computed(),
        /// The last value of each metric. Null if the log tells of no round.
        metrics: Computed<MetricsOutput> = computed(),
        /// The errors with which SuperNodes replied. Null if the log tells of no round.
        client_failures: Computed<Vec<ClientFailureOutput>> = computed(),
        /// What the run used. Null before the first use, and with Flower 1.24 and older.
        usage: Computed<UsageOutput> = computed(),
        /// The IDs of the SuperNodes that took part. Null unless each round asked all SuperNodes
        /// that are online.
        node_ids: Computed<Vec<NodeId>> = computed(),
    }
}

/// The data source `flower_run_metrics`.
pub struct RunMetrics;

impl DataSource for RunMetrics {
    type Model = Model;
    type Provider = Configured;

    const TYPE: &'static str = "flower_run_metrics";

    fn validate(config: &Tree<Model>) -> Diagnostics {
        connection_checks::control(config, at!(Model, control))
    }

    async fn read(call: Call<Configured>, mut config: Model) -> Result<Model> {
        let (control, run) = run_of(&call, &config.control, config.run_id).await?;
        let outputs = RunOutputs::of(&call, control.client(), &config.control, &run).await;
        config.status.set(run.status);
        config.sub_status.set(run.sub_status);
        config.rounds = outputs.rounds;
        config.metrics = outputs.metrics;
        config.client_failures = outputs.client_failures;
        config.usage = outputs.usage;
        config.node_ids = outputs.node_ids;
        Ok(config)
    }
}
