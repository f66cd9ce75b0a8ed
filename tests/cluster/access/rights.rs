//! The Role of `examples/kubernetes/role.yaml` is enough, and what is missing of it is named.

use k8s_openapi::api::rbac::v1::Role;
use serde_json::json;

use super::account::{Account, Cluster};
use super::{keeps_secret, provider};
use crate::federation::federation;
use crate::tenant::Tenant;
use crate::workspace::Workspace;

const ROLE: &str = "terraform-provider-flower";

#[test]
fn the_role_of_the_documentation_is_all_that_a_federation_takes() {
    let tenant = Tenant::a();
    let Some(account) = tenant.account() else {
        return;
    };
    let cluster = Cluster::of(&tenant);
    let settings = format!("{}token = {:?}\n", cluster.host(), account.token);
    let provider = provider(&tenant.namespace, &settings);
    let it = Workspace::new(&format!("{provider}{}", federation("", "", "")));
    it.app();
    it.apply().succeeded();
    let run = it.state("flower_app_run.training");
    assert_eq!(
        (&run["status"], &run["sub_status"]),
        (&"finished".into(), &"completed".into())
    );
    it.plan_is_empty();
    let env = "  env = { SITE = \"changed\" }";
    it.configure(&format!("{provider}{}", federation(env, env, "")));
    it.apply().succeeded();
    it.plan_is_empty();
    let said = it.run(&["destroy", "-auto-approve", "-no-color"]);
    keeps_secret(&it, &said, &[&account.token]);
    said.succeeded();
    tenant.nothing_left();
}

/// A SuperLink under the documented Role but for one verb, and how to give that back.
fn superlink_without(tenant: &Tenant, account: &Account, right: (&str, &str)) -> Workspace {
    let settings = format!(
        "{}token = {:?}\n",
        Cluster::of(tenant).host(),
        account.token
    );
    let it = Workspace::new(&format!(
        "{}resource \"flower_superlink\" \"main\" {{\n  name = \"main\"\n  timeouts = {{ create = \"60s\" }}\n}}\n",
        provider(&tenant.namespace, &settings)
    ));
    let (resource, verb) = right;
    let mut rules = serde_json::to_value(tenant.get::<Role>(ROLE).rules).unwrap();
    for rule in rules.as_array_mut().unwrap() {
        if rule["resources"][0] == resource {
            let verbs = rule["verbs"].as_array_mut().unwrap();
            verbs.retain(|one| one != verb);
        }
    }
    tenant.patch_as::<Role>("test", ROLE, json!({ "rules": rules }));
    // Rights are known to the API server a moment after they were taken.
    std::thread::sleep(std::time::Duration::from_secs(1));
    it
}

#[test]
fn a_right_that_is_missing_is_named() {
    let tenant = Tenant::a();
    let Some(account) = tenant.account() else {
        return;
    };
    let full = serde_json::to_value(tenant.get::<Role>(ROLE).rules).unwrap();
    let it = superlink_without(&tenant, account, ("deployments", "create"));
    it.apply().failed_with(&[
        "The cluster does not allow it",
        "cannot create resource \"deployments\"",
        "the Role that the documentation of the provider lists",
    ]);
    tenant.patch_as::<Role>("test", ROLE, json!({ "rules": full }));
    std::thread::sleep(std::time::Duration::from_secs(1));
    it.apply().succeeded();
    it.plan_is_empty();
    it.destroy();
    tenant.nothing_left();
}

#[test]
fn a_port_forward_that_is_refused_is_named_at_once() {
    let tenant = Tenant::a();
    let Some(account) = tenant.account() else {
        return;
    };
    let it = superlink_without(&tenant, account, ("pods/portforward", "create"));
    let begun = std::time::Instant::now();
    it.apply().failed_with(&[
        "a port-forward to Pod",
        "takes \"get\" and \"create\" of pods/portforward",
    ]);
    assert!(begun.elapsed().as_secs() < 40, "it waited for nothing");
}
