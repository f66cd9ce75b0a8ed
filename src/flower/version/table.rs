//! The table: one row for each range of releases between which nothing changed that the provider
//! depends on.
//!
//! The facts in a row were read in the source of the releases at both ends of the range, and tested
//! with these releases.

use super::row::{
    AppPlane, AppRunner, ControlPlane, FleetPlane, FleetProtocol, NodeAuth, PluginType, Pythons,
    VersionRow,
};
use super::{FlowerVersion, VersionError};

/// The default release: the newest one in the table.
pub const DEFAULT: FlowerVersion = FlowerVersion::new(1, 42, 0);

/// The maximum size of an app bundle, in bytes, for a SuperLink of the newest release.
pub const FAB_LIMIT: u64 = 10 * 1024 * 1024;
/// Before releases had a limit for app bundles, the limit of their gRPC messages applied, which is
/// this or more.
const MESSAGE_LIMIT: u64 = 512 * 1024 * 1024;

/// The grpcio of these releases has no wheels for newer Python versions.
const UNTIL_3_12: Pythons = Pythons {
    oldest: (3, 9),
    newest: Some((3, 12)),
};
const SINCE_3_10: Pythons = Pythons {
    oldest: (3, 10),
    newest: None,
};
const SINCE_3_11: Pythons = Pythons {
    oldest: (3, 11),
    newest: None,
};

const APPIO: AppRunner = AppRunner::SuperExec {
    api_flag: "--appio-api-address",
    plugin_type: PluginType::Required,
};
const RUNTIME: AppRunner = AppRunner::SuperExec {
    api_flag: "--runtime-api-address",
    plugin_type: PluginType::Required,
};

/// The range of 1.23, on which other rows are based.
const REGISTRATION: VersionRow = VersionRow {
    from: (1, 23),
    through: (1, 23),
    pythons: SINCE_3_10,
    control: ControlPlane::Grpc {
        flag: "--control-api-address",
    },
    fleet: FleetPlane::GrpcOwnPort,
    fleet_protocol: FleetProtocol::Registered,
    apps: AppPlane::GrpcOwnPort,
    node_auth: NodeAuth::Registration,
    app_runner: APPIO,
    stops_runs: true,
    database_migrates: false,
    shares_database: true,
    fab_limit: FAB_LIMIT,
    health_flag: true,
    installs_by_default: false,
    announces_node: false,
    ends_refused: true,
    has_federations: false,
    fetches_apps: false,
    node_names: false,
    simulates: false,
};

const LISTED: NodeAuth = NodeAuth::KeyList {
    own_key: false,
    database: true,
};

/// The range of 1.16 to 1.18: before SuperExec and the Control API of that name.
const EXEC: VersionRow = VersionRow {
    from: (1, 16),
    through: (1, 18),
    fleet_protocol: FleetProtocol::Messages,
    control: ControlPlane::Grpc {
        flag: "--exec-api-address",
    },
    node_auth: LISTED,
    app_runner: AppRunner::AppProcess,
    fab_limit: MESSAGE_LIMIT,
    health_flag: false,
    ..REGISTRATION
};

/// The range of 1.40 to 1.42: HTTP for everything, on one port.
const ONE_PORT: VersionRow = VersionRow {
    from: (1, 40),
    through: (1, 42),
    pythons: SINCE_3_11,
    control: ControlPlane::Http,
    fleet: FleetPlane::HttpSamePort,
    fleet_protocol: FleetProtocol::Http,
    apps: AppPlane::HttpSamePort,
    node_auth: NodeAuth::Registration,
    app_runner: AppRunner::SuperExec {
        api_flag: "--runtime-api-address",
        plugin_type: PluginType::Ignored,
    },
    stops_runs: true,
    database_migrates: true,
    shares_database: true,
    fab_limit: FAB_LIMIT,
    health_flag: true,
    installs_by_default: true,
    announces_node: true,
    ends_refused: true,
    has_federations: true,
    fetches_apps: true,
    node_names: true,
    simulates: true,
};

