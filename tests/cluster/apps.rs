//! What an app can reach in its container, as `docs/guides/kubernetes.md` says. A command in the
//! container of apps has the same user and environment as an app.

use serde_json::Value as Json;

use crate::inside;
use crate::tenant::Tenant;
use crate::workspace::Workspace;

/// The environment of a program in its container.
const PROBE: &str = r#"
import glob, json, os, socket, ssl, urllib.request

def reads(path):
    try:
        with open(path, "rb") as file:
            file.read(1)
            return True
    except OSError:
        return False

def files(folder):
    found = [path for path in glob.glob(folder + "/**", recursive=True) if os.path.isfile(path)]
    return sorted(os.path.relpath(path, folder) for path in found if reads(path))

def control(call):
    trust = ssl._create_unverified_context()
    request = urllib.request.Request(
        "https://127.0.0.1:8000/v1/control/" + call,
        data=b"", headers={"content-type": "application/protobuf"})
    try:
        with urllib.request.urlopen(request, context=trust, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError as error:
        return repr(error)

def open_ports(host, ports):
    found = []
    for port in ports:
        try:
            socket.create_connection((host, port), 2).close()
            found.append(port)
        except OSError:
            pass
    return found

def commands():
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file:
                command = file.read().replace(b"\0", b" ").decode()
            if " -c " not in command:
                found.append(command)
        except OSError:
            pass
    return found

def environments():
    own = str(os.getpid())
    return any(reads(path) for path in glob.glob("/proc/[0-9]*/environ") if path.split("/")[2] != own)

def writes(path):
    try:
        with open(path, "w"):
            pass
        os.remove(path)
        return True
    except OSError:
        return False

print(json.dumps({
    "uid": os.getuid(),
    "env": os.environ.get("SECRET_OF_THE_SERVER"),
    "files": files("/flower/files"),
    "state": files("/flower/state"),
    "writes_state": writes("/flower/state/probe"),
    "writes_root": writes("/probe") or writes("/usr/probe"),
    "writes_tmp": writes("/tmp/probe"),
    "token": reads("/var/run/secrets/kubernetes.io/serviceaccount/token"),
    "control": control("list-runs"),
    "loopback": open_ports("127.0.0.1", [8000, 8081, 8082, 9092, 9094]),
    "commands": commands(),
    "environments": environments(),
    "api_server": open_ports(os.environ.get("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc"), [443]),
}))
"#;

fn probe(tenant: &Tenant, object: &str, container: &str) -> Json {
    let said = inside::run(tenant, object, container, &["python3", "-c", PROBE]);
    eprintln!("{object}/{container}: {said}");
    serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"))
}

#[test]
fn an_app_reaches_what_the_guide_says() {
    let tenant = Tenant::a();
    for isolation in ["subprocess", "process"] {
        let it = Workspace::new(&format!(
            r#"{}
resource "flower_supernode_key" "a" {{
  name = "a"
}}
resource "flower_superlink" "main" {{
  name       = "main"
  isolation  = {isolation:?}
  env        = {{ SECRET_OF_THE_SERVER = "x" }}
  supernodes = {{ a = {{ public_key = flower_supernode_key.a.public_key }} }}
}}
resource "flower_supernode" "a" {{
  name        = "a"
  superlink   = flower_superlink.main.fleet
  key         = flower_supernode_key.a.secret
  isolation   = {isolation:?}
  node_config = {{ shard = "seven" }}
}}
"#,
            tenant.provider()
        ));
        it.apply().succeeded();
        let together = isolation == "subprocess";
        let (server, node) = if together {
            ("superlink", "supernode")
        } else {
            ("superexec", "superexec")
        };

        let app = probe(&tenant, "superlink-main", server);
        assert_eq!(app["uid"], 49_999);
        // The Control API has no login, and listens on the loopback of the pod.
        assert_eq!(app["control"], 200, "{isolation}");
        let has = |app: &Json, what: &str, name: &str| {
            let all = app[what].as_array().unwrap();
            all.iter().any(|one| one.as_str().unwrap().contains(name))
        };
        assert!(has(&app, "files", "ca.crt"));
        assert_eq!(app["env"], "x", "{isolation}");
        assert_eq!(has(&app, "files", "server.key"), together);
        assert_eq!(has(&app, "state", "db"), together);
        assert_eq!(app["writes_state"], together);
        assert_eq!(has(&app, "commands", "flower-superlink"), together);

        let client = probe(&tenant, "supernode-a", node);
        assert_eq!(has(&client, "files", "node.key"), together);
        assert_eq!(has(&client, "files", "ca.crt"), together);
        assert_eq!(has(&client, "files", "node-config.toml"), together);
        assert!(!has(&client, "commands", "seven"));
        for one in [&app, &client] {
            assert_eq!(one["token"], false);
            assert_eq!(
                (&one["writes_root"], &one["writes_tmp"]),
                (&false.into(), &true.into())
            );
        }
        // Neither can reach the SuperLink's loopback from another pod.
        assert!(
            !client["loopback"]
                .as_array()
                .unwrap()
                .contains(&8000.into())
        );
        tenant.destroyed(&it);
    }
}
