//! Who can connect to the pods if NetworkPolicies are enforced.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde_json::json;

use crate::inside::{self, listening};
use crate::tenant::{Tenant, soon};
use crate::workspace::{Workspace, eventually};

const SUPERLINK: &str = "superlink-main";
const FLEET: u16 = 9092;
/// The port on which a client listens.
const SERVED: u16 = 8000;
/// The ports of Flower's programs and the gateway, and their neighbours.
const PORTS: [u16; 12] = [
    80, 443, 8000, 8080, 8081, 8082, 9090, 9091, FLEET, 9093, 9094, 9095,
];

/// Connects to all ports at the same time: a dropped packet is only noticed by a timeout.
const CONNECT: &str = r"
import socket, sys
from concurrent.futures import ThreadPoolExecutor
host, ports = sys.argv[1], [int(port) for port in sys.argv[2:]]
def lets_in(port):
    try:
        socket.create_connection((host, port), 3).close()
        return True
    except OSError:
        return False
with ThreadPoolExecutor(len(ports)) as pool:
    print(*[port for port, yes in zip(ports, pool.map(lets_in, ports)) if yes])
";

/// A pod that connects to others.
struct Caller<'a> {
    tenant: &'a Tenant,
    name: &'static str,
    address: String,
}

impl<'a> Caller<'a> {
    fn start(tenant: &'a Tenant, name: &'static str) -> Self {
        let port = SERVED.to_string();
        inside::start(tenant, name, &["python3", "-m", "http.server", &port]);
        let address = soon("the caller", || {
            let status = tenant.get::<Pod>(name).status?;
            (status.phase? == "Running").then_some(status.pod_ip?)
        });
        Self {
            tenant,
            name,
            address,
        }
    }

    /// The ports of a host that accept its connections.
    fn reaches(&self, host: &str, ports: &[u16]) -> BTreeSet<u16> {
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        let mut command = vec!["python3", "-c", CONNECT, host];
        command.extend(ports.iter().map(String::as_str));
        let said = inside::run(self.tenant, self.name, self.name, &command);
        let open = said.split_whitespace().map(str::parse);
        open.collect::<Result<_, _>>()
            .unwrap_or_else(|_| panic!("{said}"))
    }
}

/// Whether the cluster enforces policies. Ours does; without it, there is nothing to test.
fn enforced(tenant: &Tenant) -> bool {
    let (caller, closed) = (
        Caller::start(tenant, "caller"),
        Caller::start(tenant, "closed"),
    );
    eventually("a connection between pods", || {
        caller.reaches(&closed.address, &[SERVED]) == [SERVED].into()
    });
    let _: NetworkPolicy = tenant.create(json!({
        "metadata": { "name": "closed" },
        "spec": {
            "podSelector": { "matchLabels": { "app.kubernetes.io/instance": "closed" } },
            "policyTypes": ["Ingress"],
        },
    }));
    let until = Instant::now() + Duration::from_secs(30);
    let mut open = true;
    while open && Instant::now() < until {
        open = !caller.reaches(&closed.address, &[SERVED]).is_empty();
    }
    for name in ["caller", "closed"] {
        tenant.delete::<Pod>(name);
    }
    tenant.delete::<NetworkPolicy>("closed");
    if open {
        let context = &tenant.context;
        assert!(!tenant.ours(), "{context} does not enforce NetworkPolicies");
        eprintln!("{context} does not enforce NetworkPolicies: what they let in was NOT tested");
    }
    !open
}

fn superlink(settings: &str) -> String {
    format!("resource \"flower_superlink\" \"main\" {{\n  name = \"main\"\n{settings}\n}}\n")
}

fn allow_from(networks: &[&str]) -> String {
    format!("  service = {{ allow_from = {networks:?} }}")
}

fn address(tenant: &Tenant, object: &str) -> String {
    let pod = tenant.pods(object).remove(0);
    pod.status.unwrap().pod_ip.unwrap()
}

