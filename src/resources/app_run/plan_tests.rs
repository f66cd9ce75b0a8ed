use serde_json::{Value as Json, json};

use super::tests::finished_state;
use super::{AppRun, Model};
use crate::resources::planning::{Planned, UNKNOWN, plan};

const APP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart/app");

/// The state of a finished run of this app, and its configuration.
async fn finished(app: &str, run_config: Json) -> (Json, Json) {
    let config = json!({
        "source": { "path": app },
        "control": { "url": "https://h:8000", "flower_version": "1.42.0" },
        "run_config": run_config,
    });
    let created = plan::<AppRun>(None, config.clone()).await;
    assert_eq!(created.errors, "");
    let prior = finished_state(&config, created.text("fab_hash").unwrap());
    (prior, config)
}

/// A run configuration with this value.
fn rounds(value: &Json) -> Json {
    let ty = match value {
        Json::String(_) => "string",
        Json::Bool(_) => "bool",
        _ => "number",
    };
    json!({
        "type": ["object", { "num-server-rounds": ty }],
        "value": { "num-server-rounds": value },
    })
}

/// A copy of the app that can be changed.
fn copy() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let app = dir.path().join("app");
    std::fs::create_dir_all(app.join("quickstart")).unwrap();
    for file in [
        "pyproject.toml",
        "quickstart/server_app.py",
        "quickstart/client_app.py",
    ] {
        std::fs::copy(std::path::Path::new(APP).join(file), app.join(file)).unwrap();
    }
    let path = app.display().to_string();
    (dir, path)
}

#[tokio::test]
async fn a_run_of_the_state_is_planned_without_its_app_and_a_new_one_is_not() {
    let (dir, app) = copy();
    let (prior, config) = finished(&app, Json::Null).await;
    dir.close().unwrap();
    let planned = plan::<AppRun>(Some(&prior), config.clone()).await;
    assert_eq!(planned.errors, "");
    assert!(!planned.differs);
    assert!(
        planned.warnings.contains("cannot be bundled"),
        "{}",
        planned.warnings
    );

    // A change that does not need the app is made in place.
    let mut changed = config.clone();
    changed["stop_on_destroy"] = json!(false);
    let planned = plan::<AppRun>(Some(&prior), changed).await;
    assert_eq!((planned.errors.as_str(), planned.replaces.len()), ("", 0));
    assert_eq!(planned.text("fab_hash"), prior["fab_hash"].as_str());
    // The log of this run told nothing, and that is known.
    for told in ["rounds", "metrics", "client_failures", "usage", "node_ids"] {
        assert!(!planned.is_unknown(told), "{told}");
    }

    for (name, value) in [
        ("triggers", json!({ "a": "1" })),
        ("federation", json!("other")),
        ("run_config", rounds(&json!(7))),
    ] {
        let mut changed = config.clone();
        changed[name] = value;
        let planned = plan::<AppRun>(Some(&prior), changed).await;
        assert!(planned.errors.contains("cannot be bundled"), "{name}");
    }
    let created = plan::<AppRun>(None, config).await;
    assert!(created.errors.contains("cannot be bundled"));
}

#[tokio::test]
async fn a_value_in_other_words_is_no_change() {
    let (prior, config) = finished(APP, rounds(&json!(3))).await;
    for (value, differs) in [
        (json!("3"), false),
        (json!("3.0"), false),
        (json!(3), false),
        (json!("4"), true),
        (json!(4), true),
    ] {
        let mut changed = config.clone();
        changed["run_config"] = rounds(&value);
        let planned = plan::<AppRun>(Some(&prior), changed).await;
        assert_eq!(planned.errors, "", "{value}");
        assert_eq!(planned.differs, differs, "{value}");
        assert_eq!(planned.replaces.is_empty(), !differs, "{value}");
    }
    for value in [json!("3.5"), json!(3.5), json!("three"), json!(true)] {
        let mut changed = config.clone();
        changed["run_config"] = rounds(&value);
        let planned = plan::<AppRun>(Some(&prior), changed).await;
        assert!(planned.errors.contains("num-server-rounds"), "{value}");
    }
}

