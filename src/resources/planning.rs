//! Plans as a host asks for them, for tests.

use std::sync::Arc;

use bytes::Bytes;

use serde_json::Value as Json;

use super::Configured;
use crate::tfplugin::diagnostic::Diagnostic;
use crate::tfplugin::schema::{Attribute, Schema, Tree};
use crate::tfplugin::value::{Value, from_json};
use crate::tfplugin::{Resource, resource};

/// What a plan came to.
pub(super) struct Planned {
    pub tree: Tree,
    /// Whether anything is to be done.
    pub differs: bool,
    /// The paths that need a new resource.
    pub replaces: Vec<String>,
    /// Summaries of errors, a line each.
    pub errors: String,
    /// The same of warnings.
    pub warnings: String,
    pub notes: Vec<Diagnostic>,
}

impl Planned {
    pub(super) fn text(&self, dotted: &str) -> Option<&str> {
        self.tree.value(dotted).as_str()
    }

    /// The summaries of its warnings.
    pub(super) fn warned(&self) -> Vec<&str> {
        self.notes.iter().map(|one| one.summary.as_str()).collect()
    }

    pub(super) fn is_unknown(&self, dotted: &str) -> bool {
        self.tree.value(dotted).is_unknown()
    }
}

/// The text in a configuration that stands for what is known only when applied.
pub(super) const UNKNOWN: &str = "(known after apply)";

/// Plans a create, or a change of `prior`, without a provider configuration.
pub(super) async fn plan<R: Resource<Provider = Configured>>(
    prior: Option<&Json>,
    config: Json,
) -> Planned {
    plan_in::<R>(None, prior, config).await
}

/// The same with a provider configuration.
pub(super) async fn plan_in<R: Resource<Provider = Configured>>(
    provider: Option<Arc<Configured>>,
    prior: Option<&Json>,
    config: Json,
) -> Planned {
    let schema: Schema = R::schema();
    let read = |json: &Json| unsettled(from_json(json, &schema.ty()).unwrap());
    let config = read(&config);
    let prior = prior.map_or(Value::Null, read);
    let proposed = proposed(&schema.attributes, &prior, &config);
    let outcome = resource::<R>().plan(provider, prior.clone(), proposed, config, Bytes::new());
    let outcome = outcome.await;
    let summaries = |errors: bool| {
        let messages = outcome.messages.iter();
        let messages = messages.filter(|one| one.is_error() == errors);
        let summaries: Vec<_> = messages.map(|one| one.summary.clone()).collect();
        summaries.join("\n")
    };
    let (errors, warnings) = (summaries(true), summaries(false));
    Planned {
        differs: outcome.state != prior,
        tree: Tree(outcome.state),
        replaces: outcome.replace.iter().map(ToString::to_string).collect(),
        errors,
        warnings,
        notes: outcome
            .messages
            .into_iter()
            .filter(|one| !one.is_error())
            .collect(),
    }
}

/// The host's merge: what the configuration does not set and the provider computes stays.
fn proposed(attributes: &[Attribute], prior: &Value, config: &Value) -> Value {
    let mut merged = config.clone();
    for attribute in attributes {
        if attribute.is_computed() && config.get(&attribute.name).is_null() {
            let before = prior.get(&attribute.name).clone();
            merged.set(&attribute.name, before);
        }
    }
    merged
}

fn unsettled(value: Value) -> Value {
    match value {
        Value::String(text) if text == UNKNOWN => Value::UNKNOWN,
        Value::List(items) => Value::List(items.into_iter().map(unsettled).collect()),
        Value::Map(entries) => {
            let entries = entries.into_iter();
            Value::Map(entries.map(|(name, one)| (name, unsettled(one))).collect())
        }
        other => other,
    }
}
