//! The schema of `flower_app_run`.

use std::collections::BTreeMap;

use super::artifacts::{ArtifactFile, ArtifactsDownload};
use super::outputs::{ClientFailureOutput, MetricsOutput, RoundOutput, UsageOutput};
use super::report_files::ReportFiles;
use super::source::Source;
use crate::flower::control::{NodeId, RunId, RunStatus, SubStatus};
use crate::resources::connection_attributes::ControlInput;
use crate::resources::timeouts::Timeouts;
use crate::tfplugin::GoDuration;
use crate::tfplugin::schema::{Computed, Dynamic, computed, defaulted, optional, required};
use crate::{choice_attribute, model, open_choice_attribute};

model! {
    /// One run of a Flower app. The provider submits the run once, follows it to its end, and never
    /// submits it again without a planned change.
    ///
    /// If the run fails, the apply fails and shows Flower's reason and the last lines of the
    /// ServerApp's log. A run cannot be updated: another app, configuration or trigger replaces it
    /// with a new run, and the plan shows the replacement.
    pub struct Model {
        /// The SuperLink: `flower_superlink.NAME.control`, or an object that you write yourself.
        control: ControlInput = required(),
        /// The app.
        source: Source = required(),
        /// Values that override `[tool.flwr.app.config]` in the app's pyproject.toml: an object of
        /// bools, numbers, strings, and objects of those. The provider converts a value to the type
        /// that the app declares if nothing is lost (`"3"` for an integer, as an untyped variable
        /// passes it). Unknown keys and other types are errors of the plan. A changed value
        /// replaces the run; the same value in another notation does not.
        run_config: Option<Dynamic> = optional(),
        /// The federation of the run. By default Flower uses its default federation.
        federation: Option<String> = optional().replace("a run belongs to one federation"),
        /// Any texts, each under a name. Adding or changing an entry replaces the run; removing one
        /// does not.
        triggers: Option<BTreeMap<String, String>> = optional(),
        /// What to wait for.
        wait: Option<Wait> = optional(),
        /// What an apply does if the run that it waits for fails or is stopped. Allowed values:
        /// `record` (the apply succeeds; `status` and `sub_status` say what happened) and `error`
        /// (default; the apply fails, and the next apply submits a new run that replaces this one).
        /// If the run fails after the apply stopped waiting (`timeouts.create`, `wait.until`, an
        /// interrupt), no apply fails: the next plan prints a warning, and nothing is submitted
        /// again.
        on_failure: OnFailure = defaulted(OnFailure::Error),
        /// What an apply does if the run completed and SuperNodes failed in it, as far as the
        /// ServerApp's log tells. Allowed values: `error` (the apply fails if any SuperNode failed,
        /// and the next apply submits a new run that replaces this one), `warn` and `ignore`.
        /// Default: an error if no SuperNode returned a result in the last round, and a warning if
        /// some SuperNodes failed. A round that trains has a result if one came back in its
        /// training. The attribute counts when the run ends, not later. With `on_failure = "record"`, it is a warning at most.
        on_client_failure: Option<OnClientFailure> = optional(),
        /// What to do if the SuperLink no longer knows this run although the run had not finished.
        /// Allowed values: `recreate` (submit the run again) and `keep` (default; `status` becomes
        /// `lost`).
        on_missing: OnMissing = defaulted(OnMissing::Keep),
        /// Files that show the run: written while an apply follows it, each time a round ends, and
        /// once at its end. A destroy keeps them. For other runs, or strings instead of files, use
        /// the data source `flower_run_report`.
        report: Option<ReportFiles> = optional(),
        /// Downloads the files that the ServerApp left for the run, such as a trained model, when
        /// the run has completed. The SuperLink needs `artifacts`, and this provider configuration must
        /// run the SuperLink. Each file is verified by its size and SHA-256, and an interrupted
        /// download continues with the next apply. If a file is missing later, the next apply
        /// downloads it again, without a new run.
        artifacts: Option<ArtifactsDownload> = optional(),
        /// Whether a destroy stops the run if it is still in progress.
        stop_on_destroy: bool = defaulted(true),
        /// How many lines of the ServerApp's log an error shows. The data source `flower_run_log`
        /// reads the log of any run.
        log_lines: u32 = defaulted(20_u32),
        /// How long each operation may take. Default: 24 hours for `create`, 1 hour for `update`
        /// (which downloads `artifacts` that are missing), 5 minutes for `delete`. If the run has not ended after `create`, the apply succeeds with a warning;
        /// the run continues.
        timeouts: Option<Timeouts> = optional(),
        /// The URL of the SuperLink, `#`, and the run ID.
        id: Computed<String> = computed().keep(),
        /// The identity of the SuperLink: its `superlink_id`, or the URL that the run was submitted
        /// to if the SuperLink has no such ID.
        superlink: Computed<String> = computed().identity(),
        /// For a SuperLink in a cluster (URL `kube://…`): the UID of the cluster and the namespace.
        /// If the provider configuration points to another cluster or namespace, `plan` fails; the
        /// run is never submitted again for this reason.
        place: Computed<String> = computed().settled(),
        /// The run ID, as a string: it can be larger than the numbers that JSON holds exactly.
        run_id: Computed<RunId> = computed().identity(),
        /// The SHA-256 hash of the app bundle (FAB), known at plan time, except with `source.hub`:
        /// then it is known after the apply. It equals the hash of `flwr build` of Flower 1.42,
        /// unless the folder has files that only the provider excludes: see `source.path`.
        fab_hash: Computed<String> = computed(),
        /// The commit of an app from `source.git`. Null for other sources.
        resolved_commit: Computed<String> = computed().settled(),
        /// The status: `pending`, `starting`, `running`, `finished` or `lost`.
        status: Computed<Status> = computed().keep(),
        /// The result of a finished run: `completed`, `failed` or `stopped`. Empty before.
        sub_status: Computed<SubStatus> = computed().keep(),
        /// Flower's explanation of how the run ended. Mostly empty.
        details: Computed<String> = computed().keep(),
        /// When the run was submitted.
        pending_at: Computed<String> = computed().keep(),
        /// When the ServerApp started.
        running_at: Computed<String> = computed().keep(),
        /// When the run ended.
        finished_at: Computed<String> = computed().keep(),
        /// The rounds that the ServerApp's log tells of, at most the last 1000, with at most 1 MiB
        /// of metrics (those of the last rounds). A SuperNode that fails can write into this log:
        /// see the guide "Security". Null if the log tells of none: Flower's strategies log them at level INFO, a strategy of your own may
        /// not.
        rounds: Computed<Vec<RoundOutput>> = computed().settled(),
        /// The last value of each metric that the log tells of, such as
        /// `metrics.evaluate["accuracy"]`. In conditions, write `try(self.metrics… >= 0.8, false)`:
        /// a null is an error there. At most 64 for each round and phase; a list becomes
        /// `name[0]`, a nested value `name.key`. Null for a metric that is NaN or infinite. Null if
        /// the log tells of no round.
        metrics: Computed<MetricsOutput> = computed().settled(),
        /// The errors with which SuperNodes replied, at most the last 1000. Strategies from before
        /// the Message API (Flower 1.21) do not log them. Null if the log tells of no round.
        client_failures: Computed<Vec<ClientFailureOutput>> = computed().settled(),
        /// What the run used. Null before the first use, and with Flower 1.24 and older.
        usage: Computed<UsageOutput> = computed().settled(),
        /// The IDs of the SuperNodes that took part. The log only tells how many were asked, so
        /// this is null unless each round asked all SuperNodes that are online.
        node_ids: Computed<Vec<NodeId>> = computed().settled(),
        /// The downloaded files, by their path below `artifacts.download_to`. Null without
        /// `artifacts`, and as long as they are not complete.
        artifact_files: Computed<BTreeMap<String, ArtifactFile>> = computed().settled(),
    }
}

