//! What a person is told when something does not come up: what, where, why, and what to do; as soon
//! as the cluster knows it, which is long before the time is over.

mod placing;
mod refusals;

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use serde_json::json;

use crate::tenant::Tenant;
use crate::workspace::Workspace;

/// Fifteen seconds, and what a machine that does other things meanwhile may add.
const SOON: Duration = Duration::from_secs(25);

fn superlink(settings: &str) -> String {
    format!(
        "resource \"flower_superlink\" \"main\" {{\n  name = \"main\"\n  \
         timeouts = {{ create = \"120s\", update = \"120s\" }}\n{settings}\n}}\n"
    )
}

fn workspace(tenant: &Tenant, settings: &str) -> Workspace {
    Workspace::new(&format!("{}{}", tenant.provider(), superlink(settings)))
}

/// An apply must fail with these words, and soon.
#[track_caller]
fn fails(it: &Workspace, case: &str, words: &[&str]) {
    fails_within(SOON, it, case, words);
}

#[track_caller]
fn fails_within(limit: Duration, it: &Workspace, case: &str, words: &[&str]) {
    let begun = Instant::now();
    let said = it.apply();
    let took = begun.elapsed();
    eprintln!("{case}: named after {:.1} s", took.as_secs_f32());
    said.failed_with(words);
    assert!(took < limit, "{case} took {took:?}");
}

/// The SuperLink comes up once its settings are right, and nothing is left of it in the end.
#[track_caller]
fn mended(tenant: &Tenant, it: &Workspace, settings: &str) {
    it.configure(&format!("{}{}", tenant.provider(), superlink(settings)));
    it.apply().succeeded();
    it.plan_is_empty();
    gone(tenant, it);
}

#[track_caller]
fn gone(tenant: &Tenant, it: &Workspace) {
    it.run(&["destroy", "-auto-approve", "-no-color"])
        .succeeded();
    tenant.nothing_left();
}

#[test]
fn an_image_that_is_not_there() {
    let tenant = Tenant::a();
    let it = workspace(
        &tenant,
        "kubernetes = { image = \"flwr/superlink:no-such\" }",
    );
    fails(
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
    let it = workspace(&tenant, "kubernetes = { image = \"flwr/python:1\" }");
    fails(
        &it,
        "start",
        &[
            "`superlink`: it cannot be started: image \"flwr/python:1\"",
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
        "`pod`: no node takes it: 0/1 nodes are available",
        "node affinity/selector",
        "`node_selector`",
    ];
    fails(&it, "node selector", &words);
    it.configure(&format!(
        "{}{}",
        tenant.provider(),
        superlink("kubernetes = { resources = { requests = { cpu = \"1000\" } } }")
    ));
    let words = [words[0], "Insufficient cpu", "`kubernetes.resources`"];
    fails(&it, "too much", &words);
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
        &it,
        "claim",
        &[
            "`pod`: its volume is not there: 0/1 nodes are available",
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
        &it,
        "mount of a claim",
        &[
            "`pod`: its volume is not there",
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
        &it,
        "environment",
        &[
            "`superlink`: its settings name something that is not there",
            "secret \"no-such\" not found",
            "Make the Secret",
        ],
    );
    tenant.create::<Secret>(json!({ "metadata": { "name": "no-such" } }));
    it.apply().succeeded();
    it.run(&["destroy", "-auto-approve", "-no-color"])
        .succeeded();
    tenant.delete::<Secret>("no-such");
    tenant.nothing_left();
}

/// A SuperLink that lets nobody in, and a SuperNode that asks.
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
        &it,
        "key",
        &[
            "SuperNode \"a\" did not join superlink-main.",
            "`supernode`: it ended with exit status: 1.",
            "Flower's exit code 305: the SuperLink did not accept the SuperNode",
            "Its last lines:",
            "its public key is not on the SuperLink's list: add it to `supernodes`",
        ],
    );
    gone(&tenant, &it);
}

/// Has a Python program stop, with all its threads, two seconds after it first answers its probe.
const BROKEN: &str = r#"
import ctypes, socket, threading, time

def stop():
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", 8081)) == 0:
                break
        time.sleep(0.1)
    time.sleep(2.5)
    # What PyDLL calls keeps the interpreter's lock.
    ctypes.PyDLL(None).sleep(600)

threading.Thread(target=stop, daemon=True).start()
"#;

#[test]
fn a_program_that_stops_answering() {
    let tenant = Tenant::a();
    tenant.create::<ConfigMap>(json!({
        "metadata": { "name": "broken" },
        "data": { "sitecustomize.py": BROKEN },
    }));
    // Nobody is there to be joined, so that only its health is left to be looked at.
    let it = Workspace::new(&format!(
        "{}resource \"flower_supernode\" \"a\" {{\n  name = \"a\"\n  \
         superlink = {{ address = \"nobody.{}.svc:9092\", insecure = true }}\n  \
         env = {{ PYTHONPATH = \"/broken\" }}\n  timeouts = {{ create = \"120s\" }}\n  \
         kubernetes = {{ volumes = {{ broken = {{ mount_path = \"/broken\", config_map = \"broken\" }} }} }}\n}}\n",
        tenant.provider(),
        tenant.namespace
    ));
    // It takes three probes of five seconds for the cluster itself to know.
    fails_within(
        Duration::from_secs(45),
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
    it.run(&["destroy", "-auto-approve", "-no-color"])
        .succeeded();
    tenant.delete::<ConfigMap>("broken");
    tenant.nothing_left();
}
