//! Submissions of a provider that is killed, on a SuperLink with scripted answers.

use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::*;
use crate::flower::control::Call;
use crate::flower::control::fake::{Fake, listed, lost, run, started};
use crate::flower::run_config::RunConfig;
use crate::resources::Configured;
use crate::resources::app_run::tests::model;
use crate::runtime::Journal as _;
use crate::runtime::local::LocalRuntime;

/// The runs that the SuperLink has: id, status, sub-status.
type Runs = Arc<Mutex<Vec<(u64, &'static str, &'static str)>>>;

fn start() -> StartRun {
    StartRun::new(Bytes::from_static(b"fab"), RunConfig::new(), "")
}

fn runtime(dir: &Path) -> LocalRuntime {
    LocalRuntime {
        data_dir: dir.join("data"),
        cache_dir: dir.join("cache"),
        python: "python3".to_owned(),
    }
}

/// A SuperLink with these runs of our app, all without a known submission time. It loses the
/// replies to submissions, or gives the next run this id.
fn superlink(runs: &Runs, next: Option<u64>) -> Fake {
    let runs = Arc::clone(runs);
    Fake::new(move |call, _, _| match (call, next) {
        (Call::StartRun, None) => Err(lost(call)),
        (Call::StartRun, Some(id)) => Ok(started(id)),
        _ => {
            let runs = runs.lock().unwrap().clone();
            Ok(listed(runs.into_iter().map(|(id, status, sub_status)| {
                let mut run = run(id, status, sub_status);
                let hash = start().fab_hash().map(str::to_owned);
                run.fab_hash = hash.unwrap();
                run
            })))
        }
    })
}

/// Makes the notes look as if another process had written them and had died.
fn owner_dies(runtime: &LocalRuntime) {
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let dead = child.id();
    child.wait().unwrap();
    let own = format!("\"pid\": {}", std::process::id());
    for note in notes(runtime) {
        let text = std::fs::read_to_string(&note).unwrap();
        std::fs::write(note, text.replace(&own, &format!("\"pid\": {dead}"))).unwrap();
    }
}

fn notes(runtime: &LocalRuntime) -> Vec<std::path::PathBuf> {
    let found = std::fs::read_dir(runtime.data_dir.join("journal"));
    let found = found.map(|found| found.map(|entry| entry.unwrap().path()).collect());
    found.unwrap_or_default()
}

#[tokio::test]
async fn what_several_runs_make_unclear_is_cleared_as_the_error_says() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = runtime(dir.path());
    let runs = Runs::default();
    *runs.lock().unwrap() = vec![(7, "running", ""), (9, "running", "")];
    // Each apply is its own process.
    let apply = async |next| {
        owner_dies(&runtime);
        let fake = superlink(&runs, next);
        let done = submit_once(&runtime, &fake.client(), &model(), start()).await;
        (done, fake.count(Call::StartRun))
    };
    for expected in [1, 0] {
        let (unclear, submitted) = apply(None).await;
        let unclear = unclear.unwrap_err();
        let message = unclear.iter().next().unwrap();
        assert!(message.detail.contains("7, 9"), "{message:?}");
        assert!(message.detail.contains("flwr stop"), "{message:?}");
        assert!(message.path.is_some(), "{message:?}");
        assert_eq!((submitted, notes(&runtime).len()), (expected, 1));
    }
    // One of the runs was stopped.
    *runs.lock().unwrap() = vec![(7, "finished", "stopped"), (9, "running", "")];
    let (taken, submitted) = apply(None).await;
    let taken = taken.unwrap();
    assert_eq!((taken.id, taken.taken_over, submitted), (RunId(9), true, 0));
    taken.forget(&runtime).await;
    assert!(!runtime.data_dir.exists());

    // All of the runs were stopped.
    *runs.lock().unwrap() = vec![(7, "running", ""), (9, "running", "")];
    apply(None).await.0.unwrap_err();
    *runs.lock().unwrap() = vec![(7, "finished", "stopped"), (9, "finished", "stopped")];
    let (new, submitted) = apply(Some(11)).await;
    let new = new.unwrap();
    assert_eq!((new.id, new.taken_over, submitted), (RunId(11), false, 1));
    assert_eq!(notes(&runtime).len(), 1);
    new.forget(&runtime).await;

    // One of the runs was imported.
    *runs.lock().unwrap() = vec![(7, "running", ""), (9, "running", "")];
    apply(None).await.0.unwrap_err();
    let provider = Configured::new(Arc::new(self::runtime(dir.path())));
    settle_import(provider.runtime.as_ref(), &model()).await;
    assert!(!runtime.data_dir.exists());
}

