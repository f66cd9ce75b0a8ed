//! One configuration on releases of every era: a federation of two SuperNodes, with keys if the
//! release supports them; one run completes, one fails, one is stopped; nothing is left at the end.
//!
//! `FLOWER_TEST_RELEASES` sets other releases than the usual four. The results are appended to the
//! file in `FLOWER_TEST_RESULTS`; the table in docs/compatibility.md is built from them.

mod upgrades;

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::time::Instant;

use serde_json::{Value as Json, json};

use crate::workspace::{Workspace, eventually};

/// The last release with gRPC Exec, with key lists, with gRPC Control, and with a gRPC Fleet port.
const USUAL: &str = "1.20.0,1.22.0,1.29.0,1.38.0";

/// The ServerApp writes this into its log.
const SPOKEN: &str = "the ServerApp speaks";

/// Reads that log.
const LOG: &str = r#"
data "flower_run_log" "r" {
  control = flower_superlink.main.control
  run_id  = flower_app_run.r.run_id
}
output "log" {
  value = data.flower_run_log.r.lines
}
"#;

fn minor(release: &str) -> u32 {
    release.split('.').nth(1).unwrap().parse().unwrap()
}

/// The parts of a configuration that vary.
#[derive(Default)]
struct Rest<'a> {
    /// The isolation.
    isolation: &'a str,
    /// The sites whose keys are registered.
    listed: &'a str,
    /// The sites.
    sites: &'a str,
    /// The settings of the run; no run if `None`.
    run: Option<&'a str>,
}

const TWO: &str = "\"a\", \"b\"";
const THREE: &str = "\"a\", \"b\", \"c\"";

fn with(run: &str) -> Rest<'_> {
    Rest {
        isolation: "subprocess",
        listed: TWO,
        sites: TWO,
        run: Some(run),
    }
}

fn federation(release: &str, rest: &Rest<'_>) -> String {
    let Rest {
        isolation,
        listed,
        sites,
        run,
    } = rest;
    // 1.13 checks keys in threads that cannot use its database.
    let persistence = if minor(release) < 14 {
        "persistence = { enabled = false }"
    } else {
        ""
    };
    let after = run.map_or("", |_| ", flower_app_run.r");
    let mut text = format!(
        r#"
provider "flower" {{}}
resource "flower_supernode_key" "site" {{
  for_each = toset([{sites}])
  name     = each.key
}}
resource "flower_superlink" "main" {{
  name           = "main"
  flower_version = "{release}"
  isolation      = "{isolation}"
  supernodes     = {{ for name in [{listed}] : name => {{ public_key = flower_supernode_key.site[name].public_key }} }}
  {persistence}
}}
resource "flower_supernode" "site" {{
  for_each    = toset([{sites}])
  name        = each.key
  superlink   = flower_superlink.main.fleet
  key         = flower_supernode_key.site[each.key].secret
  isolation   = "{isolation}"
  node_config = {{ site = each.key }}
}}
data "flower_runs" "all" {{
  control    = flower_superlink.main.control
  depends_on = [flower_supernode.site{after}]
}}
output "runs" {{
  value = {{ for run in data.flower_runs.all.runs : run.run_id => "${{run.status}}:${{run.sub_status}}" }}
}}
"#
    );
    if let Some(run) = run {
        write!(
            text,
            r#"
resource "flower_app_run" "r" {{
  control = flower_superlink.main.control
  source  = {{ path = "${{path.module}}/app" }}
  wait    = {{ nodes = [for node in flower_supernode.site : node.node_id] }}
  {run}
}}
"#
        )
        .unwrap();
    }
    text
}

/// The run in the state, and the status that the SuperLink reports.
fn listed(it: &Workspace) -> (String, String) {
    let id = it.state("flower_app_run.r")["run_id"]
        .as_str()
        .unwrap()
        .to_owned();
    it.run(&["apply", "-refresh-only", "-auto-approve", "-no-color"])
        .succeeded();
    let runs = it.output("runs");
    let said = runs[&id].as_str().unwrap_or("not listed").to_owned();
    (id, said)
}

