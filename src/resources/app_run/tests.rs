//! Runs on a SuperLink with scripted answers.

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::flower::control::SubStatus;
use crate::flower::control::fake::{Fake, listed, run};
use crate::flower::control::{Call as Asked, ControlEndpoint};
use crate::runtime::local::LocalRuntime;
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

const URL: &str = "http://127.0.0.1:1";

/// The state of a finished run with this configuration and bundle.
pub(super) fn finished_state(config: &Json, fab_hash: &str) -> Json {
    let mut state = config.clone();
    for (name, value) in [
        ("fab_hash", json!(fab_hash)),
        ("on_failure", json!("error")),
        ("on_missing", json!("keep")),
        ("stop_on_destroy", json!(true)),
        ("log_lines", json!(20)),
        ("id", json!("x#1")),
        ("run_id", json!("1")),
        ("status", json!("finished")),
        ("sub_status", json!("completed")),
        ("details", json!("")),
        ("pending_at", json!("1")),
        ("running_at", json!("2")),
        ("finished_at", json!("3")),
    ] {
        state[name] = value;
    }
    state
}

/// A run that is not submitted yet.
pub(super) fn model() -> Model {
    let model = Value::object([
        ("control", Value::object([("url", URL.into())])),
        ("source", Value::object([("path", "app".into())])),
        ("on_failure", "error".into()),
        ("on_missing", "keep".into()),
        ("stop_on_destroy", Value::Bool(true)),
        ("log_lines", 20_u32.encode()),
    ]);
    Model::decode(&model, &Path::default()).unwrap()
}

/// A call to a provider that uses this SuperLink.
fn call(dir: &std::path::Path, fake: &Fake) -> Call<Configured> {
    let provider = Configured::new(Arc::new(LocalRuntime {
        data_dir: dir.join("data"),
        cache_dir: dir.join("cache"),
        python: "python3".to_owned(),
    }));
    let endpoint = ControlEndpoint::parse(URL, None).unwrap();
    provider
        .controls
        .get_or_connect(&endpoint, || fake.client());
    Call::new(Arc::new(provider), CancellationToken::new())
}

#[test]
fn a_state_whose_run_has_no_number_is_refused() {
    let mut state = model().encode();
    state.set("run_id", "seven".into());
    let refused = Model::decode(&state, &Path::default()).unwrap_err();
    let told: Vec<_> = refused.iter().map(|one| one.summary.as_str()).collect();
    assert_eq!(told, ["Invalid value for run_id"]);
}

#[tokio::test]
async fn a_replacement_without_its_app_is_refused_once_and_a_destroy_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new(|_, _, _| Ok(listed([])));
    let call = call(dir.path(), &fake);
    let mut state = model();
    state.run_id.set(RunId(7));
    state.status.set(RunStatus::Finished.into());
    let gone = Source::folder(dir.path().join("gone").display().to_string());
    call.keep_private(PlannedApp::missing(&gone).to_private());
    let refused = AppRun::delete(call.clone(), state.clone()).await;
    assert!(refused.unwrap_err().has_errors());
    // Terraform stores the private data of the refused delete, which no longer contains the app.
    AppRun::delete(call.clone(), state).await.unwrap();
}

#[test]
fn a_status_of_a_later_flower_is_kept() {
    let mut state = model().encode();
    state.set("run_id", "7".into());
    state.set("status", "queued".into());
    state.set("sub_status", "merged".into());
    let read = Model::decode(&state, &Path::default()).unwrap();
    assert!(!read.status.get().unwrap().is_finished());
    assert_eq!(read.encode(), state);
    for (word, is_lost) in [("lost", true), ("finished", false)] {
        state.set("status", word.into());
        let read = Model::decode(&state, &Path::default()).unwrap();
        assert_eq!(read.status.get() == Some(&Status::Lost), is_lost);
        assert_eq!(read.encode(), state);
    }
}

#[tokio::test]
async fn a_refresh_of_a_thousand_runs_asks_a_few_times() {
    let dir = tempfile::tempdir().unwrap();
    let runs = || (0..1000).map(|id| run(id, "finished", "completed"));
    let fake = Fake::new(move |_, _, _| Ok(listed(runs())));
    let call = call(dir.path(), &fake);
    let read = |id: u64| {
        let mut state = model();
        state.run_id.set(RunId(id));
        state.status.set(RunStatus::Running.into());
        AppRun::read(call.clone(), state)
    };
    for state in join_all((0..1000).map(read)).await {
        let state = state.unwrap().unwrap();
        assert_eq!(state.sub_status.get(), Some(&SubStatus::Completed));
    }
    let asked = fake.count(Asked::ListRuns);
    assert!(asked <= 5, "{asked}");
    // The log of a run that has ended since is read once, for its outputs.
    assert!(fake.count(Asked::StreamLogs) <= 1000);
}
