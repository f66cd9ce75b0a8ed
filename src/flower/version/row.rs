//! What can differ between releases: the columns of the table.

/// How the Control API is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlPlane {
    /// gRPC on a port of its own, set with this flag.
    Grpc {
        /// `--exec-api-address` or `--control-api-address`.
        flag: &'static str,
    },
    /// Protobuf over HTTP/1.1 on the SuperLink's `--host` and `--port`.
    Http,
}

/// How apps reach the SuperLink or SuperNode that they belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppPlane {
    /// gRPC without TLS, on a port of its own (`--serverappio-api-address`,
    /// `--clientappio-api-address`).
    GrpcOwnPort,
    /// HTTP without TLS on `--host` and `--port`, which nothing else uses.
    HttpOwnPort,
    /// HTTP on the `--host` and `--port` of everything else, with its TLS.
    HttpSamePort,
}

/// How a SuperLink knows the SuperNodes that may connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeAuth {
    /// From a file of public keys that is read once, at its start. SuperNodes need both halves of
    /// their key.
    KeyList {
        /// Whether the SuperLink needs a key pair of its own, too.
        own_key: bool,
        /// Whether it can check keys with its database in a file: Flower 1.13 does so in a thread
        /// that must not use it, and refuses every SuperNode.
        database: bool,
    },
    /// From registrations over the Control API, at any time.
    Registration,
}

/// What runs apps beside a SuperLink or SuperNode with `isolation = "process"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppRunner {
    /// `flwr-serverapp` and `flwr-clientapp`, which run one app after the other.
    AppProcess,
    /// `flower-superexec`.
    SuperExec {
        /// With what it is told whom to dial: `--appio-api-address` or `--runtime-api-address`.
        api_flag: &'static str,
        plugin_type: PluginType,
    },
}

/// How SuperNodes reach the SuperLink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FleetPlane {
    /// gRPC on a port of its own, set with `--fleet-api-address`.
    GrpcOwnPort,
    /// HTTP on the same port as everything else.
    HttpSamePort,
}

/// What SuperNodes and their SuperLink say to each other. Those of different generations do not
/// understand each other, and may not notice: a SuperNode of 1.15 goes on for ever on a SuperLink of
/// 1.20, which never hears of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FleetProtocol {
    /// Tasks are pulled and their results pushed; nodes ping.
    Tasks,
    /// Messages in place of tasks.
    Messages,
    /// Heartbeats in place of pings; the contents of messages are objects of their own, listed by id.
    Objects,
    /// The same objects, told as trees in the same fields.
    ObjectTrees,
    /// Nodes register and activate themselves, instead of being created.
    Registered,
    /// The same over HTTP.
    Http,
}

impl FleetProtocol {
    /// What a SuperNode does by it, as the end of a sentence.
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

/// Whether `flower-superexec` must be told which apps it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginType {
    /// `--plugin-type` is a required flag.
    Required,
    /// The flag is ignored with a warning.
    Ignored,
}

/// The Pythons, major and minor, that all wheels of a release can be installed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pythons {
    pub oldest: (u32, u32),
    /// The last one, where newer ones are known to lack wheels.
    pub newest: Option<(u32, u32)>,
}

/// What holds for a range of releases.
#[derive(Debug, PartialEq, Eq)]
pub struct VersionRow {
    /// First release of the range, major and minor.
    pub from: (u16, u16),
    /// Last release of the range, major and minor.
    pub through: (u16, u16),
    /// What its wheels can be installed on.
    pub pythons: Pythons,
    /// How the Control API is reached.
    pub control: ControlPlane,
    /// How SuperNodes reach the SuperLink.
    pub fleet: FleetPlane,
    /// What they say to each other.
    pub fleet_protocol: FleetProtocol,
    /// How apps reach the SuperLink or SuperNode.
    pub apps: AppPlane,
    /// How a SuperLink knows the SuperNodes that may connect.
    pub node_auth: NodeAuth,
    /// What runs apps in process isolation.
    pub app_runner: AppRunner,
    /// Whether the Control API can stop a run.
    pub stops_runs: bool,
    /// Whether later releases go on with the database of this one.
    pub database_migrates: bool,
    /// Whether threads of a SuperLink may need a new database at the same moment, as they do when
    /// a SuperExec and a client come together. If not, one of them fails, and the database may be left
    /// such that no start can open it.
    pub shares_database: bool,
    /// The largest app bundle a SuperLink takes, in bytes.
    pub fab_limit: u64,
    /// Whether programs take `--health-server-address`.
    pub health_flag: bool,
    /// Whether a SuperLink installs what apps ask for unless it is told not to.
    pub installs_by_default: bool,
    /// Whether a SuperNode writes its number into its log once it was let in. If not, one that goes
    /// on running was let in.
    pub announces_node: bool,
    /// Whether a SuperNode that is refused ends. If not, it stays up and does nothing.
    pub ends_refused: bool,
    /// Whether a node's name and location are stored by the SuperLink.
    pub node_names: bool,
}
