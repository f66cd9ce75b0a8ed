//! `flower_app_run`, with a whole federation.

use std::fs;
use std::net::TcpListener;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use crate::workspace::processes::interrupt;
use crate::workspace::{Workspace, eventually, kill, kill_children, said};

fn federation(run: &str) -> String {
    let example = include_str!("../../examples/quickstart/main.tf");
    let start = example.find("provider \"flower\"").unwrap();
    let end = example.find("resource \"flower_app_run\"").unwrap();
    format!("{}{run}", &example[start..end])
}

/// A federation with two sites and a run.
pub fn run(rest: &str) -> String {
    federation(&format!(
        "resource \"flower_app_run\" \"r\" {{\n  control = flower_superlink.main.control\n  source = {{ path = \"${{path.module}}/app\" }}\n{rest}\n}}\n"
    ))
}

/// Waits for both SuperNodes.
pub const WAIT: &str = "wait = { nodes = [for node in flower_supernode.site : node.node_id] }";

#[test]
fn a_run_is_followed_to_its_end_and_never_run_again_by_itself() {
    // Links and other names in the path of the app must not matter.
    let it = Workspace::in_folder_like(
        "Jo's \u{e4},50%:#&",
        &run(&format!("{WAIT}\nrun_config = {{ num-server-rounds = 1 }}")),
    );
    it.app();
    it.apply().succeeded();
    it.plan_is_empty();
    let first = it.state("flower_app_run.r");
    assert_eq!(
        (&first["status"], &first["sub_status"]),
        (&"finished".into(), &"completed".into())
    );
    // The plan of a replacement does not print the log, which is not in the state.
    assert!(
        !first.to_string().contains("the sites agreed on"),
        "{first}"
    );

    // The same values in another notation are the same run.
    for same in [
        "tomap({ num-server-rounds = 1 })",
        "{ num-server-rounds = \"1\" }",
    ] {
        it.configure(&run(&format!("{WAIT}\nrun_config = {same}")));
        it.plan_is_empty();
    }
    assert_eq!(it.state("flower_app_run.r")["run_id"], first["run_id"]);

    // Removing all values is another run, even if the null has a type.
    it.configure(&run(&format!(
        "{WAIT}\nrun_config = false ? {{ num-server-rounds = 1 }} : null"
    )));
    it.apply().succeeded();
    it.plan_is_empty();
    assert_ne!(it.state("flower_app_run.r")["run_id"], first["run_id"]);

    // A key that the app does not declare, or declares with another type, is an error of the plan.
    it.configure(&run("run_config = { num-server-rouns = 1, lr = \"fast\" }"));
    it.plan()
        .failed_with(&["num-server-rouns", "num-server-rounds", "lr"]);

    // A failed run is a failed apply; the error contains all that is known about the run.
    it.configure(&run(&format!(
        "{WAIT}\nrun_config = {{ fail-in = \"server\" }}"
    )));
    it.apply().failed_with(&[
        "ended as failed",
        "sub-status failed",
        "the ServerApp failed as asked",
        "hospital-a",
    ]);

    // If an awaited node never joins, the error lists the nodes that have joined.
    it.configure(&run(
        "wait = { min_nodes = 3 }\ntimeouts = { create = \"5s\" }",
    ));
    it.apply()
        .failed_with(&["The run was not submitted", "hospital-a", "hospital-b"]);

    // A timeout does not end the run; a destroy stops it.
    it.configure(&run(&format!(
        "{WAIT}\nrun_config = {{ fail-in = \"never\" }}\ntimeouts = {{ create = \"4s\" }}"
    )));
    it.apply().succeeded().says(&["is still in progress"]);
    it.plan_is_empty();
    it.destroy();
}

/// A running federation, and an apply that waits for runs which never end.
fn following(count: usize) -> (Workspace, Child) {
    let it = Workspace::new(&run(&format!(
        "{WAIT}\ncount = {count}\nrun_config = {{ fail-in = \"never\" }}"
    )));
    it.app();
    it.run(&[
        "apply",
        "-auto-approve",
        "-no-color",
        "-target=flower_supernode.site",
    ])
    .succeeded();
    let apply = it.begin(&["apply", "-auto-approve", "-no-color"]);
    eventually("submitted runs", || {
        it.path(".flower/journal")
            .read_dir()
            .is_ok_and(|found| found.count() == count)
    });
    thread::sleep(Duration::from_secs(3));
    (it, apply)
}

