//! The table: one row per range of releases between which nothing we depend on changed.
//!
//! Facts in a row were read in, and run against, the releases at both ends of the range.

use super::{FlowerVersion, VersionError};

/// The release used when none is asked for: the newest one known.
pub const DEFAULT: FlowerVersion = FlowerVersion::new(1, 42, 0);

/// How the Control API is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlPlane {
    /// Protobuf over HTTP/1.1 on the SuperLink's `--host` and `--port`.
    Http,
}

/// How SuperNodes reach the SuperLink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FleetPlane {
    /// gRPC on a port of its own, set with `--fleet-api-address`.
    GrpcOwnPort,
    /// HTTP on the same port as everything else.
    HttpSamePort,
}

/// Whether `flower-superexec` must be told which apps it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginType {
    /// `--plugin-type` is a required flag.
    Required,
    /// The flag is ignored with a warning.
    Ignored,
}

/// What holds for a range of releases.
#[derive(Debug, PartialEq, Eq)]
pub struct VersionRow {
    /// First release of the range, major and minor.
    pub from: (u16, u16),
    /// Last release of the range, major and minor.
    pub through: (u16, u16),
    /// How the Control API is reached.
    pub control: ControlPlane,
    /// How SuperNodes reach the SuperLink.
    pub fleet: FleetPlane,
    /// Whether a SuperExec needs `--plugin-type`.
    pub plugin_type: PluginType,
    /// Whether a node's name and location are stored by the SuperLink.
    pub node_names: bool,
    /// Whether a SuperNode that is refused ends. If not, it stays as a process that does nothing, and
    /// only the traceback in its log says so.
    pub refused_node_exits: bool,
}

/// In order, without gaps.
const ROWS: &[VersionRow] = &[
    VersionRow {
        from: (1, 37),
        through: (1, 37),
        control: ControlPlane::Http,
        fleet: FleetPlane::GrpcOwnPort,
        plugin_type: PluginType::Required,
        node_names: false,
        refused_node_exits: false,
    },
    VersionRow {
        from: (1, 38),
        through: (1, 39),
        control: ControlPlane::Http,
        fleet: FleetPlane::GrpcOwnPort,
        plugin_type: PluginType::Ignored,
        node_names: true,
        refused_node_exits: true,
    },
    VersionRow {
        from: (1, 40),
        through: (1, 42),
        control: ControlPlane::Http,
        fleet: FleetPlane::HttpSamePort,
        plugin_type: PluginType::Ignored,
        node_names: true,
        refused_node_exits: true,
    },
];

/// The row that holds for a release.
pub fn row_of(version: FlowerVersion) -> Result<&'static VersionRow, VersionError> {
    ROWS.iter()
        .find(|row| (row.from..=row.through).contains(&version.release()))
        .ok_or(VersionError::Unknown {
            version,
            oldest: oldest(),
            newest: newest(),
        })
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
    fn a_patch_release_has_the_row_of_its_minor() {
        assert_eq!(
            row_of(FlowerVersion::new(1, 39, 7)).unwrap().through,
            (1, 39)
        );
    }
}