/// Sorted, without gaps.
const ROWS: &[VersionRow] = &[
    VersionRow {
        from: (1, 13),
        through: (1, 13),
        pythons: UNTIL_3_12,
        fleet_protocol: FleetProtocol::Tasks,
        node_auth: NodeAuth::KeyList {
            own_key: true,
            database: false,
        },
        stops_runs: false,
        ..EXEC
    },
    VersionRow {
        from: (1, 14),
        through: (1, 14),
        pythons: UNTIL_3_12,
        fleet_protocol: FleetProtocol::Tasks,
        node_auth: NodeAuth::KeyList {
            own_key: true,
            database: true,
        },
        ..EXEC
    },
    VersionRow {
        from: (1, 15),
        through: (1, 15),
        pythons: Pythons {
            oldest: (3, 9),
            newest: None,
        },
        ..EXEC
    },
    EXEC,
    VersionRow {
        from: (1, 19),
        through: (1, 19),
        fleet_protocol: FleetProtocol::Objects,
        ..EXEC
    },
    VersionRow {
        from: (1, 20),
        through: (1, 20),
        fleet_protocol: FleetProtocol::ObjectTrees,
        fab_limit: FAB_LIMIT,
        ..EXEC
    },
    VersionRow {
        from: (1, 21),
        through: (1, 22),
        fleet_protocol: FleetProtocol::ObjectTrees,
        node_auth: LISTED,
        ..REGISTRATION
    },
    REGISTRATION,
    VersionRow {
        from: (1, 24),
        through: (1, 24),
        announces_node: true,
        has_federations: true,
        ..REGISTRATION
    },
    VersionRow {
        from: (1, 25),
        through: (1, 25),
        announces_node: true,
        has_federations: true,
        fetches_apps: true,
        ..REGISTRATION
    },
    VersionRow {
        from: (1, 26),
        through: (1, 27),
        announces_node: true,
        database_migrates: true,
        shares_database: false,
        has_federations: true,
        fetches_apps: true,
        ..REGISTRATION
    },
    VersionRow {
        from: (1, 28),
        through: (1, 30),
        announces_node: true,
        database_migrates: true,
        has_federations: true,
        fetches_apps: true,
        simulates: true,
        ..REGISTRATION
    },
    VersionRow {
        from: (1, 31),
        through: (1, 31),
        pythons: SINCE_3_11,
        announces_node: true,
        database_migrates: true,
        has_federations: true,
        fetches_apps: true,
        simulates: true,
        ..REGISTRATION
    },
    VersionRow {
        from: (1, 32),
        pythons: SINCE_3_11,
        through: (1, 34),
        announces_node: true,
        database_migrates: true,
        installs_by_default: true,
        has_federations: true,
        fetches_apps: true,
        simulates: true,
        ..REGISTRATION
    },
    VersionRow {
        from: (1, 35),
        pythons: SINCE_3_11,
        through: (1, 35),
        apps: AppPlane::HttpOwnPort,
        announces_node: true,
        ends_refused: false,
        database_migrates: true,
        installs_by_default: true,
        has_federations: true,
        fetches_apps: true,
        simulates: true,
        ..REGISTRATION
    },
    VersionRow {
        from: (1, 36),
        pythons: SINCE_3_11,
        through: (1, 36),
        apps: AppPlane::HttpOwnPort,
        app_runner: RUNTIME,
        announces_node: true,
        ends_refused: false,
        database_migrates: true,
        installs_by_default: true,
        has_federations: true,
        fetches_apps: true,
        simulates: true,
        ..REGISTRATION
    },
    VersionRow {
        from: (1, 37),
        through: (1, 37),
        fleet: FleetPlane::GrpcOwnPort,
        app_runner: RUNTIME,
        fleet_protocol: FleetProtocol::Registered,
        ends_refused: false,
        node_names: false,
        ..ONE_PORT
    },
    VersionRow {
        from: (1, 38),
        through: (1, 39),
        fleet: FleetPlane::GrpcOwnPort,
        fleet_protocol: FleetProtocol::Registered,
        ..ONE_PORT
    },
    ONE_PORT,
];

/// Whether a release is newer than the table: the provider treats it like the newest one.
pub fn is_newer_than_known(version: FlowerVersion) -> bool {
    version.release() > newest().release()
}

/// The row of a release.
pub fn row_of(version: FlowerVersion) -> Result<&'static VersionRow, VersionError> {
    let like = if is_newer_than_known(version) && version.release().0 == newest().release().0 {
        newest()
    } else {
        version
    };
    ROWS.iter()
        .find(|row| (row.from..=row.through).contains(&like.release()))
        .ok_or(VersionError::Unknown {
            version,
            oldest: oldest(),
            newest: newest(),
        })
}

/// The first release for which this is true; `None` if it is true for all.
pub fn first_with(holds: impl Fn(&VersionRow) -> bool) -> Option<FlowerVersion> {
    let (major, minor) = ROWS.iter().find(|row| holds(row))?.from;
    let first = FlowerVersion::new(major, minor, 0);
    (first != oldest()).then_some(first)
}

