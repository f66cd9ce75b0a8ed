//! The schema of `flower_superlink`.

use std::collections::BTreeMap;

use crate::flower::control::{Location, NodeId};
use crate::flower::launch::{Isolation, LogLevel};
use crate::flower::version::{self, FlowerVersion};
use crate::resources::choices::Status;
use crate::resources::connection_attributes::{ControlOutput, FleetOutput};
use crate::resources::launched::Launched;
use crate::resources::pod::Pod;
use crate::resources::recorded_configuration::Recorded;
use crate::resources::service::ServiceSettings;
use crate::resources::simulation::Simulation;
use crate::resources::superlink_id::SuperlinkId;
use crate::resources::timeouts::Timeouts;
use crate::runtime::{Kind, ObjectName};
use crate::tfplugin::GoDuration;
use crate::tfplugin::schema::{Computed, ModelPath, computed, defaulted, optional, required};
use crate::{at, choice_attribute, model};

model! {
    /// A Flower SuperLink: the server of a federation. SuperNodes connect to it, and runs are
    /// submitted to it.
    ///
    /// The provider creates a certificate authority and a TLS certificate for the SuperLink. The
    /// SuperLink keeps its runs and SuperNode registrations in a database, and accepts only the
    /// SuperNodes in `supernodes`.
    pub struct Model {
        /// The name: 1 to 53 lower-case letters, digits and hyphens.
        name: ObjectName = required().replace("its files and processes carry the name").identity(),
        /// The Flower version to run, such as `1.42.0`: 1.13 or later. The default is the newest
        /// version that the provider knows. The provider treats a later version like the newest
        /// known one and prints a warning; it refuses another major version, such as `2.0.0`.
        flower_version: FlowerVersion = defaulted(version::DEFAULT),
        /// Allows the provider to create a new SuperLink with an empty database in two cases: the
        /// new `flower_version` cannot read the current database, or the database (its file, or its
        /// volume in a cluster) no longer exists. All runs and SuperNode registrations are lost. If
        /// `false`, both cases are errors.
        allow_state_loss: bool = defaulted(false),
        /// What an update that restarts the SuperLink does while runs are in progress. Allowed
        /// values: `wait` (the update waits until the runs have ended, up to `timeouts.update`, and
        /// then fails without any change; the restart itself has the same time again), `fail` (the
        /// update names the runs and fails without any change), and `restart` (default; the restart
        /// ends the runs as failed, which Flower shows within two minutes). A plan shows whether
        /// the SuperLink restarts, why, and how many runs are in progress. A replacement does not
        /// wait.
        on_active_runs: Option<OnActiveRuns> = optional(),
        /// Where ServerApps run. Allowed values: `process` (a SuperExec beside the SuperLink starts
        /// them, so they are not child processes of the SuperLink) and `subprocess` (default; the
        /// SuperLink starts them itself).
        isolation: Isolation = defaulted(Isolation::Subprocess),
        /// Whether to run without TLS. Node keys need TLS, so `supernodes` must not be set then.
        insecure: bool = defaulted(false),
        /// The certificate.
        tls: Option<Tls> = optional(),
        /// The SuperNodes that may connect, each under a name that you choose. By default every
        /// SuperNode may connect, and a plan warns if clients outside the cluster can reach the
        /// Service. An empty map allows none. If you set this argument, an apply unregisters every
        /// other SuperNode, including those that joined earlier or that someone else registered. If
        /// you remove or replace a key in this map, the provider unregisters it and the SuperLink
        /// never accepts it again; the plan says so. To allow that SuperNode again, change the
        /// `rotation` of its `flower_supernode_key`.
        supernodes: Option<BTreeMap<String, AllowedNode>> = optional(),
        /// Simulates SuperNodes on this machine, such as `{ num_supernodes = 10 }`, to try an app
        /// before there are real ones. By default runs have real SuperNodes. Each run that gets
        /// `control` from this SuperLink is submitted with this simulation and waits for no
        /// SuperNodes. Real SuperNodes take part in no run, so `supernodes` must not be set. Needs
        /// Flower 1.28 or later and a Python for which Ray has wheels: the provider installs Flower
        /// with its extra `simulation`. `requirements` must contain the packages of the ClientApp,
        /// too. The runtime `kubernetes` refuses this argument. A change replaces these runs; adding
        /// or removing the argument also restarts the SuperLink. See the guide "Simulation".
        simulation: Option<Simulation> = optional(),
        /// The database.
        persistence: Option<Persistence> = optional(),
        /// A folder in which ServerApps leave files, such as a trained model: `artifacts = {}` is
        /// enough. ServerApps find its path in the environment variable `FLOWER_ARTIFACTS_DIR`, and
        /// write into the subfolder with the number of their run, which they create
        /// (`os.path.join(os.environ["FLOWER_ARTIFACTS_DIR"], str(context.run_id))`). `artifacts`
        /// of a `flower_app_run` downloads that subfolder. In the runtime `kubernetes` the folder is
        /// on the volume of the database: set `persistence.size` to hold both, because a full volume
        /// stops the SuperLink. Every ServerApp of the SuperLink can read and write the whole folder.
        /// The provider removes it together with the SuperLink.
        artifacts: Option<Artifacts> = optional(),
        /// Python packages that ServerApps need, in pip's syntax (`numpy>=2`). The provider
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
        /// Further arguments of `flower-superlink`. Write a flag and its value as two entries, or
        /// as one entry with `=`. A flag that the provider sets itself is an error that names the
        /// attribute to use instead. Everyone who can read the state, a plan, the record of the
        /// object, its pod, or the process list of its machine can read these arguments: put
        /// secrets into `env`.
        extra_args: Option<Vec<String>> = optional(),
        /// The log level: `DEBUG`, `INFO`, `WARNING` or `ERROR`.
        log_level: Option<LogLevel> = optional(),
        /// How SuperNodes reach the SuperLink in the runtime `kubernetes`. The runtime `local`
        /// ignores it.
        service: Option<ServiceSettings> = optional(),
        /// Settings of the pod in the runtime `kubernetes`. The runtime `local` ignores them.
        kubernetes: Option<Pod> = optional(),
        /// Settings of the runtime `local`. The runtime `kubernetes` ignores them.
        local: Option<Local> = optional(),
        /// How long each operation may take. Default: 15 minutes for `create` and `update`, which
        /// may have to install Flower first, and 2 minutes for `delete`.
        timeouts: Option<Timeouts> = optional(),
        /// The name.
        id: Computed<String> = computed().keep(),
        /// The location of the object: the machine and the folder, or the UID of the cluster and
        /// the namespace. If the provider configuration now points to a different place, the
        /// provider does not recreate the object. If it points to another cluster, `plan` fails. If
        /// it points to another machine or folder, `plan` prints a warning, and an `apply` that
        /// would change the object fails.
        place: Computed<String> = computed().optional_identity(),
        /// A random ID that distinguishes this SuperLink from every other one. The provider creates
        /// it together with the SuperLink, and no update changes it.
        superlink_id: Computed<SuperlinkId> = computed().keep(),
        /// What SuperNodes need to connect: the value for `superlink` of a `flower_supernode`.
        fleet: Computed<FleetOutput> = computed().keep(),
        /// How to reach the Control API: the value for `control` of a `flower_app_run`.
        control: Computed<ControlOutput> = computed().keep(),
        /// The node ID of each SuperNode in `supernodes`, under the same names. If you remove the
        /// `supernodes` argument later, the SuperNodes that it listed stay in this map until you
        /// set a new `supernodes` list without them.
        nodes: Computed<BTreeMap<String, NodeId>> = computed(),
        /// When the certificate expires (RFC 3339). Null with `insecure`.
        certificate_not_after: Computed<String> = computed().keep(),
        /// The state of the SuperLink. `running`: its processes run. `stopped`: a process ended by
        /// itself; the next apply starts it again with its database and ports. `changed`: something
        /// other than Terraform changed it or deleted its Service or a Secret, or an earlier apply
        /// did not finish; the next apply repairs it. `lost`: the database no longer exists;
        /// `apply` fails unless `allow_state_loss = true`.
        status: Computed<Status> = computed(),
    }
}

