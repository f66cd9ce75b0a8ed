//! The Flower release of an object: its row in the version table, and messages about it.

use super::report;
use super::superlink::Model as Superlink;
use super::supernode::Model as Supernode;
use crate::at;
use crate::flower::version::{FlowerVersion, VersionRow, is_newer_than_known, newest, row_of};
use crate::tfplugin::diagnostic::{Diagnostic, Result};
use crate::tfplugin::path::Path;

/// The row of the release, or why the release cannot be used.
pub fn row(version: FlowerVersion) -> Result<&'static VersionRow> {
    row_at(version, at!(Superlink | Supernode, flower_version))
}

/// The same for a release that another attribute sets.
pub fn row_at(version: FlowerVersion, at: impl Into<Path>) -> Result<&'static VersionRow> {
    let row = row_of(version);
    row.map_err(|error| {
        report::error("This Flower version cannot be used", &error)
            .at(at)
            .into()
    })
}

/// The warning for a release that is newer than this provider.
pub fn newer(version: FlowerVersion) -> Option<Diagnostic> {
    is_newer_than_known(version).then(|| {
        Diagnostic::warning(format!("Flower {version} is newer than this provider"))
            .detail(format!(
                "The provider treats it like Flower {}, the newest version that it knows.",
                newest()
            ))
            .detail("Update the provider if something does not work.")
            .at(at!(Superlink | Supernode, flower_version))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_that_came_later_is_used_with_a_warning() {
        let (major, minor) = newest().release();
        let next = FlowerVersion::new(major, minor + 1, 0);
        assert_eq!(row(next).unwrap(), row(newest()).unwrap());
        let warning = format!("{:?}", newer(next).unwrap());
        for part in [
            format!("Flower {next} is newer than this provider"),
            format!("like Flower {}", newest()),
            "Update the provider".to_owned(),
            "flower_version".to_owned(),
        ] {
            assert!(warning.contains(&part), "{warning}");
        }
        assert_eq!(newer(newest()), None);
        assert_eq!(newer(FlowerVersion::new(major, minor, 9)), None);
    }

    #[test]
    fn a_release_of_another_major_number_is_refused() {
        let refusal = format!("{:?}", row(FlowerVersion::new(2, 0, 0)).unwrap_err());
        assert!(refusal.contains("This Flower version cannot be used"));
        assert!(refusal.contains("flower_version"), "{refusal}");
    }
}