#[tokio::test]
async fn an_app_for_a_users_prompt_is_an_error_of_the_plan() {
    let (_dir, app) = copy();
    let pyproject = std::path::Path::new(&app).join("pyproject.toml");
    let text = std::fs::read_to_string(&pyproject).unwrap();
    let agent = "[tool.flwr.app.components]\nagentapp = \"quickstart.server_app:app\"";
    std::fs::write(
        &pyproject,
        text.replace("[tool.flwr.app.components]", agent),
    )
    .unwrap();
    let config = json!({ "source": { "path": app }, "control": { "url": "https://h:8000" } });
    let planned = plan::<AppRun>(None, config).await;
    assert_eq!(planned.errors, "flower_app_run cannot start an AgentApp");
}

#[tokio::test]
async fn the_source_of_an_imported_run_says_what_to_fill_in() {
    let (mut prior, mut config) = finished(APP, Json::Null).await;
    let imported = super::Source::imported().path;
    prior["source"]["path"] = json!(imported);
    config["source"]["path"] = json!(imported);
    let planned = plan::<AppRun>(Some(&prior), config.clone()).await;
    assert_eq!((planned.errors.as_str(), planned.differs), ("", false));
    assert!(
        planned.warnings.contains("is not filled in"),
        "{}",
        planned.warnings
    );
    let created = plan::<AppRun>(None, config.clone()).await;
    assert!(created.errors.contains("is not filled in"));
    // With the source filled in, and the same app.
    config["source"]["path"] = json!(APP);
    let planned = plan::<AppRun>(Some(&prior), config).await;
    assert_eq!((planned.errors.as_str(), planned.replaces.len()), ("", 0));
    assert_eq!(planned.warnings, "");
}

/// The URL and the id of a SuperLink.
type At = (&'static str, Option<&'static str>);

/// Plans a finished run whose SuperLink moves to another URL, with another release and authority.
async fn move_from(before: At, after: At) -> Planned<Model> {
    let config = |(url, id): At, version: &str| {
        json!({
            "source": { "path": APP },
            "control": {
                "url": url, "ca_certificate": version, "flower_version": version,
                "superlink_id": id,
            },
        })
    };
    let created = plan::<AppRun>(None, config(before, "1.36.0")).await;
    assert_eq!(created.errors, "");
    let mut prior: Json = config(before, "1.36.0");
    for (name, value) in [
        ("fab_hash", json!(created.text("fab_hash").unwrap())),
        ("on_failure", json!("error")),
        ("on_missing", json!("keep")),
        ("stop_on_destroy", json!(true)),
        ("log_lines", json!(20)),
        ("id", json!("x#1")),
        ("run_id", json!("1")),
        ("status", json!("finished")),
    ] {
        prior[name] = value;
    }
    plan::<AppRun>(Some(&prior), config(after, "1.42.0")).await
}

#[tokio::test]
async fn a_path_that_never_had_the_app_is_an_error() {
    let (prior, mut config) = finished(APP, Json::Null).await;
    config["source"]["path"] = json!("./no-such-app");
    let planned = plan::<AppRun>(Some(&prior), config).await;
    assert!(
        planned.errors.contains("cannot be bundled"),
        "{}",
        planned.errors
    );
}

#[tokio::test]
async fn a_run_is_one_of_another_superlink_where_its_id_is_another_one() {
    let (here, there) = ("https://127.0.0.1:8000", "https://127.0.0.1:8001");
    for (before, after, replaced) in [
        // Another port, authority or release, but the same SuperLink.
        ((here, Some("a")), (here, Some("a")), None),
        ((here, Some("a")), (there, Some("a")), None),
        ((here, Some("a")), (UNKNOWN, Some("a")), None),
        (
            ("kube://a/superlink-x", Some("a")),
            (UNKNOWN, Some("a")),
            None,
        ),
        // Two SuperLinks on one host that exchanged their ports.
        (
            (here, Some("a")),
            (here, Some("b")),
            Some("control.superlink_id"),
        ),
        (
            (here, Some("a")),
            (UNKNOWN, Some(UNKNOWN)),
            Some("control.superlink_id"),
        ),
        // Without an id, only the address identifies a SuperLink.
        ((here, None), (here, None), None),
        ((here, None), (here, Some("a")), None),
        ((here, Some("a")), (here, None), None),
        ((here, None), (there, None), Some("control.url")),
        ((here, None), (UNKNOWN, None), Some("control.url")),
        (("grpcs://h:8000", None), ("https://h:8000", None), None),
        (
            ("https://h:8000", None),
            ("https://g:8000", None),
            Some("control.url"),
        ),
        (
            ("kube://a/superlink-x", None),
            ("kube://a/superlink-x", None),
            None,
        ),
        (
            ("kube://a/superlink-x", None),
            ("kube://a/superlink-y", None),
            Some("control.url"),
        ),
    ] {
        let planned = move_from(before, after).await;
        assert_eq!(planned.errors, "");
        let expected: Vec<&str> = replaced.into_iter().collect();
        assert_eq!(planned.replaces, expected, "{before:?} to {after:?}");
        assert_eq!(planned.text("run_id"), Some("1"));
        assert_eq!(planned.text("status"), Some("finished"));
    }
}

