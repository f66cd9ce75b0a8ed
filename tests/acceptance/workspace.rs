//! A folder with a configuration, a Terraform for it, and checks of what is left.

#[path = "workspace/processes.rs"]
pub mod processes;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value as Json;
use tempfile::TempDir;

pub use processes::{Cut, eventually, kill, kill_children};

/// A root module with its own state. Drop destroys the remaining resources and checks nothing.
pub struct Workspace {
    dir: TempDir,
    terraform: PathBuf,
}

/// The result of a Terraform command.
pub struct Said {
    pub ok: bool,
    pub code: Option<i32>,
    /// The exit status as text; a signal is reported nowhere else.
    pub status: String,
    /// Standard output and error, without the frame and line breaks of diagnostics.
    pub text: String,
}

impl Said {
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert!(
            self.ok,
            "terraform failed ({}):\n{}",
            self.status,
            self.end()
        );
        self
    }

    #[track_caller]
    pub fn failed_with(&self, parts: &[&str]) {
        assert!(!self.ok, "terraform should have failed:\n{}", self.text);
        self.says(parts);
    }

    #[track_caller]
    pub fn says(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.text.contains(part), "no {part:?} in:\n{}", self.end());
        }
    }

    /// The end of the output: messages follow the plan.
    fn end(&self) -> &str {
        let from = self.text.len().saturating_sub(4000);
        let from = (from..self.text.len()).find(|at| self.text.is_char_boundary(*at));
        &self.text[from.unwrap_or(0)..]
    }
}

impl Workspace {
    pub fn new(main: &str) -> Self {
        Self::in_folder_like(".tmp", main)
    }

    /// A workspace in a folder whose name begins with this.
    pub fn in_folder_like(name: &str, main: &str) -> Self {
        let dir = tempfile::Builder::new().prefix(name).tempdir().unwrap();
        let path = std::env::var("FLOWER_TEST_TERRAFORM").unwrap_or_else(|_| "terraform".into());
        let workspace = Self {
            dir,
            terraform: PathBuf::from(path),
        };
        let programs = workspace.path("bin");
        fs::create_dir(&programs).unwrap();
        let provider = Path::new(env!("CARGO_BIN_EXE_terraform-provider-flower"));
        // Cargo builds examples into another folder than binaries.
        let echo = provider.parent().unwrap().join("examples/echo-provider");
        link(provider, &programs.join("terraform-provider-flower"));
        if echo.exists() {
            link(&echo, &programs.join("terraform-provider-echo"));
        }
        let mut overrides = String::new();
        for host in ["registry.terraform.io", "registry.opentofu.org"] {
            for name in ["flower", "echo"] {
                let source = format!("{host}/flower/{name}");
                writeln!(overrides, "    \"{source}\" = \"{}\"", programs.display()).unwrap();
            }
        }
        workspace.file(
            "cli.tfrc",
            &format!(
                "provider_installation {{\n  dev_overrides {{\n{overrides}  }}\n  direct {{}}\n}}\n"
            ),
        );
        workspace.configure(main);
        workspace
    }

    /// Whether the client supports identities: Terraform and OpenTofu from 1.12 on.
    pub fn knows_identities(&self) -> bool {
        let said = self.run(&["version", "-json"]).succeeded().text;
        let version = said.split_once("\"terraform_version\": \"").unwrap().1;
        let minor = version.split('.').nth(1).unwrap();
        minor.parse::<u32>().unwrap() >= 12
    }

    /// Replaces the configuration.
    pub fn configure(&self, main: &str) {
        let mut providers = "    flower = { source = \"flower/flower\" }\n".to_owned();
        // Only the tests of the plugin layer have it.
        if main.contains("echo") {
            providers.push_str("    echo   = { source = \"flower/echo\" }\n");
        }
        let providers = format!("terraform {{\n  required_providers {{\n{providers}  }}\n}}\n");
        self.file("main.tf", &format!("{providers}{main}"));
    }

