//! Which changes need a new run, and which only write the same run in another way.

use std::collections::BTreeMap;

use super::app;
use super::model::Model;
use super::source::{self, Source};
use crate::at;
use crate::flower::control::ControlEndpoint;
use crate::flower::fab::{Fab, FabError};
use crate::flower::run_config::{ConfigValue, RunConfig};
use crate::resources::config_values::flatten;
use crate::resources::connection_attributes::same_by_id;
use crate::tfplugin::Plan;
use crate::tfplugin::diagnostic::{Diagnostic, Result, Severity};
use crate::tfplugin::schema::{Dynamic, Maybe, ModelPath, Tree};

/// How the configuration of a run compares with the previous one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Values {
    /// Written as before.
    Same,
    /// The same values, written in another way.
    Respelled,
    Other,
}

/// What is known of the types that an app declares.
#[derive(Debug, Clone, Copy)]
pub(super) enum Declared<'a> {
    /// What the bundle says.
    In(&'a Fab),
    /// The app cannot be read now: a value may be written in another type.
    Unread,
    /// Values are sent in the type in which they are written.
    Nowhere,
}

/// Whether the run would get other values. The notation makes no difference: nested or with dots,
/// an object or a map, 0.1 as a string or as a double, 3 as a string or as a number.
pub(super) fn of_run_config(plan: &Plan<Model>, declared: Declared<'_>) -> Result<Values> {
    let values = |tree: &Tree<Model>| tree.get::<Option<Dynamic>>(at!(Model, run_config));
    let (Maybe::Known(planned), Maybe::Known(prior)) =
        (values(&plan.planned)?, values(&plan.prior)?)
    else {
        return Ok(Values::Other);
    };
    if !plan.changes(at!(Model, run_config)) {
        return Ok(Values::Same);
    }
    let same = match (
        resolved(declared, planned.as_ref())?,
        resolved(declared, prior.as_ref()),
    ) {
        (planned, Ok(prior)) if matches!(declared, Declared::Unread) => {
            as_texts(&planned) == as_texts(&prior)
        }
        (planned, Ok(prior)) => planned == prior,
        // The earlier app accepted the prior values; this app does not.
        (_, Err(_)) => false,
    };
    Ok(if same {
        Values::Respelled
    } else {
        Values::Other
    })
}

/// The values with the types that the app declares; as written if there is no app.
fn resolved(declared: Declared<'_>, given: Option<&Dynamic>) -> Result<RunConfig> {
    match (declared, given) {
        (_, None) => Ok(RunConfig::new()),
        (Declared::In(fab), given) => app::overrides(fab, given),
        (Declared::Unread | Declared::Nowhere, Some(given)) => {
            flatten(&given.0, at!(Model, run_config))
        }
    }
}

/// The values as texts: without the app, the declared types are not known.
fn as_texts(values: &RunConfig) -> BTreeMap<&str, String> {
    let text = |value: &ConfigValue| match value {
        ConfigValue::Bool(value) => value.to_string(),
        ConfigValue::Int(value) => value.to_string(),
        ConfigValue::Float(value) => value.to_string(),
        ConfigValue::Str(value) => value.clone(),
    };
    let values = values.iter();
    values
        .map(|(key, value)| (key.as_str(), text(value)))
        .collect()
}

/// Keeps the notation of the state if both have values: another notation is not a change.
pub(super) fn keep_spelling(plan: &mut Plan<Model>) {
    let prior = plan.prior.value(at!(Model, run_config)).clone();
    if !prior.is_null() && !plan.planned.value(at!(Model, run_config)).is_null() {
        plan.planned.set(at!(Model, run_config), prior);
    }
    let restored = plan.with_prior_computed();
    // If nothing else changes, the computed values stay as well, also those that the state lacks.
    if restored.0 == plan.prior.0 {
        plan.planned = restored;
    }
}

/// Plans a run of the state whose app cannot be read. Terraform asks for such a plan also before it
/// destroys. A change that needs the app remains an error.
pub(super) fn without_app(plan: &mut Plan<Model>, source: &Source, error: &FabError) -> Result<()> {
    let other = of_run_config(plan, Declared::Unread)? == Values::Other;
    if plan.changes(at!(Model, source)) && !is_taken_over(plan)? {
        // The new path never had an app, so this is not the old app that is gone.
        return Err(source::not_built(source, error).into());
    }
    if plan.is_replacement() || other {
        return Err(source::not_built(source, error)
            .detail("The plan submits a new run, which needs the app.")
            .detail(
                "To destroy the run without a plan of it, use `terraform destroy -refresh=false`, \
                 which does not read the configuration.",
            )
            .into());
    }
    let hash = plan.prior.value(at!(Model, fab_hash)).clone();
    plan.planned.set(at!(Model, fab_hash), hash);
    keep_spelling(plan);
    let unread = Diagnostic {
        severity: Severity::Warning,
        ..source::not_built(source, error)
    };
    plan.notes.push(unread.detail(
        "The run stays as it is in the state. Until the app exists again, the provider cannot \
         detect a change of the app or plan a new run. You can destroy the run without the app.",
    ));
    Ok(())
}

/// The attribute by which the run would belong to another SuperLink: its id or, if it has none, its
/// address. An address that is not known yet may be any address.
pub(super) fn moved(plan: &Plan<Model>) -> Result<Option<ModelPath<Model>>> {
    if let Some(same) = same_by_id(plan, at!(Model, control.superlink_id))? {
        return Ok((!same).then_some(at!(Model, control.superlink_id)));
    }
    let text = |tree: &Tree<Model>, path| -> Result<Option<String>> {
        Ok(tree.get::<Option<_>>(path)?.known().flatten())
    };
    let Some(before) = text(&plan.prior, at!(Model, control.url))? else {
        return Ok(None);
    };
    let after = text(&plan.planned, at!(Model, control.url))?;
    let moves = after.is_none_or(|after| !ControlEndpoint::is_same_place(&before, &after));
    Ok(moves.then_some(at!(Model, control.url)))
}

/// Whether the run was imported, so that the state does not know where its app is.
pub(super) fn is_taken_over(plan: &Plan<Model>) -> Result<bool> {
    let source = plan.prior.get::<Option<Source>>(at!(Model, source))?;
    Ok(source
        .known()
        .flatten()
        .is_some_and(|source| source.is_imported()))
}

/// Whether a trigger was added or changed. Removing a trigger never starts a new run.
pub(super) fn triggered(plan: &Plan<Model>) -> Result<bool> {
    let triggers =
        |tree: &Tree<Model>| tree.get::<Option<BTreeMap<String, String>>>(at!(Model, triggers));
    let Maybe::Known(planned) = triggers(&plan.planned)? else {
        return Ok(true);
    };
    let source = plan
        .prior
        .get::<Option<Source>>(at!(Model, source))?
        .known()
        .flatten();
    if source.is_some_and(|source| source.is_imported()) {
        // The triggers of an imported run are not known: the configured ones are taken.
        return Ok(false);
    }
    let prior = triggers(&plan.prior)?.known().flatten().unwrap_or_default();
    let planned = planned.unwrap_or_default();
    Ok(planned
        .iter()
        .any(|(name, value)| prior.get(name) != Some(value)))
}
