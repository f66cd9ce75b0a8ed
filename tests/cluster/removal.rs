//! Objects that cannot be deleted: a destroy names the reason, and completes when it is gone.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret, Service};
use serde_json::{Value as Json, json};

use crate::tenant::{Object, Tenant};
use crate::workspace::{Workspace, eventually};

const HOLD: &str = "example.org/hold";

/// Creates the resources of `main`, adds a finalizer to one object, and checks that the error names
/// it.
#[track_caller]
fn held<K: Object>(tenant: &Tenant, main: &str, kind: &str, part: &str) {
    let it = Workspace::new(&format!("{}{main}", tenant.provider()));
    it.apply().succeeded();
    let hold = |finalizers: Json| {
        let patch = json!({ "metadata": { "finalizers": finalizers } });
        tenant.patch_as::<K>("somebody", part, patch);
    };
    let before = tenant.get::<K>(part).meta().finalizers.clone();
    let mut finalizers = before.clone().unwrap_or_default();
    finalizers.push(HOLD.to_owned());
    hold(json!(finalizers));
    let destroy = || it.run(&["destroy", "-auto-approve", "-no-color"]);
    // Its pods may take longer than the timeout, and are then named.
    destroy().failed_with(&["still exists after 15 s"]);
    eventually("the end of the pods", || {
        tenant.pods("superlink-main").is_empty()
    });
    for _ in 0..2 {
        destroy().failed_with(&[
            &format!("{kind} {part:?} still exists after"),
            &format!("it waits for the finalizers {HOLD}"),
            "the controller behind the finalizer",
        ]);
    }
    hold(Json::Null);
    tenant.destroyed(&it);
}

const SUPERLINK: &str = "resource \"flower_superlink\" \"main\" {\n  name = \"main\"\n  timeouts = { delete = \"15s\" }\n}\n";

#[test]
fn a_service_that_is_held() {
    held::<Service>(&Tenant::a(), SUPERLINK, "Service", "superlink-main");
}

#[test]
fn a_claim_that_is_held() {
    let kind = "PersistentVolumeClaim";
    held::<PersistentVolumeClaim>(&Tenant::a(), SUPERLINK, kind, "superlink-main");
}

#[test]
fn a_secret_that_is_held() {
    held::<Secret>(&Tenant::a(), SUPERLINK, "Secret", "superlink-main-tls");
}