/// The state of a finished run with this download.
async fn with_download(files: Json, folder: &str) -> (Json, Json) {
    let (mut prior, mut config) = finished(APP, Json::Null).await;
    let artifacts = json!({ "download_to": folder });
    config["artifacts"] = artifacts.clone();
    prior["artifacts"] = artifacts;
    prior["artifacts"]["max_bytes"] = json!(10_737_418_240_i64);
    prior["artifact_files"] = files;
    (prior, config)
}

#[tokio::test]
async fn artifacts_that_are_not_there_are_an_update_without_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("model").display().to_string();
    let known = json!({ "model.bin": { "sha256": "ab", "size": 2 } });
    let (prior, config) = with_download(known.clone(), &folder).await;
    let planned = plan::<AppRun>(Some(&prior), config.clone()).await;
    assert_eq!(planned.errors, "");
    assert!(!planned.is_unknown("artifact_files") && planned.replaces.is_empty());
    // Not complete, or missing at the last refresh.
    let (prior, _) = with_download(Json::Null, &folder).await;
    let planned = plan::<AppRun>(Some(&prior), config.clone()).await;
    assert!(planned.is_unknown("artifact_files") && planned.replaces.is_empty());
    // Into another folder.
    let (prior, mut config) = with_download(known, &folder).await;
    config["artifacts"]["download_to"] = json!(format!("{folder}-2"));
    let planned = plan::<AppRun>(Some(&prior), config.clone()).await;
    assert!(planned.is_unknown("artifact_files") && planned.replaces.is_empty());
    // No longer wanted.
    config.as_object_mut().unwrap().remove("artifacts");
    let planned = plan::<AppRun>(Some(&prior), config).await;
    assert!(!planned.is_unknown("artifact_files") && planned.replaces.is_empty());
    assert_eq!(planned.text("artifact_files"), None);
}

#[tokio::test]
async fn a_folder_that_downloads_could_harm_is_refused_by_the_plan() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("main.tf"), "").unwrap();
    let module = dir.path().display().to_string();
    for (folder, expected) in [
        (module.as_str(), "The artifacts cannot be downloaded"),
        (
            concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart/app/model"),
            "The artifacts would become a part of the app",
        ),
    ] {
        let (_, config) = with_download(Json::Null, folder).await;
        let planned = plan::<AppRun>(None, config).await;
        assert_eq!(planned.errors, expected, "{folder}");
    }
}

#[tokio::test]
async fn a_run_with_another_simulation_is_another_run() {
    let (prior, config) = finished(APP, Json::Null).await;
    let with = |from: &Json, simulation: Json| {
        let mut with = from.clone();
        with["control"]["simulation"] = simulation;
        with
    };
    let (two, three) = (
        json!({ "num_supernodes": 2 }),
        json!({ "num_supernodes": 3 }),
    );
    for (before, after, replaced) in [
        (Json::Null, Json::Null, false),
        (two.clone(), two.clone(), false),
        (two.clone(), three, true),
        (Json::Null, two.clone(), true),
        (two.clone(), Json::Null, true),
    ] {
        let planned =
            plan::<AppRun>(Some(&with(&prior, before)), with(&config, after.clone())).await;
        assert_eq!(planned.errors, "");
        let expected: &[&str] = if replaced {
            &["control.simulation"]
        } else {
            &[]
        };
        assert_eq!(planned.replaces, expected, "{after}");
    }
    let mut old = with(&config, two);
    old["control"]["flower_version"] = json!("1.27.0");
    let planned = plan::<AppRun>(None, old).await;
    assert_eq!(
        planned.errors,
        "Flower 1.27.0 cannot be used for simulations"
    );
}
