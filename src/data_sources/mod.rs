//! The data sources: apps, and what a SuperLink reports. Each has a schema and a `read`.

mod app;
mod federations;
mod log;
mod run;
mod run_log;
mod run_metrics;
mod run_report;
mod runs;
mod supernodes;

use std::sync::Arc;
use std::time::Duration;

use crate::at;
use crate::flower::control::{ControlError, Run, RunId, SharedReads, Timestamp};
use crate::resources::Configured;
use crate::resources::connection_attributes::ControlInput;
use crate::resources::control_access::control;
use crate::resources::report;
use crate::terminal::{plain, shortened};
use crate::tfplugin::Call;
use crate::tfplugin::diagnostic::{Diagnostic, Result};

pub use app::App;
pub use federations::Federations;
pub use log::Log;
pub use run::RunSource;
pub use run_log::RunLog;
pub use run_metrics::RunMetrics;
pub use run_report::RunReportSource;
pub use runs::Runs;
pub use supernodes::Supernodes;

/// How old an answer may be that several data sources and resources share.
const SHARED: Duration = Duration::from_secs(15);

/// A run, and the SuperLink that it was read from.
async fn run_of(
    call: &Call<Configured>,
    input: &ControlInput,
    id: RunId,
) -> Result<(Arc<SharedReads>, Run)> {
    let control = control(call, input)?;
    match control.run(id, SHARED).await {
        Ok(run) => Ok((control, run)),
        Err(error) => Err(unread(format!("The run {id} could not be read"), &error).into()),
    }
}

/// The message for a run that a data source could not read, at the attribute to blame.
fn unread(what: String, error: &ControlError) -> Diagnostic {
    let message = report::error(what, error);
    if let ControlError::NotFound(_) = error {
        message.at(at!(
            run::Model | run_log::Model | run_metrics::Model | run_report::Model,
            run_id
        ))
    } else {
        message.at(at!(
            run::Model | run_log::Model | run_metrics::Model | run_report::Model,
            control
        ))
    }
}

/// How many characters of a run's `details` to keep: an app can write any length of text into them.
const MOST_OF_DETAILS: usize = 16_000;

/// Flower's explanation of how a run ended.
fn shown_details(run: &Run) -> String {
    shortened(&plain(&run.details), MOST_OF_DETAILS).into_owned()
}

fn time(stamp: Option<&Timestamp>) -> Option<String> {
    stamp.map(|stamp| stamp.as_str().to_owned())
}