/// Runs all steps on a release and records those that passed; the first error ends this.
fn try_release(release: &str, seen: &mut Vec<&'static str>) {
    // Here, a separate program runs the apps; in the other configurations, a child process of the
    // SuperLink.
    let apart = Rest {
        isolation: "process",
        ..with("timeouts = { create = \"180s\" }")
    };
    let it = Workspace::new(&federation(release, &apart));
    it.app_of_every_era();
    it.apply().succeeded();
    let run = it.state("flower_app_run.r");
    assert_eq!(run["sub_status"], "completed");
    seen.push("completed");
    let rounds = run["rounds"].as_array().map(Vec::len);
    assert_eq!(rounds, Some(1), "{run}");
    assert_eq!(run["rounds"][0]["train"]["results"], 2, "{run}");
    it.plan_is_empty();
    seen.push("empty plan");
    it.configure(&format!("{}{LOG}", federation(release, &apart)));
    assert_eq!(listed(&it).1, "finished:completed");
    seen.push("listed");
    assert!(it.output("log").to_string().contains(SPOKEN), "{run}");
    if (23..).contains(&minor(release)) {
        let nodes = &it.state("flower_superlink.main")["nodes"];
        assert_eq!(nodes.as_object().unwrap().len(), 2);
    }
    only_the_listed_join(release, &it, &apart);
    seen.push("keys");

    // Up to 1.22, a SuperLink that restarts does not notice that its SuperNodes disconnect, and
    // never accepts their keys again: the SuperNodes must keep running.
    let isolation = if minor(release) < 23 {
        apart.isolation
    } else {
        "subprocess"
    };
    let later = |run| Rest {
        isolation,
        ..with(run)
    };
    it.configure(&federation(
        release,
        &later("run_config = { fail-in = \"server\" }"),
    ));
    it.apply()
        .failed_with(&["ended as failed", "the ServerApp failed as asked"]);
    seen.push("failed");

    let goes_on = "run_config = { fail-in = \"never\" }\n  timeouts = { create = \"8s\" }";
    it.configure(&federation(release, &later(goes_on)));
    it.apply().succeeded().says(&["is still in progress"]);
    // A status that changes is a change of the output, too.
    eventually("the start of the run", || {
        listed(&it).1.starts_with("running")
    });
    it.plan_is_empty();
    // 1.13 cannot stop a run: it ends with its SuperLink.
    if minor(release) < 14 {
        let forget = format!("{goes_on}\n  stop_on_destroy = false");
        it.configure(&federation(release, &later(&forget)));
        it.apply().succeeded();
    } else {
        let (id, _) = listed(&it);
        let without = Rest {
            run: None,
            ..later("")
        };
        it.configure(&federation(release, &without));
        it.apply().succeeded();
        it.run(&["apply", "-refresh-only", "-auto-approve", "-no-color"])
            .succeeded();
        assert_eq!(it.output("runs")[&id], "finished:stopped");
    }
    it.destroy();
    seen.push("stopped");
}

/// A SuperNode whose key is not registered is refused. After the registration it joins, and the
/// others stay connected.
fn only_the_listed_join(release: &str, it: &Workspace, before: &Rest<'_>) {
    let stranger = Rest {
        sites: THREE,
        run: None,
        ..*before
    };
    let until = "timeouts = { create = \"60s\" }";
    let config = federation(release, &stranger)
        .replace("node_config =", &format!("{until}\n  node_config ="));
    it.configure(&config);
    it.apply().failed_with(&["SuperNode \"c\" did not join"]);
    it.configure(&config.replace(&format!("in [{TWO}]"), &format!("in [{THREE}]")));
    let plan = it.plan();
    if minor(release) < 23 {
        plan.says(&["It restarts because of a change of `supernodes`"]);
    }
    it.apply().succeeded();
    if minor(release) < 14 {
        // Its database is in memory, and the SuperNodes end because it does not know them any more.
        plan.says(&["Once they have ended, apply again"]);
        let ended = || {
            it.run(&["apply", "-refresh-only", "-auto-approve", "-no-color"])
                .succeeded();
            ["a", "b"].iter().all(|site| {
                it.state(&format!("flower_supernode.site[{site:?}]"))["status"] == "stopped"
            })
        };
        eventually("the end of the SuperNodes", ended);
        it.apply().succeeded();
    }
    it.plan_is_empty();
    let key = it.state("flower_superlink.main")["supernodes"].clone();
    assert_eq!(key.as_object().unwrap().len(), 3);
}

