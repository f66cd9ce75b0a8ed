//! Changes after a first apply: by the configuration, by other users, and by failures.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt as _;
use serde_json::json;

use crate::federation::federation;
use crate::tenant::{Tenant, soon};
use crate::workspace::{Cut, Workspace, eventually};

const KEY: &str = "resource \"flower_supernode_key\" \"a\" {\n  name = \"a\"\n}\n";

fn superlink(tenant: &Tenant, rest: &str) -> String {
    format!(
        "{}{KEY}resource \"flower_superlink\" \"main\" {{\n  name = \"main\"\n  supernodes = {{ a = {{ public_key = flower_supernode_key.a.public_key }} }}\n{rest}\n}}\n",
        tenant.provider()
    )
}

fn pod_name(tenant: &Tenant) -> String {
    tenant.pods("superlink-main")[0].name_any()
}

#[test]
fn a_superlink_changes_in_place_and_grows() {
    let tenant = Tenant::a();
    let it = Workspace::new(&superlink(&tenant, ""));
    it.apply().succeeded();
    it.plan_is_empty();
    let first = it.state("flower_superlink.main");
    let pod = pod_name(&tenant);

    // Growth needs no new pod; the plan refuses to shrink.
    it.configure(&superlink(&tenant, "persistence = { size = \"2Gi\" }"));
    it.apply().succeeded();
    it.plan_is_empty();
    let claim: PersistentVolumeClaim = tenant.get("superlink-main");
    let asked = claim.spec.unwrap().resources.unwrap().requests.unwrap();
    assert_eq!(asked["storage"].0, "2Gi");
    assert_eq!(pod_name(&tenant), pod);
    it.configure(&superlink(&tenant, "persistence = { size = \"1Gi\" }"));
    it.plan().failed_with(&["persistence.size cannot shrink"]);

    // Other settings replace the pod, but the database, its nodes and the CA stay.
    let more = "persistence = { size = \"2Gi\" }\nlog_level = \"DEBUG\"\nenv = { A = \"b\" }\nkubernetes = {\n labels = { team = \"fl\" }\n annotations = { note = \"x\" }\n resources = { limits = { memory = \"1Gi\" } }\n}";
    it.configure(&superlink(&tenant, more));
    it.apply().succeeded();
    it.plan_is_empty();
    let changed = it.state("flower_superlink.main");
    assert_ne!(pod_name(&tenant), pod);
    assert_eq!(changed["nodes"], first["nodes"]);
    assert_eq!(
        changed["control"]["ca_certificate"],
        first["control"]["ca_certificate"]
    );
    let pods = tenant.pods("superlink-main");
    assert_eq!(pods.len(), 1);
    assert_eq!(pods[0].labels()["team"], "fl");

    // A certificate for more names replaces the pod, too.
    let before = pod_name(&tenant);
    it.configure(&superlink(
        &tenant,
        &format!("{more}\ntls = {{ dns_names = [\"fl.example.org\"] }}"),
    ));
    it.apply().succeeded();
    it.plan_is_empty();
    assert_ne!(pod_name(&tenant), before);
    tenant.destroyed(&it);
}

#[test]
fn what_others_made_is_an_error_and_survives() {
    let tenant = Tenant::a();
    let secret = |name: &str| {
        let manifest = json!({ "metadata": { "name": name }, "stringData": { "theirs": "1" } });
        tenant.create::<Secret>(manifest).uid().unwrap()
    };
    let key = secret("supernode-key-a");
    let it = Workspace::new(&superlink(&tenant, ""));
    it.apply().failed_with(&[
        "Secret \"supernode-key-a\" already exists",
        "the provider did not create it",
        "choose another name",
    ]);
    assert_eq!(tenant.get::<Secret>("supernode-key-a").uid().unwrap(), key);
    tenant.delete::<Secret>("supernode-key-a");

    let tls = secret("superlink-main-tls");
    it.apply().failed_with(&[
        "Secret \"superlink-main-tls\" already exists",
        "the provider did not create it",
    ]);
    assert_eq!(
        tenant.get::<Secret>("superlink-main-tls").uid().unwrap(),
        tls
    );
    tenant.delete::<Secret>("superlink-main-tls");

    let policy = tenant
        .create::<NetworkPolicy>(json!({
            "metadata": { "name": "superlink-main" },
            "spec": { "podSelector": {} },
        }))
        .uid()
        .unwrap();
    it.apply().failed_with(&[
        "NetworkPolicy \"superlink-main\" already exists",
        "the provider did not create it",
    ]);
    it.configure(&superlink(
        &tenant,
        "kubernetes = { network_policy = false }",
    ));
    it.apply().succeeded();
    it.plan_is_empty();
    it.run(&["destroy", "-auto-approve", "-no-color"])
        .succeeded();
    let left = tenant.get::<NetworkPolicy>("superlink-main");
    assert_eq!(left.uid().unwrap(), policy);
    tenant.delete::<NetworkPolicy>("superlink-main");
    tenant.nothing_left();
}

