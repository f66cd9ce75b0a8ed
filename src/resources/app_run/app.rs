//! The app of a run: built from its source. The configuration is checked against what the app
//! declares.

use super::cause::AppParts;
use super::model::{Model, Source};
use crate::at;
use crate::flower::app_source::AppTree;
use crate::flower::fab::{self, AppKind, Fab, FabError};
use crate::flower::run_config::{RunConfig, resolve_overrides};
use crate::flower::version::{DEFAULT, FAB_LIMIT, FlowerVersion, row_of};
use crate::resources::Configured;
use crate::resources::config_values::flatten;
use crate::resources::local_path::{LocalPath, LocalPathError};
use crate::resources::report;
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::schema::{Dynamic, refused};

/// The release of the SuperLink; the newest if it is not set or not known yet.
pub(super) fn release(said: Option<FlowerVersion>) -> FlowerVersion {
    said.unwrap_or(DEFAULT)
}

/// The parts of the app that a message about a failed run names.
pub(super) fn parts(fab: &Fab) -> AppParts {
    let files = fab.digests.keys();
    let top = files.filter_map(|path| match path.split_once('/') {
        Some((folder, _)) => Some(folder),
        None => path.strip_suffix(".py"),
    });
    let components = fab.project.component_modules.iter();
    let components = components.filter_map(|module| module.split('.').next());
    AppParts {
        dependencies: fab.project.dependencies.clone(),
        modules: top.chain(components).map(str::to_owned).collect(),
    }
}

/// Builds the app for a SuperLink of this release, without the provider's own folders.
pub(crate) async fn build(
    provider: Option<&Configured>,
    source: &Source,
    version: FlowerVersion,
) -> Result<Fab> {
    let built = try_build(provider, source, version).await?;
    built.map_err(|error| not_built(source, &error).into())
}

/// The same, but returns the reason if there is no bundle. Files are read on another thread, so
/// that the serving thread is not blocked.
pub(super) async fn try_build(
    provider: Option<&Configured>,
    source: &Source,
    version: FlowerVersion,
) -> Result<std::result::Result<Fab, FabError>> {
    // A release that cannot be used is reported at the attribute that sets it.
    let limit = row_of(version).map_or(FAB_LIMIT, |row| row.fab_limit);
    let path: LocalPath = source.path.parse().map_err(|why: LocalPathError| {
        refused(&source.path, &why, &at!(Model, source.path).path())
    })?;
    let own = provider.map_or_else(Vec::new, |provider| provider.runtime.own_folders());
    let built = tokio::task::spawn_blocking(move || {
        AppTree::from_dir(&path.from(std::path::Path::new("")), &own)
            .map_err(FabError::from)
            .and_then(|tree| fab::build_within(&tree, limit))
    });
    let built = built.await.map_err(|error| {
        Diagnostic::error("The app could not be built").detail(error.to_string())
    })?;
    Ok(built)
}

/// The message for an app that cannot be built.
pub(super) fn not_built(source: &Source, error: &FabError) -> Diagnostic {
    let at = at!(Model, source.path);
    if source.is_to_fill_in() {
        return unsaid().at(at);
    }
    report::error(
        format!("The app in {:?} cannot be bundled", source.path),
        error,
    )
    .at(at)
}

/// For an imported run whose configuration does not say yet where its app is.
fn unsaid() -> Diagnostic {
    Diagnostic::error("The source of an imported run is not filled in")
        .detail("A SuperLink does not know the folder of a run's app.")
        .detail(
            "Write the folder that holds the app's pyproject.toml into `source.path`, such as \
             \"${path.module}/app\".",
        )
}

/// An error for an app that waits for user input: a resource has no user to ask.
pub(super) fn runs_unattended(fab: &Fab) -> Result<()> {
    match fab.project.kind {
        AppKind::Federated => Ok(()),
        AppKind::Agent => Err(Diagnostic::error("flower_app_run cannot start an AgentApp")
            .detail(
                "The app's pyproject.toml names an `agentapp` in [tool.flwr.app.components]. A \
                 SuperLink starts such an app with the prompt of a user, and this resource has no \
                 prompt.",
            )
            .detail(
                "Start it with `flwr run`, or use an app that has a `serverapp` and a `clientapp` \
                 and no `agentapp`. The data source `flower_app` can read both.",
            )
            .at(at!(Model, source.path))
            .into()),
    }
}

/// The overrides, with the types that the app declares.
pub(super) fn overrides(fab: &Fab, given: Option<&Dynamic>) -> Result<RunConfig> {
    let Some(given) = given else {
        return Ok(RunConfig::new());
    };
    let given = flatten(&given.0, at!(Model, run_config))?;
    resolve_overrides(&fab.project.config, &given).map_err(|errors| {
        let mut found = Diagnostics::default();
        found.extend(errors.iter().map(|error| {
            let first = error.key().split('.').next().unwrap_or_default();
            Diagnostic::error(format!(
                "The app does not accept run_config[{:?}]",
                error.key()
            ))
            .detail(as_sentence(&error.to_string()))
            .remedy(error.remedy())
            .at(at!(Model, run_config).key(first))
        }));
        found
    })
}

/// Adds a full stop unless the text ends with a punctuation mark.
fn as_sentence(text: &str) -> String {
    if text.ends_with(['.', '?']) {
        text.to_owned()
    } else {
        format!("{text}.")
    }
}
