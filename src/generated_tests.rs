//! Plan and apply hold each other: what a plan accepts can be started, and planning it again finds nothing
//! to do; what cannot be used is an error at its attribute. Over all attributes of all schemas, by
//! chance.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use crate::at;
use crate::data_sources::{
    App, Federations, RunLog, RunMetrics, RunReportSource, RunSource, Runs, Supernodes,
};
use crate::generator::{Configuration, Form, Random, Shape, fitting, places, spoilt};
use crate::provider::Flower;
use crate::resources::Configured;
use crate::resources::app_run::AppRun;
use crate::resources::planning::{UNKNOWN, checked, made, tree};
use crate::resources::superlink::{self, Superlink};
use crate::resources::supernode::{self, Supernode};
use crate::resources::supernode_key::SupernodeKey;
use crate::tfplugin::diagnostic::{Diagnostics, Result};
use crate::tfplugin::path::{Path, Step};
use crate::tfplugin::schema::{Attr as _, Attribute, Kind, Nesting, Presence, Tree, validate};
use crate::tfplugin::value::{Type, Value, from_json};
use crate::tfplugin::{DataSource, Provider as _, Resource};

/// How many configurations of each resource fit, and how often each attribute is spoilt.
const FITTING: usize = 120;
const SPOILT: usize = 3;

pub(crate) fn shapes(attributes: &[Attribute]) -> Vec<Shape> {
    let settable = attributes
        .iter()
        .filter(|one| one.presence != Presence::Computed);
    settable
        .map(|one| Shape {
            name: one.name.clone(),
            is_required: one.presence == Presence::Required,
            form: form(&one.kind),
        })
        .collect()
}

fn form(kind: &Kind) -> Form {
    match kind {
        Kind::Nested(Nesting::Single, inner) => Form::Object(shapes(inner)),
        Kind::Nested(Nesting::List, inner) => Form::List(shapes(inner)),
        Kind::Nested(Nesting::Map, inner) => Form::Map(shapes(inner)),
        Kind::Plain(Type::Bool) => Form::Bool,
        Kind::Plain(Type::Number) => Form::Number,
        Kind::Plain(Type::String) => Form::Text,
        Kind::Plain(Type::Dynamic) => Form::Dynamic,
        Kind::Plain(Type::List(inner)) if **inner == Type::String => Form::Texts,
        Kind::Plain(Type::Map(inner)) if **inner == Type::String => Form::TextMap,
        Kind::Plain(_) => Form::Other,
    }
}

/// A value of a dynamic attribute with the type that Terraform would give it.
fn typed(value: &Json) -> Json {
    fn ty(value: &Json) -> Json {
        match value {
            Json::Null => json!("dynamic"),
            Json::Bool(_) => json!("bool"),
            Json::Number(_) => json!("number"),
            Json::String(_) => json!("string"),
            Json::Array(items) => json!(["tuple", items.iter().map(ty).collect::<Vec<_>>()]),
            Json::Object(entries) => {
                let entries = entries.iter().map(|(key, one)| (key.clone(), ty(one)));
                json!(["object", entries.collect::<serde_json::Map<_, _>>()])
            }
        }
    }
    json!({ "type": ty(value), "value": value })
}

/// What Terraform itself converts or refuses before it asks a provider.
pub(crate) fn as_terraform_sends(shapes: &[Shape], values: &Json) -> Option<Json> {
    let mut sent = values.clone();
    for shape in shapes {
        let value = &values[&shape.name];
        if value.is_null() {
            continue;
        }
        let all = |value: &Json| {
            value
                .as_array()
                .is_some_and(|all| all.iter().all(Json::is_string))
        };
        let each = |inner: &[Shape], items: Vec<(String, &Json)>| {
            let sent = items.into_iter();
            let sent = sent.map(|(key, one)| Some((key, as_terraform_sends(inner, one)?)));
            sent.collect::<Option<Vec<_>>>()
        };
        sent[&shape.name] = match &shape.form {
            Form::Dynamic => typed(value),
            Form::Bool if !value.is_boolean() => return None,
            Form::Number if !value.is_number() => return None,
            Form::Text if !value.is_string() => return None,
            Form::Texts if !all(value) => return None,
            Form::Object(inner) => as_terraform_sends(inner, value)?,
            Form::List(inner) => {
                let items = value.as_array()?.iter().map(|one| (String::new(), one));
                let items = each(inner, items.collect())?;
                items.into_iter().map(|(_, one)| one).collect()
            }
            Form::Map(inner) => {
                let items = value
                    .as_object()?
                    .iter()
                    .map(|(key, one)| (key.clone(), one));
                Json::Object(each(inner, items.collect())?.into_iter().collect())
            }
            _ => continue,
        };
    }
    Some(sent)
}

