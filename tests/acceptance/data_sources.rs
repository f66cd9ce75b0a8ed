//! The data sources, and the adoption of resources from another state: both read a running
//! federation.

use std::collections::BTreeMap;
use std::fs;

use crate::app_run::{WAIT, run};
use crate::workspace::Workspace;

const READS: &str = r#"
data "flower_app" "app" {
  source = { path = path.module }
}
data "flower_runs" "all" {
  control = flower_superlink.main.control
  status  = "finished"
}
data "flower_runs" "newest" {
  control = flower_superlink.main.control
  app     = data.flower_run.r.app
  last    = 1
}
data "flower_runs" "since" {
  control = flower_superlink.main.control
  since   = data.flower_run.r.pending_at
  status  = "finished"
}
data "flower_runs" "until" {
  control = flower_superlink.main.control
  until   = data.flower_run.r.pending_at
}
data "flower_run" "r" {
  control = flower_superlink.main.control
  run_id  = flower_app_run.r.run_id
}
data "flower_supernodes" "online" {
  control = flower_superlink.main.control
  status  = "online"
}
data "flower_federations" "all" {
  control = flower_superlink.main.control
}
data "flower_run_log" "r" {
  control = flower_superlink.main.control
  run_id  = flower_app_run.r.run_id
  last    = 5
}
output "read" {
  value = {
    app  = data.flower_app.app
    runs = data.flower_runs.all.runs
    seen = data.flower_supernodes.online.supernodes
    federations = data.flower_federations.all.federations
    log  = data.flower_run_log.r.lines
    run  = data.flower_run.r
    newest = data.flower_runs.newest.runs
    since  = data.flower_runs.since.runs
    until  = data.flower_runs.until.runs
  }
}
"#;

/// The files of the app on every node, which must be equal and contain no key.
fn shipped(it: &Workspace) -> Vec<String> {
    let mut apps: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in it.files(".flower") {
        let file = file.to_string_lossy().into_owned();
        let Some((home, rest)) = file.split_once("/home/apps/") else {
            continue;
        };
        let text = fs::read_to_string(it.path(&format!(".flower/{file}"))).unwrap_or_default();
        assert!(!text.contains("PRIVATE KEY"), "{file} holds a key");
        let (_, path) = rest.split_once('/').unwrap();
        if !path.contains("__pycache__") {
            apps.entry(home.to_owned())
                .or_default()
                .push(path.to_owned());
        }
    }
    let keys = it.files(".flower/vault");
    assert!(!keys.is_empty(), "there is no key that could have shipped");
    let mut all: Vec<_> = apps.values().cloned().collect();
    for files in &mut all {
        files.sort();
    }
    assert_eq!(all.len(), 3, "a SuperLink and two SuperNodes: {apps:?}");
    assert!(all.iter().all(|one| *one == all[0]), "{apps:?}");
    all[0].clone()
}

#[test]
fn a_federation_is_read_and_taken_over() {
    // The configuration is beside pyproject.toml, with all files of Terraform and the provider.
    let standing = run(&format!(
        "{WAIT}\nrun_config = {{ num-server-rounds = 1, lr = 0.25 }}\ntriggers = {{ data = \"1\" }}"
    ))
    .replace("\"${path.module}/app\"", "path.module");
    let it = Workspace::new(&standing);
    it.app();
    for name in ["pyproject.toml", "quickstart"] {
        fs::rename(it.path(&format!("app/{name}")), it.path(name)).unwrap();
    }
    it.file("secret.auto.tfvars.json", "{ \"unused\": \"hunter2\" }");
    it.file(".terraform/modules/modules.json", "{}");
    it.apply().succeeded();
    it.plan_is_empty();
    let shipped = shipped(&it);
    let made = it.state("flower_app_run.r");

    it.configure(&format!("{standing}{READS}"));
    it.apply().succeeded();
    it.plan_is_empty();
    let read = it.output("read");
    assert_eq!(read["app"]["name"], "quickstart");
    assert_eq!(read["app"]["fab_hash"], made["fab_hash"]);
    assert_eq!(read["app"]["files"], serde_json::json!(shipped));
    assert_eq!(read["app"]["config"]["num-server-rounds"], "1");
    assert_eq!(read["runs"][0]["run_id"], made["run_id"]);
    assert_eq!(read["runs"][0]["sub_status"], "completed");
    assert_eq!(read["newest"], read["runs"]);
    assert_eq!(read["since"], read["runs"]);
    assert_eq!(read["until"], serde_json::json!([]));
    assert_eq!(read["run"]["fab_hash"], made["fab_hash"]);
    assert_eq!(read["run"]["sub_status"], "completed");
    assert!(read["run"]["usage"]["bytes_sent"].as_u64() > Some(0));
    assert_eq!(read["federations"].as_array().unwrap().len(), 1);
    assert_eq!(read["federations"][0]["id"], read["run"]["federation"]);
    assert_eq!(read["federations"][0]["archived"], false);
    assert_eq!(read["seen"].as_array().unwrap().len(), 2);
    assert!(
        read["log"].to_string().contains("the sites agreed on"),
        "{read}"
    );

    // Another state imports all resources by name; its plan is empty.
    it.configure(&standing);
    for name in ["terraform.tfstate", "terraform.tfstate.backup"] {
        let _ = fs::remove_file(it.path(name));
    }
    let url = made["control"]["url"].as_str().unwrap();
    let number = made["run_id"].as_str().unwrap();
    it.file(
        "imports.tf",
        &format!(
            "import {{\n  for_each = local.sites\n  to = flower_supernode_key.site[each.key]\n  id = each.key\n}}\n\
             import {{\n  for_each = local.sites\n  to = flower_supernode.site[each.key]\n  id = each.key\n}}\n\
             import {{\n  to = flower_superlink.main\n  id = \"quickstart\"\n}}\n\
             import {{\n  to = flower_app_run.r\n  id = \"{url}#{number}\"\n}}\n"
        ),
    );
    it.apply()
        .succeeded()
        .says(&["6 imported, 0 added, 1 changed, 0 destroyed"]);
    fs::remove_file(it.path("imports.tf")).unwrap();
    it.plan_is_empty();
    assert_eq!(it.state("flower_app_run.r")["run_id"], made["run_id"]);

    // The error for an unknown name lists the known ones.
    it.configure(&format!(
        "{standing}import {{\n  to = flower_superlink.other\n  id = \"other\"\n}}\nresource \"flower_superlink\" \"other\" {{\n  name = \"other\"\n}}\n"
    ));
    it.plan()
        .failed_with(&["There is no SuperLink \"other\" to import", "quickstart"]);
    it.configure(&standing);
    it.destroy();
}
