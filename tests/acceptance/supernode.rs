//! `flower_supernode`.

use std::fs;
use std::time::{Duration, Instant};

use crate::workspace::{Cut, Workspace, eventually};

const BASE: &str = r#"
provider "flower" {}
resource "flower_supernode_key" "a" {
  name = "site-a"
}
resource "flower_superlink" "main" {
  name       = "main"
  supernodes = { a = { public_key = flower_supernode_key.a.public_key } }
}
"#;

fn supernode(rest: &str) -> String {
    format!(
        "{BASE}resource \"flower_supernode\" \"a\" {{\n  name = \"site-a\"\n  superlink = flower_superlink.main.fleet\n{rest}\n}}\n"
    )
}

const KEY: &str = "key = flower_supernode_key.a.secret";

#[test]
fn a_supernode_joins_changes_heals_and_is_rotated() {
    let it = Workspace::new(&supernode(KEY));
    it.apply().succeeded();
    it.plan_is_empty();
    let first = it.state("flower_supernode.a");
    let registered = it.state("flower_superlink.main")["nodes"]["a"].clone();
    assert_eq!(first["node_id"], registered);

    let config =
        "node_config = { name = \"hospital a\", part = 0, ratio = 0.1, deep = { on = true } }";
    let changed = supernode(&format!("{KEY}\n{config}\nisolation = \"process\""));
    it.configure(&changed);
    it.apply().succeeded();
    it.plan_is_empty();
    assert_eq!(it.state("flower_supernode.a")["node_id"], registered);
    let lines = it.command_lines("flower-supernode").join(" ");
    assert!(
        lines.contains("--node-config") && !lines.contains("hospital"),
        "{lines}"
    );

    it.kill_processes();
    it.apply().succeeded();
    it.plan_is_empty();
    assert_eq!(it.state("flower_supernode.a")["node_id"], registered);

    // Processes that were started in a moved folder are restarted, and nothing is left.
    let home = "moved/to, \u{e4} 50%:#&/here";
    let moved = |main: &str| {
        let local = format!("provider \"flower\" {{\n  local = {{ data_dir = \"{home}\" }}\n}}");
        main.replace("provider \"flower\" {}", &local)
    };
    fs::create_dir_all(it.path(home).parent().unwrap()).unwrap();
    fs::rename(it.path(".flower"), it.path(home)).unwrap();
    it.configure(&moved(&changed));
    let plan = it.plan();
    assert_eq!(plan.code, Some(2), "{}", plan.text);
    plan.says(&["superlink was started in", "supernode was started in"]);
    it.apply().succeeded();
    it.plan_is_empty();
    assert_eq!(it.state("flower_supernode.a")["node_id"], registered);
    assert!(!it.path(".flower").exists());

    // Without its database the SuperLink would forget the node; nothing changes until the database
    // is back.
    let state = it.path(home).join("superlinks/main/state");
    fs::rename(&state, it.path("aside")).unwrap();
    it.plan().says(&[
        "state.db no longer exists",
        "The database of the SuperLink is lost",
    ]);
    it.apply()
        .failed_with(&["The database of the SuperLink is lost"]);
    fs::rename(it.path("aside"), &state).unwrap();
    it.plan_is_empty();

    // A new key is registered before the SuperNode starts with it.
    let rotated = supernode(KEY).replace(
        "name = \"site-a\"\n}",
        "name = \"site-a\"\n  rotation = \"2\"\n}",
    );
    it.configure(&moved(&rotated));
    it.plan()
        .says(&["The old key of \"a\" will be refused for good"]);
    it.apply().succeeded();
    it.plan_is_empty();
    assert_ne!(it.state("flower_supernode.a")["node_id"], registered);

    // An unregistered key is refused permanently, and the error says so at once.
    it.configure(&moved(&rotated.replace(
        "{ a = { public_key = flower_supernode_key.a.public_key } }",
        "{}",
    )));
    it.apply().succeeded();
    it.kill_program("flower-supernode");
    let begun = Instant::now();
    it.apply().failed_with(&[
        "did not join",
        "its key is revoked",
        "Change the `rotation`",
    ]);
    let took = begun.elapsed();
    assert!(took < Duration::from_mins(1), "{took:?}");
    it.destroy();
    assert!(!it.path(home).exists());
}

