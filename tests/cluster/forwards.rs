//! The connection to a SuperLink's Control API: it is kept as long as possible, and opened again.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;

use crate::federation::federation;
use crate::retries::{Requests, Way, provider, proxy};
use crate::tenant::Tenant;
use crate::workspace::{Workspace, eventually, said};

/// How many port-forwards were opened since the last call.
fn forwards(requests: &Requests) -> usize {
    let all = std::mem::take(&mut *requests.lock().unwrap());
    all.iter()
        .filter(|one| one.contains("/portforward"))
        .count()
}

#[test]
fn a_plan_takes_no_more_port_forwards_than_calls_at_once() {
    let tenant = Tenant::a();
    let Some((port, requests)) = proxy(&tenant, Way::Open) else {
        return;
    };
    // A refresh reads the nodes and the run, and these data sources read more.
    let asked = r#"
data "flower_runs" "all" {
  control = flower_superlink.main.control
}
data "flower_run_log" "training" {
  control = flower_superlink.main.control
  run_id  = flower_app_run.training.run_id
}
data "flower_supernodes" "online" {
  control = flower_superlink.main.control
  status  = "online"
}
"#;
    let it = Workspace::new(&format!(
        "{}{}{asked}",
        provider(&tenant, port),
        federation("", "", "")
    ));
    it.app();
    it.apply().succeeded();
    let apply = forwards(&requests);
    it.plan_is_empty();
    let plan = forwards(&requests);
    eprintln!("port-forwards: {apply} for the apply, {plan} for the plan");
    // A connection may be opened for a call that another connection serves first.
    assert!((1..=3).contains(&plan), "{plan} for a plan");
    assert!(apply <= 20, "{apply} for an apply");
    tenant.destroyed(&it);
}

#[test]
fn a_run_is_followed_on_when_the_pod_moves() {
    let tenant = Tenant::a();
    // Without SuperNodes, the ServerApp waits for them.
    let it = Workspace::new(&format!(
        "{}resource \"flower_superlink\" \"main\" {{\n  name = \"main\"\n}}\n\
         resource \"flower_app_run\" \"training\" {{\n  \
         control = flower_superlink.main.control\n  \
         source = {{ path = \"${{path.module}}/app\" }}\n}}\n",
        tenant.provider()
    ));
    it.app();
    let apply = it.begin(&["apply", "-auto-approve", "-no-color"]);
    eventually("the log of the run", || {
        let log = std::fs::read_to_string(it.path("trace.log"));
        log.is_ok_and(|log| log.contains("run="))
    });
    std::thread::sleep(std::time::Duration::from_secs(5));
    let before = tenant.pods("superlink-main")[0].name_any();
    tenant.delete::<Pod>(&before);
    // A SuperLink that restarts has ended its runs: only the SuperLink reports this.
    let said = said(&apply.wait_with_output().unwrap());
    assert!(
        !said.text.contains("could not be followed"),
        "{}",
        said.text
    );
    said.failed_with(&["The run", "ended as failed"]);
    assert_ne!(tenant.pods("superlink-main")[0].name_any(), before);
    tenant.destroyed(&it);
}
