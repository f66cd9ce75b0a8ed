//! Objects that another user deleted: a plan reports this, an apply recreates them, and dependent
//! values follow in the same apply.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service};
use kube::ResourceExt as _;
use serde_json::Value as Json;

use crate::tenant::{Tenant, soon};
use crate::workspace::{Workspace, eventually};

const LINK: &str = "flower_superlink.main";

/// A SuperLink with these settings, and a SuperNode that connects to it.
fn pair(tenant: &Tenant, superlink: &str) -> String {
    format!(
        r#"{}
resource "flower_supernode_key" "a" {{
  name = "a"
}}
resource "flower_superlink" "main" {{
  name       = "main"
  supernodes = {{ a = {{ public_key = flower_supernode_key.a.public_key }} }}
{superlink}
}}
resource "flower_supernode" "a" {{
  name      = "a"
  superlink = flower_superlink.main.fleet
  key       = flower_supernode_key.a.secret
}}
"#,
        tenant.provider()
    )
}

/// A plan that reports this, an apply that matches the plan, and an empty plan afterwards.
#[track_caller]
fn mends(it: &Workspace, words: &[&str]) {
    let plan = it.plan();
    assert_eq!(plan.code, Some(2), "{}", plan.text);
    plan.says(&["Parts of SuperLink \"main\" were deleted"]);
    plan.says(words);
    let apply = it.apply();
    assert!(!apply.text.contains("inconsistent"), "{}", apply.text);
    apply.succeeded();
    it.plan_is_empty();
}

#[test]
fn a_service_that_was_deleted_is_made_anew_and_dialled() {
    let tenant = Tenant::a();
    let node_port = format!(
        "  service = {{\n    service_type = \"NodePort\"\n    hostname = {:?}\n  }}",
        tenant.node_address()
    );
    let it = Workspace::new(&pair(&tenant, &node_port));
    it.apply().succeeded();
    it.plan_is_empty();
    let before = it.state(LINK);
    let uid = tenant.get::<Service>("superlink-main").uid();
    tenant.delete::<Service>("superlink-main");
    mends(&it, &["Service \"superlink-main\" no longer exists"]);
    let after = it.state(LINK);
    assert_ne!(tenant.get::<Service>("superlink-main").uid(), uid);
    let service: Service = tenant.get("superlink-main");
    let port = service.spec.unwrap().ports.unwrap()[0].node_port.unwrap();
    let address = after["fleet"]["address"].as_str().unwrap();
    assert!(address.ends_with(&format!(":{port}")), "{address}");
    for same in ["control", "nodes", "certificate_not_after"] {
        assert_eq!(after[same], before[same], "{same}");
    }
    let dialled = it.state("flower_supernode.a")["superlink"]["address"].clone();
    assert_eq!(dialled, address);
    tenant.destroyed(&it);
}

#[test]
fn secrets_that_were_deleted_are_made_anew_and_trusted() {
    let tenant = Tenant::a();
    let it = Workspace::new(&pair(&tenant, ""));
    it.apply().succeeded();
    it.plan_is_empty();
    let before = it.state(LINK);
    let ca = |state: &Json| state["fleet"]["ca_certificate"].clone();

    tenant.delete::<Secret>("superlink-main-tls");
    mends(&it, &["Secret \"superlink-main-tls\" no longer exists"]);
    let renewed = it.state(LINK);
    for same in ["fleet", "control", "nodes"] {
        assert_eq!(renewed[same], before[same], "{same}");
    }

    // Another CA: the SuperNode gets its certificate, and joins again.
    let node = it.state("flower_supernode.a");
    let pod = tenant.pods("supernode-a")[0].name_any();
    tenant.delete::<Secret>("superlink-main-ca");
    mends(&it, &["Secret \"superlink-main-ca\" no longer exists"]);
    let after = it.state(LINK);
    assert_ne!(ca(&after), ca(&before));
    assert_eq!(after["control"]["ca_certificate"], ca(&after));
    assert_eq!(after["nodes"], before["nodes"]);
    let joined = it.state("flower_supernode.a");
    assert_eq!(joined["superlink"]["ca_certificate"], ca(&after));
    assert_eq!(joined["node_id"], node["node_id"]);
    assert_eq!(joined["status"], "running");
    assert_ne!(tenant.pods("supernode-a")[0].name_any(), pod);
    tenant.destroyed(&it);
}

#[test]
fn pods_come_back_and_everything_goes_with_its_record() {
    let tenant = Tenant::a();
    let it = Workspace::new(&pair(&tenant, ""));
    it.apply().succeeded();
    it.plan_is_empty();
    let node = it.state("flower_supernode.a")["node_id"].clone();
    for object in ["superlink-main", "supernode-a"] {
        let pod = tenant.pods(object)[0].name_any();
        tenant.delete::<Pod>(&pod);
        let plan = it.plan();
        assert_eq!(plan.code, Some(2), "{object}: {}", plan.text);
        it.apply().succeeded();
        it.plan_is_empty();
        assert_ne!(tenant.pods(object)[0].name_any(), pod);
        assert_eq!(it.state("flower_supernode.a")["node_id"], node);
    }

    // Deleting the records deletes everything, and a destroy has nothing to do.
    for record in ["superlink-main", "supernode-a", "node-key.a"] {
        tenant.delete::<ConfigMap>(record);
    }
    soon("the end of all", || {
        tenant.inventory().is_empty().then_some(())
    });
    it.run(&["destroy", "-auto-approve", "-no-color", "-refresh=false"])
        .succeeded()
        .says(&["3 destroyed"]);
}

#[test]
fn a_volume_that_was_deleted_is_never_silently_made_anew() {
    let tenant = Tenant::a();
    let config = |rest: &str| {
        format!(
            "{}resource \"flower_superlink\" \"main\" {{\n  name = \"main\"\n{rest}\n}}\n",
            tenant.provider()
        )
    };
    let it = Workspace::new(&config(""));
    it.apply().succeeded();
    it.plan_is_empty();
    // Kubernetes keeps it as long as a pod uses it.
    tenant.delete::<PersistentVolumeClaim>("superlink-main");
    let lost = &[
        "The database of the SuperLink is lost",
        "allow_state_loss = true",
    ];
    let plan = it.plan();
    plan.says(&["is being deleted", "lost, and apply will fail"]);
    assert_eq!(plan.code, Some(2), "{}", plan.text);
    tenant.delete::<Deployment>("superlink-main");
    eventually("the end of the pod", || {
        tenant.pods("superlink-main").is_empty()
    });
    soon("the end of the claim", || {
        (!tenant.inventory().contains_key("claims")).then_some(())
    });
    let apply = it.apply();
    apply.says(&["PersistentVolumeClaim \"superlink-main\" no longer exists"]);
    apply.failed_with(lost);
    assert!(!tenant.inventory().contains_key("claims"));
    it.configure(&config("  allow_state_loss = true"));
    it.plan().says(&["1 to add, 0 to change, 1 to destroy"]);
    it.apply().succeeded();
    it.plan_is_empty();
    tenant.destroyed(&it);
}