    pub fn file(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Copies the app of the quickstart example here, with the shortest training there is: each message
    /// to a site starts a Python program, and these are most of what this tier's time is spent on.
    pub fn app(&self) {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/quickstart/app");
        for name in [
            "pyproject.toml",
            "quickstart/__init__.py",
            "quickstart/client_app.py",
            "quickstart/server_app.py",
        ] {
            let text = fs::read_to_string(from.join(name)).unwrap();
            self.file(&format!("app/{name}"), &shortened(text));
        }
    }

    /// The same with an app for all releases: the current interfaces exist since 1.21.
    pub fn app_of_every_era(&self) {
        self.app();
        for (name, text) in [
            (
                "server_app.py",
                include_str!("app_of_every_era/server_app.py"),
            ),
            (
                "client_app.py",
                include_str!("app_of_every_era/client_app.py"),
            ),
        ] {
            self.file(&format!("app/quickstart/{name}"), text);
        }
    }

    /// The same with an app that fails at the sites that its configuration names, and that needs
    /// three sites.
    pub fn app_that_fails(&self) {
        self.app();
        for (name, text) in [
            (
                "server_app.py",
                include_str!("app_that_fails/server_app.py"),
            ),
            (
                "client_app.py",
                include_str!("app_that_fails/client_app.py"),
            ),
        ] {
            self.file(&format!("app/quickstart/{name}"), text);
        }
    }

    /// The same with a ServerApp that trains nothing and leaves files.
    pub fn app_that_leaves(&self) {
        self.app();
        self.file(
            "app/quickstart/server_app.py",
            include_str!("app_that_leaves/server_app.py"),
        );
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.terraform);
        command
            .args(args)
            .current_dir(self.dir.path())
            .env("TF_CLI_CONFIG_FILE", self.path("cli.tfrc"))
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_LOG_PROVIDER", "TRACE")
            .env("TF_LOG_PATH", self.path("trace.log"))
            .stdin(Stdio::null());
        command
    }

