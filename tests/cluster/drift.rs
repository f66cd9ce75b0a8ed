//! Differences from the last apply: changes by others, and updates that did not finish.

use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt as _;
use serde_json::{Value as Json, json};

use crate::federation::federation;
use crate::tenant::{Object, Tenant, soon};
use crate::workspace::{Workspace, kill_children};

const SUPERLINK: &str = "superlink-main";
const FILES: &str = "superlink-main.files";

fn superlink(tenant: &Tenant, rest: &str) -> String {
    format!(
        "{}resource \"flower_superlink\" \"main\" {{\n  name = \"main\"\n{rest}\n}}\n",
        tenant.provider()
    )
}

/// A plan that reports this drift.
#[track_caller]
fn told(it: &Workspace, words: &[&str]) {
    let plan = it.plan();
    assert_eq!(plan.code, Some(2), "{}", plan.text);
    plan.says(words);
}

/// An apply that repairs everything.
#[track_caller]
fn mended(it: &Workspace) {
    it.apply().succeeded();
    it.plan_is_empty();
}

fn service_type(tenant: &Tenant) -> String {
    let service: Service = tenant.get(SUPERLINK);
    service.spec.unwrap().type_.unwrap()
}

#[test]
fn what_an_update_changed_before_it_failed_is_put_back_when_it_is_taken_back() {
    let tenant = Tenant::a();
    let before = superlink(&tenant, "");
    let it = Workspace::new(&before);
    mended(&it);
    let unfinished = ["An earlier apply of SuperLink \"main\" did not finish"];

    // The update reached only the Service.
    let balanced =
        "  service = { service_type = \"LoadBalancer\" }\n  timeouts = { update = \"3s\" }";
    it.configure(&superlink(&tenant, balanced));
    it.apply().failed_with(&["got no address"]);
    assert_eq!(service_type(&tenant), "LoadBalancer");
    it.configure(&before);
    told(&it, &unfinished);
    mended(&it);
    assert_eq!(service_type(&tenant), "ClusterIP");

    it.destroy();
    tenant.nothing_left();
}

#[test]
fn parts_that_nobody_waits_for_are_missed_when_they_are_gone() {
    let tenant = Tenant::a();
    let it = Workspace::new(&format!(
        "{}resource \"flower_supernode\" \"a\" {{\n  name = \"a\"\n  superlink = flower_superlink.main.fleet\n  wait = false\n}}\n",
        superlink(&tenant, "")
    ));
    mended(&it);
    for name in [SUPERLINK, "supernode-a"] {
        tenant.delete::<NetworkPolicy>(name);
        told(&it, &[&format!("NetworkPolicy {name:?} no longer exists")]);
        mended(&it);
        tenant.get::<NetworkPolicy>(name);
    }
    tenant.delete::<ConfigMap>(FILES);
    told(&it, &[&format!("ConfigMap {FILES:?} no longer exists")]);
    mended(&it);
    let files: ConfigMap = tenant.get(FILES);
    assert!(files.data.unwrap().contains_key("nginx.conf"));
    it.destroy();
    tenant.nothing_left();
}

/// Others change a field of the provider: the plan reports the manager, and the apply does not
/// overwrite it. When the change is undone, there is no drift.
#[track_caller]
fn is_not_fought_over<K: Object>(tenant: &Tenant, name: &str, there: &Json, back: &Json, at: &str) {
    let it = Workspace::new(&superlink(tenant, ""));
    mended(&it);
    tenant.patch_as::<K>("somebody", name, there.clone());
    let told_as = format!("{name:?}: {at} by \"somebody\"");
    told(&it, &["was changed outside of Terraform", &told_as]);
    it.apply().failed_with(&[
        "is also managed by others",
        "by \"somebody\"",
        "Nothing was overwritten",
    ]);
    tenant.patch_as::<K>("somebody", name, back.clone());
    mended(&it);
    it.destroy();
    tenant.nothing_left();
}