impl Recorded for Model {
    const KIND: Kind = Kind::Superlink;
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
    /// The certificate of a SuperLink.
    pub struct Tls {
        /// Further DNS names under which SuperNodes connect to the SuperLink.
        dns_names: Option<Vec<String>> = optional(),
        /// Further IP addresses under which SuperNodes connect to the SuperLink.
        ip_addresses: Option<Vec<String>> = optional(),
        /// How long a certificate is valid, from `1h` to `87600h` (ten years). Default: `8760h`
        /// (one year).
        validity: Option<GoDuration> = optional(),
        /// How long before its expiry a plan renews the certificate. Default: `720h` (30 days), or
        /// a third of `validity` if that is shorter.
        renew_before: Option<GoDuration> = optional(),
    }
}

model! {
    /// A SuperNode that may connect.
    pub struct AllowedNode {
        /// The public key: `flower_supernode_key.NAME.public_key`, or a key in OpenSSH or PEM
        /// format.
        public_key: String = required(),
        /// The location of the SuperNode, as latitude and longitude in degrees (`47.37,8.54`).
        /// Flower's tools show it from Flower 1.38 on. Flower stores it when the key is registered:
        /// a later change is an error unless the key changes too.
        location: Option<Location> = optional(),
    }
}

model! {
    /// The database of a SuperLink.
    pub struct Persistence {
        /// Whether to keep runs and SuperNode registrations in a file. If `false`, a restart of the
        /// SuperLink loses them. A change replaces the SuperLink.
        enabled: bool = defaulted(true),
        /// The size of the database volume in the runtime `kubernetes`. Default: `1Gi`. The volume
        /// can grow if its StorageClass allows it, and never shrink.
        size: Option<String> = optional(),
        /// The StorageClass of the database volume in the runtime `kubernetes`. Default: the
        /// default StorageClass of the cluster.
        storage_class: Option<String> =
            optional().replace("a volume belongs to its StorageClass"),
    }
}

model! {
    /// The folder of artifacts.
    pub struct Artifacts {
        /// Whether ServerApps get the folder. If you disable it, the files stay on the disk of the
        /// SuperLink.
        enabled: bool = defaulted(true),
    }
}

model! {
    /// Settings of the runtime `local`.
    pub struct Local {
        /// The port on 127.0.0.1. By default the provider chooses a free port once.
        port: Option<u16> = optional(),
        /// Whether to keep the log files when the SuperLink is destroyed. The log of the SuperLink,
        /// with the output of ServerApps, is `superlinks/NAME/logs/superlink.log` in the
        /// `data_dir`.
        keep_logs: Option<bool> = optional(),
    }
}

/// What an update that restarts the SuperLink does while runs are in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnActiveRuns {
    #[default]
    Restart,
    Wait,
    Fail,
}

choice_attribute!(OnActiveRuns {
    "restart" => Self::Restart => Self::Restart,
    "wait" => Self::Wait => Self::Wait,
    "fail" => Self::Fail => Self::Fail,
});
