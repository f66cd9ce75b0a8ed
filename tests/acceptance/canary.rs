//! Puts secrets into every input that may contain one, and searches for them in everything that is
//! written, printed or visible from outside: logs, plans, states, records, process lists, temporary
//! folders.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;
use terraform_provider_flower::pki::{NodeKey, NodeKeyAlgorithm};

use crate::workspace::{Said, Workspace, said};

/// The common beginning of all secrets, so that a match is never a coincidence; a number identifies
/// each secret.
const CANARY: &str = "CaNaRy7f3a91";

fn canary(of: &str) -> String {
    format!("{CANARY}-{of}")
}

/// The forms in which a secret could occur.
fn forms() -> Vec<String> {
    let mut forms = vec![CANARY.to_owned()];
    for before in ["", "x", "xx"] {
        let text = STANDARD.encode(format!("{before}{CANARY}"));
        // Without the characters that also depend on neighbouring bytes.
        forms.push(text[before.len() * 4 / 3 + 1..text.len() - 4].to_owned());
    }
    forms
}

/// All commands of a test, with their output.
struct Watch {
    it: Workspace,
    forms: Vec<String>,
    /// Lines of the private key.
    key: Vec<String>,
}

impl Watch {
    #[track_caller]
    fn is_clean(&self, what: &str, text: &str) {
        let all = self.forms.iter().chain(&self.key);
        let found: Vec<_> = all
            .filter_map(|form| text.find(form.as_str()).map(|at| (form, at)))
            .map(|(form, at)| {
                let (from, to) = (at.saturating_sub(200), (at + 100).min(text.len()));
                format!("{form:?} in {:?}", text.get(from..to).unwrap_or_default())
            })
            .collect();
        assert!(found.is_empty(), "secrets in {what}: {found:#?}");
    }

    /// Runs Terraform with all of its logs.
    #[track_caller]
    fn run(&self, args: &[&str]) -> Said {
        let mut command = self.it.command(args);
        command
            .env("TF_LOG", "TRACE")
            .env("TMPDIR", self.it.path("tmp"))
            .env("TF_VAR_env", canary("env"))
            .env("TF_VAR_secret", CANARY)
            .env(
                "TF_VAR_key",
                fs::read_to_string(self.it.path("key")).unwrap(),
            );
        // An index that does not exist, as soon as nothing more has to be installed.
        if self.it.path("no-index").exists() {
            let index = format!("http://u:{CANARY}-index@127.0.0.1:1/simple");
            command.env("PIP_INDEX_URL", index);
            // One try instead of six.
            command.env("PIP_CONFIG_FILE", self.it.path("pip.conf"));
        }
        let output = command.output().unwrap();
        self.is_clean(
            "what Terraform said",
            &String::from_utf8_lossy(&output.stdout),
        );
        self.is_clean(
            "what Terraform said",
            &String::from_utf8_lossy(&output.stderr),
        );
        self.looks();
        said(&output)
    }

    /// Searches everything that is visible so far.
    #[track_caller]
    fn looks(&self) {
        let log = fs::read_to_string(self.it.path("trace.log")).unwrap_or_default();
        self.is_clean("a log", &log);
        for state in ["terraform.tfstate", "terraform.tfstate.backup"] {
            if let Ok(text) = fs::read_to_string(self.it.path(state)) {
                self.is_clean("the state", &without_env(&text));
            }
        }
        for folder in [".flower", "tmp"] {
            for file in self.it.files(folder) {
                // The vault contains secrets, and processes read them from their own files.
                let is_private = file.starts_with("vault") || file.iter().any(|one| one == "files");
                if !is_private {
                    let bytes = fs::read(self.it.path(folder).join(&file)).unwrap_or_default();
                    self.is_clean(
                        &file.display().to_string(),
                        &String::from_utf8_lossy(&bytes),
                    );
                }
            }
        }
        for process in fs::read_dir("/proc").unwrap().flatten() {
            let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
            self.is_clean("a command line", &String::from_utf8_lossy(&line));
        }
    }
}

