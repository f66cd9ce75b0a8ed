//! The columns of the version table: what can differ between releases.

/// The transport of the Control API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlPlane {
    /// gRPC on a separate port, set with this flag.
    Grpc {
        /// `--exec-api-address` or `--control-api-address`.
        flag: &'static str,
    },
    /// Protobuf over HTTP/1.1 on the SuperLink's `--host` and `--port`.
    Http,
}

/// How apps connect to their SuperLink or SuperNode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppPlane {
    /// gRPC without TLS on a separate port (`--serverappio-api-address`,
    /// `--clientappio-api-address`).
    GrpcOwnPort,
    /// HTTP without TLS on `--host` and `--port`, which only apps use.
    HttpOwnPort,
    /// HTTP on the shared `--host` and `--port`, with the same TLS.
    HttpSamePort,
}

/// How a SuperLink authenticates SuperNodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeAuth {
    /// With a file of public keys that the SuperLink reads only at its start. SuperNodes need both
    /// halves of their key.
    KeyList {
        /// Whether the SuperLink needs its own key pair, too.
        own_key: bool,
        /// Whether it can check keys with its database in a file: Flower 1.13 does this in a thread
        /// that must not use the database, and refuses every SuperNode.
        database: bool,
    },
    /// With registrations through the Control API, at any time.
    Registration,
}

/// The process that runs apps for a SuperLink or SuperNode with `isolation = "process"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppRunner {
    /// `flwr-serverapp` and `flwr-clientapp`, which run one app after the other.
    AppProcess,
    /// `flower-superexec`.
    SuperExec {
        /// The flag with the address of the API: `--appio-api-address` or `--runtime-api-address`.
        api_flag: &'static str,
        plugin_type: PluginType,
    },
}

/// The transport between SuperNodes and the SuperLink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FleetPlane {
    /// gRPC on a separate port, set with `--fleet-api-address`.
    GrpcOwnPort,
    /// HTTP on the shared port.
    HttpSamePort,
}

/// The protocol between SuperNodes and their SuperLink. Different generations are incompatible, and
/// may not report this: a SuperNode of 1.15 runs forever with a SuperLink of 1.20, which never sees
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FleetProtocol {
    /// SuperNodes pull tasks and push their results; they send pings.
    Tasks,
    /// Messages instead of tasks.
    Messages,
    /// Heartbeats instead of pings; the contents of messages are separate objects, listed by ID.
    Objects,
    /// The same objects, sent as trees in the same fields.
    ObjectTrees,
    /// Nodes register and activate themselves; before, the SuperLink created them.
    Registered,
    /// The same over HTTP.
    Http,
}

impl FleetProtocol {
    /// What a SuperNode does with this protocol, as the end of a sentence.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Tasks => "exchanges tasks",
            Self::Messages => "exchanges messages and pings",
            Self::Objects => "exchanges lists of objects and sends heartbeats",
            Self::ObjectTrees => "exchanges trees of objects",
            Self::Registered => "registers and activates itself over gRPC",
            Self::Http => "speaks HTTP",
        }
    }
}

/// Whether `flower-superexec` needs a flag for the kind of its apps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginType {
    /// `--plugin-type` is a required flag.
    Required,
    /// The flag is ignored with a warning.
    Ignored,
}

/// The Python versions, major and minor, for which all wheels of a release exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pythons {
    pub oldest: (u32, u32),
    /// The last one, if newer ones are known to lack wheels.
    pub newest: Option<(u32, u32)>,
}

/// The properties of a range of releases.
#[derive(Debug, PartialEq, Eq)]
pub struct VersionRow {
    /// The first release of the range, major and minor.
    pub from: (u16, u16),
    /// The last release of the range, major and minor.
    pub through: (u16, u16),
    /// The Python versions on which it can be installed.
    pub pythons: Pythons,
    /// The transport of the Control API.
    pub control: ControlPlane,
    /// The transport of SuperNodes.
    pub fleet: FleetPlane,
    /// The protocol of SuperNodes.
    pub fleet_protocol: FleetProtocol,
    /// How apps connect to the SuperLink or SuperNode.
    pub apps: AppPlane,
    /// How a SuperLink authenticates SuperNodes.
    pub node_auth: NodeAuth,
    /// The process that runs apps in process isolation.
    pub app_runner: AppRunner,
    /// Whether the Control API can stop a run.
    pub stops_runs: bool,
    /// Whether later releases can use the database of this one.
    pub database_migrates: bool,
    /// Whether two threads of a SuperLink may create its database at the same moment, as happens
    /// when a SuperExec and a client connect at once. If not, one of them fails, and the database
    /// may become unusable for every later start.
    pub shares_database: bool,
    /// The maximum size of an app bundle, in bytes.
    pub fab_limit: u64,
    /// Whether programs take `--health-server-address`.
    pub health_flag: bool,
    /// Whether a SuperLink installs the dependencies of apps by default.
    pub installs_by_default: bool,
    /// Whether a SuperNode writes its node ID into its log after it has joined. If not, a SuperNode
    /// that keeps running has joined.
    pub announces_node: bool,
    /// Whether a SuperNode that is refused ends. If not, it keeps running and does nothing.
    pub ends_refused: bool,
    /// Whether runs and nodes belong to federations, which the Control API can list.
    pub has_federations: bool,
    /// Whether the SuperLink fetches the app of a run from Flower Hub.
    pub fetches_apps: bool,
    /// Whether the SuperLink stores a node's name and location.
    pub node_names: bool,
    /// Whether each run can bring the configuration of the simulation runtime, as a
    /// `SimulationConfig`. Earlier releases take it in other forms, or only from files.
    pub simulates: bool,
}
