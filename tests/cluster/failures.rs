//! Error messages if something does not start: what, where, why, and the remedy; as soon as the
//! cluster reports it, long before the timeout.

mod placing;
mod refusals;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{ConfigMap, Event, Pod, Secret};
use serde_json::json;

use crate::tenant::{Tenant, soon};
use crate::workspace::{Workspace, said};

/// How long after the cluster's last report the provider names a failure: a failure that may be
/// temporary is named after the cluster has reported it again.
const NAMED: Duration = Duration::from_secs(15);
/// How long this may take from the start: for a cluster that tries once more, and reports it again.
const SOON: Duration = Duration::from_mins(1);

fn superlink(settings: &str) -> String {
    format!(
        "resource \"flower_superlink\" \"main\" {{\n  name = \"main\"\n  \
         timeouts = {{ create = \"120s\", update = \"120s\" }}\n{settings}\n}}\n"
    )
}

fn workspace(tenant: &Tenant, settings: &str) -> Workspace {
    Workspace::new(&format!("{}{}", tenant.provider(), superlink(settings)))
}

/// An apply must fail soon, with these texts.
#[track_caller]
fn fails(tenant: &Tenant, it: &Workspace, case: &str, words: &[&str]) {
    fails_within(SOON, tenant, it, case, words);
}

/// The same within `limit`.
#[track_caller]
fn fails_within(limit: Duration, tenant: &Tenant, it: &Workspace, case: &str, words: &[&str]) {
    let history = Signs::of(tenant);
    let over = AtomicBool::new(false);
    let begun = Instant::now();
    let (said, sign) = std::thread::scope(|scope| {
        let sign = scope.spawn(|| history.last_new(tenant, &over));
        let said = it.apply();
        over.store(true, Ordering::Relaxed);
        (said, sign.join().unwrap())
    });
    let since = sign.map(|sign| sign.elapsed());
    let took = begun.elapsed();
    eprintln!("{case}: named after {took:.1?}, {since:.1?} after the last sign");
    said.failed_with(words);
    if let Some(since) = since {
        assert!(since < NAMED, "{case} took {since:?} from the last sign");
    }
    assert!(took < limit, "{case} took {took:?}");
}

/// The problems that a cluster reports: warnings, and containers that ended.
struct Signs(BTreeSet<String>);

impl Signs {
    fn of(tenant: &Tenant) -> Self {
        let mut signs = BTreeSet::new();
        for event in tenant.list::<Event>("") {
            let said = event.message.unwrap_or_default();
            // A program that is starting does not respond yet: that is not a problem.
            let is_usual = said.starts_with("Startup probe") || said.contains("failed to sync");
            if event.type_.as_deref() == Some("Warning") && !is_usual {
                signs.insert(format!("{:?} {:?}", event.metadata.uid, event.count));
            }
        }
        for pod in tenant.list::<Pod>("") {
            let statuses = pod.status.and_then(|status| status.container_statuses);
            for status in statuses.into_iter().flatten() {
                let lives = [status.state, status.last_state];
                if lives
                    .into_iter()
                    .flatten()
                    .any(|one| one.terminated.is_some())
                {
                    signs.insert(format!("{:?} {}", pod.metadata.uid, status.name));
                }
            }
        }
        Self(signs)
    }

    /// When the last new problem was reported.
    fn last_new(mut self, tenant: &Tenant, over: &AtomicBool) -> Option<Instant> {
        let mut last = None;
        while !over.load(Ordering::Relaxed) {
            let all = Self::of(tenant).0;
            if !all.is_subset(&self.0) {
                last = Some(Instant::now());
                self.0.extend(all);
            }
            std::thread::sleep(Duration::from_millis(250));
        }
        last
    }
}

/// The SuperLink starts with correct settings, and nothing is left at the end.
#[track_caller]
fn mended(tenant: &Tenant, it: &Workspace, settings: &str) {
    it.configure(&format!("{}{}", tenant.provider(), superlink(settings)));
    it.apply().succeeded();
    it.plan_is_empty();
    gone(tenant, it);
}

#[track_caller]
fn gone(tenant: &Tenant, it: &Workspace) {
    tenant.destroyed(it);
}

#[test]
fn an_image_that_is_not_there() {
    let tenant = Tenant::a();
    let it = workspace(
        &tenant,
        "kubernetes = { image = \"flwr/superlink:no-such\" }",
    );
    fails(
        &tenant,
        &it,
        "image",
        &[
            "SuperLink \"main\" did not start",
            "`superlink`: its image cannot be pulled: image \"flwr/superlink:no-such\"",
            "not found",
            "Check the name in `kubernetes.image`",
        ],
    );
    mended(&tenant, &it, "");
}

