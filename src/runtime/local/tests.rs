use std::fs;
use std::path::Path;
use std::process::Command;

use super::*;
use crate::runtime::{
    Diagnosis as _, Duty, Journal as _, LayoutRequest, Network as _, PodSettings, Port, Process,
    SecretEntries, Secrets as _, WaitPolicy,
};

mod drift;
mod kept_files;
mod processes;
mod trust;

fn runtime(dir: &Path) -> LocalRuntime {
    LocalRuntime {
        data_dir: dir.join("data"),
        cache_dir: dir.join("cache"),
        python: "python3".to_owned(),
    }
}

fn object(name: &str) -> ObjectRef {
    ObjectRef {
        kind: Kind::Superlink,
        name: name.parse().unwrap(),
    }
}

/// A claim that is never ended, like that of a killed provider.
async fn claim(runtime: &LocalRuntime, object: &ObjectRef) -> Result<Claim, RuntimeError> {
    let claimed = runtime.claim(object, &CancellationToken::new()).await;
    claimed.map(Claimed::abandon)
}

/// The object as one in a state.
fn managed(object: &ObjectRef) -> Managed {
    Managed::in_state(object.clone())
}

async fn settle(runtime: &LocalRuntime, object: &ObjectRef) {
    let managed = managed(object);
    let recorded = runtime.record_configuration(&managed, &serde_json::Value::Null);
    recorded.await.unwrap();
}

/// The object "a", which is being created in this folder.
async fn claimed(dir: &Path) -> (LocalRuntime, ObjectRef) {
    let (runtime, object) = (runtime(dir), object("a"));
    assert_eq!(claim(&runtime, &object).await.unwrap(), Claim::New);
    (runtime, object)
}

/// The port of its API, assigned now or earlier.
async fn port(runtime: &LocalRuntime, object: &ObjectRef) -> u16 {
    let managed = managed(object);
    let layout = runtime.layout(LayoutRequest {
        object: &managed,
        ports: &[Port::Api],
        fixed: None,
        exposure: None,
        until: tokio::time::Instant::now(),
    });
    layout.await.unwrap().ports[&Port::Api]
}

async fn remove(
    runtime: &LocalRuntime,
    object: &ObjectRef,
    secrets: &[String],
) -> Result<(), RuntimeError> {
    let how = Removal {
        secrets,
        keep_logs: false,
        limit: Duration::from_mins(1),
        stop: &CancellationToken::new(),
    };
    runtime.remove(object, how).await
}

/// Changes the record as if another process had written it and ended.
fn owner_dies(runtime: &LocalRuntime, object: &ObjectRef) {
    let path = runtime.record_path(object);
    let own = std::process::id().to_string();
    let mut child = Command::new("true").spawn().unwrap();
    let dead = child.id().to_string();
    child.wait().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        path,
        text.replace(&format!("\"pid\": {own}"), &format!("\"pid\": {dead}")),
    )
    .unwrap();
}

fn shell(object: &ObjectRef, script: &str) -> (Process, ObjectRef) {
    let process = Process {
        name: "superlink",
        duty: Duty::Main,
        runs_apps: true,
        image: String::new(),
        health: None,
        program: "sh".to_owned(),
        args: vec!["-c".to_owned(), script.to_owned()],
        env: BTreeMap::new(),
        private_env: BTreeMap::new(),
        keeps: None,
    };
    (process, object.clone())
}

/// Starts a script as a process of the object.
fn start(runtime: &LocalRuntime, object: &ObjectRef, script: &str) -> Identity {
    let (process, object) = shell(object, script);
    let mut record = runtime.record(&object).unwrap();
    let started = runtime
        .spawn(&object, &process, Path::new("/bin"), "digest".to_owned())
        .unwrap();
    let identity = started.identity.clone();
    record.processes.insert("superlink".to_owned(), started);
    runtime.save(&object, &record).unwrap();
    identity
}

#[tokio::test]
async fn a_name_is_claimed_once_and_taken_over_from_the_dead() {
    let dir = tempfile::tempdir().unwrap();
    let (runtime, object) = claimed(dir.path()).await;
    let twin = claim(&runtime, &object).await;
    assert!(
        matches!(twin, Err(RuntimeError::BeingMade { .. })),
        "{twin:?}"
    );
    let given = port(&runtime, &object).await;

    owner_dies(&runtime, &object);
    assert_eq!(claim(&runtime, &object).await.unwrap(), Claim::Unfinished);
    let again = port(&runtime, &object).await;
    assert_eq!(again, given, "what is taken over keeps its ports");

    settle(&runtime, &object).await;
    let taken = claim(&runtime, &object).await;
    assert!(
        matches!(taken, Err(RuntimeError::Exists { .. })),
        "{taken:?}"
    );
    remove(&runtime, &object, &[]).await.unwrap();
    remove(&runtime, &object, &[]).await.unwrap();
    assert!(!runtime.data_dir.exists(), "nothing is left");
}