#[test]
fn a_supernode_that_logs_errors_alone_joins_too() {
    let quiet = |level: &str| supernode(&format!("{KEY}\nlog_level = {level:?}"));
    let it = Workspace::new(&quiet("ERROR"));
    it.apply().succeeded();
    it.plan_is_empty();
    assert_eq!(it.state("flower_supernode.a")["status"], "running");
    // The node ID is set as soon as the SuperNode logs it.
    it.configure(&quiet("INFO"));
    it.apply().succeeded();
    it.plan_is_empty();
    let registered = it.state("flower_superlink.main")["nodes"]["a"].clone();
    assert_eq!(it.state("flower_supernode.a")["node_id"], registered);
    it.configure(&quiet("WARNING"));
    it.apply().succeeded();
    it.plan_is_empty();
    assert_eq!(it.state("flower_supernode.a")["node_id"], registered);

    // A log that was rotated after the join no longer contains the line.
    let log = it.path(".flower/supernodes/site-a/logs/supernode.log");
    it.configure(&quiet("INFO"));
    it.apply().succeeded();
    fs::write(&log, "").unwrap();
    it.configure(&quiet("INFO").replace(KEY, &format!("{KEY}\ntimeouts = {{ update = \"3m\" }}")));
    it.apply().succeeded();
    it.plan_is_empty();
    assert_eq!(it.state("flower_supernode.a")["node_id"], registered);
    it.destroy();
}

#[test]
fn a_supernode_without_a_key_keeps_its_number_while_it_goes_on() {
    let open = |rest: &str| {
        supernode(rest).replace(
            "supernodes = { a = { public_key = flower_supernode_key.a.public_key } }",
            "",
        )
    };
    let it = Workspace::new(&open(""));
    it.apply().succeeded();
    it.plan_is_empty();
    let first = it.state("flower_supernode.a")["node_id"].clone();
    it.configure(&open("timeouts = { update = \"3m\" }"));
    it.apply().succeeded();
    it.plan_is_empty();
    assert_eq!(it.state("flower_supernode.a")["node_id"], first);
    it.configure(&open("env = { A = \"b\" }"));
    it.apply().succeeded();
    it.plan_is_empty();
    assert_ne!(it.state("flower_supernode.a")["node_id"], first);
    it.destroy();
}

#[test]
fn a_supernode_that_is_not_let_in_is_an_error_with_its_reason() {
    let stranger = "key = flower_supernode_key.b.secret\n}\nresource \"flower_supernode_key\" \"b\" {\n  name = \"site-b\"";
    let it = Workspace::new(&supernode(stranger));
    it.apply().failed_with(&[
        "SuperNode \"site-a\" did not join",
        "exit code",
        "Its last lines",
    ]);
    it.configure(&supernode(KEY));
    it.apply().succeeded();
    it.plan_is_empty();
    it.destroy();
}

#[test]
fn logs_that_were_asked_for_are_all_that_stays() {
    let kept = "local = { keep_logs = true }";
    let it = Workspace::new(
        &supernode(&format!("{KEY}\n{kept}"))
            .replace("supernodes = {", &format!("{kept}\n  supernodes = {{")),
    );
    it.apply().succeeded();
    it.plan_is_empty();
    it.run(&["destroy", "-auto-approve", "-no-color"])
        .succeeded();
    assert_eq!(it.processes(), Vec::<u32>::new(), "processes are left");
    let left = it.files(".flower");
    for log in [
        "superlinks/main/logs/superlink.log",
        "supernodes/site-a/logs/supernode.log",
    ] {
        assert!(left.iter().any(|file| file.ends_with(log)), "{left:?}");
    }
    let logs = |file: &std::path::PathBuf| file.parent().is_some_and(|one| one.ends_with("logs"));
    let is_kept = |file: &std::path::PathBuf| logs(file) || file.as_os_str() == ".gitignore";
    assert!(left.iter().all(is_kept), "{left:?}");
}

