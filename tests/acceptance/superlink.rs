//! `flower_superlink`.

use crate::workspace::{Cut, Workspace, said};

const KEYS: &str = r#"
provider "flower" {}
resource "flower_supernode_key" "site" {
  for_each = toset(["a", "b"])
  name     = "site-${each.key}"
}
"#;

fn superlink(rest: &str) -> String {
    format!("{KEYS}resource \"flower_superlink\" \"main\" {{\n  name = \"main\"\n{rest}\n}}\n")
}

const BOTH: &str =
    "supernodes = { for n, k in flower_supernode_key.site : n => { public_key = k.public_key } }";
const ONE: &str =
    "supernodes = { a = { public_key = flower_supernode_key.site[\"a\"].public_key } }";

#[test]
fn a_superlink_lives_heals_changes_and_leaves_nothing() {
    let it = Workspace::new(&superlink(BOTH));
    it.apply().succeeded();
    it.plan_is_empty();
    let first = it.state("flower_superlink.main");
    assert_eq!(first["nodes"].as_object().unwrap().len(), 2);
    assert_eq!(first["status"], "running");

    // A dead process is drift; the apply restarts it with its ports, database and keys.
    it.kill_processes();
    let plan = it.plan();
    assert_eq!(plan.code, Some(2), "{}", plan.text);
    it.apply().succeeded();
    it.plan_is_empty();
    let healed = it.state("flower_superlink.main");
    assert_eq!(healed["control"], first["control"]);
    assert_eq!(healed["nodes"], first["nodes"]);

    // A key that is removed from the list is unregistered; the other one is unchanged.
    it.configure(&superlink(ONE));
    it.apply().succeeded();
    it.plan_is_empty();
    let one = it.state("flower_superlink.main");
    assert_eq!(one["nodes"]["a"], first["nodes"]["a"]);
    assert_eq!(one["nodes"].as_object().unwrap().len(), 1);
    it.configure(&superlink(BOTH));
    it.apply()
        .failed_with(&["\"b\" was not registered", "rotation"]);
    it.configure(&superlink(ONE));
    it.apply().succeeded();

    // A change that is refused before it begins has no effect.
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port();
    it.configure(&superlink(&format!("{ONE}\nlocal = {{ port = {port} }}")));
    it.apply()
        .failed_with(&[&format!("Port {port} for the API is in use")]);
    it.configure(&superlink(ONE));
    it.plan_is_empty();

    it.configure(&superlink(&format!(
        "{ONE}\nisolation = \"process\"\nlog_level = \"DEBUG\""
    )));
    it.apply().succeeded();
    it.plan_is_empty();
    it.keeps_its_private_keys();
    // Also in a plan that changes and replaces resources.
    it.configure(&superlink(ONE).replace("\"site-${each.key}\"", "\"new-${each.key}\""));
    it.keeps_its_private_keys();
    it.destroy();
}

/// A SuperLink and a SuperNode start a SuperExec and do not notice its end: they still answer as if
/// they were healthy, and runs stay pending forever.
#[test]
fn a_superexec_that_died_is_drift_and_comes_back() {
    let federation = superlink(BOTH)
        + r#"
resource "flower_supernode" "site" {
  for_each  = flower_supernode_key.site
  name      = each.key
  superlink = flower_superlink.main.fleet
  key       = each.value.secret
}
"#;
    let run = r#"
resource "flower_app_run" "again" {
  control = flower_superlink.main.control
  source  = { path = "${path.module}/app" }
  wait    = { nodes = [for one in flower_supernode.site : one.node_id] }
}
"#;
    let it = Workspace::new(&federation);
    it.app();
    it.apply().succeeded();
    it.plan_is_empty();
    let before = it.command_lines("flower-superexec");
    assert_eq!(before.len(), 3, "{before:?}");
    it.kill_program("flower-superexec");
    let plan = it.plan();
    assert_eq!(plan.code, Some(2), "{}", plan.text);
    plan.says(&["0 to add, 3 to change, 0 to destroy"]);
    it.apply().succeeded();
    it.plan_is_empty();
    it.configure(&format!("{federation}{run}"));
    it.apply().succeeded();
    assert_eq!(it.state("flower_app_run.again")["sub_status"], "completed");
    it.destroy();
}

#[test]
fn a_certificate_near_its_end_is_renewed() {
    let short = superlink("tls = { validity = \"2h\", renew_before = \"1h\" }");
    let it = Workspace::new(&short);
    it.apply().succeeded();
    it.plan_is_empty();
    let first = it.state("flower_superlink.main");
    let due = superlink("tls = { validity = \"3h\", renew_before = \"150m\" }");
    it.configure(&due);
    it.apply().succeeded();
    it.plan_is_empty();
    let renewed = it.state("flower_superlink.main");
    assert_ne!(
        renewed["certificate_not_after"],
        first["certificate_not_after"]
    );
    assert_eq!(renewed["control"], first["control"], "the authority stays");
    // A validity that is shorter than the default renewal period.
    it.configure(&superlink("tls = { validity = \"168h\" }"));
    it.apply().succeeded();
    it.plan_is_empty();
    it.destroy();
}

