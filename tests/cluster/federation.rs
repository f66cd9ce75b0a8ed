//! Whole federations: in one cluster, and across two.

use std::collections::BTreeSet;

use base64::Engine as _;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt as _;

use crate::tenant::Tenant;
use crate::workspace::{Workspace, eventually};

/// The run of such a federation, which completed.
#[track_caller]
pub fn completed(it: &Workspace) -> String {
    let run = it.state("flower_app_run.training");
    assert_eq!(
        (&run["status"], &run["sub_status"]),
        (&"finished".into(), &"completed".into())
    );
    run["run_id"].as_str().unwrap().to_owned()
}

/// Fails if a part of a private key of these tenants is in a state or a log, or if two tenants have
/// it.
#[track_caller]
pub fn private_keys_stay(it: &Workspace, tenants: &[&Tenant]) {
    let written = it.written();
    assert!(!written.contains("PRIVATE KEY"), "a private key is written");
    let mut all = BTreeSet::new();
    for tenant in tenants {
        let secrets = tenant.list::<Secret>("").into_iter();
        let entries = secrets.flat_map(|one| one.data.unwrap_or_default().into_values());
        let mut own = BTreeSet::new();
        for bytes in entries.map(|entry| entry.0) {
            let text = String::from_utf8(bytes).unwrap();
            if !text.contains("PRIVATE KEY") {
                continue;
            }
            // All keys of a kind have the same beginning.
            let lines = text.lines().filter(|line| !line.starts_with("-----"));
            let parts: Vec<_> = lines.skip(1).filter(|line| line.len() > 40).collect();
            assert!(!parts.is_empty(), "no key is looked for");
            own.extend(parts.into_iter().map(ToOwned::to_owned));
            // The same, encoded as in a Secret.
            let encoded = base64::engine::general_purpose::STANDARD.encode(&text);
            own.insert(encoded[160..220].to_owned());
        }
        assert!(!own.is_empty(), "{} holds no key", tenant.context);
        for part in own {
            assert!(!written.contains(&part), "a part of a key is written");
            assert!(all.insert(part), "two tenants hold the same key");
        }
    }
}

/// Two sites and a SuperLink in one namespace, with a run.
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
    // SuperNodes that log only errors do not log their node IDs: the SuperLink's list contains
    // them.
    let listed = "\n  control   = flower_superlink.main.control\n  log_level = \"ERROR\"";
    for (isolation, joined) in [("subprocess", ""), ("process", listed)] {
        let tenant = Tenant::a();
        let isolation = format!("  isolation = {isolation:?}");
        let it = Workspace::new(&format!(
            "{}{}",
            tenant.provider(),
            federation(&isolation, &format!("{isolation}{joined}"), "")
        ));
        it.app();
        it.apply().succeeded();
        it.plan_is_empty();
        completed(&it);
        private_keys_stay(&it, &[&tenant]);
        tenant.destroyed(&it);
    }
}

#[test]
fn the_number_of_a_supernode_without_a_key_is_that_of_the_pod_that_runs() {
    let tenant = Tenant::a();
    let it = Workspace::new(&format!(
        "{}resource \"flower_superlink\" \"main\" {{\n  name = \"main\"\n}}\n\
         resource \"flower_supernode\" \"a\" {{\n  name = \"a\"\n  superlink = flower_superlink.main.fleet\n}}\n\
         data \"flower_supernodes\" \"all\" {{\n  control = flower_superlink.main.control\n  \
         status = \"online\"\n}}\n\
         output \"online\" {{\n  value = [for one in data.flower_supernodes.all.supernodes : one.node_id]\n}}\n",
        tenant.provider()
    ));
    it.apply().succeeded();
    let number = || it.state("flower_supernode.a")["node_id"].clone();
    let before = number();
    let pod = tenant.pods("supernode-a")[0].name_any();
    tenant.delete::<Pod>(&pod);
    tenant.another_pod("supernode-a", &pod);
    eventually("its number", || {
        it.apply().succeeded();
        number() != before
    });
    it.plan_is_empty();
    let online = it.output("online");
    assert!(online.as_array().unwrap().contains(&number()), "{online}");
    tenant.destroyed(&it);
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
