//! Runs without faults: start, list, log and stop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use terraform_provider_flower::flower::control::{
    ControlError, RunStatus, SharedReads, StartRun, SubStatus,
};
use terraform_provider_flower::flower::exit_meaning::FlowerExit;
use terraform_provider_flower::flower::launch::Isolation;

use super::rig::{SuperLink, app, finished, quick, wait, whole_log};

#[tokio::test]
async fn a_run_is_started_read_and_its_log_is_complete() {
    let superlink = SuperLink::plain(Isolation::Subprocess);
    let client = superlink.healthy().await;
    let start = quick();
    let id = client.start_run(&start).await.unwrap();
    let mut logs = client.stream_logs(id, 0.0).await.unwrap();
    let text = whole_log(&mut logs).await;
    let run = finished(&client, id).await;
    assert_eq!(run.sub_status, SubStatus::Completed, "{run:?}");
    assert_eq!(Some(run.fab_hash.as_str()), start.fab_hash());
    assert_eq!(run.override_config, start.overrides);
    assert_eq!(run.federation, "@none/default");
    assert_eq!(
        (run.app_id.as_str(), run.app_version.as_str()),
        ("acme/probe", "1.0.0")
    );
    for time in [
        &run.pending_at,
        &run.starting_at,
        &run.running_at,
        &run.finished_at,
    ] {
        assert!(time.as_ref().unwrap().moment().is_some(), "{run:?}");
    }
    for line in [
        "config lr 2.0",
        "config name 'zwei Wörter'",
        "config on True",
        "config rounds -3",
        "done",
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
    assert!(!text.contains('\u{1b}'));
    // No text is repeated when the stream continues from its end.
    let mut rest = client.stream_logs(id, logs.resume_from()).await.unwrap();
    assert!(rest.next().await.is_none());
    let tail = client.log_tail(id, 3).await.unwrap();
    assert_eq!(tail.len(), 3);
    assert!(text.contains(&tail[2]));
}

#[tokio::test]
async fn an_open_source_superlink_has_one_federation_in_which_runs_start() {
    let superlink = SuperLink::plain(Isolation::Process);
    let client = superlink.healthy().await;
    let found = client.list_federations().await.unwrap();
    let [federation] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(federation.id, "@none/default");
    assert!(!federation.description.is_empty());
    assert!(!federation.is_archived);
    let mut start = quick();
    start.federation.clone_from(&federation.id);
    let id = client.start_run(&start).await.unwrap();
    assert_eq!(client.run(id).await.unwrap().federation, federation.id);
}

#[tokio::test]
async fn process_isolation_runs_apps_in_the_superexec_we_start() {
    let superlink = SuperLink::plain(Isolation::Process);
    let client = superlink.healthy().await;
    let id = client.start_run(&quick()).await.unwrap();
    assert_eq!(finished(&client, id).await.sub_status, SubStatus::Completed);
    assert!(
        superlink.processes[1]
            .log()
            .contains("Starting Flower SuperExec")
    );
}

#[tokio::test]
async fn a_failed_run_says_why() {
    let superlink = SuperLink::plain(Isolation::Subprocess);
    let client = superlink.healthy().await;
    let start = StartRun::new(app("raise ValueError('boom')"), BTreeMap::new(), "");
    let id = client.start_run(&start).await.unwrap();
    let run = finished(&client, id).await;
    assert_eq!(run.sub_status, SubStatus::Failed);
    assert!(run.details.contains("boom"), "{run:?}");
    let tail = client.log_tail(id, 50).await.unwrap().join("\n");
    assert!(tail.contains("ValueError: boom"), "{tail}");
    assert_eq!(
        FlowerExit::in_log(&tail).map(|exit| exit.code),
        Some(201),
        "{tail}"
    );
}

#[tokio::test]
async fn a_running_run_is_stopped_once_and_its_log_is_read_meanwhile() {
    let superlink = SuperLink::plain(Isolation::Subprocess);
    let client = superlink.healthy().await;
    let start = StartRun::new(app("time.sleep(600)"), BTreeMap::new(), "@none/default");
    let id = client.start_run(&start).await.unwrap();
    wait("the run to run", async || {
        (client.run(id).await.unwrap().status == RunStatus::Running).then_some(())
    })
    .await;
    let tail = wait("its first lines", async || {
        let began = Instant::now();
        let tail = client.log_tail(id, 100).await.unwrap().join("\n");
        assert!(
            began.elapsed() < Duration::from_secs(4),
            "a tail must not wait for more"
        );
        tail.contains("config rounds 1").then_some(tail)
    })
    .await;
    assert!(tail.contains("config name 'none'"), "{tail}");
    client.stop_run(id).await.unwrap();
    assert_eq!(finished(&client, id).await.sub_status, SubStatus::Stopped);
    let again = client.stop_run(id).await.unwrap_err();
    assert!(
        matches!(again, ControlError::AlreadyFinished(_)),
        "{again:?}"
    );
}

#[tokio::test]
async fn listings_are_whole_and_shared() {
    let superlink = SuperLink::plain(Isolation::Process);
    let client = superlink.healthy().await;
    let start = StartRun::new(app("time.sleep(600)"), BTreeMap::new(), "");
    let mut ids = BTreeSet::new();
    for _ in 0..45 {
        ids.insert(client.start_run(&start).await.unwrap());
    }
    let listing = client.list_runs().await.unwrap();
    assert!(listing.complete);
    assert_eq!(listing.runs.keys().copied().collect::<BTreeSet<_>>(), ids);
    assert_eq!(client.newest_runs(20).await.unwrap().runs.len(), 20);

    let calls = || {
        superlink.processes[0]
            .log()
            .matches("ControlServicer.ListRuns")
            .count()
    };
    let before = calls();
    let shared = Arc::new(SharedReads::new(client.clone()));
    let reads: Vec<_> = (0..25)
        .flat_map(|_| ids.iter().copied())
        .map(|id| {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move { shared.run(id, Duration::from_secs(10)).await })
        })
        .collect();
    assert!(reads.len() > 1000);
    for read in reads {
        read.await.unwrap().unwrap();
    }
    assert_eq!(calls() - before, 1);
}