#[test]
fn a_key_whose_secret_was_removed_is_made_anew() {
    let tenant = Tenant::a();
    let it = Workspace::new(&format!("{}{KEY}", tenant.provider()));
    it.apply().succeeded();
    let before = it.state("flower_supernode_key.a")["public_key"].clone();
    tenant.delete::<Secret>("supernode-key-a");
    it.apply().succeeded();
    it.plan_is_empty();
    assert_ne!(it.state("flower_supernode_key.a")["public_key"], before);
    tenant.destroyed(&it);
}

#[test]
fn labels_of_the_provider_are_on_everything_and_change_by_themselves() {
    let tenant = Tenant::a();
    let config = |labels: &str| {
        let labelled = tenant.provider_with("", &format!("    labels = {{ {labels} }}"));
        superlink(&tenant, "").replace(&tenant.provider(), &labelled)
    };
    let it = Workspace::new(&config("team = \"one\", old = \"x\""));
    it.apply().succeeded();
    it.plan_is_empty();
    it.configure(&config("team = \"two\""));
    let plan = it.plan();
    assert_eq!(plan.code, Some(2), "{}", plan.text);
    plan.says(&["`labels` of the provider has changed since the last apply"]);
    it.apply().succeeded();
    it.plan_is_empty();
    let all = [
        tenant.get::<ConfigMap>("superlink-main").metadata,
        tenant.get::<ConfigMap>("superlink-main.files").metadata,
        tenant.get::<Deployment>("superlink-main").metadata,
        tenant.get::<NetworkPolicy>("superlink-main").metadata,
        tenant.get::<Service>("superlink-main").metadata,
        tenant.get::<Secret>("superlink-main-tls").metadata,
        tenant.get::<Secret>("superlink-main-ca").metadata,
        tenant
            .get::<PersistentVolumeClaim>("superlink-main")
            .metadata,
    ];
    for labels in all.map(|metadata| metadata.labels.unwrap()) {
        assert_eq!(labels["team"], "two");
        assert!(!labels.contains_key("old"), "{labels:?}");
    }
    tenant.destroyed(&it);
}

#[test]
fn objects_whose_names_look_alike_stand_side_by_side() {
    let tenant = Tenant::a();
    let longest = "x".repeat(53);
    let key = |name: &str| {
        format!("resource \"flower_supernode_key\" {name:?} {{\n  name = {name:?}\n}}\n")
    };
    let link =
        |name: &str| format!("resource \"flower_superlink\" {name:?} {{\n  name = {name:?}\n}}\n");
    let node = |name: &str| {
        format!(
            "resource \"flower_supernode\" {name:?} {{\n  name = {name:?}\n  superlink = flower_superlink.a.fleet\n}}\n"
        )
    };
    let all = [
        key("a"),
        key(&longest),
        link("a"),
        link("a-files"),
        node("key-a"),
    ]
    .concat();
    let it = Workspace::new(&format!("{}{all}", tenant.provider()));
    it.apply().succeeded();
    it.plan_is_empty();
    tenant.destroyed(&it);
}

