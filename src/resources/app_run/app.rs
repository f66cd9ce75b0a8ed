//! The app of a run, and its configuration, which is checked against what the app declares.

use super::cause::AppParts;
use super::model::Model;
use super::source::{self, Source};
use crate::at;
use crate::flower::app_source::git::CommitId;
use crate::flower::fab::{AppKind, Fab};
use crate::flower::run_config::{RunConfig, resolve_overrides};
use crate::flower::version::{DEFAULT, FlowerVersion};
use crate::resources::Configured;
use crate::resources::config_values::flatten;
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::schema::Dynamic;

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

/// The bundle for a SuperLink of this release.
pub(crate) async fn build(
    provider: Option<&Configured>,
    source: &Source,
    version: FlowerVersion,
    commit: Option<CommitId>,
) -> Result<Fab> {
    let built = source::read(provider, source, version, commit).await?;
    built.map_err(|error| source::not_built(source, &error).into())
}

/// An error for an app that waits for user input: a resource has no user to ask.
pub(super) fn runs_unattended(source: &Source, fab: &Fab) -> Result<()> {
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
            .at(source.attribute())
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