#[test]
fn a_provider_that_is_killed_at_any_moment_joins_once() {
    let it = Workspace::new(&supernode(KEY));
    it.run(&[
        "apply",
        "-auto-approve",
        "-no-color",
        "-target=flower_superlink.main",
    ])
    .succeeded();
    let registered = it.state("flower_superlink.main")["nodes"]["a"].clone();
    for moment in [600, 900, 1300, 1800, 2500, 3500] {
        it.cut(&["apply", "-auto-approve", "-no-color"], moment, Cut::Kill);
    }
    it.apply_after_a_kill().succeeded();
    it.plan_is_empty();
    let running = it.command_lines("flower-supernode");
    assert_eq!(running.len(), 1, "{running:?}");
    assert_eq!(it.state("flower_supernode.a")["node_id"], registered);
    it.destroy();
}

#[test]
fn what_cannot_work_is_refused_when_planned() {
    let it = Workspace::new(
        "provider \"flower\" {}\nresource \"flower_supernode\" \"a\" {\n  name = \"a\"\n  superlink = { address = \"127.0.0.1:1\", insecure = true }\n  key = { name = \"x\", key = \"y\" }\n  node_config = { list = [1] }\n}\n",
    );
    it.plan()
        .failed_with(&["A node key needs TLS", "node_config[\"list\"]"]);
}

/// A SuperNode that connects to `address`, with the CA of the SuperLink `of`.
fn dialling(address: &str, of: &str, rest: &str) -> String {
    supernode(&format!("{KEY}\n{rest}")).replace(
        "superlink = flower_superlink.main.fleet",
        &format!(
            "superlink = {{\n    address = {address}\n    ca_certificate = flower_superlink.{of}.fleet.ca_certificate\n    flower_version = flower_superlink.main.fleet.flower_version\n  }}"
        ),
    )
}

const NOWHERE: &str = "\"127.0.0.1:1\"";

#[test]
fn a_supernode_that_is_sent_elsewhere_must_be_let_in_there() {
    let it = Workspace::new(&supernode(KEY));
    it.apply().succeeded();
    let first = it.state("flower_supernode.a");

    // The apply waits longer than for a process that only keeps running.
    let limit = "timeouts = { update = \"45s\" }";
    it.configure(&dialling(NOWHERE, "main", limit));
    it.apply()
        .failed_with(&["SuperNode \"site-a\" did not join 127.0.0.1:1"]);
    // The process of an earlier apply must not count as joined either.
    it.apply()
        .failed_with(&["SuperNode \"site-a\" did not join 127.0.0.1:1"]);

    it.configure(&supernode(KEY));
    it.apply().succeeded();
    it.plan_is_empty();
    let back = it.state("flower_supernode.a");
    assert_eq!(back["node_id"], first["node_id"]);
    it.destroy();
}

#[test]
fn a_certificate_of_another_authority_is_an_error_at_once() {
    let other = "resource \"flower_superlink\" \"other\" {\n  name = \"other\"\n}\n";
    let address = "flower_superlink.main.fleet.address";
    let it = Workspace::new(&format!("{}{other}", dialling(address, "other", "")));
    let wrong = [
        "does not trust the SuperLink's certificate",
        "superlink.ca_certificate",
    ];
    it.apply().failed_with(&wrong);
    it.configure(&format!("{}{other}", dialling(address, "main", "")));
    it.apply().succeeded();
    it.configure(&format!("{}{other}", dialling(address, "other", "")));
    it.apply().failed_with(&wrong);
    it.configure(&format!("{}{other}", dialling(address, "main", "")));
    it.apply().succeeded();
    it.plan_is_empty();
    it.destroy();
}

#[test]
fn with_control_a_supernode_has_joined_when_the_superlink_says_so() {
    let asked = "log_level = \"ERROR\"\n  control = flower_superlink.main.control\n  timeouts = { create = \"40s\" }";
    let it = Workspace::new(&dialling(NOWHERE, "main", asked));
    it.apply()
        .failed_with(&["SuperNode \"site-a\" did not join 127.0.0.1:1"]);

    // Its node ID is known, although its log does not contain it.
    it.configure(&supernode(&format!("{KEY}\n{asked}")));
    it.apply().succeeded();
    it.plan_is_empty();
    let registered = it.state("flower_superlink.main")["nodes"]["a"].clone();
    assert_eq!(it.state("flower_supernode.a")["node_id"], registered);

    // A killed SuperNode is still listed as online.
    it.kill_processes();
    it.apply().succeeded();
    it.plan_is_empty();
    assert_eq!(it.state("flower_supernode.a")["node_id"], registered);
    it.destroy();
}