#[test]
fn nodes_that_were_forgotten_are_registered_anew() {
    let memory = "persistence = { enabled = false }\n  tls = { validity = \"1h25s\", renew_before = \"1h\" }";
    let it = Workspace::new(&superlink(&format!("{BOTH}\n{memory}")));
    it.apply().succeeded();
    let begun = std::time::Instant::now();
    let first = it.state("flower_superlink.main")["nodes"].clone();
    it.kill_processes();
    it.apply().succeeded();
    let second = it.state("flower_superlink.main")["nodes"].clone();
    assert_eq!(second.as_object().unwrap().len(), 2);
    assert_ne!(second, first);

    // A new certificate restarts it, too.
    let due = std::time::Duration::from_secs(26);
    std::thread::sleep(due.saturating_sub(begun.elapsed()));
    it.apply().succeeded();
    let third = it.state("flower_superlink.main")["nodes"].clone();
    assert_eq!(third.as_object().unwrap().len(), 2);
    assert_ne!(third, second);
    it.destroy();
}

#[test]
fn two_superlinks_of_one_name_are_refused() {
    let two = format!(
        "{}resource \"flower_superlink\" \"other\" {{\n  name = \"main\"\n}}\n",
        superlink("")
    );
    let it = Workspace::new(&two);
    it.apply()
        .failed_with(&["SuperLink \"main\" was not created"]);
    // The same with `create_before_destroy`, which also applies to all resources on which it
    // depends.
    it.apply().failed_with(&[
        "SuperLink \"main\" was not created",
        "If Terraform is replacing that object now",
        "`create_before_destroy`, on this resource or on a resource that depends on it",
    ]);
    it.destroy();
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_made() {
    for (rest, parts) in [
        (
            "insecure = true\nsupernodes = {}",
            &["Node keys need TLS"] as &[_],
        ),
        (
            "flower_version = \"banana\"",
            &["Invalid value for flower_version"],
        ),
        (
            "flower_version = \"9.9.9\"",
            &["This Flower version cannot be used"],
        ),
        (
            "flower_version = \"2.0.0\"",
            &["This Flower version cannot be used"],
        ),
        (
            "supernodes = { x = { public_key = \"ssh-rsa AAAA\" } }",
            &["has no SuperNode key"],
        ),
        (
            "timeouts = { create = \"soon\" }",
            &["timeouts.create", "10m"],
        ),
        (
            "tls = { validity = \"2h\", renew_before = \"2h\" }",
            &["Every plan would renew the certificate"],
        ),
        ("isolation = \"chroot\"", &["`subprocess`, `process`"]),
    ] {
        let it = Workspace::new(&superlink(rest));
        it.plan().failed_with(parts);
        it.nothing_left();
    }
}

#[test]
fn a_release_that_came_later_is_planned_with_a_warning() {
    let it = Workspace::new(&superlink("flower_version = \"1.43.0\""));
    let plan = it.plan();
    assert_eq!(plan.code, Some(2), "{}", plan.text);
    plan.says(&[
        "Flower 1.43.0 is newer than this provider",
        "The provider treats it like Flower 1.42.0",
    ]);
    it.nothing_left();
}

#[test]
fn what_stops_it_at_its_start_is_said() {
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port();
    let it = Workspace::new(&superlink(&format!("local = {{ port = {port} }}")));
    it.apply().failed_with(&[
        &format!("Port {port} for the API is in use"),
        "set another port in `local`",
    ]);

    it.configure(&superlink("extra_args = [\"--no-such-flag\"]"));
    it.apply()
        .failed_with(&["SuperLink \"main\" did not start", "no-such-flag"]);
    it.configure(&superlink("extra_args = [\"--port\", \"1\"]"));
    it.apply().failed_with(&["--port"]);
    it.configure(&superlink(
        "requirements = [\"no-such-package-of-ours==1\"]",
    ));
    it.apply()
        .failed_with(&["Python environment", "no-such-package-of-ours"]);

    let python = KEYS.replace(
        "\"flower\" {}",
        "\"flower\" {\n  local = { python = \"no-python\" }\n}",
    );
    it.configure(&superlink("").replace(KEYS, &python));
    it.apply()
        .failed_with(&["no-python", "Install Python 3.11"]);
    it.configure(&superlink(""));
    it.destroy();
}

#[test]
fn a_provider_that_is_killed_at_any_moment_leaves_nothing_twice() {
    let it = Workspace::new(&superlink(BOTH));
    let apply = ["apply", "-auto-approve", "-no-color"];
    for moment in [300, 700, 1200, 1900, 2800, 4000] {
        it.cut(&apply, moment, Cut::Kill);
    }
    it.apply_after_a_kill().succeeded();
    it.plan_is_empty();
    let running = || it.command_lines("flower-superlink").len();
    assert_eq!(running(), 1, "{:?}", it.command_lines("flower-superlink"));
    let nodes = it.state("flower_superlink.main")["nodes"].clone();
    assert_eq!(nodes.as_object().unwrap().len(), 2);

    // The same with Ctrl-C, after which Terraform asks for an orderly stop.
    for moment in [200, 600, 1500] {
        it.configure(&superlink(&format!(
            "{BOTH}\nenv = {{ MOMENT = \"{moment}\" }}"
        )));
        it.cut(&apply, moment, Cut::Interrupt);
    }
    it.apply().succeeded();
    it.plan_is_empty();
    assert_eq!(running(), 1, "{:?}", it.command_lines("flower-superlink"));
    assert_eq!(it.state("flower_superlink.main")["nodes"], nodes);
    it.destroy();
}

#[test]
fn two_applies_at_once_make_one_environment() {
    let cache = tempfile::tempdir().unwrap();
    // Only the environment must be new, not the downloaded packages.
    let downloads = std::env::var_os("PIP_CACHE_DIR").unwrap_or_else(|| {
        let home = std::env::var_os("HOME").unwrap();
        std::path::Path::new(&home).join(".cache/pip").into()
    });
    // A package of the caller's Python that an installer may treat as installed.
    let elsewhere = tempfile::tempdir().unwrap();
    let installed = elsewhere.path().join("numpy-2.0.0.dist-info");
    std::fs::create_dir(&installed).unwrap();
    let metadata = "Metadata-Version: 2.1\nName: numpy\nVersion: 2.0.0\n";
    std::fs::write(installed.join("METADATA"), metadata).unwrap();
    let plain = "provider \"flower\" {}\nresource \"flower_superlink\" \"main\" {\n  name = \"main\"\n  insecure = true\n}\n";
    let both = [Workspace::new(plain), Workspace::new(plain)];
    let begun = both.each_ref().map(|it| {
        it.command(&["apply", "-auto-approve", "-no-color"])
            .env("XDG_CACHE_HOME", cache.path())
            .env("PIP_CACHE_DIR", &downloads)
            .env("PYTHONPATH", elsewhere.path())
            .env("PYTHONHOME", "/opt/other-python")
            .env("PIP_TARGET", elsewhere.path().join("target"))
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    });
    for apply in begun {
        said(&apply.wait_with_output().unwrap()).succeeded();
    }
    let made = |it: &Workspace| {
        it.written()
            .matches("creating a Python environment")
            .count()
    };
    assert_eq!(both.iter().map(made).sum::<usize>(), 1);
    for it in both {
        it.destroy();
    }
}

#[test]
fn a_list_that_is_set_later_keeps_out_who_joined_before() {
    let key = "resource \"flower_supernode_key\" \"a\" {\n  name = \"a\"\n}\n";
    let open = format!(
        "provider \"flower\" {{}}\n{key}resource \"flower_superlink\" \"main\" {{\n  name = \"main\"\n}}\n"
    );
    let listed = open.replace(
        "name = \"main\"\n",
        "name = \"main\"\n  supernodes = { a = { public_key = flower_supernode_key.a.public_key } }\n",
    );
    let guest = "resource \"flower_supernode\" \"guest\" {\n  name = \"guest\"\n  superlink = flower_superlink.main.fleet\n  control = flower_superlink.main.control\n}\n";
    let nodes = "data \"flower_supernodes\" \"all\" {\n  control = flower_superlink.main.control\n}\noutput \"online\" {\n  value = { for node in data.flower_supernodes.all.supernodes : node.node_id => node.status }\n}\n";
    let it = Workspace::new(&format!("{open}{guest}"));
    it.apply().succeeded();
    let id = it.state("flower_supernode.guest")["node_id"].clone();
    let id = id.as_str().unwrap();

    it.configure(&listed);
    it.plan()
        .says(&["Unlisted SuperNodes will be refused for good"]);
    it.apply().succeeded();
    it.plan_is_empty();
    let allowed = it.state("flower_superlink.main")["nodes"].clone();
    assert_eq!(allowed.as_object().unwrap().len(), 1, "{allowed}");
    it.configure(&format!("{listed}{nodes}"));
    it.apply().succeeded();
    let online = it.output("online");
    let status = online[id].as_str().unwrap_or("unregistered");
    assert_eq!(status, "unregistered", "{online}");
    it.destroy();
}
