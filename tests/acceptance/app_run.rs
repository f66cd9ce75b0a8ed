//! `flower_app_run`, on a whole federation.

use std::process::Command;
use std::thread;

use crate::workspace::{Workspace, eventually, said};

fn federation(run: &str) -> String {
    let example = include_str!("../../examples/quickstart/main.tf");
    let start = example.find("provider \"flower\"").unwrap();
    let end = example.find("resource \"flower_app_run\"").unwrap();
    format!("{}{run}", &example[start..end])
}

fn run(rest: &str) -> String {
    federation(&format!(
        "resource \"flower_app_run\" \"r\" {{\n  control = flower_superlink.main.control\n  source = {{ path = \"${{path.module}}/app\" }}\n{rest}\n}}\n"
    ))
}

const WAIT: &str = "wait = { nodes = [for node in flower_supernode.site : node.node_id] }";

#[test]
fn a_run_is_followed_to_its_end_and_never_run_again_by_itself() {
    let it = Workspace::new(&run(&format!(
        "{WAIT}\nrun_config = {{ num-server-rounds = 1 }}"
    )));
    it.app();
    it.apply().succeeded();
    it.plan_is_empty();
    let first = it.state("flower_app_run.r");
    assert_eq!(
        (&first["status"], &first["sub_status"]),
        (&"finished".into(), &"completed".into())
    );
    assert!(
        first["log_tail"]
            .to_string()
            .contains("the sites agreed on")
    );

    // What an app does not declare, or declares otherwise, is an error of the plan.
    it.configure(&run("run_config = { num-server-rouns = 1, lr = \"fast\" }"));
    it.plan()
        .failed_with(&["num-server-rouns", "num-server-rounds", "lr"]);

    // A failed run is a failed apply with everything that is known of it.
    it.configure(&run(&format!(
        "{WAIT}\nrun_config = {{ fail-in = \"server\" }}"
    )));
    it.apply().failed_with(&[
        "ended as failed",
        "sub-status failed",
        "the ServerApp failed as asked",
        "hospital-a",
    ]);

    // Waiting for a node that never comes names those that are there.
    it.configure(&run(
        "wait = { min_nodes = 3 }\ntimeouts = { create = \"5s\" }",
    ));
    it.apply()
        .failed_with(&["The run was not submitted", "hospital-a", "hospital-b"]);

    // The end of the time is not the end of the run, and destroying stops it.
    it.configure(&run(&format!(
        "{WAIT}\nrun_config = {{ fail-in = \"never\" }}\ntimeouts = {{ create = \"4s\" }}"
    )));
    it.apply().succeeded().says(&["still goes on"]);
    it.plan_is_empty();
    it.destroy();
}

#[test]
fn a_killed_provider_submits_once() {
    let it = Workspace::new(&run(&format!(
        "{WAIT}\nrun_config = {{ fail-in = \"never\" }}"
    )));
    it.app();
    it.run(&[
        "apply",
        "-auto-approve",
        "-no-color",
        "-target=flower_supernode.site",
    ])
    .succeeded();
    let mut apply = it
        .command(&["apply", "-auto-approve", "-no-color"])
        .spawn()
        .unwrap();
    eventually("a submitted run", || {
        it.path(".flower/journal")
            .read_dir()
            .is_ok_and(|mut d| d.next().is_some())
    });
    thread::sleep(std::time::Duration::from_secs(3));
    for pid in children(apply.id()) {
        Command::new("kill")
            .args(["-9", &pid.to_string()])
            .output()
            .unwrap();
    }
    apply.wait().unwrap();
    it.configure(&run(&format!(
        "{WAIT}\nrun_config = {{ fail-in = \"never\" }}\ntimeouts = {{ create = \"3s\" }}"
    )));
    it.apply()
        .succeeded()
        .says(&["was taken over", "still goes on"]);
    it.plan_is_empty();
    it.destroy();
}

#[test]
fn an_interrupted_apply_keeps_the_run() {
    let it = Workspace::new(&run(&format!(
        "{WAIT}\nrun_config = {{ fail-in = \"never\" }}"
    )));
    it.app();
    it.run(&[
        "apply",
        "-auto-approve",
        "-no-color",
        "-target=flower_supernode.site",
    ])
    .succeeded();
    let mut command = it.command(&["apply", "-auto-approve", "-no-color"]);
    command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let apply = command.spawn().unwrap();
    eventually("a submitted run", || {
        it.path(".flower/journal")
            .read_dir()
            .is_ok_and(|mut d| d.next().is_some())
    });
    thread::sleep(std::time::Duration::from_secs(2));
    Command::new("kill")
        .args(["-INT", &apply.id().to_string()])
        .output()
        .unwrap();
    said(&apply.wait_with_output().unwrap()).says(&["still goes on"]);
    it.plan_is_empty();
    it.destroy();
}

#[test]
fn a_run_on_a_dead_superlink_says_so() {
    let it = Workspace::new(
        "provider \"flower\" {}\nresource \"flower_app_run\" \"r\" {\n  control = { url = \"http://127.0.0.1:9\" }\n  source = { path = \"app\" }\n}\n",
    );
    it.app();
    it.apply()
        .failed_with(&["The run was not submitted", "127.0.0.1:9"]);
    it.configure("provider \"flower\" {}\nresource \"flower_app_run\" \"r\" {\n  control = { url = \"http://127.0.0.1:9\" }\n  source = { path = \"no-app\" }\n}\n");
    it.plan().failed_with(&["no-app"]);
}

/// The plugin processes of a Terraform.
fn children(parent: u32) -> Vec<u32> {
    let text = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    let direct = Command::new("pgrep")
        .args(["-P", &parent.to_string()])
        .output();
    let listed = direct
        .map(|o| String::from_utf8_lossy(&o.stdout).into_owned())
        .unwrap_or_default();
    format!("{} {listed}", text.unwrap_or_default())
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}
