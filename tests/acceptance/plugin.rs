//! The plugin layer, with the echo provider.

use crate::workspace::{Workspace, eventually, said};

#[test]
fn every_kind_of_value_comes_back_unchanged() {
    let it = Workspace::new(
        r#"
provider "echo" {}
resource "terraform_data" "x" {
  input = "hi"
}
resource "echo_probe" "p" {
  name     = "p"
  anything = { a = 1, b = [true, "x", 0.1], c = 18446744073709551616, d = terraform_data.x.output }
  numbers  = [{ value = 1.5 }, { value = 18446744073709551616 }, { value = 9007199254740993 }, { value = 0.1 }]
  hidden   = "shade"
  secret_wo         = "hunter2-the-canary"
  secret_wo_version = 1
}
ephemeral "echo_ticket" "t" {
  holder = "me"
}
output "r" {
  value = provider::echo::repeat("ab", 3)
}
"#,
    );
    it.apply().succeeded();
    it.plan_is_empty();
    assert_eq!(it.state("echo_probe.p")["secret_length"], 18);
    assert_eq!(it.output("r"), "ababab");
    assert!(
        !it.written().contains("hunter2"),
        "a write-only value was stored"
    );
    assert!(it.written().contains("18446744073709551616"));
    it.run(&["destroy", "-auto-approve", "-no-color"])
        .succeeded();
}

#[test]
fn what_a_resource_keeps_beside_its_attributes_comes_back() {
    let probe = |size: u32| {
        format!(
            "provider \"echo\" {{}}\nresource \"echo_probe\" \"p\" {{\n  name = \"p\"\n  size = {size}\n}}\n"
        )
    };
    let it = Workspace::new(&probe(1));
    it.apply().succeeded();
    assert_eq!(it.state("echo_probe.p")["trail"], "planned created");
    it.plan_is_empty();
    it.configure(&probe(2));
    it.apply().succeeded();
    assert_eq!(
        it.state("echo_probe.p")["trail"],
        "planned created read planned updated"
    );
    it.plan_is_empty();
}

#[test]
fn an_ephemeral_resource_is_renewed_while_it_is_used_and_then_closed() {
    let it = Workspace::new(
        r#"
provider "echo" {}
ephemeral "echo_ticket" "t" {
  holder = "me"
}
resource "echo_probe" "p" {
  name              = "p"
  secret_wo         = ephemeral.echo_ticket.t.ticket
  secret_wo_version = 1
  then              = "linger"
}
"#,
    );
    it.apply().succeeded();
    assert_eq!(it.state("echo_probe.p")["secret_length"], 13);
    for sign in ["renewed-me", "closed-me"] {
        assert!(it.path(sign).exists(), "no {sign}");
    }
    assert!(
        !it.written().contains("ticket-for-me"),
        "an ephemeral value was stored"
    );
}

#[test]
fn a_value_larger_than_grpc_takes_by_default_passes() {
    let it = Workspace::new(
        r#"
provider "echo" {}
resource "echo_probe" "p" {
  name   = "p"
  hidden = join("", [for n in range(1024) : format("%05120d", n)])
}
"#,
    );
    it.apply().succeeded();
    it.plan_is_empty();
    let hidden = it.state("echo_probe.p")["hidden"].as_str().map(str::len);
    assert_eq!(hidden, Some(5 << 20));
}

#[test]
fn a_function_says_which_argument_it_cannot_use() {
    let call = |times: &str| {
        format!(
            "provider \"echo\" {{}}\noutput \"r\" {{\n  value = provider::echo::repeat(\"ab\", {times})\n}}\n"
        )
    };
    let it = Workspace::new(&call("10"));
    it.plan().failed_with(&[
        "Invalid value for \"times\" parameter",
        "expected a whole number from 0 to 9",
    ]);
    it.configure(&call("\"many\""));
    it.plan()
        .failed_with(&["Invalid value for \"times\" parameter"]);
    it.configure(&call("9"));
    it.apply().succeeded();
    assert_eq!(it.output("r"), "ab".repeat(9));
    it.plan_is_empty();
}

#[test]
fn failures_keep_what_exists() {
    let probe = |then: &str| {
        format!(
            "provider \"echo\" {{}}\nresource \"echo_probe\" \"p\" {{\n  name = \"p\"\n  then = {then:?}\n}}\n"
        )
    };
    for (then, message) in [
        ("panic", "Internal error in the provider"),
        ("fail", "It failed as asked"),
    ] {
        let it = Workspace::new(&probe(then));
        it.apply().failed_with(&[message]);
        assert_eq!(it.state("echo_probe.p")["id"], "p", "{then}");
    }
    for signal in ["-INT", "-KILL"] {
        let it = Workspace::new(&probe("wait"));
        let mut command = it.command(&["apply", "-auto-approve", "-no-color"]);
        command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        let apply = command.spawn().unwrap();
        eventually("a running create", || {
            it.written().contains("configure_provider")
        });
        std::thread::sleep(std::time::Duration::from_secs(1));
        std::process::Command::new("kill")
            .args([signal, &apply.id().to_string()])
            .output()
            .unwrap();
        let ended = said(&apply.wait_with_output().unwrap());
        if signal == "-INT" {
            ended.failed_with(&["Interrupted"]);
            assert_eq!(it.state("echo_probe.p")["id"], "p");
        }
        // Even if nobody receives the response any more.
        eventually("a tidy end", || it.path("tidied").exists());
    }
}

