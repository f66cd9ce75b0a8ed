//! The examples for clusters, unchanged, with variables for the cluster.

use std::fs;
use std::path::Path;

use crate::federation::private_keys_stay;
use crate::tenant::Tenant;
use crate::workspace::Workspace;

/// A workspace with the configuration of an example and these variables.
fn example(name: &str, tenants: &[&Tenant], variables: &str) -> Workspace {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let main = fs::read_to_string(root.join(name).join("main.tf")).unwrap();
    let main = main.replace("/../quickstart/app", "/app");
    let it = Workspace::new("");
    it.app();
    it.file("main.tf", &main);
    it.file("kubeconfig", &Tenant::kubeconfig(tenants));
    let prefix = std::env::var("FLOWER_TEST_IMAGE_PREFIX").unwrap_or_default();
    it.file(
        "terraform.tfvars",
        &format!(
            "config_path = {:?}\nimage_prefix = {prefix:?}\n{variables}",
            it.path("kubeconfig").display().to_string()
        ),
    );
    it
}

fn trains(it: &Workspace, tenants: &[&Tenant]) {
    it.apply().succeeded();
    let run = it.output("run");
    assert!(
        run.as_str().unwrap().ends_with("finished:completed"),
        "{run}"
    );
    it.plan_is_empty();
    private_keys_stay(it, tenants);
    it.run(&["destroy", "-auto-approve", "-no-color"])
        .succeeded();
}

#[test]
fn one_cluster() {
    let tenant = Tenant::a();
    let it = example(
        "kubernetes",
        &[&tenant],
        &format!(
            "config_context = {:?}\nnamespace = {:?}\n",
            tenant.context, tenant.namespace
        ),
    );
    trains(&it, &[&tenant]);
    tenant.nothing_left();
}

#[test]
fn two_tenants_in_two_clusters() {
    let (a, b) = (Tenant::a(), Tenant::b());
    let it = example(
        "cross-tenant",
        &[&a, &b],
        &format!(
            "context = {{ a = {:?}, b = {:?} }}\nnamespace = {{ a = {:?}, b = {:?} }}\nsuperlink_host = {:?}\n",
            a.context,
            b.context,
            a.namespace,
            b.namespace,
            a.node_address()
        ),
    );
    trains(&it, &[&a, &b]);
    a.nothing_left();
    b.nothing_left();
}
