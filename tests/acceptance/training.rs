//! Whether a run trained, and what it learned: three sites, some of which fail.

use serde_json::json;

use crate::app_run::{WAIT, run};
use crate::workspace::Workspace;

/// Three sites and a run of the app that fails.
fn federation(rest: &str) -> String {
    run(&format!("{WAIT}\n{rest}")).replace(
        "    hospital-b = { partition = 1 }",
        "    hospital-b = { partition = 1 }\n    hospital-c = { partition = 2 }",
    )
}

fn configured(fail_in: &str, rounds: u32, rest: &str) -> String {
    federation(&format!(
        "run_config = {{ fail-in = \"{fail_in}\", num-server-rounds = {rounds} }}\n{rest}"
    ))
}

/// Metrics that a configuration checks, as in the guide.
const CHECKED: &str = "lifecycle {\n    postcondition {\n      condition     = self.metrics.server[\"accuracy\"] >= 0.95\n      error_message = \"accuracy ${self.metrics.server[\"accuracy\"]} is below 0.95\"\n    }\n  }";

#[test]
fn a_run_tells_which_sites_failed_and_what_it_learned() {
    // Flower reports such a run as completed.
    let it = Workspace::new(&configured("clients", 1, ""));
    it.app_that_fails();
    it.apply().failed_with(&[
        "No round of the run",
        "nothing was trained",
        "(hospital-a), round 1 (train): <class 'RuntimeError'>:<'hospital-a has <no> data'>",
        "(hospital-b), round 1 (train)",
        "(hospital-c), round 1 (train)",
        "logs/supernode.log",
    ]);
    let run = it.state("flower_app_run.r");
    assert_eq!(run["sub_status"], "completed");
    assert_eq!(run["rounds"][1]["train"]["failures"], 3);

    // One of three fails in the second round: a warning, and the run is good.
    it.configure(&configured("one", 2, ""));
    it.apply().succeeded().says(&[
        "SuperNodes failed in the run",
        "(hospital-c), round 2 (train): <class 'RuntimeError'>:<'hospital-c has <no> data'>",
        "are not all numbers",
        "server: off = NaN",
    ]);
    it.plan_is_empty();
    let run = it.state("flower_app_run.r");
    let failure = &run["client_failures"][0];
    assert_eq!(run["client_failures"].as_array().unwrap().len(), 1);
    assert_eq!(failure["name"], "hospital-c");
    assert_eq!(failure["round"], 2);
    assert_eq!(
        failure["node_id"],
        it.state("flower_supernode.site[\"hospital-c\"]")["node_id"]
    );
    assert_eq!(run["node_ids"].as_array().unwrap().len(), 3);
    assert!(run["usage"]["bytes_sent"].as_u64().unwrap() > 1000, "{run}");
    assert!(
        run["usage"]["clientapp_seconds"].as_f64().unwrap() > 0.0,
        "{run}"
    );
    let round = |number: usize| run["rounds"][number].clone();
    // Numbers as the app computed them: Python's 1 - 0.3**2 and 1 / 6.
    assert_eq!(round(0)["server_metrics"]["accuracy"], 0);
    assert_eq!(round(2)["server_metrics"]["accuracy"], json!(0.91));
    assert_eq!(
        round(2)["server_metrics"]["steps"],
        json!(9_007_199_254_740_994_u64)
    );
    assert_eq!(round(2)["server_metrics"]["off"], json!(null));
    assert_eq!(round(2)["train"]["results"], 2);
    assert_eq!(round(2)["train"]["sampled"], 3);
    assert_eq!(
        round(1)["train"]["metrics"]["loss"],
        json!(0.333_333_333_333_333_3)
    );
    assert_eq!(
        run["metrics"]["train"]["loss"],
        json!(0.166_666_666_666_666_66)
    );
    assert_eq!(run["metrics"]["server"]["accuracy"], json!(0.91));
    let trace = std::fs::read_to_string(it.path("trace.log")).unwrap();
    assert!(
        trace.lines().any(|line| line.contains("[INFO]")
            && line.contains("round 2 of 2: train 2 results, 1 failure (loss 0.166")),
        "no line about round 2"
    );

    // What may fail by the configuration is no news, and a change of it no other run.
    let id = run["run_id"].clone();
    it.configure(&configured("one", 2, "on_client_failure = \"error\""));
    it.apply().succeeded();
    assert_eq!(it.state("flower_app_run.r")["run_id"], id);

    // The text of an exception cannot hide that there was one.
    it.configure(&configured("forged", 1, "on_client_failure = \"error\""));
    it.apply()
        .failed_with(&["SuperNodes failed in the run", "The log contradicts itself"]);
    let run = it.state("flower_app_run.r");
    assert_eq!(run["rounds"][1]["train"]["failures"], 1);

    // More nodes are needed than there are.
    let waits = configured("waiting", 1, "").replace(
        "wait = { nodes",
        "wait = { stall_timeout = \"6s\", on_stall = \"error\", nodes",
    );
    it.configure(&waits);
    it.apply().failed_with(&[
        "stalled",
        "3 of the 4 that it needs are connected",
        "Online:",
        "hospital-c",
        "The provider stopped the run",
    ]);
    assert_eq!(it.state("flower_app_run.r")["sub_status"], "stopped");

    // A log without that line is no silent wait.
    let quiet = "name = \"quickstart\"\n  log_level = \"WARNING\"";
    it.configure(&waits.replace("name = \"quickstart\"", quiet));
    it.apply()
        .failed_with(&["would not be noticed", "`WARNING`", "Nothing was submitted"]);

    // A training that is not good enough fails the apply.
    it.configure(&configured("", 2, CHECKED));
    it.apply().failed_with(&[
        "Resource postcondition failed",
        "accuracy 0.91 is below 0.95",
    ]);
    it.destroy();
}
