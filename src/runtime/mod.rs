//! Where Flower's processes and secrets live: one trait, and a runtime behind it for each kind of
//! place. A runtime knows processes, files, ports and secrets; it knows neither Terraform nor what
//! the processes do.
//!
//! The order of a creation is the same everywhere: [`Runtime::claim`] makes the name ours durably,
//! [`Runtime::layout`] says where things will be, [`Runtime::start`] brings them about, and
//! [`Runtime::settle`] records that the caller has the object in its state. What a killed provider
//! leaves between the first and the last is found by the next one as [`Claim::Unfinished`].

mod error;
pub mod kubernetes;
pub mod local;
mod name;
mod pod;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

pub use error::{Distrust, Failure, InstallFault, PythonFault, RuntimeError};
pub use name::{
    Kind, NameError, ObjectName, ObjectRef, Port, is_dns_label, is_dns_subdomain, is_entry_name,
};
pub use pod::{
    Duty, Exposure, PodSettings, PullPolicy, Resources, ServiceKind, Storage, TaintEffect,
    Toleration, TolerationOperator, Volume, VolumeSource,
};

/// The entries of a secret. Never shown, wiped when dropped.
pub type SecretEntries = BTreeMap<String, Zeroizing<String>>;

/// How a name came to be ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    New,
    /// A provider died in the middle of making it: what it had made is still there.
    Unfinished,
}

/// What an object's places depend on.
#[derive(Debug, Clone, Copy)]
pub struct LayoutRequest<'a> {
    pub object: &'a ObjectRef,
    pub ports: &'a [Port],
    /// A port that must be this one, where ports are chosen.
    pub fixed: Option<(Port, u16)>,
    /// How SuperNodes reach it, for what they dial.
    pub exposure: Option<&'a Exposure>,
    /// Until when an address may be waited for.
    pub until: Instant,
}

/// Where the parts of an object are, as its processes see them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// The address that servers bind.
    pub bind_host: String,
    /// The address that a Fleet API with a port of its own binds.
    pub fleet_bind_host: String,
    pub ports: BTreeMap<Port, u16>,
    /// `host:port` that SuperNodes dial, when that is not where the server listens.
    pub fleet_address: Option<String>,
    /// The URL of the Control API, when it is not reached where the server listens.
    pub control_url: Option<String>,
    /// Names and addresses by which it is dialled, for its certificate.
    pub dns_names: Vec<String>,
    pub ip_addresses: Vec<String>,
    /// Where health services listen, if somebody asks them.
    pub health: Option<HealthPorts>,
    /// The folder of [`Workload::files`].
    pub files: String,
    /// A folder that outlives the processes.
    pub state: String,
    /// A folder that Flower may fill.
    pub home: String,
}

/// The ports of the gRPC health services of an object's processes, on all addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthPorts {
    /// Of the SuperLink or SuperNode.
    pub main: u16,
    /// Of the SuperExec beside it.
    pub superexec: u16,
}

/// The Python in which processes run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PythonEnvironment {
    pub flower_version: String,
    /// The Pythons, major and minor, that it can be installed on.
    pub oldest: (u32, u32),
    pub newest: Option<(u32, u32)>,
    /// Further requirements, as pip takes them.
    pub requirements: Vec<String>,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its name among the processes of its object, such as `superlink`.
    pub name: &'static str,
    /// What it is there for, by which settings are chosen.
    pub duty: Duty,
    /// Whether apps run in it, and so whatever they need.
    pub runs_apps: bool,
    /// The image that holds its program, as its publisher calls it.
    pub image: String,
    /// How it is seen whether it answers, where that can be seen.
    pub health: Option<Health>,
    /// A program of the environment.
    pub program: String,
    pub args: Vec<String>,
    pub env: BTreeMap<String, String>,
    /// Those that may be secrets.
    pub private_env: BTreeMap<String, String>,
    /// The program that it starts beside itself and does not start again, without which it is of no
    /// use.
    pub keeps: Option<&'static str>,
}

/// How a process shows that it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// By a gRPC health service on this port.
    Service(u16),
    /// By nothing but that this port is open: it answers once it takes connections.
    Open(u16),
}

/// What a file of an object holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Public(String),
    /// A text that nobody but the processes should read.
    Private(String),
    /// An entry of a secret.
    Secret {
        name: String,
        key: String,
    },
}

