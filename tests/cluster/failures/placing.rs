//! Nodes and addresses that a cluster may create on demand: the apply waits as long as it is set
//! to, and names them at the timeout.

use k8s_openapi::api::core::v1::Node;
use kube::api::{Patch, PatchParams};
use serde_json::{Value as Json, json};

use super::*;
use crate::tenant::wait;

/// A label on all nodes; removed on drop.
struct Label<'a>(&'a Tenant, String);

impl Label<'_> {
    fn set(&self, value: &Json) {
        let nodes = self.0.cluster::<Node>();
        let patch = json!({ "metadata": { "labels": { &self.1: value } } });
        for node in wait(nodes.list(&kube::api::ListParams::default())).unwrap() {
            let name = node.metadata.name.unwrap();
            wait(nodes.patch(&name, &PatchParams::default(), &Patch::Merge(&patch))).unwrap();
        }
    }
}

impl Drop for Label<'_> {
    fn drop(&mut self) {
        self.set(&Json::Null);
    }
}

#[test]
fn a_node_that_comes_later_is_waited_for() {
    let tenant = Tenant::a();
    if !tenant.ours() {
        eprintln!("NOT RUN in {}: it labels nodes", tenant.context);
        return;
    }
    let label = Label(&tenant, tenant.namespace.clone());
    let settings = |timeout: &str| {
        format!(
            "kubernetes = {{ scheduling_timeout = {timeout:?}, node_selector = {{ {:?} = \"yes\" }} }}",
            label.1
        )
    };
    let it = workspace(&tenant, &settings("20s"));
    let begun = Instant::now();
    it.apply().failed_with(&[
        "`pod`: no node accepts it (after 20 s): 0/",
        "`kubernetes.scheduling_timeout`",
    ]);
    let took = begun.elapsed();
    assert!(
        took > Duration::from_secs(20) && took < Duration::from_secs(40),
        "{took:?}"
    );

    it.configure(&format!(
        "{}{}",
        tenant.provider(),
        superlink(&settings("60s"))
    ));
    let begun = Instant::now();
    let apply = it.begin(&["apply", "-auto-approve", "-no-color"]);
    soon("a pod", || tenant.pods("superlink-main").pop());
    std::thread::sleep(Duration::from_secs(20));
    label.set(&"yes".into());
    said(&apply.wait_with_output().unwrap()).succeeded();
    eprintln!(
        "a node after 20 s: up after {:.1} s",
        begun.elapsed().as_secs_f32()
    );
    let log = std::fs::read_to_string(it.path("trace.log")).unwrap();
    assert!(log.contains("still waiting for it"), "nothing was logged");
    it.plan_is_empty();
    gone(&tenant, &it);
}

#[test]
fn a_load_balancer_that_nobody_makes_is_named() {
    let tenant = Tenant::a();
    if !tenant.ours() {
        eprintln!("NOT RUN in {}: it may have load balancers", tenant.context);
        return;
    }
    // A `hostname` does not create an address either.
    for hostname in ["", ", hostname = \"fleet.example.org\""] {
        let it = Workspace::new(&format!(
            "{}resource \"flower_superlink\" \"main\" {{\n  name = \"main\"\n  \
             service = {{ service_type = \"LoadBalancer\"{hostname} }}\n  \
             timeouts = {{ create = \"5s\" }}\n}}\n",
            tenant.provider()
        ));
        fails(
            &tenant,
            &it,
            "load balancer",
            &[
                "SuperLink \"main\" did not start",
                "Service \"superlink-main\" in the namespace",
                "got no address within",
                "a load-balancer controller, such as the cloud provider's or MetalLB",
                "service_type = \"NodePort\"",
            ],
        );
        gone(&tenant, &it);
    }
}