#[test]
fn a_program_that_ends_is_told_with_its_last_lines() {
    let tenant = Tenant::a();
    let it = workspace(&tenant, "extra_args = [\"--no-such-flag\"]");
    fails(
        &tenant,
        &it,
        "crash",
        &[
            "SuperLink \"main\" did not start",
            "`superlink`: it ended with exit status: 2.",
            "Its last lines:",
            "unrecognized arguments: --no-such-flag",
        ],
    );
    mended(&tenant, &it, "");
}

#[test]
fn too_little_memory() {
    let tenant = Tenant::a();
    let it = workspace(
        &tenant,
        "kubernetes = { resources = { limits = { memory = \"24Mi\" } } }",
    );
    fails(
        &tenant,
        &it,
        "memory",
        &[
            "`superlink`: it was killed because it used more memory than its limit",
            "Raise `kubernetes.resources.limits.memory`",
        ],
    );
    gone(&tenant, &it);
}

#[test]
fn an_image_without_flower() {
    let tenant = Tenant::a();
    // An existing image of the test registry, which contains no Flower.
    let prefix = std::env::var("FLOWER_TEST_IMAGE_PREFIX").unwrap_or_default();
    let image = format!("{prefix}flwr/python:1");
    let it = workspace(&tenant, &format!("kubernetes = {{ image = {image:?} }}"));
    fails(
        &tenant,
        &it,
        "start",
        &[
            &format!("`superlink`: it cannot be started: image {image:?}"),
            "flower-superlink",
            "not found",
            "Check that the image is one of Flower's",
        ],
    );
    gone(&tenant, &it);
}

#[test]
fn a_node_that_nobody_has() {
    let tenant = Tenant::a();
    let it = workspace(
        &tenant,
        "kubernetes = { node_selector = { zone = \"moon\" } }",
    );
    let words = [
        "`pod`: no node accepts it: 0/",
        " nodes are available",
        "node affinity/selector",
        "`node_selector`",
    ];
    fails(&tenant, &it, "node selector", &words);
    it.configure(&format!(
        "{}{}",
        tenant.provider(),
        superlink("kubernetes = { resources = { requests = { cpu = \"1000\" } } }")
    ));
    let words = [
        words[0],
        words[1],
        "Insufficient cpu",
        "`kubernetes.resources`",
    ];
    fails(&tenant, &it, "too much", &words);
    mended(&tenant, &it, "");
}

#[test]
fn a_storage_class_that_is_not_there() {
    let tenant = Tenant::a();
    let it = workspace(
        &tenant,
        "persistence = { enabled = true, storage_class = \"no-such\" }",
    );
    fails(
        &tenant,
        &it,
        "claim",
        &[
            "`pod`: its volume does not exist: 0/",
            " nodes are available",
            "the PersistentVolumeClaim \"superlink-main\" of the StorageClass \"no-such\" is Pending",
            "\"no-such\" not found",
            "`persistence.storage_class`",
        ],
    );
    mended(&tenant, &it, "");
}

#[test]
fn volumes_that_are_not_there() {
    let tenant = Tenant::a();
    let data = |source: &str| {
        format!("kubernetes = {{ volumes = {{ data = {{ mount_path = \"/data\", {source} }} }} }}")
    };
    let it = workspace(&tenant, &data("secret = \"no-such\""));
    fails(
        &tenant,
        &it,
        "mount",
        &[
            "`pod`: a volume cannot be mounted: MountVolume.SetUp failed for volume \"user-data\"",
            "secret \"no-such\" not found",
            "`kubernetes.volumes`",
        ],
    );
    let claim = data("claim = \"no-such\"");
    it.configure(&format!("{}{}", tenant.provider(), superlink(&claim)));
    fails(
        &tenant,
        &it,
        "mount of a claim",
        &[
            "`pod`: its volume does not exist",
            "there is no PersistentVolumeClaim \"no-such\"",
            "`kubernetes.volumes`",
        ],
    );
    mended(&tenant, &it, "");
}

#[test]
fn settings_that_name_no_secret() {
    let tenant = Tenant::a();
    let settings = "kubernetes = { env_from_secrets = [\"no-such\"] }";
    let it = workspace(&tenant, settings);
    fails(
        &tenant,
        &it,
        "environment",
        &[
            "`superlink`: its settings name a Secret or ConfigMap that does not exist",
            "secret \"no-such\" not found",
            "Create the missing Secret",
        ],
    );
    // An object that exists when the kubelet tries again was never missing.
    let failed = tenant.pods("superlink-main").pop().unwrap().metadata.uid;
    let apply = it.begin(&["apply", "-auto-approve", "-no-color"]);
    soon("the first attempt of another pod", || {
        let mut pods = tenant.pods("superlink-main").into_iter();
        let another = pods.find(|pod| pod.metadata.uid != failed)?;
        let statuses = another.status?.container_statuses?;
        let mut reasons = statuses
            .into_iter()
            .filter_map(|one| one.state?.waiting?.reason);
        reasons.find(|reason| reason == "CreateContainerConfigError")
    });
    std::thread::sleep(Duration::from_secs(4));
    tenant.create::<Secret>(json!({ "metadata": { "name": "no-such" } }));
    said(&apply.wait_with_output().unwrap()).succeeded();
    it.run(&["destroy", "-auto-approve", "-no-color"])
        .succeeded();
    tenant.delete::<Secret>("no-such");
    tenant.nothing_left();
}

