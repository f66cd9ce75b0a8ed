//! The schema of `flower_app_run`.

use std::collections::BTreeMap;

use crate::choice_attribute;
use crate::flower::control::NodeId;
use crate::model;
use crate::resources::handover::ControlInput;
use crate::resources::timeouts::Timeouts;
use crate::tfplugin::GoDuration;
use crate::tfplugin::schema::{Computed, Dynamic, computed, defaulted, optional, required};

model! {
    /// One run of a Flower app: submitted once, followed to its end, and never run again behind
    /// your back.
    ///
    /// A run that fails is a failed apply, with Flower's reason and the last lines of the
    /// ServerApp's log. A run cannot be changed: another app, configuration or trigger is another
    /// run, which the plan shows as a replacement.
    pub struct Model {
        /// The SuperLink: `flower_superlink.NAME.control`, or an object written by hand.
        control: ControlInput = required(),
        /// The app.
        source: Source = required(),
        /// Values that replace those of `[tool.flwr.app.config]` in the app's pyproject.toml: an
        /// object of bools, numbers, strings, and objects of those. A value takes the type that the
        /// app declares where nothing of it is lost (`"3"` for an integer, as a variable without a
        /// type has it); unknown keys and other types are errors of the plan.
        /// Another value makes a new run; the same value in other words does not.
        run_config: Option<Dynamic> = optional(),
        /// The federation to run in; Flower's default one when not set.
        federation: Option<String> = optional().replace("a run belongs to one federation"),
        /// Any texts by name. Adding or changing one makes a new run; removing one does not.
        triggers: Option<BTreeMap<String, String>> = optional(),
        /// What to wait for.
        wait: Option<Wait> = optional(),
        /// What a run that ends badly means for the apply that waits for it. `error` (the default): the
        /// apply fails, and the next one submits a new run in place of this one. `record`: it succeeds,
        /// and `status` and `sub_status` say what happened. A run that ends badly after its apply had
        /// stopped waiting (`timeouts.create`, `wait.until`, an interrupt) turns no apply red: the next
        /// plan warns, and nothing is run again.
        on_failure: OnFailure = defaulted(OnFailure::Error),
        /// What it means when the SuperLink does not know the run any more while it was not
        /// finished. `keep` (the default): `status` becomes `lost`. `recreate`: it is submitted
        /// again.
        on_missing: OnMissing = defaulted(OnMissing::Keep),
        /// Stop the run when it is destroyed while it runs; `true` by default.
        stop_on_destroy: bool = defaulted(true),
        /// How many lines of the ServerApp's log an error shows; 20 by default. The data source
        /// `flower_run_log` reads the log of any run.
        log_lines: u32 = defaulted(20_u32),
        /// How long operations may take: 24 hours for `create`, 5 minutes for `delete`. A run that
        /// still goes on then is a warning, not an error.
        timeouts: Option<Timeouts> = optional(),
        /// The SuperLink's URL, `#` and the run's number.
        id: Computed<String> = computed().keep(),
        /// What its SuperLink is known by: its `superlink_id` or, where it has none, the URL that the run
        /// was submitted to.
        superlink: Computed<String> = computed().identity(),
        /// For a SuperLink in a cluster, whose URL is `kube://…`: the UID of the cluster and the
        /// namespace. A provider that leads elsewhere is an error, never a reason to run it anew.
        place: Computed<String> = computed().keep(),
        /// The run's number, as text: it can be larger than what JSON's numbers hold exactly.
        run_id: Computed<String> = computed().identity(),
        /// SHA-256 of the app bundle (FAB), known when planned. It is the same as that of
        /// `flwr build` of Flower 1.42, but for files that only the provider leaves out: see
        /// `source.path`.
        fab_hash: Computed<String> = computed(),
        /// `pending`, `starting`, `running`, `finished`, or `lost`.
        status: Computed<String> = computed().keep(),
        /// `completed`, `failed` or `stopped` once it is finished, empty before.
        sub_status: Computed<String> = computed().keep(),
        /// Flower's words about the end, mostly empty.
        details: Computed<String> = computed().keep(),
        /// When it was submitted.
        pending_at: Computed<String> = computed().keep(),
        /// When its ServerApp started.
        running_at: Computed<String> = computed().keep(),
        /// When it ended.
        finished_at: Computed<String> = computed().keep(),
    }
}

model! {
    /// Where an app comes from.
    pub struct Source {
        /// A folder with a `pyproject.toml`; relative ones start where Terraform runs, so begin
        /// with `${path.module}`.
        /// What the provider and Terraform keep there never ships: the provider's `data_dir` and
        /// `cache_dir`, folders named `.flower` or `.terraform`, states (`*.tfstate*`), variables
        /// (`*.tfvars`, `*.tfvars.json`), saved plans (`*.tfplan`), `.terraform.lock.hcl`, and
        /// Terraform's JSON files (`*.tf.json`, `*.tfrc.json`). `flwr build` ships some of them,
        /// so its hash differs where the folder has such files and `.gitignore` does not exclude
        /// them.
        /// A private key in a file that would ship is an error of the plan that names the file.
        path: String = required(),
    }
}

model! {
    /// What to wait for before and after submitting.
    pub struct Wait {
        /// How far the run must come: `completed` (the default), `running` or `submitted`.
        until: Until = defaulted(Until::Completed),
        /// Node ids that must be online first, such as
        /// `[for node in flower_supernode.site : node.node_id]`. A null among them is passed over:
        /// a SuperNode of Flower 1.22 or older does not know its number, and its own apply has
        /// waited until it was let in.
        nodes: Option<Vec<Option<NodeId>>> = optional(),
        /// How many nodes must be online first.
        min_nodes: Option<u32> = optional(),
        /// How long those nodes may take to come online, such as `30m`; 15 minutes by default,
        /// and no longer than `timeouts.create`.
        nodes_timeout: Option<GoDuration> = optional(),
    }
}

/// How far a run must come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    Completed,
    Running,
    Submitted,
}

/// What a run that ends badly means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    Error,
    Record,
}

/// What the loss of an unfinished run means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnMissing {
    Keep,
    Recreate,
}

/// What stands for the folder of an app that only its owner knows.
const TO_FILL_IN: &str = "FILL IN: the folder that holds the app's pyproject.toml";

impl Source {
    /// In the state of a run that was imported, until the configuration says where its app is. A
    /// configuration that Terraform generates has the same words.
    pub(super) fn imported() -> Self {
        Self {
            path: TO_FILL_IN.to_owned(),
        }
    }

    /// States of before have an empty path.
    pub(super) fn is_imported(&self) -> bool {
        self.path.is_empty() || self.is_to_fill_in()
    }

    /// Whether nobody has said yet where the app of an imported run is.
    pub(super) fn is_to_fill_in(&self) -> bool {
        self.path == TO_FILL_IN
    }
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

choice_attribute!(OnMissing {
    "keep" => Self::Keep => Self::Keep,
    "recreate" => Self::Recreate => Self::Recreate,
});