#[test]
fn a_way_in_that_others_changed_is_told_and_not_fought_over() {
    let tenant = Tenant::a();
    let selector = |value: Json| json!({ "spec": { "selector": { "a": value } } });
    is_not_fought_over::<Service>(
        &tenant,
        SUPERLINK,
        &selector("b".into()),
        &selector(Json::Null),
        "spec.selector",
    );
    let port = |target: u16| {
        json!({ "spec": { "ports": [
            { "name": "fleet", "port": 9092, "protocol": "TCP", "targetPort": target },
        ]}})
    };
    is_not_fought_over::<Service>(
        &tenant,
        SUPERLINK,
        &port(1),
        &port(9092),
        "spec.ports[{\"port\":9092,\"protocol\":\"TCP\"}].targetPort",
    );
    let from = |rule: Json| json!({ "spec": { "ingress": [rule] } });
    is_not_fought_over::<NetworkPolicy>(
        &tenant,
        SUPERLINK,
        &from(json!({})),
        &from(json!({ "ports": [{ "protocol": "TCP", "port": 9092 }] })),
        "spec.ingress",
    );
}

#[test]
fn files_that_others_changed_are_told_and_not_fought_over() {
    let tenant = Tenant::a();
    let it = Workspace::new(&superlink(&tenant, ""));
    mended(&it);
    let files = || tenant.get::<ConfigMap>(FILES).data.unwrap();
    let before = files();
    let edit = |text: &str| json!({ "data": { "nginx.conf": text } });
    tenant.patch_as::<ConfigMap>("somebody", FILES, edit("events {}"));
    told(
        &it,
        &[&format!(
            "ConfigMap {FILES:?}: data.nginx.conf by \"somebody\""
        )],
    );
    it.apply().failed_with(&["is also managed by others"]);
    tenant.patch_as::<ConfigMap>("somebody", FILES, edit(&before["nginx.conf"]));
    mended(&it);
    // A deleted object is recreated with the same content.
    let uid = tenant.get::<ConfigMap>(FILES).uid();
    tenant.delete::<ConfigMap>(FILES);
    mended(&it);
    assert_ne!(tenant.get::<ConfigMap>(FILES).uid(), uid);
    assert_eq!(files(), before);
    it.destroy();
    tenant.nothing_left();
}

#[test]
fn a_secret_of_the_user_that_changes_is_a_plan() {
    let tenant = Tenant::a();
    let secret = |name: &str| {
        let manifest = json!({ "metadata": { "name": name }, "stringData": { "WORD": "1" } });
        tenant.create::<Secret>(manifest);
    };
    secret("login");
    secret("data");
    let apps = "  kubernetes = {\n    env_from_secrets = [\"login\"]\n    volumes = { data = { mount_path = \"/data\", secret = \"data\" } }\n  }";
    let it = Workspace::new(&superlink(&tenant, apps));
    mended(&it);
    for name in ["login", "data"] {
        let pod = tenant.pods(SUPERLINK)[0].name_any();
        let change = json!({ "stringData": { "WORD": "2" } });
        tenant.patch_as::<Secret>("somebody", name, change);
        told(
            &it,
            &[&format!(
                "Secret {name:?} has changed since its pod was created"
            )],
        );
        mended(&it);
        assert_ne!(tenant.pods(SUPERLINK)[0].name_any(), pod);
    }
    // The running processes have the same content.
    tenant.delete::<Secret>("login");
    it.plan_is_empty();
    it.destroy();
    tenant.delete::<Secret>("data");
    tenant.nothing_left();
}

#[test]
fn a_note_that_a_killed_apply_left_goes_with_its_superlink() {
    let tenant = Tenant::a();
    let never = "run_config = { fail-in = \"never\" }\n  on_missing = \"keep\"";
    let main = federation("", "", never).replace("  run_config = { num-server-rounds = 1 }\n", "");
    let it = Workspace::new(&format!("{}{main}", tenant.provider()));
    it.app();
    let before_the_run = [
        "apply",
        "-auto-approve",
        "-no-color",
        "-target=flower_supernode.site",
    ];
    it.run(&before_the_run).succeeded();
    let mut apply = it.begin(&["apply", "-auto-approve", "-no-color"]);
    let note = soon("a note", || {
        let notes = tenant.list::<ConfigMap>("app.kubernetes.io/component=note");
        notes.into_iter().next()
    });
    kill_children(apply.id());
    apply.wait().unwrap();
    let owners = note.owner_references();
    assert_eq!(owners.len(), 1);
    assert_eq!(owners[0].name, SUPERLINK);
    it.run(&["destroy", "-auto-approve", "-no-color"])
        .succeeded();
    soon("nothing left", || {
        tenant.inventory().is_empty().then_some(())
    });
}
