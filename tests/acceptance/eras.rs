//! One HCL on releases of every era: a federation of two SuperNodes with keys where the release has
//! them, a run that completes, one that fails and one that is stopped, and nothing left.
//!
//! `FLOWER_TEST_RELEASES` names other releases than the usual four; what each came to is appended to
//! the file that `FLOWER_TEST_RESULTS` names, from which the table in docs/compatibility.md is made.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::time::Instant;

use serde_json::{Value as Json, json};

use crate::workspace::Workspace;

/// The last of gRPC Exec, of key lists, of gRPC Control, and of the Fleet port over gRPC.
const USUAL: &str = "1.20.0,1.22.0,1.29.0,1.38.0";

/// From gRPC to HTTP.
const UPGRADE: &str = "1.29.0,1.42.0";

/// The interface that every release has had; those of today came with 1.21.
const SERVER: &str = r#"
import time
from flwr.common import Context
from flwr.server import ServerApp, ServerAppComponents, ServerConfig
from flwr.server.strategy import FedAvg


def server_fn(context: Context) -> ServerAppComponents:
    fail_in = context.run_config["fail-in"]
    if fail_in == "server":
        # Some releases take a RuntimeError for a run that was refused, and hide it.
        raise ValueError("the ServerApp failed as asked")
    if fail_in == "never":
        time.sleep(600)
    strategy = FedAvg(min_fit_clients=2, min_evaluate_clients=2, min_available_clients=2)
    return ServerAppComponents(strategy=strategy, config=ServerConfig(num_rounds=1))


app = ServerApp(server_fn=server_fn)
"#;

const CLIENT: &str = r"
import numpy as np
from flwr.client import ClientApp, NumPyClient
from flwr.common import Context


class Site(NumPyClient):
    def get_parameters(self, config):
        return [np.zeros(1)]

    def fit(self, parameters, config):
        return [parameters[0] + 1], 1, {}

    def evaluate(self, parameters, config):
        return 0.0, 1, {}


def client_fn(context: Context):
    return Site().to_client()


app = ClientApp(client_fn=client_fn)
";

fn minor(release: &str) -> u32 {
    release.split('.').nth(1).unwrap().parse().unwrap()
}

fn federation(release: &str, run: &str) -> String {
    // 1.13 checks keys in threads that cannot use its database.
    let persistence = if minor(release) < 14 {
        "persistence = { enabled = false }"
    } else {
        ""
    };
    format!(
        r#"
provider "flower" {{}}
locals {{
  sites = {{ a = 0, b = 1 }}
}}
resource "flower_supernode_key" "site" {{
  for_each = local.sites
  name     = each.key
}}
resource "flower_superlink" "main" {{
  name           = "main"
  flower_version = "{release}"
  supernodes     = {{ for name, key in flower_supernode_key.site : name => {{ public_key = key.public_key }} }}
  {persistence}
}}
resource "flower_supernode" "site" {{
  for_each    = local.sites
  name        = each.key
  superlink   = flower_superlink.main.fleet
  key         = flower_supernode_key.site[each.key].secret
  node_config = {{ partition-id = each.value }}
}}
resource "flower_app_run" "r" {{
  control    = flower_superlink.main.control
  source     = {{ path = "${{path.module}}/app" }}
  depends_on = [flower_supernode.site]
  {run}
}}
"#
    )
}

/// What was seen of a release; the first thing that failed ends it.
fn try_release(release: &str, seen: &mut Vec<&'static str>) {
    let it = Workspace::new(&federation(release, "timeouts = { create = \"180s\" }"));
    it.app();
    it.file("app/quickstart/server_app.py", SERVER);
    it.file("app/quickstart/client_app.py", CLIENT);
    it.apply().succeeded();
    assert_eq!(it.state("flower_app_run.r")["sub_status"], "completed");
    seen.push("completed");
    it.plan_is_empty();
    seen.push("empty plan");
    if (23..).contains(&minor(release)) {
        let nodes = &it.state("flower_superlink.main")["nodes"];
        assert_eq!(nodes.as_object().unwrap().len(), 2);
        seen.push("registered");
    }

    it.configure(&federation(
        release,
        "run_config = { fail-in = \"server\" }",
    ));
    it.apply()
        .failed_with(&["ended as failed", "the ServerApp failed as asked"]);
    seen.push("failed");

    it.configure(&federation(
        release,
        "run_config = { fail-in = \"never\" }\n  timeouts = { create = \"8s\" }",
    ));
    it.apply().succeeded().says(&["still goes on"]);
    it.plan_is_empty();
    // 1.13 cannot stop a run: it ends with its SuperLink.
    let stop = if minor(release) < 14 {
        "run_config = { fail-in = \"never\" }\n  timeouts = { create = \"8s\" }\n  stop_on_destroy = false"
    } else {
        "run_config = { fail-in = \"never\" }\n  timeouts = { create = \"8s\" }"
    };
    it.configure(&federation(release, stop));
    it.apply().succeeded();
    it.destroy();
    seen.push("stopped");
}

