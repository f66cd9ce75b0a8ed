//! The schema of `flower_superlink`.

use std::collections::BTreeMap;

use super::active_runs::OnActiveRuns;
use crate::flower::control::Location;
use crate::flower::launch::{Isolation, LogLevel};
use crate::flower::version::{self, FlowerVersion};
use crate::model;
use crate::resources::choices::Status;
use crate::resources::handover::{ControlOutput, FleetOutput};
use crate::resources::pod::{Pod, ServiceSettings};
use crate::resources::superlink_id::SuperlinkId;
use crate::resources::timeouts::Timeouts;
use crate::runtime::ObjectName;
use crate::tfplugin::GoDuration;
use crate::tfplugin::schema::{Computed, computed, defaulted, optional, required};

model! {
    /// A Flower SuperLink: the server of a federation, which SuperNodes dial and runs are
    /// submitted to.
    ///
    /// It speaks TLS with a certificate of an authority that the provider makes for it, keeps its
    /// runs and nodes in a database, and lets in the SuperNodes of `supernodes` alone.
    pub struct Model {
        /// Its name: 1 to 53 lower-case letters, digits and hyphens.
        name: ObjectName = required().replace("its files and processes carry the name").identity(),
        /// The Flower release to run, such as `1.42.0`: 1.13 or later. The default is the newest
        /// release that the provider knows. A later one is used like the newest known, with a
        /// warning; one with another major number, such as `2.0.0`, is refused.
        flower_version: FlowerVersion = defaulted(version::DEFAULT),
        /// Let a change of `flower_version` make a new SuperLink where the other release cannot read
        /// the database, or where the database is gone (its file, or its volume in a cluster): its
        /// runs and registrations are lost. Without it either is an error.
        allow_state_loss: bool = defaulted(false),
        /// What an update that restarts the SuperLink does while runs are in progress. `wait`: it waits
        /// until they have ended, as long as `timeouts.update` allows, and then fails with nothing
        /// changed; the restart itself has that time again. `fail`: it names them and fails with
        /// nothing changed. `restart` (the default): it ends them as failed, which Flower shows within two
        /// minutes. A plan says when the
        /// SuperLink restarts, why, and how many runs are in progress. A replacement does not wait.
        on_active_runs: Option<OnActiveRuns> = optional(),
        /// `subprocess` (the default): the SuperLink starts ServerApps itself. `process`: a
        /// SuperExec beside it does, so that apps do not run as the SuperLink's children.
        isolation: Isolation = defaulted(Isolation::Subprocess),
        /// Speak without TLS. Never the default; node keys need TLS, so `supernodes` must be left
        /// out then.
        insecure: bool = defaulted(false),
        /// The certificate.
        tls: Option<Tls> = optional(),
        /// The SuperNodes that may connect, by any name. When left out, every SuperNode may connect,
        /// and a plan warns where the Service is reached from outside the cluster. An empty map lets
        /// in none. Where it is set it is all who may connect: whoever else is registered, since it joined
        /// before or was registered by somebody else, is unregistered. A key that is removed from this map, or replaced in it, is unregistered: this
        /// SuperLink never accepts it again, and a plan says so. To let that SuperNode back in, give
        /// its `flower_supernode_key` another `rotation`.
        supernodes: Option<BTreeMap<String, AllowedNode>> = optional(),
        /// The database.
        persistence: Option<Persistence> = optional(),
        /// What ServerApps need, as pip takes it (`numpy>=2`), installed beside Flower.
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
        /// Further arguments of `flower-superlink`: a flag and its value as two entries, or as one
        /// with `=`. One that the provider sets itself is an error that names the attribute to use
        /// instead. Everybody can read them who may read the state, a
        /// plan, the object's record, its pod, or the list of processes of its machine: a secret
        /// belongs into `env`.
        extra_args: Option<Vec<String>> = optional(),
        /// `DEBUG`, `INFO`, `WARNING` or `ERROR`.
        log_level: Option<LogLevel> = optional(),
        /// How SuperNodes reach it, for the runtime `kubernetes`. The runtime `local` has no use for it.
        service: Option<ServiceSettings> = optional(),
        /// Settings of its pod, for the runtime `kubernetes`. The runtime `local` has no use for them.
        kubernetes: Option<Pod> = optional(),
        /// Settings of the runtime `local`. The runtime `kubernetes` has no use for them.
        local: Option<Local> = optional(),
        /// How long operations may take; 15 minutes for `create` and `update`, since Flower may
        /// have to be installed first, and 2 minutes for `delete`.
        timeouts: Option<Timeouts> = optional(),
        /// The name.
        id: Computed<String> = computed().keep(),
        /// Where it lives: the machine and the folder, or the UID of the cluster and the
        /// namespace. A provider that leads elsewhere is no reason to make it anew: for another
        /// cluster it is an error, for another machine a plan warns and an apply of changes fails.
        place: Computed<String> = computed().optional_identity(),
        /// The id that tells it from every other SuperLink: random, made when it is created, and kept
        /// through every change.
        superlink_id: Computed<SuperlinkId> = computed().keep(),
        /// What SuperNodes need to dial it: `superlink` of a `flower_supernode`.
        fleet: Computed<FleetOutput> = computed().keep(),
        /// How to reach its Control API: `control` of a `flower_app_run`.
        control: Computed<ControlOutput> = computed().keep(),
        /// The Flower node id of each of `supernodes`, by the same names. Where `supernodes` is left
        /// out again, those that it named stay here, until another list takes them off.
        nodes: Computed<BTreeMap<String, String>> = computed(),
        /// When the certificate expires (RFC 3339). Null with `insecure`.
        certificate_not_after: Computed<String> = computed().keep(),
        /// `running`; `stopped` when a process ended by itself: the next apply starts it again on
        /// its database and ports; `changed` when somebody else changed how it runs or took its
        /// Service or a Secret away, or an earlier apply did not finish; or `lost` when its database
        /// is gone: an apply is refused then without `allow_state_loss`.
        status: Computed<Status> = computed(),
    }
}