/// Writes a result for the page.
fn note(line: &Json) {
    let Some(path) = std::env::var_os("FLOWER_TEST_RESULTS") else {
        return;
    };
    let file = File::options().create(true).append(true).open(path);
    writeln!(file.unwrap(), "{line}").unwrap();
}

/// In how many tests the releases are tried, side by side.
const SHARES: usize = 4;

/// Tries every fourth of the releases.
fn one_configuration_serves(share: usize) {
    let releases = std::env::var("FLOWER_TEST_RELEASES").unwrap_or_else(|_| USUAL.to_owned());
    let mut troubles = String::new();
    for release in releases.split(',').skip(share).step_by(SHARES) {
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

#[test]
fn one_configuration_serves_every_era_first_share() {
    one_configuration_serves(0);
}

#[test]
fn one_configuration_serves_every_era_second_share() {
    one_configuration_serves(1);
}

#[test]
fn one_configuration_serves_every_era_third_share() {
    one_configuration_serves(2);
}

#[test]
fn one_configuration_serves_every_era_last_share() {
    one_configuration_serves(3);
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

/// A SuperNode that is refused is an error with its reason, and one that was killed joins again.
fn says_why_a_supernode_is_not_let_in_and_heals(release: &str) {
    let supernode = |key: &str, authority: &str, rotation: &str| {
        format!(
            r#"
{}
resource "flower_superlink" "other" {{
  name           = "other"
  flower_version = "{release}"
}}
resource "flower_supernode_key" "stranger" {{
  name = "stranger"
}}
resource "flower_supernode" "a" {{
  name      = "a"
  key       = flower_supernode_key.{key}.secret
  control   = flower_superlink.main.control
  timeouts  = {{ create = "60s" }}
  superlink = {{
    address        = flower_superlink.main.fleet.address
    ca_certificate = flower_superlink.{authority}.fleet.ca_certificate
    flower_version = "{release}"
  }}
}}
"#,
            superlink(release, "").replace(
                "name = \"a\"",
                &format!("name     = \"a\"\n  rotation = \"{rotation}\"")
            )
        )
    };
    let it = Workspace::new(&supernode("stranger", "main", "1"));
    it.apply().failed_with(&[
        "SuperNode \"a\" did not join",
        "the SuperLink refused the SuperNode",
        "`supernodes`",
    ]);
    it.configure(&supernode("a", "other", "1"));
    it.apply().failed_with(&[
        "SuperNode \"a\" did not join",
        "the SuperNode does not trust the SuperLink's certificate",
    ]);
    it.configure(&supernode("a", "main", "1"));
    it.apply().succeeded();
    it.plan_is_empty();
    let first = it.state("flower_supernode.a")["node_id"].clone();
    it.kill_processes();
    if minor(release) < 23 {
        // The SuperLink never forgets it: only a new key can join.
        it.apply()
            .failed_with(&["never forgets a killed SuperNode", "`rotation`"]);
        it.configure(&supernode("a", "main", "2"));
    }
    it.apply().succeeded();
    it.plan_is_empty();
    let healed = &it.state("flower_supernode.a")["node_id"];
    assert_eq!(*healed, first, "{release}");
    it.destroy();
}

/// A refused SuperNode exits with status 0.
#[test]
fn a_key_list_says_why_a_supernode_is_not_let_in_and_heals() {
    says_why_a_supernode_is_not_let_in_and_heals("1.22.0");
}

/// A refused SuperNode exits with a traceback.
#[test]
fn control_over_grpc_says_why_a_supernode_is_not_let_in_and_heals() {
    says_why_a_supernode_is_not_let_in_and_heals("1.29.0");
}

/// A refused SuperNode keeps running and does nothing.
#[test]
fn one_that_stays_says_why_a_supernode_is_not_let_in_and_heals() {
    says_why_a_supernode_is_not_let_in_and_heals("1.36.0");
}

#[test]
fn a_location_that_a_release_does_not_keep_is_told_when_planned() {
    let it = Workspace::new(
        &superlink("1.36.0", "").replace("public_key }", "public_key, location = \"47.37,8.54\" }"),
    );
    it.plan()
        .says(&["The location of \"a\" has no effect", "1.38"]);
}