/// Whether a SuperLink of `after` can use the database of `before`. Flower migrates a database to
/// newer releases; before it did, only patch releases are compatible.
pub fn keeps_state(before: FlowerVersion, after: FlowerVersion) -> bool {
    let migrates = || row_of(before).is_ok_and(|row| row.database_migrates);
    before.release() == after.release() || (before <= after && migrates())
}

/// The first and the last release whose SuperNodes use this protocol.
pub fn speakers(protocol: FleetProtocol) -> (FlowerVersion, FlowerVersion) {
    let mut rows = ROWS.iter().filter(|row| row.fleet_protocol == protocol);
    let first = rows.next();
    let (from, through) = first.map_or((DEFAULT.release(), DEFAULT.release()), |row| {
        (row.from, rows.next_back().unwrap_or(row).through)
    });
    let version = |(major, minor)| FlowerVersion::new(major, minor, 0);
    (version(from), version(through))
}

/// The first release of the table.
pub fn oldest() -> FlowerVersion {
    let (major, minor) = ROWS.first().map_or(DEFAULT.release(), |row| row.from);
    FlowerVersion::new(major, minor, 0)
}

/// The last release of the table.
pub fn newest() -> FlowerVersion {
    let (major, minor) = ROWS.last().map_or(DEFAULT.release(), |row| row.through);
    FlowerVersion::new(major, minor, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_follow_each_other_without_gap_or_overlap() {
        for row in ROWS {
            assert!(row.from <= row.through, "{row:?}");
        }
        for pair in ROWS.windows(2) {
            assert_eq!(pair[0].through.0, pair[1].from.0);
            assert_eq!(pair[0].through.1 + 1, pair[1].from.1);
        }
    }

    #[test]
    fn the_default_is_the_newest_release_of_the_table() {
        assert_eq!(DEFAULT, newest());
        assert!(row_of(DEFAULT).is_ok());
    }

    #[test]
    fn databases_are_migrated_upwards_from_1_26_on() {
        let version = |minor| FlowerVersion::new(1, minor, 0);
        assert!(keeps_state(version(26), version(42)));
        assert!(keeps_state(version(20), FlowerVersion::new(1, 20, 1)));
        assert!(!keeps_state(version(20), version(42)));
        assert!(!keeps_state(version(25), version(26)));
        assert!(!keeps_state(version(42), version(41)));
    }

    #[test]
    fn what_came_later_has_a_first_release() {
        let since = |holds: fn(&VersionRow) -> bool| first_with(holds).map(|v| v.to_string());
        assert_eq!(since(|row| row.stops_runs).as_deref(), Some("1.14.0"));
        let registers = since(|row| row.node_auth == NodeAuth::Registration);
        assert_eq!(registers.as_deref(), Some("1.23.0"));
        let federations = since(|row| row.has_federations);
        assert_eq!(federations.as_deref(), Some("1.24.0"));
        let fetches = since(|row| row.fetches_apps);
        assert_eq!(fetches.as_deref(), Some("1.25.0"));
        let limits = since(|row| row.fab_limit == FAB_LIMIT);
        assert_eq!(limits.as_deref(), Some("1.20.0"));
        let simulates = since(|row| row.simulates);
        assert_eq!(simulates.as_deref(), Some("1.28.0"));
        assert_eq!(since(|_| true), None);
    }

    #[test]
    fn the_fleet_api_changed_its_messages_five_times() {
        use FleetProtocol::{Http, Messages, ObjectTrees, Objects, Registered, Tasks};
        for (protocol, from, through) in [
            (Tasks, 13, 14),
            (Messages, 15, 18),
            (Objects, 19, 19),
            (ObjectTrees, 20, 22),
            (Registered, 23, 39),
            (Http, 40, 42),
        ] {
            for minor in from..=through {
                let row = row_of(FlowerVersion::new(1, minor, 0)).unwrap();
                assert_eq!(row.fleet_protocol, protocol, "1.{minor}");
            }
            let version = |minor| FlowerVersion::new(1, minor, 0);
            assert_eq!(speakers(protocol), (version(from), version(through)));
        }
    }

    #[test]
    fn a_patch_release_has_the_row_of_its_minor() {
        assert_eq!(
            row_of(FlowerVersion::new(1, 39, 7)).unwrap().through,
            (1, 39)
        );
    }
}
