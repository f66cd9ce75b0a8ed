//! How clients connect to a SuperLink, and what older releases and SuperLinks without TLS need.

use k8s_openapi::api::core::v1::{Secret, Service};
use kube::api::{Patch, PatchParams};
use serde_json::{Value as Json, json};
use terraform_provider_flower::pki::inspect;

use crate::federation::{completed, federation};
use crate::tenant::{Tenant, soon, wait};
use crate::workspace::{Workspace, said};

/// Applies a federation, checks that its run completed and its second plan is empty, and destroys
/// it.
fn trains(tenant: &Tenant, main: &str) {
    let it = Workspace::new(&format!("{}{main}", tenant.provider()));
    it.app();
    it.apply().succeeded();
    it.plan_is_empty();
    completed(&it);
    tenant.destroyed(&it);
}

#[test]
fn a_release_with_a_fleet_port_of_its_own_needs_no_gateway() {
    // Its Control API uses HTTP in one case, and gRPC through the port-forward in the other.
    for release in ["1.38.0", "1.32.1"] {
        without_gateway(release);
    }
}

fn without_gateway(release: &str) {
    let tenant = Tenant::a();
    let main = federation(&format!("  flower_version = {release:?}"), "", "");
    let it = Workspace::new(&format!("{}{main}", tenant.provider()));
    it.app();
    it.apply().succeeded();
    it.plan_is_empty();
    completed(&it);
    assert_eq!(tenant.containers("superlink-main"), ["superlink"]);
    tenant.destroyed(&it);
}

#[test]
fn without_tls_only_when_that_is_written_down() {
    let tenant = Tenant::a();
    let open = federation("  insecure = true", "", "")
        .replace(
            "supernodes = { for name, key in flower_supernode_key.site : name => { public_key = key.public_key } }",
            "",
        )
        .replace("key         = flower_supernode_key.site[each.key].secret", "");
    trains(&tenant, &open);
}

/// Gives the Service an address, as a cloud provider would.
fn balance(tenant: &Tenant, ingress: &Json) {
    let all = tenant.all::<Service>();
    soon("the Service", || {
        wait(all.get_opt("superlink-main")).unwrap()
    });
    let status = json!({ "status": { "loadBalancer": { "ingress": [ingress] } } });
    wait(all.patch_status(
        "superlink-main",
        &PatchParams::default(),
        &Patch::Merge(status),
    ))
    .unwrap();
}

#[test]
fn a_load_balancer_may_have_an_address_without_a_name() {
    let tenant = Tenant::a();
    let config = |service: &str| {
        format!(
            "{}resource \"flower_superlink\" \"main\" {{\n  name = \"main\"\n  \
             service = {{ service_type = \"LoadBalancer\"{service} }}\n}}\n",
            tenant.provider()
        )
    };
    let it = Workspace::new(&config(""));
    let apply = it.begin(&["apply", "-auto-approve", "-no-color"]);
    balance(&tenant, &json!({ "ip": "192.0.2.7" }));
    said(&apply.wait_with_output().unwrap()).succeeded();
    it.plan_is_empty();
    let address = || it.state("flower_superlink.main")["fleet"]["address"].clone();
    assert_eq!(address(), "192.0.2.7:9092");
    let certified = || {
        let secret: Secret = tenant.get("superlink-main-tls");
        let certificate = secret.data.unwrap()["server.crt"].clone();
        inspect(std::str::from_utf8(&certificate.0).unwrap()).unwrap()
    };
    let inside = [
        "superlink-main".to_owned(),
        format!("superlink-main.{}", tenant.namespace),
        format!("superlink-main.{}.svc", tenant.namespace),
        format!("superlink-main.{}.svc.cluster.local", tenant.namespace),
    ];
    assert!(
        certified()
            .ip_addresses
            .contains(&"192.0.2.7".parse().unwrap())
    );
    for name in &inside {
        assert!(certified().dns_names.contains(name), "{name}");
    }
    // SuperNodes connect to the `hostname`; the address already exists.
    it.configure(&config(", hostname = \"fleet.example.org\""));
    it.apply().succeeded();
    it.plan_is_empty();
    assert_eq!(address(), "fleet.example.org:9092");
    let names = certified().dns_names;
    assert!(names.contains(&"fleet.example.org".to_owned()), "{names:?}");
    assert!(inside.iter().all(|name| names.contains(name)), "{names:?}");
    tenant.destroyed(&it);
}

#[test]
fn a_load_balancer_is_waited_for_and_its_address_handed_out() {
    let tenant = Tenant::a();
    let main = federation(
        "  service = {\n    service_type = \"LoadBalancer\"\n    annotations = { \"example.org/internal\" = \"true\" }\n  }",
        "",
        "",
    );
    let it = Workspace::new(&format!("{}{main}", tenant.provider()));
    it.app();
    let apply = it.begin(&["apply", "-auto-approve", "-no-color"]);
    let all = tenant.all::<Service>();
    let service = soon("the Service", || {
        wait(all.get_opt("superlink-main")).unwrap()
    });
    assert_eq!(
        service.metadata.annotations.unwrap()["example.org/internal"],
        "true"
    );
    // Here its address is the name of the Service.
    let hostname = format!("superlink-main.{}.svc", tenant.namespace);
    balance(&tenant, &json!({ "hostname": hostname }));
    said(&apply.wait_with_output().unwrap()).succeeded();
    it.plan_is_empty();
    let fleet = it.state("flower_superlink.main")["fleet"].clone();
    assert_eq!(fleet["address"], format!("{hostname}:9092"));

    // A cloud provider may change the address: SuperNodes get the new one.
    let hostname = format!("{hostname}.cluster.local");
    balance(&tenant, &json!({ "hostname": hostname }));
    let plan = it.plan();
    assert_eq!(plan.code, Some(2), "{}", plan.text);
    plan.says(&["has another address now", &hostname]);
    it.apply().succeeded();
    it.plan_is_empty();
    let dialled = it.state("flower_supernode.site[\"hospital-a\"]")["superlink"]["address"].clone();
    assert_eq!(dialled, format!("{hostname}:9092"));
    tenant.destroyed(&it);

    // A Service whose address cannot be known is refused.
    it.configure(&format!(
        "{}resource \"flower_superlink\" \"main\" {{\n  name = \"main\"\n  service = {{ service_type = \"NodePort\" }}\n}}\n",
        tenant.provider()
    ));
    it.apply().failed_with(&["service.hostname"]);
    tenant.nothing_left();
}