#[tokio::test]
async fn a_data_dir_of_another_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (runtime, object) = claimed(dir.path()).await;
    let path = runtime.record_path(&object);
    fs::write(&path, "{\"format\": 99, \"anything\": []}").unwrap();
    let refused = runtime.observe(&object, &[]).await.unwrap_err();
    assert!(refused.to_string().contains("format 99"), "{refused}");
    assert!(refused.remedy().unwrap().contains("data_dir"));
    fs::write(&path, "{").unwrap();
    let damaged = runtime.observe(&object, &[]).await;
    assert!(matches!(damaged, Err(RuntimeError::Damaged { .. })));
}

#[tokio::test]
async fn a_process_that_fails_is_named_with_its_last_lines() {
    let dir = tempfile::tempdir().unwrap();
    let (runtime, object) = claimed(dir.path()).await;
    start(
        &runtime,
        &object,
        "echo ready 7; sleep 0.3; echo it broke >&2; exit 3",
    );
    let found = |line: &str| line.strip_prefix("ready ").map(str::to_owned);
    assert_eq!(
        runtime
            .wait_log(&object, "superlink", &found)
            .await
            .unwrap(),
        "7"
    );
    let failure = runtime
        .watch_failure(
            &object,
            WaitPolicy {
                scheduling: None,
                starting: None,
                until: tokio::time::Instant::now(),
            },
        )
        .await;
    assert_eq!(failure.log, ["ready 7", "it broke"]);
    assert!(failure.how.contains('3'), "{}", failure.how);
    let observed = runtime.observe(&object, &[]).await.unwrap().unwrap();
    assert_eq!(observed.readiness, Readiness::Stopped);
}

#[tokio::test]
async fn what_was_changed_and_not_settled_is_an_apply_that_did_not_finish() {
    let dir = tempfile::tempdir().unwrap();
    let (runtime, object) = claimed(dir.path()).await;
    start(&runtime, &object, "exec sleep 300");
    let managed = managed(&object);
    let unfinished = async || {
        runtime
            .observe(&object, &[])
            .await
            .unwrap()
            .unwrap()
            .unfinished
    };
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().port();
    let layout = |fixed| {
        runtime.layout(LayoutRequest {
            object: &managed,
            ports: &[Port::Api],
            fixed,
            exposure: None,
            until: tokio::time::Instant::now(),
        })
    };
    layout(None).await.unwrap();
    assert!(!unfinished().await, "it is only being made");
    settle(&runtime, &object).await;
    assert!(!unfinished().await);
    // A refused change has changed nothing.
    layout(Some((Port::Api, taken))).await.unwrap_err();
    assert!(!unfinished().await);
    layout(None).await.unwrap();
    assert!(unfinished().await);
    settle(&runtime, &object).await;
    assert!(!unfinished().await);
    remove(&runtime, &object, &[]).await.unwrap();
}

#[tokio::test]
async fn what_is_ended_should_run_and_is_down_and_another_start_is_not_settled() {
    let dir = tempfile::tempdir().unwrap();
    let (runtime, object) = claimed(dir.path()).await;
    let settled =
        |runtime: &LocalRuntime| runtime.record(&object).unwrap().processes["superlink"].settled;
    let first = start(&runtime, &object, "exec sleep 60");
    assert!(!settled(&runtime));
    settle(&runtime, &object).await;
    assert!(settled(&runtime));

    runtime.end(&object).await.unwrap();
    assert!(!first.lives());
    let found = runtime.observe(&object, &[]).await.unwrap().unwrap();
    assert_eq!(found.readiness, Readiness::Stopped);

    start(&runtime, &object, "exec sleep 60");
    assert!(!settled(&runtime));
    remove(&runtime, &object, &[]).await.unwrap();
}

#[tokio::test]
async fn a_release_gets_the_ports_that_it_has_and_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = runtime(dir.path());
    let object = object("main");
    claim(&runtime, &object).await.unwrap();
    let managed = managed(&object);
    let ports = async |ports: &[Port]| {
        let layout = runtime.layout(LayoutRequest {
            object: &managed,
            ports,
            fixed: None,
            exposure: None,
            until: tokio::time::Instant::now(),
        });
        layout.await.unwrap().ports
    };
    let before = ports(&[Port::Api, Port::Fleet]).await;
    let after = ports(&[Port::Api]).await;
    assert_eq!(after, BTreeMap::from([(Port::Api, before[&Port::Api])]));
    assert_eq!(ports(&[Port::Api, Port::Fleet]).await, before);
}
