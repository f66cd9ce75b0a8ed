//! `flower_runs`: the runs that a SuperLink knows.

use std::fmt;
use std::str::FromStr;

use ::time::OffsetDateTime;
use ::time::format_description::well_known::Rfc3339;

use super::{SHARED, shown_details, time};
use crate::flower::control::{Run, RunId, RunStatus, SubStatus, Timestamp};
use crate::resources::Configured;
use crate::resources::connection_attributes::ControlInput;
use crate::resources::connection_checks;
use crate::resources::control_access::control;
use crate::resources::report;
use crate::tfplugin::diagnostic::{Diagnostics, Result};
use crate::tfplugin::schema::{Computed, Tree, computed, optional, required};
use crate::tfplugin::{Call, DataSource};
use crate::{at, choice_attribute, model, text_attribute};

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
        /// Return only runs that were submitted at this time or later: RFC 3339, such as
        /// `2026-11-24T10:00:00Z`, or `timeadd(plantimestamp(), "-24h")` for the last day. The
        /// SuperLink's clock sets the time of a run, which is `pending_at`.
        since: Option<Moment> = optional(),
        /// Return only runs that were submitted before this time. The runs until one time and the
        /// runs since the same time are all runs, and no run is in both.
        until: Option<Moment> = optional(),
        /// Return at most this many runs: the newest ones that match all other filters.
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

/// A time to filter by. It keeps its text, which Terraform must get back unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    text: String,
    time: OffsetDateTime,
}

text_attribute!(Moment);

/// A text that is not a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a time has a date, a time of day and a time zone (RFC 3339), such as \
     \"2026-11-24T10:00:00Z\" or \"2026-11-24T11:00:00+01:00\""
)]
pub struct NotAMoment;

impl FromStr for Moment {
    type Err = NotAMoment;

    fn from_str(text: &str) -> std::result::Result<Self, NotAMoment> {
        let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| NotAMoment)?;
        Ok(Self {
            text: text.to_owned(),
            time,
        })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
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
        let found = selected(&config, listing.runs.values());
        config.runs.set(found.into_iter().map(item).collect());
        Ok(config)
    }
}

/// The runs that match all filters, newest first.
fn selected<'a>(config: &Model, runs: impl Iterator<Item = &'a Run>) -> Vec<&'a Run> {
    let mut runs: Vec<&Run> = runs.filter(|run| matches_filters(config, run)).collect();
    runs.sort_by_key(|run| (std::cmp::Reverse(submitted(run)), run.id));
    if let Some(last) = config.last {
        runs.truncate(usize::try_from(last).unwrap_or(usize::MAX));
    }
    runs
}

fn submitted(run: &Run) -> Option<OffsetDateTime> {
    run.pending_at.as_ref().and_then(Timestamp::moment)
}

fn matches_filters(config: &Model, run: &Run) -> bool {
    let at = submitted(run);
    config.status.is_none_or(|status| status.is(&run.status))
        && config.run_id.is_none_or(|id| run.id == id)
        && config.app.as_ref().is_none_or(|app| run.app_id == *app)
        // A run without a readable time is in no period.
        && config
            .since
            .as_ref()
            .is_none_or(|since| at.is_some_and(|at| at >= since.time))
        && config
            .until
            .as_ref()
            .is_none_or(|until| at.is_some_and(|at| at < until.time))
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

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::flower::control::{fake, wire};
    use crate::tfplugin::path::Path;
    use crate::tfplugin::schema::{Attr as _, validate};
    use crate::tfplugin::value::{Value, from_json};

    fn values(filters: Json) -> Value {
        let mut config = json!({ "control": { "url": "http://127.0.0.1:1" } });
        let all = config.as_object_mut().unwrap();
        all.extend(filters.as_object().unwrap().clone());
        from_json(&config, &Runs::schema().ty()).unwrap()
    }

    fn run(id: u64, status: &str, app: &str, pending_at: &str) -> Run {
        Run::from_wire(wire::Run {
            fab_id: app.to_owned(),
            pending_at: pending_at.to_owned(),
            ..fake::run(id, status, "")
        })
    }

    /// The IDs of the runs that these filters select.
    fn ids(filters: Json) -> Vec<u64> {
        let runs = [
            run(1, "finished", "a/a", "2026-11-24T09:00:00+00:00"),
            run(2, "finished", "a/b", "2026-11-24T10:00:00+00:00"),
            run(3, "running", "a/a", "2026-11-24T10:00:00.000001+00:00"),
            run(4, "finished", "a/a", "2026-11-24T11:00:00+00:00"),
            run(5, "finished", "a/a", ""),
        ];
        let config = Model::decode(&values(filters), &Path::default()).unwrap();
        let found = selected(&config, runs.iter());
        found.into_iter().map(|run| run.id.0).collect()
    }

    #[test]
    fn a_period_has_its_beginning_and_not_its_end() {
        assert_eq!(ids(json!({})), [4, 3, 2, 1, 5]);
        assert_eq!(ids(json!({ "since": "2026-11-24T10:00:00Z" })), [4, 3, 2]);
        assert_eq!(ids(json!({ "until": "2026-11-24T10:00:00Z" })), [1]);
        let hour = json!({ "since": "2026-11-24T10:00:00Z", "until": "2026-11-24T11:00:00Z" });
        assert_eq!(ids(hour), [3, 2]);
        let none = json!({ "since": "2026-11-24T10:00:00Z", "until": "2026-11-24T10:00:00Z" });
        assert_eq!(ids(none), [0; 0]);
    }

    #[test]
    fn a_time_is_compared_as_a_moment_in_any_time_zone() {
        assert_eq!(ids(json!({ "since": "2026-11-24T12:00:00+01:00" })), [4]);
        assert_eq!(ids(json!({ "until": "2026-11-24T04:30:00.5-05:00" })), [1]);
    }

    #[test]
    fn a_period_and_the_other_filters_select_the_runs_that_match_all() {
        let since = "2026-11-24T09:00:00Z";
        assert_eq!(ids(json!({ "since": since, "app": "a/a" })), [4, 3, 1]);
        let ended = json!({ "since": since, "app": "a/a", "status": "finished" });
        assert_eq!(ids(ended), [4, 1]);
        let newest = json!({ "until": "2026-11-24T11:00:00Z", "last": 1 });
        assert_eq!(ids(newest), [3]);
        assert_eq!(ids(json!({ "since": since, "run_id": "5" })), [0; 0]);
    }

    #[test]
    fn the_text_of_a_time_is_kept_as_it_is_written() {
        let config = values(json!({ "since": "2026-11-24T10:00:00.100+00:00" }));
        let model = Model::decode(&config, &Path::default()).unwrap();
        let since = at!(Model, since);
        assert_eq!(model.encode().at(since), config.at(at!(Model, since)));
    }

    #[test]
    fn a_text_that_is_no_time_is_an_error_at_its_attribute() {
        let config = values(json!({ "until": "2026-11-24" }));
        let found = validate(&Runs::schema().attributes, &config, true);
        let error = found.iter().next().unwrap();
        assert_eq!(error.path, Some(at!(Model, until).into()));
        assert_eq!(error.summary, "Invalid value for until");
        assert_eq!(
            error.detail,
            "\"2026-11-24\" is not accepted: a time has a date, a time of day and a time zone \
             (RFC 3339), such as \"2026-11-24T10:00:00Z\" or \"2026-11-24T11:00:00+01:00\""
        );
    }
}