/// The next apply adopts the runs of an apply that was ended in this way; there are no other runs.
fn submitted_once(count: usize, end: impl FnOnce(Child)) -> Workspace {
    let (it, apply) = following(count);
    end(apply);
    it.configure(&run(&format!(
        "{WAIT}\ncount = {count}\nrun_config = {{ fail-in = \"never\" }}\ntimeouts = {{ create = \"3s\" }}"
    )));
    it.apply()
        .succeeded()
        .says(&["was taken over", "is still in progress"]);
    it.plan_is_empty();
    let log =
        fs::read_to_string(it.path(".flower/superlinks/quickstart/logs/superlink.log")).unwrap();
    let created = log.matches("Created run ").count();
    assert_eq!(created, count, "{log}");
    assert!(!it.path(".flower/journal").exists(), "a note is left");
    it
}

#[test]
fn a_killed_provider_submits_once() {
    // Two runs with equal configurations: each is found again, and there is no third one.
    let it = submitted_once(2, |apply| {
        kill_children(apply.id());
        apply.wait_with_output().unwrap();
    });
    let ids = [0, 1].map(|index| it.state(&format!("flower_app_run.r[{index}]"))["run_id"].clone());
    assert_ne!(ids[0], ids[1]);
    it.destroy();
}

#[test]
fn a_killed_terraform_submits_once() {
    // The provider ends after the run was submitted, without a response to Terraform.
    submitted_once(1, kill).destroy();
}

#[test]
fn an_interrupted_apply_keeps_the_run() {
    let (it, apply) = following(1);
    interrupt(&apply);
    said(&apply.wait_with_output().unwrap()).says(&["is still in progress"]);
    it.plan_is_empty();
    assert!(!it.path(".flower/journal").exists(), "a note is left");
    it.destroy();
}

/// A run without a wait, on a SuperLink that loses all data when it ends.
fn forgetful(rest: &str) -> String {
    format!(
        r#"
provider "flower" {{}}
resource "flower_superlink" "main" {{
  name        = "main"
  insecure    = true
  persistence = {{ enabled = false }}
}}
resource "flower_app_run" "r" {{
  control    = flower_superlink.main.control
  source     = {{ path = "${{path.module}}/app" }}
  run_config = {{ fail-in = "never" }}
  wait       = {{ until = "submitted" }}
{rest}
}}
data "flower_runs" "all" {{
  control    = flower_superlink.main.control
  depends_on = [flower_app_run.r]
}}
output "runs" {{
  value = {{ for run in data.flower_runs.all.runs : run.run_id => run.sub_status }}
}}
"#
    )
}

#[test]
fn a_run_is_made_anew_only_when_that_was_written_down() {
    let it = Workspace::new(&forgetful(""));
    it.app();
    it.apply().succeeded();
    it.plan_is_empty();
    let id = || it.state("flower_app_run.r")["run_id"].clone();
    let first = id();

    // A trigger starts a new run and stops the old one; removing the trigger does nothing.
    it.configure(&forgetful("triggers = { data = \"v2\" }"));
    it.plan().says(&["forces replacement"]);
    it.apply().succeeded();
    it.plan_is_empty();
    let second = id();
    assert_ne!(second, first);
    assert_eq!(it.output("runs")[first.as_str().unwrap()], "stopped");
    it.configure(&forgetful(""));
    it.apply().succeeded();
    it.plan_is_empty();
    assert_eq!(id(), second);

    // A SuperLink that lost its runs: the status of the run becomes `lost` and stays so.
    it.kill_processes();
    it.apply().succeeded();
    it.apply().succeeded().says(&["is lost"]);
    it.plan_is_empty();
    assert_eq!(it.state("flower_app_run.r")["status"], "lost");
    assert_eq!(id(), second);

    // With `on_missing = "recreate"`, the run is submitted again.
    it.configure(&forgetful("on_missing = \"recreate\""));
    it.apply().succeeded();
    it.apply().succeeded();
    it.plan_is_empty();
    let third = id();
    assert_ne!(third, second);

    // With `stop_on_destroy = false`, a destroy does not stop the run.
    it.configure(&forgetful(
        "on_missing = \"recreate\"\nstop_on_destroy = false",
    ));
    it.apply().succeeded();
    it.run(&[
        "destroy",
        "-auto-approve",
        "-no-color",
        "-target=flower_app_run.r",
    ])
    .succeeded();
    it.configure(&forgetful("count = 0"));
    it.apply().succeeded();
    assert_eq!(it.output("runs")[third.as_str().unwrap()], "");
    it.destroy();
}

