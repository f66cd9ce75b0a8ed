//! `flower_run_report`: a run as a page, and as a summary.

use super::run_of;
use crate::flower::control::RunId;
use crate::masking::masked;
use crate::resources::Configured;
use crate::resources::app_run::RunReport;
use crate::resources::connection_attributes::ControlInput;
use crate::resources::connection_checks;
use crate::tfplugin::diagnostic::{Diagnostics, Result};
use crate::tfplugin::schema::{Computed, Tree, computed, required};
use crate::tfplugin::{Call, DataSource};
use crate::{at, model};

model! {
    /// A report on a run, no matter who submitted it: rounds, curves of the metrics, failures and
    /// the end of the log. The texts of a finished run change only with the state of its
    /// SuperNodes. To write files during an apply, use `report` of `flower_app_run`.
    pub struct Model {
        /// The SuperLink: `flower_superlink.NAME.control`, or an object that you write yourself.
        control: ControlInput = required(),
        /// The run ID: `flower_app_run.NAME.run_id`.
        run_id: RunId = required(),
        /// A page in one HTML file, without scripts; it loads nothing.
        html: Computed<String> = computed(),
        /// Markdown for the summary of a CI job: the last rounds, metrics and failures.
        markdown: Computed<String> = computed(),
    }
}

/// The data source `flower_run_report`.
pub struct RunReportSource;

impl DataSource for RunReportSource {
    type Model = Model;
    type Provider = Configured;

    const TYPE: &'static str = "flower_run_report";

    fn validate(config: &Tree<Model>) -> Diagnostics {
        connection_checks::control(config, at!(Model, control))
    }

    async fn read(call: Call<Configured>, mut config: Model) -> Result<Model> {
        let (control, run) = run_of(&call, &config.control, config.run_id).await?;
        let shown = RunReport::read(&call, control.client(), &config.control, run).await;
        config.html.set(masked(&shown.html()).into_owned());
        config.markdown.set(masked(&shown.markdown()).into_owned());
        Ok(config)
    }
}