/// What is to run.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    pub object: ObjectRef,
    pub python: PythonEnvironment,
    pub processes: Vec<Process>,
    /// Files by name, which the processes can read and nobody else.
    pub files: BTreeMap<String, Content>,
    /// Where a runtime has pods: what they are like.
    pub pod: PodSettings,
    /// How others reach it.
    pub exposure: Option<Exposure>,
    /// The folder that outlives the processes, where it needs a volume.
    pub storage: Option<Storage>,
}

/// A connection to a port of an object.
pub trait Connection: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}

impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Connection for T {}

/// What runs after a start: of the first process, whom the others serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// It was started since the object was settled last, now or by an apply that did not finish.
    Anew,
    /// It is the one that the object was settled with.
    GoesOn,
}

/// Whether the processes of an object run, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    Up,
    /// They are there, and not ready: they start, or are started again and again.
    NotReady,
    /// They should run and do not, and nobody starts them.
    Down,
}

/// How long what may come about by itself is waited for before it is a failure.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For a node and for volumes, where that was set.
    pub scheduling: Option<Duration>,
    /// For the first answer of a process, where that was set.
    pub starting: Option<Duration>,
    /// When the time for everything is over.
    pub until: Instant,
}

/// How an object is removed.
#[derive(Debug, Clone, Copy)]
pub struct Removal<'a> {
    /// The names of its secrets.
    pub secrets: &'a [String],
    pub keep_logs: bool,
    /// How long it may take.
    pub limit: Duration,
    pub stop: &'a CancellationToken,
}

/// A part of an object beside its processes, which may be gone without them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The way that others come in, where a runtime makes one.
    Service,
    /// The volume of [`Workload::storage`], or its file where a runtime has no volumes.
    Volume,
    /// The secret of this name.
    Secret(String),
}

/// A part that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    pub part: Part,
    /// Which one, and what has become of it.
    pub words: String,
}

/// What was found of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    pub standing: Standing,
    /// What somebody else changed, in words.
    pub changed: Vec<String>,
    /// Whether what runs was started by an apply that did not get so far as to settle it.
    pub unfinished: bool,
    /// What it was made with that is another by now, in words.
    pub outdated: Vec<String>,
    /// Which of the parts that were asked for are gone.
    pub missing: Vec<Missing>,
}

/// A note about work that must not be done twice, with what was known when it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    pub key: String,
    pub note: serde_json::Value,
    /// Whether the provider that wrote it still runs.
    pub owner_lives: bool,
}

/// Where an object of a state is, as seen from a runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whereabouts {
    /// Where the runtime leads: what is not found there is gone.
    Here,
    /// Where the runtime does not lead, and cannot look: another machine.
    OutOfReach,
    /// Where another configuration of the provider leads.
    Elsewhere,
}

/// A place where Flower's processes and secrets live.
#[async_trait]
pub trait Runtime: Send + Sync {
    /// Names the place, so that a state from another place is noticed before all of it looks gone.
    async fn place(&self) -> Result<String, RuntimeError>;

    /// Where an object is that a state says is in this `place`.
    async fn whereabouts(&self, _: &ObjectRef, place: &str) -> Result<Whereabouts, RuntimeError> {
        Ok(if self.place().await? == place {
            Whereabouts::Here
        } else {
            Whereabouts::Elsewhere
        })
    }

    /// Whether objects have pods, and a Service before them: settings of those mean nothing elsewhere.
    fn has_pods(&self) -> bool {
        false
    }

    /// Whether it can install what apps need beside Flower. Asked while planning, so nothing is dialled.
    fn installs_requirements(&self) -> bool;

    /// Whether objects with these requirements can be made here, as far as settings and the working
    /// folder show it. Asked while planning, so nothing is dialled or started.
    fn can_install(&self, requirements: &[String]) -> Result<(), RuntimeError> {
        if requirements.is_empty() || self.installs_requirements() {
            Ok(())
        } else {
            Err(RuntimeError::NeedsImage)
        }
    }

