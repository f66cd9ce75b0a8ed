//! `flower_runs`: the runs that a SuperLink knows.

use super::{SHARED, shown_details, time};
use crate::choice_attribute;
use crate::flower::control::{Run, RunId, RunStatus, SubStatus, Timestamp};
use crate::resources::Configured;
use crate::resources::connection_attributes::ControlInput;
use crate::resources::connection_checks;
use crate::resources::control_access::control;
use crate::resources::report;
use crate::tfplugin::diagnostic::{Diagnostics, Result};
use crate::tfplugin::schema::{Computed, Tree, computed, optional, required};
use crate::tfplugin::{Call, DataSource};
use crate::{at, model};

model! {
    /// The runs of a SuperLink, newest first, no matter who submitted them; at most the newest ten
    /// thousand.
    pub struct Model {
        /// The SuperLink: `flower_superlink.NAME.control`, or an object that you write yourself.
        control: ControlInput = required(),
        /// Return only runs with this status: `pending`, `starting`, `running` or `finished`.
        /// Default: all.
        status: Option<Status> = optional(),
        /// Return only the run with this ID.
        run_id: Option<RunId> = optional(),
        /// Return only runs of this app, as `publisher/name`.
        app: Option<String> = optional(),
        /// Return at most this many runs, the newest ones.
        last: Option<u32> = optional(),
        /// The runs.
        runs: Computed<Vec<Item>> = computed(),
    }
}

model! {
    /// A run.
    pub struct Item {
        /// The run ID, as a string: it can be larger than the numbers that JSON holds exactly.
        run_id: RunId = computed(),
        /// The app, as `publisher/name`.
        app: String = computed(),
        /// The version of the app.
        app_version: String = computed(),
        /// The SHA-256 hash of the app bundle (FAB).
        fab_hash: String = computed(),
        /// The federation of the run.
        federation: String = computed(),
        /// The status: `pending`, `starting`, `running` or `finished`.
        status: RunStatus = computed(),
        /// The result of a finished run: `completed`, `failed` or `stopped`. Empty before.
        sub_status: SubStatus = computed(),
        /// Flower's explanation of how the run ended. Mostly empty; at most 16,000 characters.
        details: String = computed(),
        /// When the run was submitted.
        pending_at: Option<String> = computed(),
        /// When the ServerApp started.
        running_at: Option<String> = computed(),
        /// When the run ended.
        finished_at: Option<String> = computed(),
    }
}

/// A status to filter by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Pending,
    Starting,
    Running,
    Finished,
}

choice_attribute!(Status {
    "pending" => Self::Pending => Self::Pending,
    "starting" => Self::Starting => Self::Starting,
    "running" => Self::Running => Self::Running,
    "finished" => Self::Finished => Self::Finished,
});

impl Status {
    fn is(self, status: &RunStatus) -> bool {
        *status
            == match self {
                Self::Pending => RunStatus::Pending,
                Self::Starting => RunStatus::Starting,
                Self::Running => RunStatus::Running,
                Self::Finished => RunStatus::Finished,
            }
    }
}

/// The data source `flower_runs`.
pub struct Runs;

impl DataSource for Runs {
    type Model = Model;
    type Provider = Configured;

    const TYPE: &'static str = "flower_runs";

    fn validate(config: &Tree<Model>) -> Diagnostics {
        connection_checks::control(config, at!(Model, control))
    }

    async fn read(call: Call<Configured>, mut config: Model) -> Result<Model> {
        let listing = control(&call, &config.control)?.runs(SHARED).await;
        let listing = listing.map_err(|error| {
            report::error("The runs could not be listed", &error).at(at!(Model, control))
        })?;
        let mut runs: Vec<&Run> = listing
            .runs
            .values()
            .filter(|run| matches_filters(&config, run))
            .collect();
        let submitted = |run: &Run| run.pending_at.as_ref().and_then(Timestamp::moment);
        runs.sort_by_key(|run| (std::cmp::Reverse(submitted(run)), run.id));
        let last = config.last.map_or(usize::MAX, |last| {
            usize::try_from(last).unwrap_or(usize::MAX)
        });
        config
            .runs
            .set(runs.into_iter().take(last).map(item).collect());
        Ok(config)
    }
}

fn matches_filters(config: &Model, run: &Run) -> bool {
    config.status.is_none_or(|status| status.is(&run.status))
        && config.run_id.is_none_or(|id| run.id == id)
        && config.app.as_ref().is_none_or(|app| run.app_id == *app)
}

fn item(run: &Run) -> Item {
    Item {
        run_id: run.id,
        app: run.app_id.clone(),
        app_version: run.app_version.clone(),
        fab_hash: run.fab_hash.clone(),
        federation: run.federation.clone(),
        status: run.status.clone(),
        sub_status: run.sub_status.clone(),
        details: shown_details(run),
        pending_at: time(run.pending_at.as_ref()),
        running_at: time(run.running_at.as_ref()),
        finished_at: time(run.finished_at.as_ref()),
    }
}
