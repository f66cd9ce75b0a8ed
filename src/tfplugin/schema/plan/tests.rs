use super::super::ModelPath;
use super::super::{Attr, Computed, Model, WriteOnly, computed, defaulted, optional, required};
use super::*;
use crate::tfplugin::value::Number;

crate::model! {
    /// A thing.
    struct Thing {
        /// Name.
        name: String = required().replace("names are for ever"),
        /// Size.
        size: i64 = defaulted(3_i64),
        /// Secret.
        secret_wo: WriteOnly<String> = optional(),
        /// Version.
        secret_wo_version: Option<i64> = optional(),
        /// Kept.
        kept: Computed<String> = computed().keep(),
        /// Settled.
        settled: Computed<String> = computed().settled(),
        /// Status.
        status: Computed<String> = computed(),
        /// Inner.
        inner: Option<Inner> = optional(),
    }
}

crate::model! {
    /// Inside.
    struct Inner {
        /// Mode.
        mode: String = defaulted("soft".to_owned()).replace("modes stick"),
        /// Made.
        made: Computed<String> = computed().keep(),
    }
}

fn config(extra: &[(&'static str, Value)]) -> Value {
    let mut value = Value::object(
        [
            "name",
            "size",
            "secret_wo",
            "secret_wo_version",
            "kept",
            "settled",
            "status",
            "inner",
        ]
        .map(|name| (name, Value::Null)),
    );
    value.set("name", "a".into());
    for (name, item) in extra {
        value.set(name, item.clone());
    }
    value
}

fn number(int: i64) -> Value {
    Value::Number(Number::Int(int))
}

fn state() -> Value {
    config(&[
        ("size", number(3)),
        ("kept", "k".into()),
        ("status", "up".into()),
    ])
}

#[test]
fn a_create_has_defaults_and_unknowns_and_no_secret() {
    let config = config(&[
        ("secret_wo", "hunter2".into()),
        ("secret_wo_version", number(1)),
    ]);
    let planned = plan(&Thing::attributes(), &Value::Null, &config, &config);
    assert_eq!(planned.state.get("size"), &number(3));
    assert_eq!(planned.state.get("secret_wo"), &Value::Null);
    assert!(planned.state.get("kept").is_unknown());
    assert!(planned.state.get("status").is_unknown());
    assert!(planned.replace.is_empty());
}

#[test]
fn no_change_is_no_change() {
    // Terraform proposes the computed values of the prior state; a write-only value must not count
    // as a change.
    let mut proposed = state();
    proposed.set("secret_wo", "hunter2".into());
    let config = config(&[("secret_wo", "hunter2".into())]);
    let planned = plan(&Thing::attributes(), &state(), &proposed, &config);
    assert_eq!(planned.state, state());
}

#[test]
fn a_change_keeps_what_is_kept_and_makes_the_rest_unknown() {
    let config = config(&[("size", number(4))]);
    let mut proposed = state();
    proposed.set("size", number(4));
    let planned = plan(&Thing::attributes(), &state(), &proposed, &config);
    assert_eq!(planned.state.get("kept"), &Value::from("k"));
    assert!(planned.state.get("status").is_unknown());
    assert!(planned.replace.is_empty());

    // A null may be of an earlier provider, unless it is settled.
    let mut prior = state();
    prior.set("kept", Value::Null);
    let planned = plan(&Thing::attributes(), &prior, &proposed, &config);
    assert!(planned.state.get("kept").is_unknown());
    assert!(planned.state.get("settled").is_null());
    let planned = plan(&Thing::attributes(), &Value::Null, &config, &config);
    assert!(planned.state.get("settled").is_unknown());
}

#[test]
fn removing_an_attribute_brings_its_default_back() {
    let mut prior = state();
    prior.set("size", number(9));
    let planned = plan(&Thing::attributes(), &prior, &prior, &config(&[]));
    assert_eq!(planned.state.get("size"), &number(3));
}

#[test]
fn what_needs_a_new_resource_is_named() {
    let mut proposed = state();
    proposed.set("name", "b".into());
    let planned = plan(&Thing::attributes(), &state(), &proposed, &proposed);
    assert_eq!(planned.replace, [ModelPath::<()>::dotted("name").path()]);

    let inner = |mode: &str| Value::object([("mode", mode.into()), ("made", "m".into())]);
    let mut prior = state();
    prior.set("inner", inner("soft"));
    let mut proposed = prior.clone();
    proposed.set("inner", inner("hard"));
    let mut config = config(&[]);
    config.set(
        "inner",
        Value::object([("mode", "hard".into()), ("made", Value::Null)]),
    );
    let planned = plan(&Thing::attributes(), &prior, &proposed, &config);
    assert_eq!(
        planned.replace,
        [ModelPath::<()>::dotted("inner.mode").path()]
    );
    assert_eq!(planned.state.get("inner").get("made"), &Value::from("m"));
}

#[test]
fn an_unknown_new_value_counts_as_a_change() {
    let mut proposed = state();
    proposed.set("name", Value::UNKNOWN);
    let planned = plan(&Thing::attributes(), &state(), &proposed, &proposed);
    assert_eq!(planned.replace.len(), 1);
}

#[test]
fn an_object_that_is_known_in_parts_is_made_whole_by_the_provider() {
    let part = Value::object([("mode", "soft".into()), ("made", Value::UNKNOWN)]);
    let read = <Computed<Inner> as Attr>::decode(&part, &Path::default());
    assert!(matches!(read, Ok(Computed::Unknown)));
}