/// Leaves a line for the page.
fn note(line: &Json) {
    let Some(path) = std::env::var_os("FLOWER_TEST_RESULTS") else {
        return;
    };
    let file = File::options().create(true).append(true).open(path);
    writeln!(file.unwrap(), "{line}").unwrap();
}

#[test]
fn one_configuration_serves_every_era() {
    let releases = std::env::var("FLOWER_TEST_RELEASES").unwrap_or_else(|_| USUAL.to_owned());
    let mut troubles = String::new();
    for release in releases.split(',') {
        let begun = Instant::now();
        let mut seen = Vec::new();
        let tried = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            try_release(release, &mut seen);
        }));
        note(&json!({
            "release": release,
            "seen": seen,
            "ok": tried.is_ok(),
            "seconds": begun.elapsed().as_secs(),
        }));
        if tried.is_err() {
            writeln!(troubles, "{release}: only {seen:?}").unwrap();
        }
    }
    assert!(troubles.is_empty(), "{troubles}");
}

fn superlink(release: &str, rest: &str) -> String {
    format!(
        r#"
provider "flower" {{}}
resource "flower_supernode_key" "a" {{
  name = "a"
}}
resource "flower_superlink" "main" {{
  name           = "main"
  flower_version = "{release}"
  supernodes     = {{ a = {{ public_key = flower_supernode_key.a.public_key }} }}
{rest}
}}
"#
    )
}

#[test]
fn an_upgrade_keeps_what_flower_can_migrate_and_loses_the_rest_only_when_told_to() {
    let releases = std::env::var("FLOWER_TEST_UPGRADES").unwrap_or_else(|_| UPGRADE.to_owned());
    let releases: Vec<_> = releases.split(',').collect();
    let it = Workspace::new(&superlink(releases[0], ""));
    it.apply().succeeded();
    it.plan_is_empty();
    for pair in releases.windows(2) {
        let begun = Instant::now();
        let before = it.state("flower_superlink.main");
        it.configure(&superlink(pair[1], ""));
        let tried = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            it.apply().succeeded();
            it.plan_is_empty();
            let after = it.state("flower_superlink.main");
            assert_eq!(after["nodes"], before["nodes"]);
            let authority = |state: &Json| state["control"]["ca_certificate"].clone();
            assert_eq!(authority(&after), authority(&before));
        }));
        note(&json!({
            "from": pair[0],
            "to": pair[1],
            "ok": tried.is_ok(),
            "seconds": begun.elapsed().as_secs(),
        }));
        assert!(tried.is_ok(), "{pair:?}");
    }
    // Downwards there is no way.
    it.configure(&superlink("1.41.0", ""));
    it.plan().failed_with(&[
        "Flower 1.41.0 cannot use the database of Flower 1.42.0",
        "allow_state_loss",
    ]);
    it.configure(&superlink("1.42.0", ""));
    it.destroy();

    let it = Workspace::new(&superlink("1.22.0", ""));
    it.apply().succeeded();
    it.plan_is_empty();
    it.configure(&superlink("1.42.0", ""));
    it.plan().failed_with(&[
        "Flower 1.42.0 cannot use the database of Flower 1.22.0",
        "allow_state_loss",
    ]);
    it.configure(&superlink("1.42.0", "  allow_state_loss = true"));
    it.apply()
        .succeeded()
        .says(&["1 added, 0 changed, 1 destroyed"]);
    it.plan_is_empty();

    // What a release cannot do is said before it is tried.
    it.configure(&superlink("1.13.1", "  allow_state_loss = true"));
    it.plan()
        .failed_with(&["Flower 1.13.1 cannot check node keys and keep its database"]);

    // A SuperNode of another era cannot join.
    it.configure(&format!(
        "{}resource \"flower_supernode\" \"a\" {{\n  name = \"a\"\n  superlink = flower_superlink.main.fleet\n  key = flower_supernode_key.a.secret\n  flower_version = \"1.29.0\"\n}}\n",
        superlink("1.42.0", "  allow_state_loss = true")
    ));
    it.plan()
        .failed_with(&["A SuperNode of Flower 1.29.0 cannot join a SuperLink of Flower 1.42.0"]);
    it.configure(&superlink("1.42.0", "  allow_state_loss = true"));
    it.destroy();
}