#[test]
fn a_superlink_that_is_made_anew_at_its_address_knows_it_by_another_number() {
    // The test chooses the port, so that the SuperNode need not change.
    let first = 12_000 + u16::try_from(std::process::id() % 4_000).unwrap();
    let is_free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let port = (first..20_000).find(is_free).unwrap();
    let fixed = |rest: &str| {
        let local = format!("name       = \"main\"\n  local = {{ port = {port} }}");
        supernode(rest).replace("name       = \"main\"", &local)
    };
    let asked = format!("{KEY}\n  log_level = \"ERROR\"");
    for rest in [KEY, &asked] {
        let it = Workspace::new(&fixed(rest));
        it.apply().succeeded();
        it.plan_is_empty();
        let number = || it.state("flower_supernode.a")["node_id"].clone();
        let before = number();
        it.run(&[
            "apply",
            "-auto-approve",
            "-no-color",
            "-replace=flower_superlink.main",
        ])
        .succeeded();
        it.plan_is_empty();
        let registered = it.state("flower_superlink.main")["nodes"]["a"].clone();
        // With only errors in the log, the node ID is unknown, and the earlier one must not be
        // used.
        let expected = if before.is_null() { before } else { registered };
        assert_eq!(number(), expected);
        it.destroy();
    }
}

/// Another SuperNode, whose key is registered with the first one's SuperLink.
fn beside(rest: &str, of_b: &str) -> String {
    let both = "a = { public_key = flower_supernode_key.a.public_key }, b = { public_key = flower_supernode_key.b.public_key }";
    let first = supernode(rest).replace(
        "a = { public_key = flower_supernode_key.a.public_key }",
        both,
    );
    format!(
        "{first}resource \"flower_supernode_key\" \"b\" {{\n  name = \"site-b\"\n}}\n\
         resource \"flower_supernode\" \"b\" {{\n  name = \"site-b\"\n  \
         superlink = flower_superlink.main.fleet\n  control = flower_superlink.main.control\n  \
         {of_b}\n}}\n"
    )
}

#[test]
fn one_that_is_made_anew_is_let_in_once_its_killed_forerunner_is_forgotten() {
    let key_b = "key = flower_supernode_key.b.secret";
    let unawaited = format!("{KEY}\n  wait = false");
    let it = Workspace::new(&beside(&unawaited, key_b));
    it.apply().succeeded();
    let registered = it.state("flower_superlink.main")["nodes"].clone();
    let log = it.path(".flower/supernodes/site-a/logs/supernode.log");
    eventually("the SuperNode's number", || {
        fs::read_to_string(&log).is_ok_and(|log| log.contains("SuperNode ID"))
    });
    it.kill_program("flower-supernode");
    // Different processes remove and create this one: the SuperLink's list tells.
    it.run(&[
        "destroy",
        "-auto-approve",
        "-no-color",
        "-target=flower_supernode.b",
    ])
    .succeeded();
    // The other one has no list and, as after an interrupted join, no node ID in the state; but the
    // same apply removes and creates it.
    it.configure(&beside(KEY, key_b));
    assert!(it.state("flower_supernode.a")["node_id"].is_null());
    it.run(&[
        "apply",
        "-auto-approve",
        "-no-color",
        "-refresh=false",
        "-replace=flower_supernode.a",
    ])
    .succeeded();
    it.plan_is_empty();
    for name in ["a", "b"] {
        let node_id = &it.state(&format!("flower_supernode.{name}"))["node_id"];
        assert_eq!(*node_id, registered[name], "{name}");
    }
    it.destroy();
}

#[test]
fn a_key_that_another_process_is_connected_with_is_an_error_that_says_so() {
    let late = format!("{KEY}\n  depends_on = [flower_supernode.a]");
    let it = Workspace::new(&beside(KEY, &late));
    it.apply().failed_with(&[
        "SuperNode \"site-b\" did not join",
        "another process is connected to the SuperLink with its key",
        "its own key",
    ]);
    it.configure(&beside(KEY, "key = flower_supernode_key.b.secret"));
    it.apply().succeeded();
    it.plan_is_empty();
    it.destroy();
}
