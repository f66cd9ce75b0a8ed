//! What the rest of a cluster can reach of a SuperLink, and what its containers can reach of it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde_json::{Value as Json, json};

use crate::inside::{listening, run_in_a_pod, shell};
use crate::tenant::Tenant;
use crate::workspace::Workspace;

const SUPERLINK: &str = "superlink-main";

/// Connects to a SuperLink from another pod, and sends exactly these bytes.
const PROBE: &str = r#"
import json, socket, ssl, sys
pod, service, paths = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])

def open_ports(host, ports, patience):
    found = []
    for port in ports:
        with socket.socket() as s:
            s.settimeout(patience)
            if s.connect_ex((host, port)) == 0:
                found.append(port)
    return found

def tls(lowest, highest):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = lowest, highest
    return context.wrap_socket(socket.create_connection((service, 9092), 10), server_hostname=service)

def ask(sent):
    with tls(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3) as s:
        s.settimeout(20)
        s.sendall(sent)
        answer = b""
        try:
            while more := s.recv(65536):
                answer += more
        except OSError:
            pass
    status = answer.split(b" ", 2)[1].decode() if b" " in answer else "none"
    return status + (" nginx" if b"<center>nginx</center>" in answer else "")

def request(path, head="Content-Length: 0\r\n", body=""):
    lines = f"POST {path} HTTP/1.1\r\nHost: {service}\r\n{head}Connection: close\r\n\r\n{body}"
    return ask(lines.encode("latin-1"))

def handshake(version):
    try:
        with tls(version, version) as s:
            return s.version()
    except ssl.SSLError as error:
        return error.reason

def plain():
    with socket.create_connection((service, 9092), 10) as s:
        s.sendall(b"GET /v1/control/list-runs HTTP/1.0\r\n\r\n")
        return s.recv(65536).decode().split(" ", 2)[1]