/// Whether an error is at this attribute, or at what is within it or around it.
fn is_at(path: &Path, place: &str) -> bool {
    let names = path.steps().iter().filter_map(|step| match step {
        Step::Attribute(name) => Some(name.as_str()),
        Step::Key(_) | Step::Index(_) => None,
    });
    let found: Vec<&str> = names.collect();
    let place: Vec<&str> = place.split('.').collect();
    found.starts_with(&place) || (!found.is_empty() && place.starts_with(&found))
}

/// What is wrong with the errors: each has a place and a cause.
fn without_a_place(found: &Diagnostics) -> Option<String> {
    let mut errors = found.iter().filter(|one| one.is_error());
    let bad = errors.find(|one| one.path.is_none() || one.detail.is_empty())?;
    Some(format!("no place or no cause: {bad:?}"))
}

/// What is wrong where this attribute cannot be what it is.
fn unblamed(found: &Diagnostics, place: &str) -> Option<String> {
    if !found.has_errors() {
        return Some(format!("{place} was accepted"));
    }
    let mut errors = found.iter().filter(|one| one.is_error());
    let at = errors.any(|one| one.path.as_ref().is_some_and(|path| is_at(path, place)));
    (!at).then(|| format!("nothing is said of {place}: {found:?}"))
}

/// What came of the configurations of one kind.
#[derive(Default)]
struct Count {
    planned: usize,
    accepted: usize,
    /// The attributes that were in one that was accepted.
    seen: BTreeSet<String>,
    wrong: Vec<String>,
}

impl Count {
    fn note(&mut self, wrong: Option<String>, config: &Json) {
        let config: String = config.to_string().chars().take(1500).collect();
        self.wrong
            .extend(wrong.map(|wrong| format!("{wrong}\n{config}")));
    }
}

/// What is wrong with a state that is planned again.
fn differences(before: &Value, after: Option<&Value>) -> Option<String> {
    let (Value::Map(before), Some(Value::Map(after))) = (before, after) else {
        return Some("there is no second plan".to_owned());
    };
    let changed = before
        .iter()
        .filter(|(name, value)| after.get(*name) != Some(*value));
    let names: Vec<_> = changed.map(|(name, _)| name.as_str()).collect();
    (!names.is_empty()).then(|| format!("the second plan changes {}", names.join(", ")))
}

/// Nodes are registered one for each that is listed, where the release registers any.
fn register(state: &mut Value) {
    let version = state.at(at!(superlink::Model, flower_version));
    let is_old = version.as_str() == Some("1.14.0");
    let Value::Map(listed) = state.at(at!(superlink::Model, supernodes)) else {
        return;
    };
    let ids = listed.keys().map(|name| (name.clone(), Value::from("1")));
    let ids = Value::Map(if is_old { [].into() } else { ids.collect() });
    if !state.at(at!(superlink::Model, nodes)).is_null() {
        state.set("nodes", ids);
    }
}

/// A SuperLink is at the port that was asked for.
fn listen(state: &mut Value) {
    let Value::Number(port) = state.at(at!(superlink::Model, local.port)) else {
        return;
    };
    let url = Value::from(format!("https://127.0.0.1:{port}"));
    let mut control = state.at(at!(superlink::Model, control)).clone();
    control.set("url", url);
    if !state.at(at!(superlink::Model, fleet)).is_null() {
        state.set("control", control);
    }
}