model! {
    /// The certificate of a SuperLink.
    pub struct Tls {
        /// Further names that SuperNodes dial it by.
        dns_names: Option<Vec<String>> = optional(),
        /// Further addresses that SuperNodes dial it by.
        ip_addresses: Option<Vec<String>> = optional(),
        /// How long a certificate is valid, from `1h` to `87600h` (ten years); `8760h` (one year) by
        /// default.
        validity: Option<GoDuration> = optional(),
        /// How long before its end a new one is planned; by default `720h` (30 days), or a third of
        /// `validity` where that is less.
        renew_before: Option<GoDuration> = optional(),
    }
}

model! {
    /// A SuperNode that may connect.
    pub struct AllowedNode {
        /// Its public key: `flower_supernode_key.NAME.public_key`, or one in OpenSSH or PEM form.
        public_key: String = required(),
        /// Where it stands, as latitude and longitude in degrees (`47.37,8.54`); shown by Flower's
        /// tools from 1.38 on. Flower stores it when the key is registered: a later change is an
        /// error, unless the key changes as well.
        location: Option<Location> = optional(),
    }
}

model! {
    /// The database of a SuperLink.
    pub struct Persistence {
        /// Keep runs and nodes in a file, so that they outlive the process. Without it a restart
        /// loses them, node registrations included. A change makes a new SuperLink.
        enabled: bool = defaulted(true),
        /// The size of its volume in the runtime `kubernetes`; `1Gi` by default. It can grow where
        /// the StorageClass allows it, and never shrink.
        size: Option<String> = optional(),
        /// The StorageClass of its volume in the runtime `kubernetes`; the cluster's default one
        /// when left out.
        storage_class: Option<String> =
            optional().replace("a volume belongs to its StorageClass"),
    }
}

model! {
    /// Settings of the runtime `local`.
    pub struct Local {
        /// The port on 127.0.0.1. A free one is chosen once by default.
        port: Option<u16> = optional(),
        /// Leave the logs when it is destroyed.
        /// Its log, with what ServerApps print, is `superlinks/NAME/logs/superlink.log` in the `data_dir`.
        keep_logs: Option<bool> = optional(),
    }
}
