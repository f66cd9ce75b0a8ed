//! A federation whose state and records an earlier version of the provider wrote.

use std::fs;

use serde_json::{Value as Json, json};

use crate::app_run::{WAIT, run};
use crate::workspace::Workspace;

const RUNS: &str = r#"
data "flower_runs" "all" {
  control = flower_superlink.main.control
}
output "runs" {
  value = length(data.flower_runs.all.runs)
}
"#;

/// Removes a key from a JSON value, at every level.
fn forget(name: &str, json: &mut Json) {
    match json {
        Json::Object(entries) => {
            entries.remove(name);
            entries.values_mut().for_each(|one| forget(name, one));
        }
        Json::Array(items) => items.iter_mut().for_each(|one| forget(name, one)),
        _ => {}
    }
}

fn rewrite(it: &Workspace, file: &str, change: impl FnOnce(&mut Json)) {
    let text = fs::read_to_string(it.path(file)).unwrap();
    let mut json: Json = serde_json::from_str(&text).unwrap();
    change(&mut json);
    it.file(file, &json.to_string());
}

/// Writes state and records as before SuperLinks had IDs, when `id` identified an object.
fn as_before_superlink_ids(it: &Workspace) {
    rewrite(it, "terraform.tfstate", |state| {
        forget("superlink_id", state);
        for resource in state["resources"].as_array_mut().unwrap() {
            let is_run = resource["type"] == "flower_app_run";
            for instance in resource["instances"].as_array_mut().unwrap() {
                if is_run {
                    let attributes = instance["attributes"].as_object_mut().unwrap();
                    attributes.remove("superlink").unwrap();
                }
                // Terraform before 1.12 stores no identity.
                if instance.get("identity").is_some() {
                    instance["identity"] = json!({ "id": instance["attributes"]["id"] });
                    instance["identity_schema_version"] = json!(0);
                }
            }
        }
    });
    for file in it.files(".flower") {
        if file.ends_with("record.json") {
            let file = format!(".flower/{}", file.display());
            rewrite(it, &file, |record| forget("superlink_id", record));
        }
    }
}

#[test]
fn a_federation_from_before_superlinks_had_ids_stays_what_it_is() {
    let config = run(&format!("{WAIT}\nrun_config = {{ num-server-rounds = 1 }}"));
    let it = Workspace::new(&config);
    it.app();
    it.apply().succeeded();
    let before = it.state("flower_app_run.r");
    as_before_superlink_ids(&it);
    let state = fs::read_to_string(it.path("terraform.tfstate")).unwrap();
    assert!(!state.contains("superlink_id"));

    let plan = ["plan", "-detailed-exitcode", "-no-color", "-refresh=false"];
    let plan = it.run(&plan);
    assert_eq!(plan.code, Some(0), "{}", plan.text);
    it.plan_is_empty();
    it.configure(&format!("{config}{RUNS}"));
    it.apply().succeeded();
    it.plan_is_empty();
    let after = it.state("flower_app_run.r");
    assert_eq!(after["run_id"], before["run_id"]);
    assert_eq!(after["superlink"], after["control"]["url"]);
    assert_eq!(
        it.state("flower_superlink.main")["superlink_id"],
        Json::Null
    );
    assert_eq!(it.output("runs"), json!(1));

    it.destroy();
}
