//! The schema of `flower_supernode`.

use std::collections::BTreeMap;

use crate::flower::control::NodeId;
use crate::flower::launch::{Isolation, LogLevel};
use crate::flower::version::FlowerVersion;
use crate::resources::choices::Status;
use crate::resources::connection_attributes::{ControlInput, FleetInput, SecretInput};
use crate::resources::launched::Launched;
use crate::resources::pod::Pod;
use crate::resources::recorded_configuration::Recorded;
use crate::resources::timeouts::Timeouts;
use crate::runtime::{Kind, ObjectName};
use crate::tfplugin::schema::{
    Computed, Dynamic, ModelPath, computed, defaulted, optional, optional_computed, required,
};
use crate::{at, model};

model! {
    /// A Flower SuperNode: the process at the site of a data owner. It connects to a SuperLink and
    /// runs ClientApps on data that stays at the site.
    pub struct Model {
        /// The name: 1 to 53 lower-case letters, digits and hyphens.
        name: ObjectName = required().replace("its files and processes carry the name").identity(),
        /// The SuperLink to connect to: `flower_superlink.NAME.fleet`, or an object that you write
        /// yourself.
        superlink: FleetInput = required(),
        /// The private key: `flower_supernode_key.NAME.secret`. By default the SuperNode has no
        /// key, and only a SuperLink without `supernodes` accepts it.
        key: Option<SecretInput> = optional(),
        /// How the apply decides that the SuperNode has joined: `flower_superlink.NAME.control`. If
        /// set, the SuperNode has joined when the SuperLink lists it as online. By default the
        /// provider waits for a line in the SuperNode's log. Flower before 1.24, and `log_level`
        /// `WARNING` or `ERROR`, do not write this line; the SuperNode then counts as joined after
        /// the process has run for eight seconds, even if it never reached the SuperLink. `control`
        /// has no effect with Flower before 1.23, which has no such list, and for a SuperNode
        /// without a `key` whose log does not contain its node ID.
        control: Option<ControlInput> = optional(),
        /// The configuration of this site, which ClientApps read as `context.node_config`: an
        /// object of bools, numbers, strings, and objects of those. Flower joins nested keys with
        /// dots, so `{ a = { b = 1 } }` and `{ "a.b" = 1 }` are the same. A key consists of
        /// letters, digits, `-` and `_`. The SuperNode reads the values from a file, so no process
        /// list and no pod contains them. But everyone who can read the state, a plan, or the
        /// record of the object can read them: put a secret into `env`, or into a file at the site
        /// and its path here.
        node_config: Option<Dynamic> = optional(),
        /// The Flower version. Default: the version of the SuperLink. A `flower_superlink` supports
        /// the same versions.
        flower_version: Computed<FlowerVersion> = optional_computed(),
        /// Where ClientApps run. Allowed values: `process` (a SuperExec beside the SuperNode starts
        /// them) and `subprocess` (default; the SuperNode starts them itself).
        isolation: Isolation = defaulted(Isolation::Subprocess),
        /// Python packages that ClientApps need, in pip's syntax (`numpy>=2`). The provider
        /// installs them together with Flower. Allowed are packages and paths of wheels, but no
        /// options and no folders; set a package index and the like in the environment or the
        /// configuration files of pip or uv (`PIP_INDEX_URL`, pip.conf). Relative paths start in
        /// the folder where Terraform runs. If a wheel was rebuilt or the index changed, the plan
        /// shows drift, and the apply installs the packages again and restarts the processes. The
        /// runtime `kubernetes` refuses this argument; use an image that contains the packages
        /// (`kubernetes.image`).
        requirements: Option<Vec<String>> = optional(),
        /// Environment variables of the processes, such as a licence key. Plans hide the values and
        /// the provider's record does not contain them, but the state does. The runtime
        /// `kubernetes` stores them in a Secret of the pod. After an import this argument is null:
        /// the next plan sets it, and the apply restarts nothing if the processes already have
        /// these values. A name consists of letters, digits, `_`, `-` and `.`; a name and its value
        /// have at most 131071 bytes together.
        env: Option<BTreeMap<String, String>> = optional().sensitive(),
        /// Further arguments of `flower-supernode`. Write a flag and its value as two entries, or
        /// as one entry with `=`. A flag that the provider sets itself is an error that names the
        /// attribute to use instead. Everyone who can read the state, a plan, the record of the
        /// object, its pod, or the process list of its machine can read these arguments: put
        /// secrets into `env`.
        extra_args: Option<Vec<String>> = optional(),
        /// The log level: `DEBUG`, `INFO`, `WARNING` or `ERROR`.
        log_level: Option<LogLevel> = optional(),
        /// Settings of the runtime `local`. The runtime `kubernetes` ignores them.
        local: Option<Local> = optional(),
        /// Settings of the pod in the runtime `kubernetes`. The runtime `local` ignores them.
        kubernetes: Option<Pod> = optional(),
        /// Whether the apply waits until the SuperLink has accepted the SuperNode.
        wait: bool = defaulted(true),
        /// How long each operation may take. Default: 15 minutes for `create` and `update`, and 2
        /// minutes for `delete`.
        timeouts: Option<Timeouts> = optional(),
        /// The name.
        id: Computed<String> = computed().keep(),
        /// The location of the object: the machine and the folder, or the UID of the cluster and
        /// the namespace. If the provider configuration now points to a different place, the
        /// provider does not recreate the object. If it points to another cluster, `plan` fails. If
        /// it points to another machine or folder, `plan` prints a warning, and an `apply` that
        /// would change the object fails.
        place: Computed<String> = computed().optional_identity(),
        /// The ID of the SuperNode at the SuperLink. Null until the SuperLink has accepted the
        /// SuperNode. With `wait = false` a later refresh reads the ID from the log. If the Flower
        /// version or the `log_level` does not log the ID, it stays null.
        node_id: Computed<NodeId> = computed(),
        /// The state of the SuperNode. `running`: its processes run. `stopped`: a process ended by
        /// itself; the next apply starts it again. `changed`: something other than Terraform
        /// changed it, or an earlier apply did not finish; the next apply repairs it.
        status: Computed<Status> = computed(),
    }
}

impl Recorded for Model {
    const KIND: Kind = Kind::Supernode;
    const NAME: ModelPath<Self> = at!(Model, name);
    const PLACE: ModelPath<Self> = at!(Model, place);
}

impl Launched for Model {
    const REQUIREMENTS: ModelPath<Self> = at!(Model, requirements);
    const EXTRA_ARGS: ModelPath<Self> = at!(Model, extra_args);
    const ENV: ModelPath<Self> = at!(Model, env);
    const PORT: ModelPath<Self> = at!(Model, local.port);
    const TIMEOUTS: ModelPath<Self> = at!(Model, timeouts);
}

model! {
    /// Settings of the runtime `local`.
    pub struct Local {
        /// The port on 127.0.0.1 through which apps reach the SuperNode. By default the provider
        /// chooses a free port once.
        port: Option<u16> = optional(),
        /// Whether to keep the log files when the SuperNode is destroyed. The log is
        /// `supernodes/NAME/logs/supernode.log` in the `data_dir`.
        keep_logs: Option<bool> = optional(),
    }
}
