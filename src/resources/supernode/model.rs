//! The schema of `flower_supernode`.

use std::collections::BTreeMap;

use crate::flower::launch::{Isolation, LogLevel};
use crate::flower::version::FlowerVersion;
use crate::model;
use crate::resources::choices::Status;
use crate::resources::handover::{ControlInput, FleetInput, SecretInput};
use crate::resources::pod::Pod;
use crate::resources::timeouts::Timeouts;
use crate::runtime::ObjectName;
use crate::tfplugin::schema::{
    Computed, Dynamic, computed, defaulted, optional, optional_computed, required,
};

model! {
    /// A Flower SuperNode: the process at a data owner's site that dials a SuperLink and runs
    /// ClientApps on data that stays there.
    pub struct Model {
        /// Its name: 1 to 53 lower-case letters, digits and hyphens.
        name: ObjectName = required().replace("its files and processes carry the name").identity(),
        /// The SuperLink to dial: `flower_superlink.NAME.fleet`, or an object written by hand.
        superlink: FleetInput = required(),
        /// The private key: `flower_supernode_key.NAME.secret`. Left out, the SuperNode has no
        /// identity, and only a SuperLink without `supernodes` lets it in.
        key: Option<SecretInput> = optional(),
        /// Where the SuperLink's list of nodes is read: `flower_superlink.NAME.control`. With it, the
        /// SuperNode has joined when that list shows it online. Without it, a line of its own log is
        /// waited for; a release before 1.24, or a `log_level` of `WARNING` or `ERROR`, does not
        /// write that line, and a process that has run for eight seconds then counts as joined,
        /// even if the address leads nowhere. Releases before 1.23 have no such list, and nodes
        /// without a `key` are found in it only by the number in their log: `control` then changes
        /// nothing.
        control: Option<ControlInput> = optional(),
        /// What ClientApps read of this site (`context.node_config`): an object of bools, numbers,
        /// strings, and objects of those. Flower joins nested keys with dots, so that `{ a = { b = 1 } }`
        /// and `{ "a.b" = 1 }` are the same. Keys have letters, digits, `-` and `_`. The SuperNode reads them from a file of its own, so they are
        /// in no list of processes and no pod; but everybody can read them who may read the state, a
        /// plan, or the object's record. A secret belongs into `env`, or into a file of the site whose
        /// path stands here.
        node_config: Option<Dynamic> = optional(),
        /// The Flower release; the SuperLink's by default. The same releases can be used as for a
        /// `flower_superlink`.
        flower_version: Computed<FlowerVersion> = optional_computed(),
        /// `subprocess` (the default): the SuperNode starts ClientApps itself. `process`: a
        /// SuperExec beside it does.
        isolation: Isolation = defaulted(Isolation::Subprocess),
        /// What ClientApps need, as pip takes it (`numpy>=2`), installed beside Flower.
        /// Packages or paths of wheels, no options and no folders: an index and the like are set in
        /// pip's or uv's environment or files (`PIP_INDEX_URL`, pip.conf). Relative paths start where
        /// Terraform runs. A wheel that was rebuilt, and another index, are drift: apply installs
        /// again and restarts the processes.
        /// The runtime `kubernetes` refuses it: there they belong into the image (`kubernetes.image`).
        requirements: Option<Vec<String>> = optional(),
        /// Environment variables of the processes, such as a licence key. They are hidden in plans and
        /// written to no record, but stand in the state. In the runtime `kubernetes` they are a Secret
        /// of the pod. After an import they are null: the next plan sets them, and the apply restarts
        /// nothing where they are what the processes have. A name has letters, digits, `_`, `-` and `.`;
        /// a name and its value have at most 131071 bytes together.
        env: Option<BTreeMap<String, String>> = optional().sensitive(),
        /// Further arguments of `flower-supernode`: a flag and its value as two entries, or as one
        /// with `=`. One that the provider sets itself is an error that names the attribute to use
        /// instead. Everybody can read them who may read the state, a
        /// plan, the object's record, its pod, or the list of processes of its machine: a secret
        /// belongs into `env`.
        extra_args: Option<Vec<String>> = optional(),
        /// `DEBUG`, `INFO`, `WARNING` or `ERROR`.
        log_level: Option<LogLevel> = optional(),
        /// Settings of the runtime `local`. The runtime `kubernetes` has no use for them.
        local: Option<Local> = optional(),
        /// Settings of its pod, for the runtime `kubernetes`. The runtime `local` has no use for them.
        kubernetes: Option<Pod> = optional(),
        /// Wait until the SuperLink has let it in; `true` by default.
        wait: bool = defaulted(true),
        /// How long operations may take; 15 minutes for `create` and `update`, 2 for `delete`.
        timeouts: Option<Timeouts> = optional(),
        /// The name.
        id: Computed<String> = computed().keep(),
        /// Where it lives: the machine and the folder, or the UID of the cluster and the
        /// namespace. A provider that leads elsewhere is no reason to make it anew: for another
        /// cluster it is an error, for another machine a plan warns and an apply of changes fails.
        place: Computed<String> = computed().optional_identity(),
        /// The number that the SuperLink knows it by. Null until it was let in: with `wait = false`
        /// a later refresh finds it in the log. A release or `log_level` that does not log it
        /// leaves it null.
        node_id: Computed<String> = computed(),
        /// `running`; `stopped` when a process ended by itself: the next apply starts it again; or
        /// `changed` when somebody else changed how it runs, or an earlier apply did not finish.
        status: Computed<Status> = computed(),
    }
}

model! {
    /// Settings of the runtime `local`.
    pub struct Local {
        /// The port on 127.0.0.1 by which apps reach the SuperNode. A free one is chosen once by
        /// default.
        port: Option<u16> = optional(),
        /// Leave the logs when it is destroyed.
        /// Its log is `supernodes/NAME/logs/supernode.log` in the `data_dir`.
        keep_logs: Option<bool> = optional(),
    }
}
