//! The app of a run: built from its source, with the configuration checked against what it declares.

use std::path::PathBuf;

use super::model::{Model, Source};
use super::release;
use crate::flower::app_source::AppTree;
use crate::flower::control::StartRun;
use crate::flower::fab::{self, Fab};
use crate::flower::run_config::{RunConfig, resolve_overrides};
use crate::flower::version::{FAB_LIMIT, FlowerVersion, row_of};
use crate::resources::config_values::flatten;
use crate::resources::report::failed;
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::path::Path;
use crate::tfplugin::schema::Dynamic;

/// What to submit: the app that was planned, with its configuration.
pub(super) async fn checked(planned: &mut Model) -> Result<StartRun> {
    let fab = build(&planned.source, release(planned.control.flower_version)).await?;
    let hash = fab.hash.as_str().to_owned();
    if planned
        .fab_hash
        .get()
        .is_some_and(|expected| *expected != hash)
    {
        return Err(Diagnostic::error("The app changed after it was planned")
            .detail("Nothing was submitted. Plan and apply again.")
            .on("source")
            .into());
    }
    planned.fab_hash.set(hash);
    let overrides = overrides(&fab, planned.run_config.as_ref())?;
    let federation = planned.federation.clone().unwrap_or_default();
    Ok(StartRun::new(fab.bytes, overrides, federation))
}

/// Builds the app for a SuperLink of this release; reading files is kept off the thread that serves
/// others.
pub(crate) async fn build(source: &Source, version: FlowerVersion) -> Result<Fab> {
    // What keeps a release from being used is said where it is set.
    let limit = row_of(version).map_or(FAB_LIMIT, |row| row.fab_limit);
    let path = PathBuf::from(&source.path);
    let at = Path::attribute("source").then("path");
    let shown = source.path.clone();
    let built = tokio::task::spawn_blocking(move || {
        AppTree::from_dir(&path)
            .map_err(fab::FabError::from)
            .and_then(|tree| fab::build_within(&tree, limit))
    });
    let built = built.await.map_err(|error| {
        Diagnostic::error("The app could not be built").detail(error.to_string())
    })?;
    built.map_err(|error| {
        failed(format!("The app in {shown:?} cannot be bundled"), &error)
            .at(at)
            .into()
    })
}

/// The overrides with the types that the app declares.
pub(super) fn overrides(fab: &Fab, given: Option<&Dynamic>) -> Result<RunConfig> {
    let Some(given) = given else {
        return Ok(RunConfig::new());
    };
    let given = flatten(&given.0, "run_config")?;
    resolve_overrides(&fab.project.config, &given).map_err(|errors| {
        let mut found = Diagnostics::default();
        found.extend(errors.iter().map(|error| {
            let first = error.key().split('.').next().unwrap_or_default();
            Diagnostic::error(format!(
                "The app does not take run_config[{:?}]",
                error.key()
            ))
            .detail(format!("{error}."))
            .remedy(error.remedy())
            .at(Path::attribute("run_config").key(first))
        }));
        found
    })
}
