//! Upgrades one SuperLink through several releases, and checks that it keeps its data.

use std::time::Instant;

use serde_json::{Value as Json, json};

use super::{federation, listed, note, superlink, with};
use crate::workspace::Workspace;

/// From gRPC to HTTP.
const UPGRADE: &str = "1.29.0,1.42.0";

#[test]
fn nothing_runs_again_because_its_superlink_was_changed() {
    let run = with("timeouts = { create = \"180s\" }");
    let it = Workspace::new(&federation("1.41.0", &run));
    it.app_of_every_era();
    it.apply().succeeded();
    let first = it.state("flower_app_run.r");
    assert_eq!(first["sub_status"], "completed");
    let is_the_same = || {
        it.apply().succeeded();
        it.plan_is_empty();
        assert_eq!(it.state("flower_app_run.r")["run_id"], first["run_id"]);
    };

    let upgraded = federation("1.42.0", &run);
    it.configure(&upgraded);
    is_the_same();

    // The port is free again when its listener is dropped.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .unwrap()
        .port();
    let moved = format!("name           = \"main\"\n  local          = {{ port = {port} }}");
    it.configure(&upgraded.replace("name           = \"main\"", &moved));
    is_the_same();
    let url = it.state("flower_superlink.main")["control"]["url"].clone();
    assert_eq!(url, format!("https://127.0.0.1:{port}"));

    std::fs::remove_file(it.path(".flower/vault/superlink-main-ca.json")).unwrap();
    is_the_same();
    let authority = |address: &str| it.state(address)["control"]["ca_certificate"].clone();
    assert_ne!(
        authority("flower_app_run.r"),
        first["control"]["ca_certificate"]
    );
    assert_eq!(
        authority("flower_app_run.r"),
        authority("flower_superlink.main")
    );
    it.destroy();
}

#[test]
fn an_upgrade_keeps_what_flower_can_migrate() {
    let releases = std::env::var("FLOWER_TEST_UPGRADES").unwrap_or_else(|_| UPGRADE.to_owned());
    let releases: Vec<_> = releases.split(',').collect();
    let config = |release| federation(release, &with(""));
    let it = Workspace::new(&config(releases[0]));
    it.app_of_every_era();
    it.apply().succeeded();
    it.plan_is_empty();
    for pair in releases.windows(2) {
        let begun = Instant::now();
        let (before, (run, _)) = (it.state("flower_superlink.main"), listed(&it));
        it.configure(&config(pair[1]));
        let tried = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            it.apply().succeeded();
            it.plan_is_empty();
            let after = it.state("flower_superlink.main");
            assert_eq!(after["nodes"], before["nodes"]);
            let authority = |state: &Json| state["control"]["ca_certificate"].clone();
            assert_eq!(authority(&after), authority(&before));
            assert_eq!(listed(&it), (run, "finished:completed".to_owned()));
        }));
        note(&json!({
            "from": pair[0],
            "to": pair[1],
            "ok": tried.is_ok(),
            "seconds": begun.elapsed().as_secs(),
        }));
        assert!(tried.is_ok(), "{pair:?}");
    }
    // The SuperNodes were upgraded, too: they train.
    let (before, _) = listed(&it);
    it.run(&[
        "apply",
        "-replace=flower_app_run.r",
        "-auto-approve",
        "-no-color",
    ])
    .succeeded();
    let (after, said) = listed(&it);
    assert_ne!(after, before);
    assert_eq!(said, "finished:completed");
    // A downgrade is refused.
    it.configure(&config("1.41.0"));
    it.plan().failed_with(&[
        "Flower 1.41.0 cannot use the database of Flower 1.42.0",
        "allow_state_loss",
    ]);
    it.configure(&config("1.42.0"));
    it.destroy();
}

#[test]
fn a_database_that_no_release_migrates_is_lost_only_when_told_to() {
    let it = Workspace::new(&superlink("1.22.0", ""));
    it.apply().succeeded();
    it.plan_is_empty();
    it.configure(&superlink("1.42.0", ""));
    it.plan().failed_with(&[
        "Flower 1.42.0 cannot use the database of Flower 1.22.0",
        "allow_state_loss",
    ]);
    it.configure(&superlink("1.42.0", "  allow_state_loss = true"));
    it.apply()
        .succeeded()
        .says(&["1 added, 0 changed, 1 destroyed"]);
    it.plan_is_empty();

    // The plan refuses what a release does not support.
    it.configure(&superlink("1.13.1", "  allow_state_loss = true"));
    it.plan()
        .failed_with(&["Flower 1.13.1 cannot check node keys and keep its database"]);
    it.configure(&superlink("1.42.0", "  allow_state_loss = true"));
    it.destroy();
}

#[test]
fn a_supernode_of_another_era_cannot_join_nor_be_left_behind_by_an_upgrade() {
    let pinned = |superlink: &str, release: &str| {
        format!(
            "{superlink}resource \"flower_supernode\" \"a\" {{\n  name = \"a\"\n  superlink = flower_superlink.main.fleet\n  key = flower_supernode_key.a.secret\n  flower_version = \"{release}\"\n}}\n",
        )
    };
    let refused = "A SuperNode of Flower 1.29.0 cannot join a SuperLink of Flower 1.42.0";
    let it = Workspace::new(&pinned(&superlink("1.42.0", ""), "1.29.0"));
    it.plan().failed_with(&[refused]);
    it.configure(&pinned(&superlink("1.29.0", ""), "1.29.0"));
    it.apply().succeeded();
    it.configure(&pinned(&superlink("1.42.0", ""), "1.29.0"));
    it.plan().failed_with(&[refused]);
    it.configure(&superlink("1.29.0", ""));
    it.destroy();
}