/// Plans configurations of a resource, and looks at what the plan accepts as an apply would.
async fn hold_each_other<R: Resource<Provider = Configured>>(
    random: &mut Random,
    build: impl Fn(&R::Model) -> Result<()>,
) -> Count {
    let attributes = R::schema().attributes;
    let shapes = shapes(&attributes);
    let mut count = Count::default();
    for number in 0..FITTING {
        let percent = [0, 5, 20, 50][number % 4];
        let config = fitting(random, &shapes, percent);
        let Some(sent) = as_terraform_sends(&shapes, &config.values) else {
            panic!("Terraform would not send {}", config.values);
        };
        count.planned += 1;
        let sent = tree::<R>(sent);
        let (found, planned) = checked::<R>(&Value::Null, &sent).await;
        count.note(without_a_place(&found), &config.values);
        let Some(planned) = planned else {
            continue;
        };
        count.accepted += 1;
        count.seen.extend(config.set.iter().cloned());
        let mut state = made(&attributes, planned.clone());
        register(&mut state);
        listen(&mut state);
        let outcome = R::Model::decode(&planned, &Path::default()).and_then(|model| build(&model));
        let failed = outcome
            .err()
            .map(|error| format!("planned, and not to be made: {error:?}"));
        count.note(failed, &config.values);
        let (found, again) = checked::<R>(&state, &sent).await;
        let refused = found
            .has_errors()
            .then(|| format!("refused again: {found:?}"));
        let differs = differences(&state, again.as_ref());
        count.note(refused.or(differs), &config.values);
    }
    for place in places(&shapes) {
        for _ in 0..SPOILT {
            let Some(config) = spoilt(random, &shapes, &place) else {
                continue;
            };
            let Some(sent) = as_terraform_sends(&shapes, &config.values) else {
                continue;
            };
            count.planned += 1;
            let (found, _) = checked::<R>(&Value::Null, &tree::<R>(sent)).await;
            let wrong = without_a_place(&found).or_else(|| unblamed(&found, &place));
            count.note(wrong, &config.values);
        }
    }
    let all: BTreeSet<String> = places(&shapes).into_iter().collect();
    let missed: Vec<_> = all.difference(&count.seen).collect();
    // With few of them by chance, but never many.
    if missed.len() * 4 > all.len() + 4 {
        count
            .wrong
            .push(format!("{} never accepted: {missed:?}", R::TYPE));
    }
    count
}

#[track_caller]
fn nothing_is(wrong: &[String]) {
    let shown = wrong.iter().take(12).cloned().collect::<Vec<_>>();
    assert!(
        wrong.is_empty(),
        "{} times:\n{}",
        wrong.len(),
        shown.join("\n\n")
    );
}

#[tokio::test]
async fn what_a_plan_accepts_can_be_made_and_what_cannot_is_an_error_at_its_attribute() {
    let mut random = Random::new();
    let links = hold_each_other::<Superlink>(&mut random, superlink::can_start).await;
    let nodes = hold_each_other::<Supernode>(&mut random, supernode::can_start).await;
    let keys = hold_each_other::<SupernodeKey>(&mut random, |_| Ok(())).await;
    let runs = hold_each_other::<AppRun>(&mut random, |_| Ok(())).await;
    let all = [links, nodes, keys, runs];
    let planned: usize = all.iter().map(|one| one.planned).sum();
    let accepted: usize = all.iter().map(|one| one.accepted).sum();
    let wrong: Vec<String> = all
        .iter()
        .flat_map(|one| one.wrong.iter().cloned())
        .collect();
    eprintln!("{planned} configurations were planned, {accepted} accepted");
    nothing_is(&wrong);
    assert!(planned >= 500, "only {planned}");
    assert!(accepted >= 200, "only {accepted} of {planned}");
}

/// A text in a configuration that is known only when applied hides nothing that is known.
#[tokio::test]
async fn what_is_unknown_hides_no_error_beside_it() {
    let mut random = Random::new();
    let mut wrong = Vec::new();
    let shapes = shapes(&Supernode::schema().attributes);
    for place in [
        "node_config",
        "env",
        "extra_args",
        "requirements",
        "kubernetes.image",
    ] {
        for _ in 0..20 {
            let Some(mut config) = spoilt(&mut random, &shapes, place) else {
                panic!("{place} has no value that it cannot have");
            };
            config.values["superlink"] = json!({ "address": UNKNOWN, "ca_certificate": UNKNOWN });
            config.values["key"] = json!({ "name": "a", "key": UNKNOWN });
            let Some(sent) = as_terraform_sends(&shapes, &config.values) else {
                continue;
            };
            let (found, _) = checked::<Supernode>(&Value::Null, &tree::<Supernode>(sent)).await;
            wrong.extend(unblamed(&found, place));
        }
    }
    nothing_is(&wrong);
}