#[test]
fn what_others_do_is_drift_in_words_and_never_overwritten() {
    let tenant = Tenant::a();
    let it = Workspace::new(&superlink(&tenant, ""));
    it.apply().succeeded();

    // A field of another manager stays unchanged.
    tenant.patch_as::<Deployment>(
        "auditor",
        "superlink-main",
        json!({ "metadata": { "annotations": { "audited": "yes" } } }),
    );
    it.plan_is_empty();

    // A deleted Deployment is recreated, with its database.
    let nodes = it.state("flower_superlink.main")["nodes"].clone();
    tenant.delete::<Deployment>("superlink-main");
    eventually("the end of the pod", || {
        tenant.pods("superlink-main").is_empty()
    });
    assert_eq!(it.plan().code, Some(2));
    it.apply().succeeded();
    it.plan_is_empty();
    assert_eq!(it.state("flower_superlink.main")["nodes"], nodes);

    // A changed field of the provider is reported with its manager, and not overwritten.
    tenant.patch_as::<Deployment>(
        "somebody",
        "superlink-main",
        json!({ "spec": { "replicas": 0 } }),
    );
    it.plan().says(&[
        "was changed outside of Terraform",
        "spec.replicas by \"somebody\"",
    ]);
    it.apply().failed_with(&[
        "is also managed by others",
        ".spec.replicas by \"somebody\"",
        "Nothing was overwritten",
    ]);
    tenant.patch_as::<Deployment>(
        "somebody",
        "superlink-main",
        json!({ "spec": { "replicas": 1 } }),
    );
    it.apply().succeeded();
    it.plan_is_empty();
    tenant.destroyed(&it);
}

#[test]
fn an_update_that_did_not_finish_can_be_taken_back() {
    let tenant = Tenant::a();
    let before = superlink(&tenant, "env = { A = \"b\" }");
    let it = Workspace::new(&before);
    it.apply().succeeded();
    it.plan_is_empty();
    let old = pod_name(&tenant);
    // Long enough to change the Deployment, but too short for its pod.
    let after = "log_level = \"DEBUG\"\n  timeouts = { update = \"5s\" }";
    it.configure(&superlink(&tenant, after));
    it.apply().failed_with(&["timeouts.update"]);
    soon("the pod of the update", || {
        let deployment: Deployment = tenant.get("superlink-main");
        let ready = deployment.status?.available_replicas == Some(1);
        let pods = tenant.pods("superlink-main");
        (ready && pods.len() == 1 && pods[0].name_any() != old).then_some(())
    });
    it.configure(&before);
    let plan = it.plan();
    assert_eq!(plan.code, Some(2), "{}", plan.text);
    plan.says(&["An earlier apply of SuperLink \"main\" did not finish"]);
    assert!(
        !plan.text.contains("changed outside of Terraform"),
        "{}",
        plan.text
    );
    it.apply().succeeded();
    it.plan_is_empty();
    let deployment: Deployment = tenant.get("superlink-main");
    let text = serde_json::to_string(&deployment.spec).unwrap();
    assert!(!text.contains("FLWR_LOG_LEVEL"), "{text}");
    tenant.destroyed(&it);
}

#[test]
fn a_supernode_that_is_not_awaited_may_take_its_time() {
    let tenant = Tenant::a();
    let alone = format!(
        "{}{KEY}resource \"flower_superlink\" \"main\" {{\n  name = \"main\"\n  supernodes = {{}}\n}}\n",
        tenant.provider()
    );
    let it = Workspace::new(&format!(
        "{alone}resource \"flower_supernode\" \"a\" {{\n  name = \"a\"\n  \
         superlink = flower_superlink.main.fleet\n  key = flower_supernode_key.a.secret\n  \
         wait = false\n}}\n"
    ));
    it.apply().succeeded();
    // Its pod starts, is refused and waits for a restart: none of that is drift.
    it.plan_is_empty();
    let refused = |pod: &Pod| {
        let all = pod.status.as_ref()?.container_statuses.as_ref()?;
        Some(all.first()?.restart_count > 0)
    };
    eventually("its end", || {
        tenant.pods("supernode-a").first().and_then(refused) == Some(true)
    });
    it.plan_is_empty();
    let pod = tenant.pods("supernode-a")[0].name_any();
    it.apply().succeeded();
    assert_eq!(tenant.pods("supernode-a")[0].name_any(), pod);

    tenant.delete::<Deployment>("supernode-a");
    eventually("the end of the pod", || {
        tenant.pods("supernode-a").is_empty()
    });
    assert_eq!(it.plan().code, Some(2));
    it.apply().succeeded();
    it.plan_is_empty();
    tenant.destroyed(&it);
}