smuggled = "POST /v1/control/list-runs HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
print(json.dumps({
    "pod": open_ports(pod, range(1, 65536), 5),
    "service": open_ports(service, [80, 443, 8000, 8081, 8082, 9091, 9093, 9094], 2),
    "answers": {path: request(path) for path in paths},
    "rewritten": request("/v1/fleet/get-run",
        "X-Original-URL: /v1/control/list-runs\r\nX-Rewrite-URL: /v1/control/list-runs\r\nContent-Length: 0\r\n"),
    "smuggled": request("/v1/fleet/get-run",
        f"Content-Length: {len(smuggled) + 5}\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + smuggled),
    "plain": plain(),
    "tls": {v: handshake(getattr(ssl.TLSVersion, v)) for v in ["TLSv1", "TLSv1_1", "TLSv1_2", "TLSv1_3"]},
}))
"#;

/// Spellings of a path that lead out of the Fleet API.
const WAYS_OUT: [&str; 27] = [
    "/",
    "/health",
    "/docs",
    "/openapi.json",
    "/v1",
    "/v1/",
    "/v1/control/list-runs",
    "/v1/control/start-run",
    "/V1/FLEET/get-run",
    "//v1/control/list-runs",
    "/v1/fleetcontrol/list-runs",
    "/v1/fleet/../control/list-runs",
    "/v1/fleet/./../control/list-runs",
    "/v1/fleet/x/../../control/list-runs",
    "/v1/fleet/%2e%2e/control/list-runs",
    "/v1/fleet/%2E%2E/control/list-runs",
    "/v1/fleet/.%2e/control/list-runs",
    "/v1/fleet/%2E%2E%2Fcontrol/list-runs",
    "/v1/fleet%2f..%2fcontrol/list-runs",
    "/v1/fleet//../control/list-runs",
    "/v1/fleet/..;/control/list-runs",
    "/v1/fleet/..\\control/list-runs",
    "/v1/fleet/..%5ccontrol/list-runs",
    "/v1/fleet\\..\\control\\list-runs",
    "/v1/fleet/%252e%252e/control/list-runs",
    "/v1/fleet/%252e%252e%252fcontrol/list-runs",
    "https://localhost/v1/control/list-runs",
];

fn superlink(settings: &str) -> String {
    format!("resource \"flower_superlink\" \"main\" {{\n  name = \"main\"\n{settings}\n}}\n")
}

#[test]
fn nothing_but_the_fleet_api_is_reached_from_another_pod() {
    let tenant = Tenant::a();
    // The protection by the pod alone, as in clusters that enforce no policies.
    let alone = superlink("  kubernetes = { network_policy = false }");
    let it = Workspace::new(&format!("{}{alone}", tenant.provider()));
    it.apply().succeeded();
    let pod = tenant.pods(SUPERLINK).remove(0);
    let address = pod.status.unwrap().pod_ip.unwrap();
    let fleet = "/v1/fleet/get-run";
    let paths: Vec<&str> = WAYS_OUT
        .into_iter()
        .chain([fleet, "/v1/fleet/%00"])
        .collect();
    let paths = json!(paths).to_string();
    let said = run_in_a_pod(
        &tenant,
        &[
            "python3", "-Wignore", "-c", PROBE, &address, SUPERLINK, &paths,
        ],
    );
    let said: Json = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"));

    // The gateway, and the health service, which reports only the health.
    assert_eq!(said["pod"], json!([8081, 9092]));
    assert_eq!(said["service"], json!([]));
    let answer = |path: &str| said["answers"][path].as_str().unwrap();
    for path in WAYS_OUT {
        assert_eq!(answer(path), "404 nginx", "{path}");
    }
    assert_eq!(answer("/v1/fleet/%00"), "400 nginx");
    let through = answer(fleet);
    assert!(!through.contains("nginx") && through != "404", "{through}");
    assert_eq!(said["rewritten"], through, "headers lead elsewhere");
    assert_eq!(said["smuggled"], "400 nginx");
    assert_eq!(said["plain"], "400");
    assert_eq!(
        said["tls"],
        json!({
            "TLSv1": "TLSV1_ALERT_PROTOCOL_VERSION",
            "TLSv1_1": "TLSV1_ALERT_PROTOCOL_VERSION",
            "TLSv1_2": "TLSv1.2",
            "TLSv1_3": "TLSv1.3",
        })
    );
    let service: Service = tenant.get(SUPERLINK);
    let ports: Vec<_> = service.spec.unwrap().ports.unwrap();
    assert_eq!(ports.iter().map(|one| one.port).collect::<Vec<_>>(), [9092]);
    it.destroy();
    tenant.nothing_left();
}

#[test]
fn containers_hold_what_they_need_and_no_more() {
    let tenant = Tenant::a();
    let node = r#"
resource "flower_supernode_key" "site" {
  name = "site"
}
resource "flower_supernode" "site" {
  name      = "site"
  superlink = flower_superlink.main.fleet
  key       = flower_supernode_key.site.secret
  isolation = "process"
}
"#;
    let listed = "  isolation = \"process\"\n  supernodes = { site = { public_key = flower_supernode_key.site.public_key } }";
    let it = Workspace::new(&format!("{}{}{node}", tenant.provider(), superlink(listed)));
    it.apply().succeeded();
    for object in [SUPERLINK, "supernode-site"] {
        let pods = tenant.pods(object);
        assert_eq!(pods.len(), 1, "{object}");
        meets_the_restricted_standard(&serde_json::to_value(&pods[0].spec).unwrap());
    }
    // The content of the apps' container, by the pod's specification and in reality.
    let pod = serde_json::to_value(&tenant.pods(SUPERLINK)[0].spec).unwrap();
    let files = files_by_container(&pod);
    assert!(!files["superexec"].contains("server.key"), "{files:?}");
    assert!(!files["superexec"].contains("ca.key"), "{files:?}");
    assert!(files["superlink"].contains("server.key"), "{files:?}");
    let node = serde_json::to_value(&tenant.pods("supernode-site")[0].spec).unwrap();
    let files = files_by_container(&node);
    assert!(files["supernode"].contains("private-key"), "{files:?}");
    assert!(!files["superexec"].contains("private-key"), "{files:?}");
    let look = "cd /flower; ls files/* state/* 2>&1; test -e /var/run/secrets && echo a token; \
                touch /flower/x /usr/x 2>&1; id -u";
    for container in ["superlink", "superexec", "gateway"] {
        let said = shell(&tenant, SUPERLINK, container, look);
        let has_key = container != "superexec";
        assert_eq!(said.contains("files/server.key\n"), has_key, "{said}");
        let has_state = container == "superlink";
        assert_eq!(said.contains("state/state.db\n"), has_state, "{said}");
        assert!(!said.contains("a token"), "{said}");
        assert_eq!(said.matches("Read-only file system").count(), 2, "{said}");
        assert!(said.trim().ends_with("49999"), "{said}");
    }
    // They run in one pod, but cannot see each other's processes.
    let lines = "cat /proc/[0-9]*/cmdline | tr '\\0' ' '";
    let seen = shell(&tenant, SUPERLINK, "superexec", lines);
    assert!(!seen.contains("--ssl-keyfile"), "{seen}");
    // The gateway, and health services, which report only the health.
    assert_eq!(
        listening(&tenant, SUPERLINK, "superlink"),
        [8081, 8082, 9092].into()
    );
    assert_eq!(
        listening(&tenant, "supernode-site", "supernode"),
        [8081, 8082].into()
    );
    it.destroy();
    tenant.nothing_left();
}

fn meets_the_restricted_standard(spec: &Json) {
    assert_eq!(spec["automountServiceAccountToken"], false, "{spec}");
    assert_eq!(spec["enableServiceLinks"], false, "{spec}");
    assert_eq!(spec["securityContext"]["runAsNonRoot"], true, "{spec}");
    let seccomp = &spec["securityContext"]["seccompProfile"]["type"];
    assert_eq!(seccomp, "RuntimeDefault", "{spec}");
    for shared in [
        "hostNetwork",
        "hostPID",
        "hostIPC",
        "shareProcessNamespace",
        "initContainers",
    ] {
        let found = &spec[shared];
        assert!(found.is_null() || *found == false, "{shared}: {spec}");
    }
    let volumes = spec["volumes"].to_string();
    for source in ["hostPath", "serviceAccountToken"] {
        assert!(!volumes.contains(source), "{volumes}");
    }
    let containers = spec["containers"].as_array().unwrap();
    assert!(containers.len() >= 2, "{spec}");
    for container in containers {
        let context = &container["securityContext"];
        assert_eq!(context["readOnlyRootFilesystem"], true, "{container}");
        assert_eq!(context["allowPrivilegeEscalation"], false, "{container}");
        assert_eq!(context["capabilities"], json!({ "drop": ["ALL"] }));
        assert!(!container["env"].to_string().contains("secretKeyRef"));
    }
}

/// The volumes that each container mounts, as text.
fn files_by_container(spec: &Json) -> BTreeMap<String, String> {
    let volumes = spec["volumes"].as_array().unwrap();
    let containers = spec["containers"].as_array().unwrap();
    containers
        .iter()
        .map(|container| {
            let mounts = container["volumeMounts"].as_array().unwrap();
            let mounted = mounts
                .iter()
                .filter_map(|mount| volumes.iter().find(|one| one["name"] == mount["name"]))
                .map(Json::to_string)
                .collect();
            (container["name"].as_str().unwrap().to_owned(), mounted)
        })
        .collect()
}

#[test]
fn network_policies_let_supernodes_in_and_can_be_left_out() {
    let tenant = Tenant::a();
    let node = r#"
resource "flower_supernode" "site" {
  name      = "site"
  superlink = flower_superlink.main.fleet
POLICY
}
"#;
    let configured = |policy: &str| {
        format!(
            "{}{}{}",
            tenant.provider(),
            superlink(policy),
            node.replace("POLICY", policy)
        )
    };
    let it = Workspace::new(&configured(""));
    it.apply().succeeded();
    let rules = |name: &str| {
        let spec = tenant.get::<NetworkPolicy>(name).spec.unwrap();
        assert_eq!(spec.policy_types.unwrap_or_default(), ["Ingress"]);
        let labels = spec.pod_selector.unwrap().match_labels.unwrap();
        assert_eq!(labels["app.kubernetes.io/instance"], name);
        serde_json::to_value(spec.ingress.unwrap_or_default()).unwrap()
    };
    let fleet = json!([{ "ports": [{ "port": 9092, "protocol": "TCP" }] }]);
    assert_eq!(rules(SUPERLINK), fleet);
    assert_eq!(rules("supernode-site"), json!([]));
    it.configure(&format!(
        "{}{}{}",
        tenant.provider(),
        superlink("  service = { allow_from = [\"10.0.0.0/8\"] }"),
        node.replace("POLICY", "")
    ));
    it.apply().succeeded();
    it.plan_is_empty();
    let from = json!([{ "ipBlock": { "cidr": "10.0.0.0/8" } }]);
    assert_eq!(rules(SUPERLINK)[0]["from"], from);
    it.configure(&configured("  kubernetes = { network_policy = false }"));
    it.apply().succeeded();
    assert_eq!(tenant.list::<NetworkPolicy>("").len(), 0);
    it.plan_is_empty();
    it.destroy();
    tenant.nothing_left();
}
