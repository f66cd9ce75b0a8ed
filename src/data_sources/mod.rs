//! The data sources: apps, and what a SuperLink reports. Each has a schema and a `read`.

mod app;
mod log;
mod run_log;
mod run_metrics;
mod run_report;
mod runs;
mod supernodes;

use std::time::Duration;

use crate::at;
use crate::flower::control::{ControlError, Timestamp};
use crate::resources::report;
use crate::tfplugin::diagnostic::Diagnostic;

pub use app::App;
pub use log::Log;
pub use run_log::RunLog;
pub use run_metrics::RunMetrics;
pub use run_report::RunReportSource;
pub use runs::Runs;
pub use supernodes::Supernodes;

/// How old an answer may be that several data sources and resources share.
const SHARED: Duration = Duration::from_secs(15);

/// The message for a run that a data source could not read, at the attribute to blame.
fn unread(what: String, error: &ControlError) -> Diagnostic {
    let message = report::error(what, error);
    if let ControlError::NotFound(_) = error {
        message.at(at!(
            run_log::Model | run_metrics::Model | run_report::Model,
            run_id
        ))
    } else {
        message.at(at!(
            run_log::Model | run_metrics::Model | run_report::Model,
            control
        ))
    }
}

fn time(stamp: Option<&Timestamp>) -> Option<String> {
    stamp.map(|stamp| stamp.as_str().to_owned())
}