model! {
    /// What to wait for before and after the provider submits the run. A run with
    /// `control.simulation` waits for no SuperNodes.
    pub struct Wait {
        /// How far the run must come. Allowed values: `submitted`, `running` and `completed`
        /// (default). A change takes effect with the next run: it does not make an apply wait for a
        /// run that exists.
        until: Until = defaulted(Until::Completed),
        /// IDs of the SuperNodes that must be online before the run is submitted, such as `[for
        /// node in flower_supernode.site : node.node_id]`. Null values are ignored. (SuperNodes
        /// with Flower 1.22 or older have no `node_id`; their own apply already waited until they
        /// joined.)
        nodes: Option<Vec<Option<NodeId>>> = optional(),
        /// How many SuperNodes must be online before the run is submitted.
        min_nodes: Option<u32> = optional(),
        /// How long to wait until these SuperNodes are online, such as `30m`. Default: 15 minutes.
        /// It cannot exceed `timeouts.create`.
        nodes_timeout: Option<GoDuration> = optional(),
        /// After which time without progress a run counts as stalled, such as `10m`: no ServerApp
        /// was started for it, or the ServerApp waits for more SuperNodes. Training itself takes as
        /// long as it takes. The SuperLink's `log_level` must be `INFO` or `DEBUG`. Default: 5
        /// minutes.
        stall_timeout: Option<GoDuration> = optional(),
        /// What to do if the run stalls. Allowed values: `error` (stop the run; the apply fails and
        /// says which SuperNodes are missing) and `warn` (default; a warning in Terraform's log,
        /// and the apply continues to wait).
        on_stall: Option<OnStall> = optional(),
    }
}