    /// Starts a command; its output is read when it ends.
    pub fn begin(&self, args: &[&str]) -> Child {
        let mut command = self.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    pub fn run(&self, args: &[&str]) -> Said {
        said(&self.command(args).output().unwrap())
    }

    pub fn apply(&self) -> Said {
        self.run(&["apply", "-auto-approve", "-no-color"])
    }

    /// Applies after an interruption. It may have come between the provider's last response and
    /// Terraform's state; such an object looks like that of another user. The error tells how to
    /// import it, and this function does so.
    pub fn apply_after_a_kill(&self) -> Said {
        for _ in 0..4 {
            let said = self.apply();
            let Some((address, id)) = offered(&said.text) else {
                return said;
            };
            self.run(&["import", "-no-color", address, id]).succeeded();
        }
        self.apply()
    }

    pub fn plan(&self) -> Said {
        self.run(&["plan", "-detailed-exitcode", "-no-color"])
    }

    /// Fails unless the plan is empty.
    #[track_caller]
    pub fn plan_is_empty(&self) {
        let plan = self.plan();
        assert_eq!(plan.code, Some(0), "the plan is not empty:\n{}", plan.text);
    }

    /// Destroys everything; no process and no file may remain.
    #[track_caller]
    pub fn destroy(&self) {
        self.run(&["destroy", "-auto-approve", "-no-color"])
            .succeeded();
        self.nothing_left();
        let log = fs::read_to_string(self.path("trace.log")).unwrap_or_default();
        let raw = log.lines().find(|line| line.contains("{\"@level\":"));
        assert_eq!(raw, None, "Terraform did not understand a line of our log");
    }

    #[track_caller]
    pub fn nothing_left(&self) {
        assert_eq!(self.processes(), Vec::<u32>::new(), "processes are left");
        let left = self.files(".flower");
        assert!(!self.path(".flower").exists(), "left in .flower: {left:?}");
    }

    /// The values of a resource in the state.
    #[track_caller]
    pub fn state(&self, address: &str) -> Json {
        let shown = self.command(&["show", "-json"]).output().unwrap();
        let state: Json = serde_json::from_slice(&shown.stdout).unwrap();
        let resources = state["values"]["root_module"]["resources"].as_array();
        let found = resources.and_then(|all| all.iter().find(|one| one["address"] == address));
        found.unwrap_or_else(|| panic!("no {address} in {state}"))["values"].clone()
    }

    /// An output of the state.
    #[track_caller]
    pub fn output(&self, name: &str) -> Json {
        let shown = self.command(&["output", "-json", name]).output().unwrap();
        serde_json::from_slice(&shown.stdout).unwrap()
    }

    /// All files that Terraform wrote: states, backups and logs.
    pub fn written(&self) -> String {
        ["terraform.tfstate", "terraform.tfstate.backup", "trace.log"]
            .iter()
            .filter_map(|name| fs::read_to_string(self.path(name)).ok())
            .collect()
    }

    /// The files below a folder, as relative paths.
    pub fn files(&self, folder: &str) -> Vec<PathBuf> {
        let root = self.path(folder);
        let mut found = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.strip_prefix(&root).unwrap().to_owned());
                }
            }
        }
        found
    }

    /// The lines of the private keys in the vault that the public key does not contain.
    fn private_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for file in self.files(".flower/vault") {
            let secret = fs::read(self.path(".flower/vault").join(file)).unwrap();
            let entries: BTreeMap<String, String> = serde_json::from_slice(&secret).unwrap();
            for text in entries.values() {
                let mut private = false;
                for line in text.lines() {
                    if line.starts_with("-----") {
                        private = line.contains("BEGIN") && line.contains("PRIVATE KEY");
                    } else if private {
                        lines.push(line.to_owned());
                    }
                }
            }
        }
        // An OpenSSH private key begins with the public key.
        let shown = self.command(&["show", "-json"]).output().unwrap();
        let state: Json = serde_json::from_slice(&shown.stdout).unwrap();
        let resources = state["values"]["root_module"]["resources"].as_array();
        let resources = resources.into_iter().flatten();
        let public: Vec<&str> = resources
            .filter_map(|one| one["values"]["public_key"].as_str())
            .collect();
        lines.retain(|line| line.len() > 20 && !public.iter().any(|key| key.contains(line)));
        lines
    }

    /// Fails if a line of a private key in the vault is in a state, a log or a new plan, or if
    /// there is no line to search for.
    #[track_caller]
    pub fn keeps_its_private_keys(&self) {
        let canaries = self.private_lines();
        assert!(!canaries.is_empty(), "the vault holds no private key");
        self.run(&["plan", "-no-color", "-out=canary.tfplan"])
            .succeeded();
        let plan = self.command(&["show", "-json", "canary.tfplan"]).output();
        let plan = String::from_utf8(plan.unwrap().stdout).unwrap();
        let written = self.written();
        for (what, text) in [("the plan", &plan), ("a state or log", &written)] {
            assert!(!text.contains("PRIVATE KEY"), "a private key is in {what}");
            let found = canaries.iter().find(|line| text.contains(*line));
            assert!(found.is_none(), "a line of a private key is in {what}");
        }
    }
}

/// A file of the quickstart's app, with one round and without an evaluation by the sites.
fn shortened(text: String) -> String {
    text.replace("num-server-rounds = 3", "num-server-rounds = 1")
        .replace("FedAvg(", "FedAvg(fraction_evaluate=0.0, ")
}

/// The address and ID of an object that can be imported.
fn offered(text: &str) -> Option<(&str, &str)> {
    let (_, rest) = text.split_once(" was not created with ")?;
    let (address, rest) = rest.split_once(", on ")?;
    let (_, rest) = rest.split_once("Take it over with an `import` block")?;
    let (_, rest) = rest.split_once(" id = \"")?;
    Some((address, rest.split_once('"')?.0))
}

pub fn said(output: &Output) -> Said {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let text = String::from_utf8_lossy(&both);
    // Diagnostics are framed and wrapped: messages are compared word by word.
    let words: Vec<_> = text
        .split_whitespace()
        .filter(|word| !["│", "╷", "╵"].contains(word))
        .collect();
    Said {
        ok: output.status.success(),
        code: output.status.code(),
        status: output.status.to_string(),
        text: words.join(" "),
    }
}

fn link(from: &Path, to: &Path) {
    assert!(from.exists(), "{} was not built", from.display());
    std::os::unix::fs::symlink(from, to).unwrap();
}