#[test]
fn a_run_can_be_left_alone_once_it_runs() {
    let running = forgetful("").replace("\"submitted\"", "\"running\"");
    let it = Workspace::new(&running);
    it.app();
    it.apply().succeeded();
    let run = it.state("flower_app_run.r");
    assert_eq!(run["status"], "running");
    it.plan_is_empty();

    // The plan warns about a change that would end the run, and can refuse it; a refused change has
    // no effect.
    let changed = |rest: &str| {
        let settings = "insecure    = true\n";
        running.replacen(settings, &format!("{settings}  {rest}\n"), 1)
    };
    it.configure(&changed("log_level = \"DEBUG\""));
    it.plan().says(&[
        "The SuperLink restarts and ends 1 run",
        "It restarts because of a change of `log_level`",
    ]);
    let id = run["run_id"].as_str().unwrap();
    for (refused, words) in [
        (
            "log_level = \"DEBUG\"\n  on_active_runs = \"fail\"",
            [id, "Nothing was changed"],
        ),
        (
            "requirements = [\"no-such-package-of-ours==1\"]",
            ["Python environment", "no-such-package-of-ours"],
        ),
    ] {
        it.configure(&changed(refused));
        it.apply().failed_with(&words);
        it.configure(&running);
        it.plan_is_empty();
    }
    assert_eq!(it.state("flower_app_run.r")["status"], "running");
    it.destroy();
}

#[test]
fn what_does_not_ship_with_an_app_does_not_change_it() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::SystemTime;

    let it = Workspace::new(&forgetful(""));
    it.app();
    it.file("app/quickstart/data.csv", "1\n");
    it.apply().succeeded();
    it.plan_is_empty();

    let client = it.path("app/quickstart/client_app.py");
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let file = fs::File::options().write(true).open(&client).unwrap();
    file.set_modified(long_ago).unwrap();
    it.plan_is_empty();
    fs::set_permissions(&client, fs::Permissions::from_mode(0o755)).unwrap();
    it.plan_is_empty();
    it.file("app/quickstart/data.csv", "2\n");
    it.file("app/quickstart/__pycache__/client_app.cpython-311.pyc", "x");
    it.file("app/.venv/lib/x.py", "x = 1\n");
    it.file("app/test_it.py", "assert True\n");
    it.plan_is_empty();

    let text = fs::read_to_string(&client).unwrap();
    it.file("app/quickstart/client_app.py", &format!("{text}\n"));
    let plan = it.run(&["plan", "-out=later", "-detailed-exitcode", "-no-color"]);
    assert_eq!(plan.code, Some(2), "a change of what ships was not seen");

    // A saved plan applies only to the app as it was at the time of the plan.
    let run = it.state("flower_app_run.r")["run_id"].clone();
    it.file("app/quickstart/client_app.py", &format!("{text}\n\n"));
    it.run(&["apply", "-no-color", "later"]).failed_with(&[
        "The app changed after it was planned",
        "Edited: quickstart/client_app.py",
        "Plan again",
    ]);
    assert_eq!(it.state("flower_app_run.r")["run_id"], run);

    // Neither a plan nor a destroy of an existing run needs its app.
    fs::remove_dir_all(it.path("app")).unwrap();
    it.plan_is_empty();
    it.destroy();
}