/// The status of a run in the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// The last status that the SuperLink reported.
    Known(RunStatus),
    /// The SuperLink no longer knows the run.
    Lost,
}

impl Status {
    const LOST: &str = "lost";

    pub(super) fn is_finished(&self) -> bool {
        *self == Self::Known(RunStatus::Finished)
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Known(status) => status.as_str(),
            Self::Lost => Self::LOST,
        }
    }
}

impl From<RunStatus> for Status {
    fn from(status: RunStatus) -> Self {
        Self::Known(status)
    }
}

impl From<&str> for Status {
    fn from(word: &str) -> Self {
        match word {
            Self::LOST => Self::Lost,
            word => Self::Known(word.into()),
        }
    }
}

open_choice_attribute!(Status);

/// The status that a run must reach before the apply ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    Completed,
    Running,
    Submitted,
}

/// What a run that fails means for the apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    Error,
    Record,
}

/// What failed SuperNodes mean for a run that completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnClientFailure {
    Error,
    Warn,
    Ignore,
}

/// What a run without progress means for the apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnStall {
    Error,
    Warn,
}

/// What the loss of an unfinished run means for the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnMissing {
    Keep,
    Recreate,
}

choice_attribute!(Until {
    "completed" => Self::Completed => Self::Completed,
    "running" => Self::Running => Self::Running,
    "submitted" => Self::Submitted => Self::Submitted,
});

choice_attribute!(OnFailure {
    "error" => Self::Error => Self::Error,
    "record" => Self::Record => Self::Record,
});

choice_attribute!(OnClientFailure {
    "error" => Self::Error => Self::Error,
    "warn" => Self::Warn => Self::Warn,
    "ignore" => Self::Ignore => Self::Ignore,
});

choice_attribute!(OnStall {
    "error" => Self::Error => Self::Error,
    "warn" => Self::Warn => Self::Warn,
});

choice_attribute!(OnMissing {
    "keep" => Self::Keep => Self::Keep,
    "recreate" => Self::Recreate => Self::Recreate,
});