/// A state or plan without the values of `env` and of variables: Terraform stores both as plain
/// text.
fn without_env(text: &str) -> String {
    fn strip(json: &mut Json) {
        match json {
            Json::Object(object) => {
                object.retain(|name, _| !["env", "variables"].contains(&name.as_str()));
                object.values_mut().for_each(strip);
            }
            Json::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut json: Json = serde_json::from_str(text).unwrap();
    strip(&mut json);
    json.to_string()
}

const VARIABLES: &str = r#"
variable "env" { sensitive = true }
variable "secret" {
  sensitive = true
  ephemeral = true
}
variable "key" {
  sensitive = true
  ephemeral = true
}
provider "flower" { control_token = "${var.secret}-control" }
"#;

/// Resources that are created, on this machine.
const MADE: &str = r#"
resource "flower_supernode_key" "own" {
  name                   = "own"
  private_key_wo         = var.key
  private_key_wo_version = 1
}
resource "flower_superlink" "main" {
  name     = "main"
  insecure = true
  env      = { LICENCE = var.env }
}
"#;

/// Resources that fail, with a cluster and an index that do not exist.
const FAILS: &str = r#"
provider "flower" {
  alias = "token"
  kubernetes = {
    host       = "https://127.0.0.1:1"
    token      = "${var.secret}-token"
    proxy_url  = "http://user:${var.secret}-proxy@127.0.0.1:1"
  }
}
provider "flower" {
  alias = "exec"
  kubernetes = {
    host = "https://127.0.0.1:1"
    exec = { command = "./login.sh", args = ["--pass=${var.secret}-args"], env = { PASS = "${var.secret}-exec" } }
  }
}
provider "flower" {
  alias      = "file"
  kubernetes = { config_path = "kubeconfig" }
}
resource "flower_supernode_key" "token" {
  provider = flower.token
  name     = "a"
}
resource "flower_supernode_key" "exec" {
  provider = flower.exec
  name     = "a"
}
resource "flower_supernode_key" "file" {
  provider = flower.file
  name     = "a"
}
resource "flower_superlink" "broken" {
  name         = "broken"
  insecure     = true
  env          = { LICENCE = var.env }
  requirements = ["no-such-package-of-anybody==9.9.9"]
}
"#;

fn workspace() -> Watch {
    let it = Workspace::new(&format!("{VARIABLES}{MADE}"));
    let key = NodeKey::generate(NodeKeyAlgorithm::EcdsaP384).unwrap();
    let key = key.private_openssh().unwrap();
    it.file("key", &key);
    it.file("token", &canary("token-file"));
    it.file("tmp/keep", "");
    it.file("pip.conf", "[global]\nretries = 0\n");
    let login = format!("#!/bin/sh\necho {CANARY}-printed\necho {CANARY}-said >&2\nexit 3\n");
    it.file("login.sh", &login);
    let mode = fs::Permissions::from_mode(0o700);
    fs::set_permissions(it.path("login.sh"), mode).unwrap();
    it.file("kubeconfig", &kubeconfig(&it.path("login.sh")));
    Watch {
        it,
        forms: forms(),
        // The first lines of a private key contain the public key.
        key: key
            .lines()
            .rev()
            .skip(1)
            .take(2)
            .map(str::to_owned)
            .collect(),
    }
}

/// A program that prints an expired token, and fails when it is called again.
fn kubeconfig(fails: &Path) -> String {
    let expired = format!(
        "test -e asked && exec {}; touch asked; echo '{{\"status\":{{\"token\":\"{CANARY}-first\",\"expirationTimestamp\":\"2020-01-01T00:00:00Z\"}}}}'",
        fails.display()
    );
    serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "contexts": [{ "name": "c", "context": { "cluster": "k", "user": "u" } }],
        "clusters": [{ "name": "k", "cluster": { "server": "https://127.0.0.1:1" } }],
        "users": [{ "name": "u", "user": { "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "sh",
            "args": ["-c", expired, canary("kubeconfig-args")],
            "env": [{ "name": "PASS", "value": canary("kubeconfig-env") }],
        } } }],
    })
    .to_string()
}

#[test]
fn no_secret_is_written_said_or_seen() {
    let watch = workspace();
    let it = &watch.it;
    watch.run(&["validate", "-no-color"]).succeeded();
    watch
        .run(&["plan", "-no-color", "-out=it.tfplan"])
        .succeeded();
    let plan = it
        .command(&["show", "-json", "it.tfplan"])
        .output()
        .unwrap();
    watch.is_clean(
        "the plan",
        &without_env(&String::from_utf8_lossy(&plan.stdout)),
    );
    watch.run(&["show", "-no-color", "it.tfplan"]).succeeded();
    watch
        .run(&["apply", "-no-color", "-auto-approve"])
        .succeeded();
    watch
        .run(&["plan", "-detailed-exitcode", "-no-color"])
        .succeeded();
    let shown = it.command(&["show", "-json"]).output().unwrap();
    watch.is_clean(
        "the state",
        &without_env(&String::from_utf8_lossy(&shown.stdout)),
    );

    // An import does not know `env`: the next apply sets it, and does not restart the processes.
    let before = it.processes();
    let address = "flower_superlink.main";
    it.run(&["state", "rm", address]).succeeded();
    watch
        .run(&["import", "-no-color", address, "main"])
        .succeeded();
    assert!(it.state(address)["env"].is_null());
    watch
        .run(&["apply", "-no-color", "-auto-approve"])
        .succeeded();
    assert_eq!(it.processes(), before, "processes were restarted");
    watch
        .run(&["plan", "-detailed-exitcode", "-no-color"])
        .succeeded();

    let nobody = "data \"flower_runs\" \"nobody\" {\n  control = { url = \"http://127.0.0.1:1\", token_file = \"token\" }\n}\n";
    it.configure(&format!("{VARIABLES}{MADE}{nobody}"));
    let plan = watch.run(&["plan", "-no-color"]);
    plan.failed_with(&["The runs could not be listed"]);

    it.configure(&format!("{VARIABLES}{MADE}{FAILS}"));
    it.file("no-index", "");
    let failed = watch.run(&["apply", "-no-color", "-auto-approve"]);
    failed.failed_with(&[
        "https://127.0.0.1:1/ cannot be reached",
        "the exec plugin \"login.sh\" failed (exit status: 3)",
        "the exec plugin \"sh\" failed (exit status: 3)",
        "Run it in a terminal",
    ]);
    it.configure(&format!("{VARIABLES}{MADE}"));
    watch
        .run(&["destroy", "-no-color", "-auto-approve"])
        .succeeded();
    it.nothing_left();
}