    /// The folders of this machine in which it keeps files of its own, some of them secret.
    fn own_folders(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// Whether processes can run in this Python, as far as that is known without making anything.
    async fn can_run(&self, _: &PythonEnvironment) -> Result<(), RuntimeError> {
        Ok(())
    }

    /// The processes of an object that go on although nothing else of it is left, in words; none where
    /// they end with it.
    async fn left_behind(&self, _: &ObjectRef) -> Option<String> {
        None
    }

    /// Makes what the processes of a workload need beside their object. Nothing of the object changes, so
    /// that whatever fails here has changed nothing.
    async fn prepare(&self, _: &Workload, _: &CancellationToken) -> Result<(), RuntimeError> {
        Ok(())
    }

    /// Makes a name ours, durably and before anything else.
    /// Waits, where that takes time, until it is known whether somebody else is making it.
    async fn claim(
        &self,
        object: &ObjectRef,
        stop: &CancellationToken,
    ) -> Result<Claim, RuntimeError>;

    /// Records that the object is in its owner's state from now on, and what it was made from.
    /// `memory` holds no secret.
    async fn settle(
        &self,
        object: &ObjectRef,
        memory: &serde_json::Value,
    ) -> Result<(), RuntimeError>;

    /// What the objects of this kind were made from, as far as they are settled.
    async fn memories(
        &self,
        kind: Kind,
    ) -> Result<BTreeMap<ObjectName, serde_json::Value>, RuntimeError>;

    /// Where the parts of a claimed object are. Ports are chosen once; `fixed` ones must be free.
    async fn layout(&self, request: LayoutRequest<'_>) -> Result<Layout, RuntimeError>;

    /// Starts what is missing, restarts what changed, stops what is not wanted any more.
    async fn start(
        &self,
        workload: &Workload,
        stop: &CancellationToken,
    ) -> Result<Begun, RuntimeError>;

    /// Ends what runs and cannot succeed, so that nothing looks as if it did and the next start
    /// begins anew. A cluster that keeps it running begins anew by itself.
    async fn end(&self, object: &ObjectRef) -> Result<(), RuntimeError>;

    /// Waits until what was started stands, as far as the place itself can tell.
    async fn ready(&self, object: &ObjectRef) -> Result<(), RuntimeError>;

    /// Connects to a port on which a process of the object listens for itself alone. `place` is what
    /// [`Layout::control_url`] says after its scheme.
    async fn connect(&self, place: &str, port: u16) -> Result<Box<dyn Connection>, RuntimeError>;

    /// Looks at an object that should have these `parts`; `None` when there is none of that name.
    async fn observe(
        &self,
        object: &ObjectRef,
        parts: &[Part],
    ) -> Result<Option<Observation>, RuntimeError>;

    /// What SuperNodes dial to reach an object that is exposed so, as it is now: somebody else may give
    /// out that address. `None` where nobody does, or where it is not known.
    async fn fleet_address(
        &self,
        object: &ObjectRef,
        exposure: &Exposure,
    ) -> Result<Option<String>, RuntimeError>;

    /// Waits until the object has failed in a way that can be named.
    async fn watch_failure(&self, object: &ObjectRef, patience: Patience) -> Failure;

    /// Waits for a line of `process`, written since it was started last, that `found` accepts.
    async fn wait_log(
        &self,
        object: &ObjectRef,
        process: &str,
        found: &(dyn for<'a> Fn(&'a str) -> Option<String> + Sync),
    ) -> Result<String, RuntimeError>;

    /// The last lines that `process` wrote since it was started last.
    async fn log_tail(
        &self,
        object: &ObjectRef,
        process: &str,
        lines: usize,
    ) -> Result<Vec<String>, RuntimeError>;

    /// Where a person reads what `process` of the object writes: a path, or a command.
    async fn log_place(&self, object: &ObjectRef, process: &str) -> Option<String>;

    /// Removes the object with its processes, files and secrets; gone already is success.
    async fn remove(&self, object: &ObjectRef, how: Removal<'_>) -> Result<(), RuntimeError>;

    /// Keeps a secret, in place of one of the same name.
    async fn put_secret(
        &self,
        owner: &ObjectRef,
        name: &str,
        entries: &SecretEntries,
    ) -> Result<(), RuntimeError>;

    /// A secret of the object.
    async fn secret(
        &self,
        owner: &ObjectRef,
        name: &str,
    ) -> Result<Option<SecretEntries>, RuntimeError>;

    /// Gives a secret of the object the labels that objects have now, where the runtime has labels.
    async fn relabel_secret(&self, _: &ObjectRef, _: &str) -> Result<(), RuntimeError> {
        Ok(())
    }

    /// Writes or replaces a note about work at the Control API of this URL.
    async fn write_note(
        &self,
        key: &str,
        note: &serde_json::Value,
        control: &str,
    ) -> Result<(), RuntimeError>;

    /// The notes whose keys start with `prefix`.
    /// Those of providers that died are ours from then on.
    async fn notes(&self, prefix: &str) -> Result<Vec<JournalEntry>, RuntimeError>;

    /// What the notes whose keys start with `prefix` say, by key; whose they are stays as it is.
    async fn read_notes(
        &self,
        prefix: &str,
    ) -> Result<BTreeMap<String, serde_json::Value>, RuntimeError>;

    async fn drop_note(&self, key: &str) -> Result<(), RuntimeError>;
}