/// Checks the configurations of a data source, which is read only where it is right.
fn is_checked<D: DataSource>(random: &mut Random, wrong: &mut Vec<String>) {
    let attributes = D::schema().attributes;
    let shapes = shapes(&attributes);
    let check = |config: &Configuration| {
        let sent = as_terraform_sends(&shapes, &config.values)?;
        let ty = D::schema().ty();
        let sent = Tree::new(from_json(&sent, &ty).unwrap());
        let mut found = validate(&attributes, &sent.0, true);
        found.extend(D::validate(&sent));
        Some(found)
    };
    for _ in 0..20 {
        let config = fitting(random, &shapes, 50);
        let found = check(&config).unwrap();
        let refused = found
            .has_errors()
            .then(|| format!("{}: {found:?}", D::TYPE));
        wrong.extend(refused);
    }
    for place in places(&shapes) {
        // An app is looked for when it is read.
        let times = if place == "source" { 0 } else { 10 };
        for _ in 0..times {
            let Some(config) = spoilt(random, &shapes, &place) else {
                continue;
            };
            let blamed = check(&config).and_then(|found| unblamed(&found, &place));
            wrong.extend(blamed.map(|wrong| format!("{wrong}: {}", config.values)));
        }
    }
}

#[test]
fn what_no_data_source_can_read_is_an_error_at_its_attribute() {
    let mut random = Random::new();
    let mut wrong = Vec::new();
    is_checked::<App>(&mut random, &mut wrong);
    is_checked::<Federations>(&mut random, &mut wrong);
    is_checked::<RunLog>(&mut random, &mut wrong);
    is_checked::<RunMetrics>(&mut random, &mut wrong);
    is_checked::<RunSource>(&mut random, &mut wrong);
    is_checked::<RunReportSource>(&mut random, &mut wrong);
    is_checked::<Runs>(&mut random, &mut wrong);
    is_checked::<Supernodes>(&mut random, &mut wrong);
    nothing_is(&wrong);
}

#[test]
fn what_no_provider_can_be_configured_with_is_an_error_at_its_attribute() {
    let attributes = Flower.schema().attributes;
    let ty = Flower.schema().ty();
    let host = "https://127.0.0.1:1";
    for (settings, place) in [
        (json!({ "config_path": "" }), "config_path"),
        (json!({ "config_path": "a\n" }), "config_path"),
        (
            json!({ "config_path": "a", "config_context": " " }),
            "config_context",
        ),
        (json!({ "host": host, "token_file": "" }), "token_file"),
        (
            json!({ "host": host, "labels": { "app.kubernetes.io/managed-by": "a" } }),
            "labels",
        ),
        (
            json!({ "host": host, "image_prefix": "A b/" }),
            "image_prefix",
        ),
        (
            json!({ "host": host, "image_prefix": "https://a/" }),
            "image_prefix",
        ),
        (
            json!({ "host": host, "exec": { "command": "" } }),
            "exec.command",
        ),
        (
            json!({ "host": host, "exec": { "command": "a", "api_version": "v1" } }),
            "exec.api_version",
        ),
        (
            json!({ "host": host, "exec": { "command": "a", "args": ["a\u{0}"] } }),
            "exec.args",
        ),
        (
            json!({ "host": host, "exec": { "command": "a", "env": { "A=B": "x" } } }),
            "exec.env",
        ),
        (
            json!({ "host": host, "exec": { "command": "a", "env": { "A": "\u{0}" } } }),
            "exec.env",
        ),
        (json!({ "host": "a:1" }), "host"),
    ] {
        let config = json!({ "kubernetes": settings });
        let value = from_json(&config, &ty).unwrap();
        let mut found = validate(&attributes, &value, true);
        found.extend(Flower.validate(&Tree::new(value)));
        let wrong = unblamed(&found, &format!("kubernetes.{place}"));
        assert_eq!(without_a_place(&found).or(wrong), None, "{config}");
    }
}