#[test]
fn whatever_raises_in_an_app_is_told() {
    let failing = |rest: &str| run(&format!("{WAIT}\n{rest}"));
    let it = Workspace::new(&failing("run_config = { fail-in = \"client\" }"));
    it.app();
    it.apply().failed_with(&[
        "ended as failed",
        "SuperNodes failed:",
        "(hospital-a), round 1 (train): <class 'RuntimeError'>:<'the ClientApp failed as asked'>",
        "not enough values to unpack",
        "in the log of its SuperNode",
        "hospital-a",
    ]);

    it.configure(&failing(
        "run_config = { fail-in = \"server\" }\non_failure = \"record\"",
    ));
    it.apply().succeeded();
    it.plan_is_empty();
    assert_eq!(it.state("flower_app_run.r")["sub_status"], "failed");

    it.file(
        "app/quickstart/server_app.py",
        "raise ImportError('the ServerApp cannot be imported')\napp = None\n",
    );
    it.configure(&failing(""));
    it.apply()
        .failed_with(&["ended as failed", "the ServerApp cannot be imported"]);

    // Another CA than that of the SuperLink is not trusted; the error says so.
    let stranger = "resource \"flower_superlink\" \"other\" {\n  name = \"other\"\n}\n";
    let wrong = failing("").replace(
        "control = flower_superlink.main.control",
        "control = { url = flower_superlink.main.control.url, ca_certificate = flower_superlink.other.control.ca_certificate }",
    );
    it.configure(&format!("{wrong}{stranger}"));
    it.apply().failed_with(&[
        "The run was not submitted",
        "not signed by a trusted CA certificate",
    ]);
    it.configure(&failing(""));
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

#[test]
fn a_run_belongs_to_its_superlink_wherever_that_is() {
    let free = || TcpListener::bind("127.0.0.1:0").unwrap();
    let held = [free(), free(), free()];
    let [one, two, three] = held
        .each_ref()
        .map(|held| held.local_addr().unwrap().port());
    drop(held);
    let superlink = |name: &str, port: u16, rest: &str| {
        format!(
            "resource \"flower_superlink\" {name:?} {{\n  name = {name:?}\n  \
             local = {{ port = {port} }}\n{rest}}}\n"
        )
    };
    let config = |a: u16, b: u16, of: &str| {
        format!(
            "provider \"flower\" {{}}\n{}{}resource \"flower_app_run\" \"r\" {{\n  \
             control = flower_superlink.{of}.control\n  source = {{ path = \"app\" }}\n  \
             wait = {{ until = \"submitted\" }}\n}}\n",
            superlink("a", a, ""),
            // It takes the port of the other SuperLink, which must have released it.
            superlink("b", b, "  depends_on = [flower_superlink.a]\n"),
        )
    };
    let it = Workspace::new(&config(one, two, "a"));
    it.app();
    it.apply().succeeded();
    it.plan_is_empty();
    let run = it.state("flower_app_run.r");
    let id = it.state("flower_superlink.a")["superlink_id"].clone();
    assert_eq!(run["superlink"], id);
    assert_ne!(it.state("flower_superlink.b")["superlink_id"], id);

    // The other SuperLink now has this address.
    it.configure(&config(three, one, "a"));
    it.apply().succeeded();
    it.plan_is_empty();
    assert_eq!(it.state("flower_app_run.r")["run_id"], run["run_id"]);
    assert_eq!(it.state("flower_superlink.a")["superlink_id"], id);

    it.configure(&config(three, one, "b"));
    it.plan().says(&["must be replaced", "superlink_id"]);
    it.configure(&config(three, one, "a"));
    it.plan_is_empty();

    // The run is found by the ID of its SuperLink.
    it.run(&["state", "rm", "flower_app_run.r"]).succeeded();
    let import = format!(
        "{}#{}",
        id.as_str().unwrap(),
        run["run_id"].as_str().unwrap()
    );
    it.run(&["import", "flower_app_run.r", &import]).succeeded();
    let again = it.state("flower_app_run.r");
    for same in ["superlink", "run_id", "fab_hash"] {
        assert_eq!(again[same], run[same], "{same}");
    }
    it.destroy();
}

#[test]
fn a_run_that_says_something_all_the_time_outlasts_its_time_like_any_other() {
    let config = "provider \"flower\" {}\nresource \"flower_superlink\" \"main\" {\n  name = \"main\"\n  insecure = true\n}\nresource \"flower_app_run\" \"r\" {\n  control = flower_superlink.main.control\n  source = { path = \"app\" }\n  timeouts = { create = \"40s\" }\n}\n";
    let it = Workspace::new(config);
    it.app();
    it.file(
        "app/quickstart/server_app.py",
        "import time\nfrom flwr.serverapp import ServerApp\n\napp = ServerApp()\n\n\n@app.main()\ndef main(grid, context):\n    for count in range(600):\n        print(f\"still here {count}\", flush=True)\n        time.sleep(0.5)\n",
    );
    let begun = Instant::now();
    it.apply()
        .succeeded()
        .says(&["is still in progress", "still here"]);
    // The timeout includes the start of the SuperLink.
    assert!(
        begun.elapsed() < Duration::from_secs(150),
        "{:?}",
        begun.elapsed()
    );
    it.plan_is_empty();
    // The run is in no state, and ends with its SuperLink.
    it.run(&["state", "rm", "flower_app_run.r"]).succeeded();
    it.run(&["destroy", "-auto-approve", "-no-color"])
        .succeeded()
        .says(&["1 run ends with SuperLink \"main\""]);
}
