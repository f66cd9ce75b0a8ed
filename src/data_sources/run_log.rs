//! `flower_run_log`: the output of a run's ServerApp.

use super::{SHARED, unread};
use crate::flower::control::RunId;
use crate::resources::Configured;
use crate::resources::connection_attributes::ControlInput;
use crate::resources::connection_checks;
use crate::resources::control_access::control;
use crate::tfplugin::diagnostic::{Diagnostics, Result};
use crate::tfplugin::schema::{Computed, Tree, computed, defaulted, required};
use crate::tfplugin::{Call, DataSource};
use crate::{at, model};

model! {
    /// The last lines that the ServerApp of a run has printed so far, without colour codes.
    pub struct Model {
        /// The SuperLink: `flower_superlink.NAME.control`, or an object that you write yourself.
        control: ControlInput = required(),
        /// The run ID: `flower_app_run.NAME.run_id`.
        run_id: RunId = required(),
        /// The maximum number of lines.
        last: u32 = defaulted(1000_u32),
        /// The lines, oldest first.
        lines: Computed<Vec<String>> = computed(),
    }
}

/// The data source `flower_run_log`.
pub struct RunLog;

impl DataSource for RunLog {
    type Model = Model;
    type Provider = Configured;

    const TYPE: &'static str = "flower_run_log";

    fn validate(config: &Tree<Model>) -> Diagnostics {
        connection_checks::control(config, at!(Model, control))
    }

    async fn read(call: Call<Configured>, mut config: Model) -> Result<Model> {
        let id = config.run_id;
        let control = control(&call, &config.control)?;
        let most = usize::try_from(config.last).unwrap_or(usize::MAX);
        // For a finished run, wait for the whole log: only then does an empty log mean that there
        // is none.
        let lines = match control.run(id, SHARED).await {
            Ok(run) if run.is_finished() => control.client().log_end(id, most).await,
            Ok(_) => control.client().log_tail(id, most).await,
            Err(error) => Err(error),
        };
        let failed = format!("The log of the run {id} could not be read");
        let lines = lines.map_err(|error| unread(failed, &error))?;
        config.lines.set(lines);
        Ok(config)
    }
}
