//! Whether a run in pods trained, and what it learned.

use serde_json::json;

use crate::federation::{completed, federation};
use crate::tenant::Tenant;
use crate::workspace::Workspace;

/// Three sites and a run of the app that fails.
fn three(tenant: &Tenant, fail_in: &str, rounds: u32, rest: &str) -> String {
    let config = federation("", "", rest)
        .replace("hospital-b = 1 }", "hospital-b = 1, hospital-c = 2 }")
        .replace(
            "run_config = { num-server-rounds = 1 }",
            &format!("run_config = {{ fail-in = \"{fail_in}\", num-server-rounds = {rounds} }}"),
        );
    assert!(config.contains("hospital-c") && config.contains("fail-in"));
    format!("{}{config}", tenant.provider())
}

#[test]
fn a_run_in_pods_tells_which_sites_failed_and_what_it_learned() {
    let tenant = Tenant::a();
    let log = "data \"flower_log\" \"one\" {\n  supernode = flower_supernode.site[\"hospital-a\"].name\n  depends_on = [flower_app_run.training]\n}\noutput \"log\" {\n  value = data.flower_log.one.lines\n}\n";
    let it = Workspace::new(&three(&tenant, "clients", 1, ""));
    it.app_that_fails();
    it.apply().failed_with(&[
        "No round of the run",
        "(hospital-a), round 1 (train): <class 'RuntimeError'>:<'hospital-a has <no> data'>",
        "(hospital-c), round 1 (train)",
        "kubectl --namespace",
    ]);
    assert_eq!(
        it.state("flower_app_run.training")["sub_status"],
        "completed"
    );

    // One of three fails in the second round.
    let report = "  report = { path = \"page.html\", markdown = \"page.md\" }";
    it.configure(&(three(&tenant, "one", 2, report) + log));
    it.apply().succeeded().says(&[
        "SuperNodes failed in the run",
        "(hospital-c), round 2 (train)",
    ]);
    let run = completed(&it);
    let state = it.state("flower_app_run.training");
    assert_eq!(state["metrics"]["server"]["accuracy"], json!(0.91));
    assert_eq!(state["client_failures"][0]["name"], "hospital-c");
    assert_eq!(state["node_ids"].as_array().unwrap().len(), 3);
    assert!(it.output("log").to_string().contains("SuperNode"));
    for page in ["page.html", "page.md"] {
        let page = std::fs::read_to_string(it.path(page)).unwrap();
        assert!(page.contains(&run) && page.contains("hospital-c"), "{page}");
    }

    // More nodes are needed than there are.
    let stall = "stall_timeout = \"6s\", on_stall = \"error\", nodes";
    let waits = three(&tenant, "waiting", 1, "")
        .replace("wait       = { nodes", &format!("wait = {{ {stall}"));
    it.configure(&waits);
    it.apply()
        .failed_with(&["stalled", "3 of the 4 that it needs are connected"]);
    assert_eq!(it.state("flower_app_run.training")["sub_status"], "stopped");
    tenant.destroyed(&it);
}