#[test]
fn a_superlink_lets_in_at_the_fleet_port_alone_and_from_where_it_is_told() {
    let (tenant, elsewhere) = (Tenant::a(), Tenant::a());
    if !enforced(&tenant) {
        return;
    }
    let named = Caller::start(&tenant, "named");
    let stranger = Caller::start(&elsewhere, "stranger");
    // Behind a gateway, and with a separate Fleet port.
    for release in ["1.42.0", "1.38.0"] {
        let release = format!("  flower_version = {release:?}\n");
        let configured = |settings: &str| {
            format!(
                "{}{}",
                tenant.provider(),
                superlink(&(release.clone() + settings))
            )
        };
        let it = Workspace::new(&configured(""));
        // It is ready only if the kubelet's probes reach it.
        it.apply().succeeded();
        let pod = address(&tenant, SUPERLINK);
        let service = format!("{SUPERLINK}.{}", tenant.namespace);
        let listens = listening(&tenant, SUPERLINK, "superlink");
        assert!(listens.contains(&8081), "nothing to close: {listens:?}");
        let fleet = BTreeSet::from([FLEET]);
        for caller in [&named, &stranger] {
            eventually("the Fleet port alone", || {
                caller.reaches(&pod, &PORTS) == fleet
            });
            assert_eq!(caller.reaches(&service, &PORTS), fleet);
        }

        let network = format!("{}/32", named.address);
        it.configure(&configured(&allow_from(&["192.0.2.0/24", &network])));
        it.apply().succeeded();
        eventually("a closed Fleet port", || {
            stranger.reaches(&pod, &PORTS).is_empty()
        });
        assert_eq!(stranger.reaches(&service, &PORTS), [].into());
        assert_eq!(named.reaches(&pod, &PORTS), fleet);
        assert_eq!(named.reaches(&service, &PORTS), fleet);
        // Runs continue meanwhile: the pod and its certificate are the same.
        assert_eq!(address(&tenant, SUPERLINK), pod);
        // The provider's own connection does not use the network of the pods.
        it.plan_is_empty();

        // The policy has closed the ports.
        it.configure(&configured("  kubernetes = { network_policy = false }"));
        it.apply().succeeded();
        eventually("every port that listens", || {
            stranger.reaches(&pod, &PORTS) == listens
        });
        it.destroy();
    }
}

#[test]
fn nobody_connects_to_a_supernode_and_it_joins() {
    let tenant = Tenant::a();
    if !enforced(&tenant) {
        return;
    }
    let caller = Caller::start(&tenant, "caller-of-nodes");
    let node = r#"
resource "flower_supernode" "site" {
  name      = "site"
  superlink = flower_superlink.main.fleet
  isolation = "process"
}
"#;
    let process = superlink("  isolation = \"process\"");
    let it = Workspace::new(&format!("{}{process}{node}", tenant.provider()));
    it.apply().succeeded();
    it.plan_is_empty();
    assert!(!it.state("flower_supernode.site")["node_id"].is_null());
    let pod = address(&tenant, "supernode-site");
    let listens = listening(&tenant, "supernode-site", "supernode");
    assert!(listens.contains(&8081), "nothing to close: {listens:?}");
    eventually("closed ports", || caller.reaches(&pod, &PORTS).is_empty());
    it.destroy();
}

#[test]
fn supernodes_of_another_cluster_are_let_in_by_the_address_that_they_come_from() {
    let tenant = Tenant::a();
    // In other clusters, the source address depends on the network plugin.
    if !tenant.ours() {
        eprintln!("{}: not one of our clusters", tenant.context);
        return;
    }
    let Some(other) = tenant.namesake() else {
        eprintln!("one cluster alone has no other");
        return;
    };
    let far = Caller::start(&other, "far");
    let configured = |networks: &[&str]| {
        format!(
            "{}{}",
            tenant.provider(),
            superlink(&format!(
                "  service = {{\n    service_type = \"NodePort\"\n    hostname = {:?}\n    allow_from = {networks:?}\n  }}",
                tenant.node_address()
            ))
        )
    };
    let theirs = format!("{}/32", other.node_address());
    let it = Workspace::new(&configured(&[&theirs]));
    it.apply().succeeded();
    let service: Service = tenant.get(SUPERLINK);
    let ports = service.spec.unwrap().ports.unwrap();
    let port = u16::try_from(ports[0].node_port.unwrap()).unwrap();
    let node = tenant.node_address();
    eventually("a way in", || far.reaches(&node, &[port]) == [port].into());
    it.configure(&configured(&["192.0.2.0/24"]));
    it.apply().succeeded();
    eventually("no way in", || far.reaches(&node, &[port]).is_empty());
    it.configure(&configured(&[&theirs]));
    it.apply().succeeded();
    eventually("a way in again", || {
        far.reaches(&node, &[port]) == [port].into()
    });
    it.destroy();
}
