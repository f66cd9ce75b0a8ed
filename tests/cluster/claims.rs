//! Claims on a name: by an apply that is running, and by one that died.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use kube::ResourceExt as _;
use serde_json::json;

use crate::tenant::{Tenant, soon};
use crate::workspace::{Cut, Workspace, kill_children, said};

const HOLDER: &str = "terraform-provider-flower/holder";
const RENEWED: &str = "terraform-provider-flower/renewed";
const RECORD: &str = "node-key.a";

fn key(tenant: &Tenant) -> String {
    format!(
        "{}resource \"flower_supernode_key\" \"a\" {{\n  name = \"a\"\n}}\n",
        tenant.provider()
    )
}

/// The record of a key that another apply creates.
fn claimed(tenant: &Tenant) -> String {
    claimed_as(tenant, RECORD, "supernode-key")
}

/// The same for an object `a` of another kind.
fn claimed_as(tenant: &Tenant, record: &str, kind: &str) -> String {
    let record = tenant.create::<ConfigMap>(json!({ "metadata": {
        "name": record,
        "labels": {
            "app.kubernetes.io/managed-by": "terraform-provider-flower",
            "app.kubernetes.io/component": kind,
            "app.kubernetes.io/instance": record,
            "app.kubernetes.io/part-of": "flower",
            "terraform-provider-flower/name": "a",
        },
        "annotations": { HOLDER: "another", RENEWED: "0" },
    }}));
    record.uid().unwrap()
}

#[test]
fn what_a_living_apply_makes_is_left_to_it() {
    let tenant = Tenant::a();
    let uid = claimed(&tenant);
    let it = Workspace::new(&key(&tenant));
    let done = Arc::new(AtomicBool::new(false));
    let said = std::thread::scope(|scope| {
        let renewing = Arc::clone(&done);
        let tenant = &tenant;
        scope.spawn(move || {
            let mut count = 0;
            while !renewing.load(Ordering::Relaxed) {
                count += 1;
                let patch =
                    json!({ "metadata": { "annotations": { RENEWED: count.to_string() } } });
                tenant.patch_as::<ConfigMap>("another", RECORD, patch);
                std::thread::sleep(Duration::from_secs(2));
            }
        });
        let said = it.apply();
        done.store(true, Ordering::Relaxed);
        said
    });
    said.failed_with(&[
        "Another apply is creating SuperNode key \"a\" now",
        "wait for the other apply",
    ]);
    assert_eq!(tenant.get::<ConfigMap>(RECORD).uid().unwrap(), uid);
    tenant.delete::<ConfigMap>(RECORD);
    tenant.nothing_left();
}

#[test]
fn what_a_dead_apply_made_is_taken_over() {
    let tenant = Tenant::a();
    let uid = claimed(&tenant);
    let it = Workspace::new(&key(&tenant));
    let begun = Instant::now();
    it.apply().succeeded().says(&["was taken over"]);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(30), "it took {took:?}");
    it.plan_is_empty();
    let record: ConfigMap = tenant.get(RECORD);
    assert_eq!(record.uid().unwrap(), uid);
    assert!(!record.annotations().contains_key(HOLDER));
    tenant.destroyed(&it);
}

#[test]
fn what_another_apply_took_over_is_its_own() {
    let tenant = Tenant::a();
    // It gets no address, so its creation runs until the timeout.
    let it = Workspace::new(&format!(
        "{}resource \"flower_superlink\" \"main\" {{\n  name = \"main\"\n  \
         service = {{ service_type = \"LoadBalancer\" }}\n  \
         timeouts = {{ create = \"10s\" }}\n}}\n",
        tenant.provider()
    ));
    let apply = it.begin(&["apply", "-auto-approve", "-no-color"]);
    soon("the Service", || {
        let services = tenant.list::<Service>("");
        (!services.is_empty()).then_some(())
    });
    let others = json!({ "metadata": { "annotations": { HOLDER: "another", RENEWED: "0" } } });
    tenant.patch_as::<ConfigMap>("another", "superlink-main", others);
    said(&apply.wait_with_output().unwrap())
        .failed_with(&["Another apply is creating SuperLink \"main\" now"]);
    let left = tenant.inventory();
    assert!(left.contains_key("services"), "{left:?}");
    assert_eq!(left["configmaps"], ["superlink-main"]);
    tenant.delete::<ConfigMap>("superlink-main");
    soon("the end of all", || {
        tenant.inventory().is_empty().then_some(())
    });
}

#[test]
fn what_others_made_is_not_taken_over_with_what_a_dead_apply_made() {
    let tenant = Tenant::a();
    claimed_as(&tenant, "superlink-a", "superlink");
    let files = "superlink-a.files";
    let theirs = json!({ "metadata": { "name": files }, "data": { "theirs": "1" } });
    tenant.create::<ConfigMap>(theirs);
    let it = Workspace::new(&format!(
        "{}resource \"flower_superlink\" \"a\" {{\n  name = \"a\"\n}}\n",
        tenant.provider()
    ));
    let refused = [
        "ConfigMap \"superlink-a.files\" already exists",
        "the provider did not create it",
    ];
    it.apply().failed_with(&refused);
    tenant.delete::<ConfigMap>("superlink-a");
    // Also if there was no holder before.
    it.apply().failed_with(&refused);
    it.destroy();
    let left: ConfigMap = tenant.get(files);
    assert_eq!(left.data.unwrap(), [("theirs".into(), "1".into())].into());
    tenant.delete::<ConfigMap>(files);
    tenant.nothing_left();
}

#[test]
fn two_applies_of_one_name_make_it_once() {
    let tenant = Tenant::a();
    let config = format!(
        "{}resource \"flower_superlink\" \"main\" {{\n  name = \"main\"\n}}\n",
        tenant.provider()
    );
    let (one, other) = (Workspace::new(&config), Workspace::new(&config));
    let mut first = one
        .command(&["apply", "-auto-approve", "-no-color"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let record = soon("a record", || tenant.inventory().remove("configmaps"));
    assert!(record.contains(&"superlink-main".to_owned()), "{record:?}");
    other
        .apply()
        .failed_with(&["SuperLink \"main\" was not created"]);
    assert!(first.wait().unwrap().success());
    one.plan_is_empty();
    // The next apply takes over the object of a killed one.
    one.run(&["destroy", "-auto-approve", "-no-color"])
        .succeeded();
    let mut killed = one
        .command(&["apply", "-auto-approve", "-no-color"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    soon("a record", || tenant.inventory().remove("configmaps"));
    kill_children(killed.id());
    killed.wait().unwrap();
    other.apply().succeeded().says(&["was taken over"]);
    other.plan_is_empty();
    other
        .run(&["destroy", "-auto-approve", "-no-color"])
        .succeeded();
    tenant.nothing_left();
}

#[test]
fn a_destroy_that_ends_anywhere_is_ended_by_the_next_one() {
    let tenant = Tenant::a();
    let it = Workspace::new(&format!(
        "{}resource \"flower_superlink\" \"main\" {{\n  name = \"main\"\n}}\n",
        key(&tenant)
    ));
    for moment in [300, 900, 1500] {
        it.apply().succeeded();
        let destroy = ["destroy", "-auto-approve", "-no-color"];
        it.cut(&destroy, moment, Cut::Interrupt);
        it.cut(&destroy, moment, Cut::Kill);
        it.run(&destroy).succeeded();
        tenant.nothing_left();
    }
    // Interrupted between the Secret of a key and its record.
    it.apply().succeeded();
    tenant.delete::<Secret>("supernode-key-a");
    tenant.destroyed(&it);
}
