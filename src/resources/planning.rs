//! Plans as Terraform requests them, for tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use serde_json::Value as Json;

use super::Configured;
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics};
use crate::tfplugin::schema::{self, Attribute, Kind, ModelPath, Nesting, Tree};
use crate::tfplugin::value::{Type, Value, from_json};
use crate::tfplugin::{AnyResource, PlanOutcome, Resource, resource};

/// The result of a plan.
pub(crate) struct Planned<M> {
    pub tree: Tree<M>,
    /// Whether the plan changes anything.
    pub differs: bool,
    /// The paths that force a replacement.
    pub replaces: Vec<String>,
    /// The summaries of errors, one per line.
    pub errors: String,
    /// The summaries of warnings, one per line.
    pub warnings: String,
    pub notes: Vec<Diagnostic>,
}

impl<M> Planned<M> {
    pub(crate) fn text(&self, dotted: &str) -> Option<&str> {
        self.tree.value(ModelPath::dotted(dotted)).as_str()
    }

    /// The summaries of the warnings.
    pub(crate) fn warned(&self) -> Vec<&str> {
        self.notes.iter().map(|one| one.summary.as_str()).collect()
    }

    pub(crate) fn is_unknown(&self, dotted: &str) -> bool {
        self.tree.value(ModelPath::dotted(dotted)).is_unknown()
    }
}

/// The text in a configuration that stands for a value that is unknown until the apply.
pub(crate) const UNKNOWN: &str = "(known after apply)";

/// What Terraform gets for a configuration: the errors of the validation or, without errors, the
/// diagnostics of the plan and the planned state.
pub(crate) async fn checked<R: Resource<Provider = Configured>>(
    prior: &Value,
    config: &Tree<R::Model>,
) -> (Diagnostics, Option<Value>) {
    let (found, outcome) = checked_in::<R>(None, prior, config).await;
    (found, outcome.map(|outcome| outcome.state))
}

/// The same with a provider configuration, and with the whole result of the plan.
pub(crate) async fn checked_in<R: Resource<Provider = Configured>>(
    provider: Option<Arc<Configured>>,
    prior: &Value,
    config: &Tree<R::Model>,
) -> (Diagnostics, Option<PlanOutcome>) {
    let resource = resource_of::<R>();
    let attributes = &resource.compiled().schema.attributes;
    let mut found = schema::validate(attributes, &config.0, true);
    found.extend(resource.validate(config.0.clone()));
    if found.has_errors() {
        return (found, None);
    }
    let proposed = proposed(attributes, prior, &config.0);
    let private = Bytes::new();
    let outcome = resource.plan(provider, prior.clone(), proposed, config.0.clone(), private);
    let mut outcome = outcome.await;
    found.extend(std::mem::take(&mut outcome.messages));
    let outcome = (!found.has_errors()).then_some(outcome);
    (found, outcome)
}

/// A resource whose schema is built only once: building it takes half of the time of a plan.
pub(crate) fn resource_of<R: Resource<Provider = Configured>>() -> Arc<dyn AnyResource<Configured>>
{
    static ALL: Mutex<BTreeMap<&str, Arc<dyn AnyResource<Configured>>>> =
        Mutex::new(BTreeMap::new());
    let mut all = ALL.lock().unwrap();
    Arc::clone(all.entry(R::TYPE).or_insert_with(resource::<R>))
}

/// The state of an object after its plan was applied: each unknown value gets a value.
pub(crate) fn made(attributes: &[Attribute], planned: Value) -> Value {
    let Value::Map(entries) = planned else {
        return planned;
    };
    let mut made = entries;
    for attribute in attributes {
        let Some(value) = made.get_mut(&attribute.name) else {
            continue;
        };
        *value = match (&attribute.kind, std::mem::take(value)) {
            (Kind::Nested(Nesting::Single, inner), Value::Unknown(_)) => {
                let unknown = inner.iter().map(|one| (one.name.as_str(), Value::UNKNOWN));
                self::made(inner, Value::object(unknown))
            }
            (Kind::Nested(Nesting::Single, inner), value) => self::made(inner, value),
            (kind, Value::Unknown(_)) => stand_in(&attribute.name, &kind.ty()),
            (_, value) => value,
        };
    }
    Value::Map(made)
}

fn stand_in(name: &str, ty: &Type) -> Value {
    match (name, ty) {
        ("status", _) => Value::from("running"),
        ("certificate_not_after", _) => Value::from("2999-01-01T00:00:00Z"),
        ("flower_version", _) => Value::from("1.42.0"),
        ("url", _) => Value::from("https://127.0.0.1:1"),
        (_, Type::Bool) => Value::Bool(false),
        (_, Type::Number) => Value::Number(0.into()),
        (_, Type::String) => Value::from("1"),
        (_, Type::List(_) | Type::Set(_) | Type::Tuple(_)) => Value::List(Vec::new()),
        _ => Value::Map(BTreeMap::new()),
    }
}

/// A configuration with only these attributes.
pub(crate) fn tree<R: Resource<Provider = Configured>>(config: Json) -> Tree<R::Model> {
    Tree::new(unsettled(
        from_json(&config, &resource_of::<R>().compiled().ty).unwrap(),
    ))
}

/// Plans a create, or a change of `prior`, without a provider configuration.
pub(crate) async fn plan<R: Resource<Provider = Configured>>(
    prior: Option<&Json>,
    config: Json,
) -> Planned<R::Model> {
    plan_in::<R>(None, prior, config).await
}

/// The same with a provider configuration.
pub(crate) async fn plan_in<R: Resource<Provider = Configured>>(
    provider: Option<Arc<Configured>>,
    prior: Option<&Json>,
    config: Json,
) -> Planned<R::Model> {
    let resource = resource_of::<R>();
    let compiled = resource.compiled();
    let read = |json: &Json| unsettled(from_json(json, &compiled.ty).unwrap());
    let config = read(&config);
    let prior = prior.map_or(Value::Null, read);
    let proposed = proposed(&compiled.schema.attributes, &prior, &config);
    let outcome = resource.plan(provider, prior.clone(), proposed, config, Bytes::new());
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
        tree: Tree::new(outcome.state),
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

/// Terraform's merge: a computed attribute that the configuration does not set keeps its prior
/// value.
fn proposed(attributes: &[Attribute], prior: &Value, config: &Value) -> Value {
    let mut merged = config.clone();
    for attribute in attributes {
        if attribute.is_computed() && config.attribute(attribute).is_null() {
            let before = prior.attribute(attribute).clone();
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