#[tokio::test]
async fn a_note_outlives_the_apply_until_a_state_has_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = runtime(dir.path());
    let runs = Runs::default();
    let fake = superlink(&runs, Some(7));
    let submitted = submit_once(&runtime, &fake.client(), &model(), start()).await;
    assert_eq!(submitted.unwrap().id, RunId(7));
    *runs.lock().unwrap() = vec![(7, "running", "")];

    // Terraform died: the next apply finds the run.
    owner_dies(&runtime);
    let fake = superlink(&runs, Some(8));
    let taken = submit_once(&runtime, &fake.client(), &model(), start()).await;
    let taken = taken.unwrap();
    assert_eq!((taken.id, taken.taken_over), (RunId(7), true));
    assert_eq!(fake.count(Call::StartRun), 0);

    // Terraform was only interrupted: the state has the run, and the next refresh drops the note.
    let provider = Configured::new(Arc::new(self::runtime(dir.path())));
    journal::settle_run(&provider, RunId(8)).await;
    assert_eq!(notes(&runtime).len(), 1);
    journal::settle_run(&provider, RunId(7)).await;
    assert!(!runtime.data_dir.exists());

    // Or no apply declares the run any more, and its SuperLink is destroyed.
    let fake = superlink(&runs, Some(12));
    let left = submit_once(&runtime, &fake.client(), &model(), start()).await;
    assert_eq!(left.unwrap().id, RunId(12));
    journal::settle_superlink(&runtime, "http://127.0.0.1:2").await;
    assert_eq!(notes(&runtime).len(), 1);
    journal::settle_superlink(&runtime, &model().control.url).await;
    assert!(!runtime.data_dir.exists());
}

/// A run of an app of Flower Hub, which the SuperLink may fetch for minutes.
#[tokio::test]
async fn a_submission_whose_app_may_still_be_fetched_is_not_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = runtime(dir.path());
    let mut model = model();
    model.source = crate::resources::app_run::source::Source {
        path: None,
        hub: Some("@a/b==1.2.3".parse().unwrap()),
        ..model.source
    };
    let start = || hub::start(model.source.hub.as_ref().unwrap(), &model).unwrap();
    let runs = Runs::default();
    let apply = async |next| {
        owner_dies(&runtime);
        let fake = superlink(&runs, next);
        let done = submit_once(&runtime, &fake.client(), &model, start()).await;
        (done, fake.count(Call::StartRun))
    };
    for (words, expected) in [("Apply again after", 1), ("Apply again in", 0)] {
        let (unclear, submitted) = apply(None).await;
        let unclear = unclear.unwrap_err();
        let message = unclear.iter().next().unwrap();
        assert!(message.detail.contains(words), "{message:?}");
        assert!(message.path.is_some(), "{message:?}");
        assert_eq!((submitted, notes(&runtime).len()), (expected, 1));
    }
    // Another app does not wait for this one.
    assert_ne!(note_prefix(&model), note_prefix(&self::model()));
    // Later there can be no such run any more.
    let [note] = notes(&runtime).try_into().unwrap();
    let text = std::fs::read_to_string(&note).unwrap();
    let mut written: serde_json::Value = serde_json::from_str(&text).unwrap();
    let since = written.pointer_mut("/note/since").unwrap();
    *since = (since.as_u64().unwrap() - FETCHING.as_secs()).into();
    std::fs::write(&note, written.to_string().replace("\"pid\":", "\"pid\": ")).unwrap();
    let (new, submitted) = apply(Some(11)).await;
    assert_eq!((new.unwrap().id, submitted), (RunId(11), 1));
}

#[test]
fn the_wait_for_a_fetched_app_has_an_end() {
    still_fetching(FETCHING).unwrap();
    still_fetching(Duration::ZERO).unwrap_err();
}

#[tokio::test]
async fn a_note_of_another_provider_keeps_the_run_from_being_submitted() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = runtime(dir.path());
    let key = format!("{}1", note_prefix(&model()));
    let strange = serde_json::json!({ "control": "", "since": 1, "outcome": "moved" });
    runtime.write_note(&key, &strange, "").await.unwrap();
    let fake = superlink(&Runs::default(), Some(7));
    let refused = submit_once(&runtime, &fake.client(), &model(), start()).await;
    let refused = refused.unwrap_err();
    let message = refused.iter().next().unwrap();
    assert!(message.detail.contains(&key), "{message:?}");
    assert_eq!(fake.count(Call::StartRun), 0);
}

#[test]
fn a_note_says_what_it_does_not_know() {
    let mut note = Note::new("http://h", SystemTime::UNIX_EPOCH);
    let written = serde_json::to_value(&note).unwrap();
    assert_eq!(
        written,
        serde_json::json!({ "control": "http://h", "since": 0, "outcome": "not_known_yet" })
    );
    note.outcome = Outcome::Run(RunId(u64::MAX));
    let written = serde_json::to_value(&note).unwrap();
    assert_eq!(written["outcome"]["run"], "18446744073709551615");
    assert_eq!(Note::read("run-1", &written).unwrap(), note);
}