#[test]
fn states_are_upgraded_moved_and_imported() {
    let it = Workspace::new(
        "provider \"echo\" {}\nresource \"echo_probe\" \"p\" {\n  name = \"p\"\n  size = 7\n}\n",
    );
    it.run(&["import", "echo_probe.p", "p"]).succeeded();
    it.apply().succeeded();
    it.plan_is_empty();
    let old = std::fs::read_to_string(it.path("terraform.tfstate")).unwrap();
    let old = old
        .replace("\"schema_version\": 1", "\"schema_version\": 0")
        .replace("\"size\": 7", "\"length\": 7, \"gone\": true");
    it.file("terraform.tfstate", &old);
    it.plan_is_empty();
    let newer = old.replace("\"schema_version\": 0", "\"schema_version\": 9");
    it.file("terraform.tfstate", &newer);
    it.plan().failed_with(&["newer"]);
}

#[test]
fn a_hand_start_says_what_it_is() {
    let provider = env!("CARGO_BIN_EXE_terraform-provider-flower");
    let plain = std::process::Command::new(provider).output().unwrap();
    assert_eq!(plain.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&plain.stderr).contains("This binary is a plugin"));
    assert!(plain.stdout.is_empty());
    let version = std::process::Command::new(provider)
        .arg("--version")
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&version.stdout).contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_state_moves_from_another_type() {
    let it = Workspace::new(
        "provider \"echo\" {}\nresource \"terraform_data\" \"old\" {\n  input = \"kept\"\n}\n",
    );
    it.apply().succeeded();
    let id = it.state("terraform_data.old")["id"].clone();
    it.configure(&format!(
        "provider \"echo\" {{}}\nresource \"echo_probe\" \"new\" {{\n  name = {id}\n}}\nmoved {{\n  from = terraform_data.old\n  to = echo_probe.new\n}}\n"
    ));
    it.apply()
        .succeeded()
        .says(&["0 added, 0 changed, 0 destroyed"]);
    assert_eq!(it.state("echo_probe.new")["id"], id);
    it.plan_is_empty();

    // A state that cannot be moved to this type is an error, and nothing is lost.
    it.configure("provider \"echo\" {}\nresource \"echo_thing\" \"t\" {\n  name = \"t\"\n}\nmoved {\n  from = echo_probe.new\n  to = echo_thing.t\n}\n");
    it.plan().failed_with(&["echo_probe"]);
}

#[test]
fn where_no_socket_fits_tcp_does() {
    let it = Workspace::new(
        "provider \"echo\" {}\nresource \"echo_probe\" \"p\" {\n  name = \"p\"\n}\n",
    );
    let long = it.path(&format!("t/{}/{}", "x".repeat(100), "y".repeat(100)));
    std::fs::create_dir_all(&long).unwrap();
    let apply = it
        .command(&["apply", "-auto-approve", "-no-color"])
        .env("TMPDIR", &long)
        .output()
        .unwrap();
    said(&apply).succeeded();
    let written = it.written();
    assert!(written.contains("listening on TCP"), "not served over TCP");
    it.plan_is_empty();
}

#[test]
fn a_provider_that_runs_already_can_be_attached_to() {
    use std::io::BufRead as _;
    let it = Workspace::new("resource \"flower_supernode_key\" \"k\" {\n  name = \"k\"\n}\n");
    let mut provider = std::process::Command::new(env!("CARGO_BIN_EXE_terraform-provider-flower"))
        .arg("--debug")
        .current_dir(it.path("."))
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let out = std::io::BufReader::new(provider.stdout.take().unwrap());
    let attach = out
        .lines()
        .map_while(Result::ok)
        .find_map(|line| {
            Some(
                line.trim()
                    .strip_prefix("TF_REATTACH_PROVIDERS='")?
                    .trim_end_matches('\'')
                    .to_owned(),
            )
        })
        .unwrap();
    // OpenTofu uses its own registry's host name for providers.
    let mut attach: serde_json::Value = serde_json::from_str(&attach).unwrap();
    let reached = attach["registry.terraform.io/flower/flower"].clone();
    attach["registry.opentofu.org/flower/flower"] = reached;
    let attach = attach.to_string();
    let run = |args: &[&str]| {
        let output = it
            .command(args)
            .env("TF_REATTACH_PROVIDERS", &attach)
            .env_remove("TF_CLI_CONFIG_FILE")
            .output();
        said(&output.unwrap())
    };
    run(&["init", "-no-color"]);
    let applied = run(&["apply", "-auto-approve", "-no-color"]);
    let destroyed = run(&["destroy", "-auto-approve", "-no-color"]);
    std::process::Command::new("kill")
        .args(["-INT", &provider.id().to_string()])
        .output()
        .unwrap();
    let ended = provider.wait().unwrap();
    applied.succeeded();
    destroyed.succeeded();
    assert!(ended.success(), "{ended}");
}