/// A SuperLink that refuses all SuperNodes, and a SuperNode that tries to connect.
fn with_supernode(tenant: &Tenant, supernode: &str) -> String {
    format!(
        "{}{}{supernode}",
        tenant.provider(),
        superlink("supernodes = {}")
    )
}

#[test]
fn a_supernode_whose_key_is_not_registered() {
    let tenant = Tenant::a();
    let it = Workspace::new(&with_supernode(&tenant, ""));
    it.apply().succeeded();
    it.configure(&with_supernode(
        &tenant,
        "resource \"flower_supernode_key\" \"a\" {\n  name = \"a\"\n}\n\
         resource \"flower_supernode\" \"a\" {\n  name = \"a\"\n  superlink = flower_superlink.main.fleet\n  \
         key = flower_supernode_key.a.secret\n  timeouts = { create = \"120s\" }\n}\n",
    ));
    fails(
        &tenant,
        &it,
        "key",
        &[
            "SuperNode \"a\" did not join superlink-main.",
            "Flower's exit code 305: the SuperLink refused the SuperNode",
            "Its last lines:",
            "Its public key is not on the SuperLink's list: add it to `supernodes`",
        ],
    );
    gone(&tenant, &it);
}

/// Stops a Python program with all its threads some seconds after its port is open: by then, it has
/// answered its first probe, also on a busy machine.
const BROKEN: &str = r#"
import ctypes, socket, threading, time

def stop():
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", 8081)) == 0:
                break
        time.sleep(0.1)
    time.sleep(8)
    # What PyDLL calls keeps the interpreter's lock.
    ctypes.PyDLL(None).sleep(600)

threading.Thread(target=stop, daemon=True).start()
"#;

/// A SuperNode that runs this Python code before its own. It has no SuperLink, so the apply can
/// only check its health.
fn supernode_with(tenant: &Tenant, code: &str, settings: &str) -> Workspace {
    tenant.create::<ConfigMap>(json!({
        "metadata": { "name": "broken" },
        "data": { "sitecustomize.py": code },
    }));
    Workspace::new(&format!(
        "{}resource \"flower_supernode\" \"a\" {{\n  name = \"a\"\n  \
         superlink = {{ address = \"nobody.{}.svc:9092\", insecure = true }}\n  \
         env = {{ PYTHONPATH = \"/broken\" }}\n  timeouts = {{ create = \"120s\" }}\n  \
         kubernetes = {{\n    {settings}\n    \
         volumes = {{ broken = {{ mount_path = \"/broken\", config_map = \"broken\" }} }}\n  }}\n}}\n",
        tenant.provider(),
        tenant.namespace
    ))
}

#[track_caller]
fn gone_with_its_code(tenant: &Tenant, it: &Workspace) {
    it.run(&["destroy", "-auto-approve", "-no-color"])
        .succeeded();
    tenant.delete::<ConfigMap>("broken");
    tenant.nothing_left();
}

#[test]
fn a_program_that_stops_answering() {
    let tenant = Tenant::a();
    let it = supernode_with(&tenant, BROKEN, "");
    fails(
        &tenant,
        &it,
        "probe",
        &[
            "SuperNode \"a\" did not join nobody.",
            "`supernode`: it does not answer its health probe: Readiness probe failed: timeout",
            "Its last lines:",
            "Starting gRPC health server",
            "more CPU (`kubernetes.resources`)",
        ],
    );
    gone_with_its_code(&tenant, &it);
}

#[test]
fn a_program_that_never_answers() {
    let tenant = Tenant::a();
    let code = "import time\nprint(\"I sleep\", flush=True)\ntime.sleep(600)\n";
    let it = supernode_with(&tenant, code, "start_timeout = \"20s\"");
    // The cluster itself cannot tell it from a program that is starting.
    fails_within(
        Duration::from_secs(80),
        &tenant,
        &it,
        "start",
        &[
            "SuperNode \"a\" did not join nobody.",
            "`supernode`: it has not answered its health probe yet (after 20 s)",
            "Its last lines:",
            "I sleep",
            "`kubernetes.start_timeout`",
        ],
    );
    let log = std::fs::read_to_string(it.path("trace.log")).unwrap();
    assert!(log.contains("still waiting for it"), "nothing was logged");
    gone_with_its_code(&tenant, &it);
}
