use serde_json::{Value as Json, json};

use super::*;
use crate::data_sources::App;
use crate::flower::control::fake::Fake;
use crate::flower::control::{Call, fake};
use crate::flower::run_config::ConfigValue;
use crate::resources::app_run::{AppRun, follow, tests};
use crate::resources::planning::{checked, plan, tree};
use crate::tfplugin::DataSource as _;
use crate::tfplugin::value::{Value, from_json};

fn config(hub: &str, version: &str) -> Json {
    json!({
        "source": { "hub": hub },
        "control": { "url": "https://h:8000", "flower_version": version },
    })
}

fn lr(ty: &str, value: &Json) -> Json {
    json!({ "type": ["object", { "lr": ty }], "value": { "lr": value } })
}

fn finished(config: &Json) -> Json {
    tests::finished_state(config, "1")
}

#[tokio::test]
async fn a_plan_does_not_know_the_hash_and_warns_only_of_a_run_config() {
    let mut wanted = config("@a/b==1.2.3", "1.25.0");
    let planned = plan::<AppRun>(None, wanted.clone()).await;
    assert_eq!(
        (planned.errors.as_str(), planned.warnings.as_str()),
        ("", "")
    );
    assert!(planned.is_unknown("fab_hash"));
    assert!(!planned.is_unknown("resolved_commit"));
    wanted["run_config"] = lr("number", &json!(1));
    let planned = plan::<AppRun>(None, wanted.clone()).await;
    let warning = "The run_config of an app of Flower Hub is not checked";
    assert_eq!(
        (planned.errors.as_str(), planned.warned()),
        ("", vec![warning])
    );
    // The run exists, and was submitted with it.
    let planned = plan::<AppRun>(Some(&finished(&wanted)), wanted.clone()).await;
    assert_eq!((planned.differs, planned.warnings.as_str()), (false, ""));
}

#[tokio::test]
async fn a_release_that_fetches_no_apps_is_an_error_of_the_plan_for_a_new_run() {
    for (version, refused) in [("1.24.0", true), ("1.20.0", true), ("1.25.0", false)] {
        let planned = plan::<AppRun>(None, config("@a/b", version)).await;
        let said = format!("Flower {version} cannot fetch apps from Flower Hub");
        assert_eq!(planned.errors, if refused { said } else { String::new() });
    }
    let old = config("@a/b", "1.24.0");
    let planned = plan::<AppRun>(Some(&finished(&old)), old).await;
    assert_eq!((planned.errors.as_str(), planned.differs), ("", false));
}

#[tokio::test]
async fn another_text_replaces_the_run_and_an_import_does_not() {
    let wanted = config("@a/b==1.2.3", "1.42.0");
    for source in [
        json!({ "hub": "@a/b" }),
        json!({ "hub": "@a/b==1.2.4" }),
        json!({ "path": "app" }),
    ] {
        let mut prior = finished(&wanted);
        prior["source"] = source;
        let planned = plan::<AppRun>(Some(&prior), wanted.clone()).await;
        assert_eq!(planned.errors, "");
        assert_eq!(planned.replaces, ["source.hub"]);
        assert!(planned.is_unknown("fab_hash"));
    }
    let mut imported = finished(&wanted);
    imported["source"] = json!({ "path": Source::imported().path });
    let planned = plan::<AppRun>(Some(&imported), wanted.clone()).await;
    assert_eq!((planned.errors.as_str(), planned.replaces.len()), ("", 0));
    assert_eq!(planned.text("fab_hash"), Some("1"));
    // What needs no new run keeps the hash, which the plan does not know otherwise.
    let mut other = wanted.clone();
    other["log_lines"] = json!(5);
    let planned = plan::<AppRun>(Some(&finished(&wanted)), other).await;
    assert_eq!((planned.errors.as_str(), planned.replaces.len()), ("", 0));
    assert_eq!(planned.text("fab_hash"), Some("1"));
    let mut again = wanted.clone();
    again["triggers"] = json!({ "a": "1" });
    let planned = plan::<AppRun>(Some(&finished(&wanted)), again).await;
    assert_eq!(planned.replaces, ["triggers"]);
    assert!(planned.is_unknown("fab_hash"));
}

