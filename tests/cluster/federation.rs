//! Whole federations: in one cluster, and across two.

use crate::tenant::Tenant;
use crate::workspace::{Workspace, eventually};

/// The run of such a federation, which ended well.
#[track_caller]
pub fn completed(it: &Workspace) -> String {
    let run = it.state("flower_app_run.training");
    assert_eq!(
        (&run["status"], &run["sub_status"]),
        (&"finished".into(), &"completed".into())
    );
    run["run_id"].as_str().unwrap().to_owned()
}

#[track_caller]
pub fn no_private_key_is_written(it: &Workspace) {
    assert!(
        !it.written().contains("PRIVATE KEY"),
        "a private key is in a state or a log"
    );
}

/// Two sites and a SuperLink in one namespace, and a run on them.
pub fn federation(superlink: &str, supernode: &str, run: &str) -> String {
    format!(
        r#"
locals {{
  sites = {{ hospital-a = 0, hospital-b = 1 }}
}}
resource "flower_supernode_key" "site" {{
  for_each = local.sites
  name     = each.key
}}
resource "flower_superlink" "main" {{
  name       = "main"
  supernodes = {{ for name, key in flower_supernode_key.site : name => {{ public_key = key.public_key }} }}
{superlink}
}}
resource "flower_supernode" "site" {{
  for_each    = local.sites
  name        = each.key
  superlink   = flower_superlink.main.fleet
  key         = flower_supernode_key.site[each.key].secret
  node_config = {{ partition-id = each.value, num-partitions = 2 }}
{supernode}
}}
resource "flower_app_run" "training" {{
  control    = flower_superlink.main.control
  source     = {{ path = "${{path.module}}/app" }}
  run_config = {{ num-server-rounds = 1 }}
  wait       = {{ nodes = [for node in flower_supernode.site : node.node_id] }}
{run}
}}
"#
    )
}

#[test]
fn a_federation_trains_in_restricted_pods_and_leaves_nothing() {
    for isolation in ["subprocess", "process"] {
        let tenant = Tenant::a();
        let isolation = format!("  isolation = {isolation:?}");
        let it = Workspace::new(&format!(
            "{}{}",
            tenant.provider(),
            federation(&isolation, &isolation, "")
        ));
        it.app();
        it.apply().succeeded();
        it.plan_is_empty();
        completed(&it);
        no_private_key_is_written(&it);
        tenant.destroyed(&it);
    }
}

#[test]
fn the_number_of_a_supernode_that_is_not_awaited_is_found_later() {
    let tenant = Tenant::a();
    let run = "resource \"flower_app_run\"";
    let main = federation("", "  wait        = false", "");
    let it = Workspace::new(&format!(
        "{}{}",
        tenant.provider(),
        main.split(run).next().unwrap()
    ));
    it.apply().succeeded();
    let node = || it.state("flower_supernode.site[\"hospital-a\"]")["node_id"].clone();
    eventually("its number", || {
        it.run(&["apply", "-refresh-only", "-auto-approve", "-no-color"])
            .succeeded();
        !node().is_null()
    });
    let nodes = it.state("flower_superlink.main")["nodes"].clone();
    assert_eq!(node(), nodes["hospital-a"]);
    it.plan_is_empty();
    tenant.destroyed(&it);
}
