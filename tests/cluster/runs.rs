//! Runs in a cluster after their apply was killed.

use std::process::Child;

use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::json;

use crate::tenant::Tenant;
use crate::workspace::{Workspace, eventually, kill, kill_children};

const NOTES: &str = "app.kubernetes.io/component=note";

/// A SuperLink, and a run on it that never ends.
fn endless(tenant: &Tenant, rest: &str) -> String {
    format!(
        r#"{}
resource "flower_superlink" "main" {{
  name = "main"
}}
resource "flower_app_run" "r" {{
  control    = flower_superlink.main.control
  source     = {{ path = "${{path.module}}/app" }}
  run_config = {{ fail-in = "never" }}
{rest}
}}
data "flower_runs" "all" {{
  control    = flower_superlink.main.control
  depends_on = [flower_app_run.r]
}}
output "runs" {{
  value = length(data.flower_runs.all.runs)
}}
"#,
        tenant.provider()
    )
}

/// The content of the notes in the namespace.
fn notes(tenant: &Tenant) -> Vec<String> {
    let notes = tenant.list::<ConfigMap>(NOTES).into_iter();
    notes
        .map(|note| note.data.unwrap_or_default().remove("note.json").unwrap())
        .collect()
}

/// An apply submitted a run and was ended in this way.
fn ended(tenant: &Tenant, end: impl FnOnce(Child)) -> Workspace {
    let it = Workspace::new(&endless(tenant, ""));
    it.app();
    it.run(&[
        "apply",
        "-auto-approve",
        "-no-color",
        "-target=flower_superlink.main",
    ])
    .succeeded();
    let apply = it.begin(&["apply", "-auto-approve", "-no-color"]);
    eventually("a submitted run", || {
        notes(tenant).iter().any(|note| note.contains("\"run\""))
    });
    end(apply);
    assert_eq!(notes(tenant).len(), 1);
    it
}

#[test]
fn a_run_of_a_killed_terraform_is_taken_over() {
    let tenant = Tenant::a();
    let it = ended(&tenant, kill);
    it.configure(&endless(&tenant, "timeouts = { create = \"60s\" }"));
    // An unreadable note must not lead to a second submission.
    let note: ConfigMap = tenant.list(NOTES).remove(0);
    let name = note.metadata.name.as_deref().unwrap();
    let written = note.data.unwrap().remove("note.json").unwrap();
    let write = |text: &str| {
        let data = json!({ "data": { "note.json": text } });
        let _: ConfigMap = tenant.patch_as("somebody", name, data);
    };
    write("{");
    it.apply()
        .failed_with(&[name, "cannot be read", "check with `flwr list`"]);
    write(&written);
    it.apply()
        .succeeded()
        .says(&["was taken over", "is still in progress"]);
    assert_eq!(it.output("runs"), 1);
    assert_eq!(notes(&tenant), Vec::<String>::new());
    it.plan_is_empty();
    tenant.destroyed(&it);
}

#[test]
fn a_run_of_a_killed_apply_that_nobody_wants_any_more_leaves_nothing() {
    let tenant = Tenant::a();
    let it = ended(&tenant, |apply| {
        kill_children(apply.id());
        apply.wait_with_output().unwrap();
    });
    it.file(
        "app/quickstart/__init__.py",
        "\"\"\"Another app than before.\"\"\"\n",
    );
    it.configure(&endless(&tenant, "wait = { until = \"submitted\" }"));
    it.apply().succeeded();
    it.plan_is_empty();
    tenant.destroyed(&it);
}