#[test]
fn what_exists_is_imported_or_left_alone() {
    let tenant = Tenant::a();
    let it = Workspace::new(&superlink(&tenant, "log_level = \"DEBUG\""));
    it.apply().succeeded();
    let state = it.state("flower_superlink.main");
    std::fs::remove_file(it.path("terraform.tfstate")).unwrap();
    it.apply().failed_with(&[
        "SuperNode key \"a\" was not created",
        "import { to = flower_supernode_key.NAME id = \"a\" }",
    ]);
    let import = |kind: &str, name: &str, id: &str| {
        it.file(
            "imports.tf",
            &format!("import {{\n  to = flower_{kind}.{name}\n  id = {id:?}\n}}\n"),
        );
    };
    import("supernode_key", "a", "a");
    it.apply().failed_with(&[
        "SuperLink \"main\" was not created",
        "import { to = flower_superlink.NAME id = \"main\" }",
    ]);
    import("superlink", "main", "main");
    it.apply()
        .succeeded()
        .says(&["1 imported, 0 added, 0 changed, 0 destroyed"]);
    std::fs::remove_file(it.path("imports.tf")).unwrap();
    it.plan_is_empty();
    assert_eq!(it.state("flower_superlink.main"), state);

    // A finalizer without a controller is named; after its removal, the destroy continues.
    tenant.patch_as::<ConfigMap>(
        "somebody",
        "superlink-main",
        json!({ "metadata": { "finalizers": ["example.org/hold"] } }),
    );
    let destroy = it.run(&["destroy", "-auto-approve", "-no-color"]);
    destroy.failed_with(&["example.org/hold"]);
    tenant.patch_as::<ConfigMap>(
        "somebody",
        "superlink-main",
        json!({ "metadata": { "finalizers": null } }),
    );
    tenant.destroyed(&it);

    // Objects of others are not changed.
    tenant.create::<Deployment>(json!({
        "metadata": { "name": "superlink-main" },
        "spec": {
            "replicas": 0,
            "selector": { "matchLabels": { "a": "b" } },
            "template": { "metadata": { "labels": { "a": "b" } }, "spec": { "containers": [{ "name": "a", "image": "a" }] } },
        },
    }));
    it.apply().failed_with(&[
        "Deployment \"superlink-main\"",
        "the provider did not create it",
        "choose another name",
    ]);
    it.run(&["destroy", "-auto-approve", "-no-color"])
        .succeeded();
    tenant.get::<Deployment>("superlink-main");
}

#[test]
fn an_apply_that_ends_anywhere_leaves_no_orphan_and_no_twin() {
    let tenant = Tenant::a();
    let it = Workspace::new(&superlink(&tenant, ""));
    let apply = ["apply", "-auto-approve", "-no-color"];
    for moment in [300, 500, 800, 1500, 4000] {
        it.cut(&apply, moment, Cut::Kill);
        it.cut(&apply, moment, Cut::Interrupt);
    }
    it.apply_after_a_kill().succeeded();
    it.plan_is_empty();
    soon("one pod", || {
        (tenant.pods("superlink-main").len() == 1).then_some(())
    });
    tenant.destroyed(&it);
}

#[test]
fn a_pod_that_dies_during_a_run_comes_back_with_its_runs_and_nodes() {
    let tenant = Tenant::a();
    let never = "run_config = { fail-in = \"never\" }\n  timeouts = { create = \"15s\" }\n  on_missing = \"keep\"";
    let main = federation("", "", never).replace("  run_config = { num-server-rounds = 1 }\n", "");
    let it = Workspace::new(&format!("{}{main}", tenant.provider()));
    it.app();
    it.apply().succeeded().says(&["is still in progress"]);
    let (before, nodes) = (
        it.state("flower_app_run.training"),
        it.state("flower_superlink.main")["nodes"].clone(),
    );
    let old = pod_name(&tenant);
    tenant.delete::<Pod>(&old);
    tenant.another_pod("superlink-main", &old);
    it.apply().succeeded();
    assert_eq!(it.state("flower_superlink.main")["nodes"], nodes);
    let after = it.state("flower_app_run.training");
    assert_eq!(after["run_id"], before["run_id"]);
    assert_ne!(after["status"], "lost");
    tenant.destroyed(&it);
}
