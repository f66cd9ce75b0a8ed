//! Apps of Flower Hub: only the SuperLink can fetch them, so a plan knows neither their files nor
//! their hash.

use super::Source;
use crate::at;
use crate::flower::app_source::hub::HubApp;
use crate::flower::control::{ControlClient, ControlError, StartRun, SubmitError};
use crate::flower::run_config::RunConfig;
use crate::flower::version::{FlowerVersion, first_with, row_of};
use crate::resources::app_run::changes::{self, Declared, Values};
use crate::resources::app_run::model::Model;
use crate::resources::config_values::flatten;
use crate::tfplugin::Plan;
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::schema::{ModelPath, Tree};

/// Plans a run of this app.
pub(in super::super) fn plan(plan: &mut Plan<Model>, app: &HubApp) -> Result<()> {
    plan.set(at!(Model, resolved_commit), None::<String>);
    if plan.is_create() {
        plan.set_unknown(at!(Model, fab_hash));
        let run_config = plan.config.value(at!(Model, run_config));
        if !run_config.is_null() {
            plan.notes.push(unchecked(app));
        }
        return planned_release(plan);
    }
    let before = plan.prior.get::<Option<Source>>(at!(Model, source))?;
    let before = before.known().flatten();
    // The app of an imported run is not known, and taken to be this one.
    let is_same = |before: &Source| before.is_imported() || before.hub.as_ref() == Some(app);
    if !before.as_ref().is_some_and(is_same) {
        plan.replace(at!(Model, source.hub));
    }
    let values = changes::of_run_config(plan, Declared::Nowhere)?;
    if values == Values::Other {
        plan.replace(at!(Model, run_config));
    }
    if plan.is_replacement() {
        plan.set_unknown(at!(Model, fab_hash));
        return planned_release(plan);
    }
    let hash = plan.prior.value(at!(Model, fab_hash)).clone();
    plan.planned.set(at!(Model, fab_hash), hash);
    if values == Values::Respelled {
        changes::keep_spelling(plan);
    }
    Ok(())
}

/// The run to submit.
pub(in super::super) fn start(app: &HubApp, model: &Model) -> Result<StartRun> {
    if let Some(version) = model.control.flower_version {
        check_release(version)?;
    }
    let overrides = match &model.run_config {
        Some(given) => flatten(&given.0, at!(Model, run_config))?,
        None => RunConfig::new(),
    };
    let federation = model.federation.clone().unwrap_or_default();
    Ok(StartRun::of_hub(app.clone(), overrides, federation))
}

/// An error if the SuperLink, whose release nobody said, is too old. Flower 1.24 cannot be
/// recognised, and refuses the run itself.
pub(in super::super) async fn can_be_fetched(client: &ControlClient, model: &Model) -> Result<()> {
    if model.source.hub.is_none() || model.control.flower_version.is_some() {
        return Ok(());
    }
    match client.list_federations().await {
        Err(ControlError::Unsupported { at, .. }) => {
            let summary = format!("The Flower version at {at} cannot fetch apps from Flower Hub");
            Err(too_old(summary).into())
        }
        // The submission reports any other error.
        _ => Ok(()),
    }
}

/// An addition to the error of a submission that the SuperLink refused.
pub(in super::super) fn refused(
    source: &Source,
    error: &SubmitError,
    message: Diagnostic,
) -> Diagnostic {
    match (&source.hub, error) {
        (Some(app), SubmitError::Control(ControlError::Refused(_))) => message
            .detail(format!(
                "The SuperLink fetches the app {app} itself. Check that Flower Hub has this app \
                 and version, and that the SuperLink's machine may connect to api.flower.ai. The \
                 SuperLink's log has the cause."
            ))
            .at(at!(Model, source.hub)),
        _ => message.at(at!(Model, control)),
    }
}

/// An error for an app of Flower Hub that the provider itself would have to read.
pub(crate) fn only_for_superlinks<M>(config: &Tree<M>, hub: ModelPath<M>) -> Diagnostics {
    let mut found = Diagnostics::default();
    if !config.value(hub).is_null() {
        found.push(
            Diagnostic::error("An app of Flower Hub cannot be read")
                .detail(
                    "Only a SuperLink can fetch an app of Flower Hub, so the provider knows \
                     nothing of the app before a run.",
                )
                .detail(
                    "Use `hub` in `flower_app_run`. To read the app, set another source, such as \
                     a folder that `flwr new @publisher/app` wrote.",
                )
                .at(hub),
        );
    }
    found
}

/// An error if the plan knows that the release of the SuperLink is too old.
fn planned_release(plan: &Plan<Model>) -> Result<()> {
    let version = plan
        .config
        .get::<Option<FlowerVersion>>(at!(Model, control.flower_version))?;
    match version.known().flatten() {
        Some(version) => check_release(version),
        None => Ok(()),
    }
}

fn check_release(version: FlowerVersion) -> Result<()> {
    // A release that cannot be used is reported at the attribute that sets it.
    match row_of(version) {
        Ok(row) if !row.fetches_apps => {
            let summary = format!("Flower {version} cannot fetch apps from Flower Hub");
            Err(too_old(summary).into())
        }
        _ => Ok(()),
    }
}

fn too_old(summary: String) -> Diagnostic {
    let first = first_with(|row| row.fetches_apps);
    let first = first.map(|first| format!(" {first}")).unwrap_or_default();
    Diagnostic::error(summary)
        .detail(format!(
            "With `source.hub` the SuperLink fetches the app. The first version that can is \
             Flower{first}. Nothing was submitted."
        ))
        .detail("Run the SuperLink with a newer version, or set another source of the app.")
        .at(at!(Model, source.hub))
}

fn unchecked(app: &HubApp) -> Diagnostic {
    Diagnostic::warning("The run_config of an app of Flower Hub is not checked")
        .detail(format!(
            "Only the SuperLink sees the app {app}, so the plan cannot compare `run_config` with \
             what the app declares. A SuperLink with Flower 1.27 or newer refuses unknown keys \
             when the run is submitted. No SuperLink checks types: a whole number is sent as an \
             integer, and a string as a string."
        ))
        .at(at!(Model, run_config))
}

#[cfg(test)]
#[path = "hub_tests.rs"]
mod tests;