#[tokio::test]
async fn a_value_of_another_type_is_another_value() {
    let mut wanted = config("@a/b", "1.42.0");
    wanted["run_config"] = lr("number", &json!(3));
    let prior = finished(&wanted);
    for (ty, value, replaces) in [
        ("number", json!(3), false),
        ("string", json!("3"), true),
        ("number", json!(4), true),
    ] {
        wanted["run_config"] = lr(ty, &value);
        let planned = plan::<AppRun>(Some(&prior), wanted.clone()).await;
        assert_eq!(planned.errors, "");
        assert_eq!(!planned.replaces.is_empty(), replaces, "{ty} {value}");
    }
}

#[tokio::test]
async fn a_text_that_names_no_app_is_an_error_with_what_is_expected() {
    for (source, words) in [
        (json!({ "hub": "a/b" }), "@publisher/app==1.2.3"),
        (json!({ "hub": "@a/b==1.2" }), "three numbers"),
        (json!({ "hub": "@a/b", "path": "app" }), "Only one of"),
    ] {
        let wanted = tree::<AppRun>(json!({
            "source": source,
            "control": { "url": "https://h:8000" },
        }));
        let (found, _) = checked::<AppRun>(&Value::Null, &wanted).await;
        let told = format!("{found:?}");
        assert!(
            found.has_errors() && told.contains(words),
            "{source}: {told}"
        );
        assert!(found.iter().all(|one| one.path.is_some()), "{told}");
    }
}

#[test]
fn the_data_source_of_apps_says_that_only_a_superlink_can_fetch_it() {
    let config = json!({ "source": { "hub": "@a/b" } });
    let config = Tree::new(from_json(&config, &App::schema().ty()).unwrap());
    let found = App::validate(&config);
    let told: Vec<_> = found.iter().map(|one| one.summary.as_str()).collect();
    assert_eq!(told, ["An app of Flower Hub cannot be read"]);
    assert!(format!("{found:?}").contains("Only a SuperLink can fetch"));
}

fn hub_model() -> Model {
    let mut model = tests::model();
    model.source = Source {
        path: None,
        hub: Some("@a/b".parse().unwrap()),
        ..model.source
    };
    model
}

#[test]
fn the_hash_is_known_when_the_superlink_tells_it() {
    let mut model = hub_model();
    follow::record(
        &mut model,
        &crate::flower::control::Run::from_wire(fake::run(7, "running", "")),
    );
    assert_eq!(model.fab_hash.get(), None);
    let mut run = fake::run(7, "running", "");
    "9f86".clone_into(&mut run.fab_hash);
    follow::record(&mut model, &crate::flower::control::Run::from_wire(run));
    assert_eq!(model.fab_hash.get().map(String::as_str), Some("9f86"));
}

#[tokio::test]
async fn a_superlink_of_an_unknown_release_is_asked_before_the_submission() {
    let mut model = hub_model();
    let old = Fake::new(|call, _, _| {
        Err(ControlError::Unsupported {
            at: "fake:1".to_owned(),
            call,
            since: FlowerVersion::new(1, 24, 0),
        })
    });
    let refused = can_be_fetched(&old.client(), &model).await.unwrap_err();
    let message = refused.iter().next().unwrap();
    assert!(
        message.summary.contains("at fake:1 cannot fetch"),
        "{message:?}"
    );
    assert!(message.detail.contains("Flower 1.25.0"), "{message:?}");
    let down = Fake::new(|_, _, _| Err(fake::unreachable()));
    can_be_fetched(&down.client(), &model).await.unwrap();
    model.control.flower_version = Some(FlowerVersion::new(1, 42, 0));
    can_be_fetched(&old.client(), &model).await.unwrap();
    assert_eq!(old.count(Call::ListFederations), 1);
    model.control.flower_version = Some(FlowerVersion::new(1, 24, 0));
    start(model.source.hub.as_ref().unwrap(), &model).unwrap_err();
}

#[test]
fn values_are_sent_as_they_are_written() {
    let mut model = hub_model();
    let config = from_json(
        &lr("number", &json!(1)),
        &crate::tfplugin::value::Type::Dynamic,
    );
    model.run_config = Some(crate::tfplugin::schema::Dynamic(config.unwrap()));
    let start = start(model.source.hub.as_ref().unwrap(), &model).unwrap();
    assert_eq!(
        start.overrides,
        [("lr".to_owned(), ConfigValue::Int(1))].into()
    );
    assert!(start.is_fetched());
}
