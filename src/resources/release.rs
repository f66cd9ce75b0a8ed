//! The Flower release of an object: its row in the version table, and what to say of it.

use super::report::failed;
use crate::flower::version::{FlowerVersion, VersionRow, is_newer_than_known, newest, row_of};
use crate::tfplugin::diagnostic::{Diagnostic, Result};

/// What holds for the release, or why it cannot be used.
pub fn row(version: FlowerVersion) -> Result<&'static VersionRow> {
    row_of(version).map_err(|error| {
        failed("This Flower release cannot be used", &error)
            .on("flower_version")
            .into()
    })
}

/// What to know of a release that is newer than this provider.
pub fn newer(version: FlowerVersion) -> Option<Diagnostic> {
    is_newer_than_known(version).then(|| {
        Diagnostic::warning(format!("Flower {version} is newer than this provider"))
            .detail(format!(
                "It is used like Flower {}, the newest release that the provider knows.",
                newest()
            ))
            .detail("Update the provider if something does not work.")
            .on("flower_version")
    })
}
