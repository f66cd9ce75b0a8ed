//! The number of API requests: it grows linearly with the number of objects. The test counts them
//! in the provider's log, which has one line per request.
//!
//! `FLOWER_TEST_SITES` sets another number of sites than four; docs/performance.md contains the
//! figures for fifty.

use std::fs;
use std::ops::Range;
use std::time::Instant;

use crate::tenant::Tenant;
use crate::workspace::Workspace;

/// The requests to create or change an object and to wait for it: about 25, and one every three
/// seconds during the creation, which takes longer on a busy machine.
const PER_OBJECT: usize = 40;
/// How many resources Terraform handles in parallel.
const AT_ONCE: usize = 10;
/// The requests of a refresh that do not depend on the number of objects: the `place`, one listing
/// of each kind, the SuperLink's pod and the connection to it.
const PER_REFRESH: usize = 14;

/// A SuperLink and this many sites, each with a SuperNode and its key.
fn sites(tenant: &Tenant, count: usize) -> String {
    format!(
        r#"{}
resource "flower_supernode_key" "site" {{
  count = {count}
  name  = "site-${{count.index}}"
}}
resource "flower_superlink" "main" {{
  name       = "main"
  supernodes = {{ for key in flower_supernode_key.site : key.name => {{ public_key = key.public_key }} }}
}}
resource "flower_supernode" "site" {{
  count     = {count}
  name      = "site-${{count.index}}"
  superlink = flower_superlink.main.fleet
  key       = flower_supernode_key.site[count.index].secret
}}
"#,
        tenant.provider()
    )
}

/// How many requests `command` sends.
fn calls(it: &Workspace, command: impl FnOnce()) -> usize {
    let log = it.path("trace.log");
    let _ = fs::remove_file(&log);
    command();
    let log = fs::read_to_string(log).unwrap();
    log.lines()
        .filter(|line| line.contains("kubernetes: ") && line.contains("method="))
        .count()
}

/// Each SuperNode was started before the first one had joined.
fn side_by_side(tenant: &Tenant, sites: Range<usize>) {
    let pods = sites.map(|site| tenant.pods(&format!("supernode-site-{site}")).remove(0));
    let (mut begun, mut ready) = (Vec::new(), Vec::new());
    for pod in pods {
        let conditions = pod.status.unwrap().conditions.unwrap();
        let is_ready = conditions.iter().find(|one| one.type_ == "Ready").unwrap();
        ready.push(is_ready.last_transition_time.clone().unwrap().0);
        begun.push(pod.metadata.creation_timestamp.unwrap().0);
    }
    assert!(
        begun.iter().max() < ready.iter().min(),
        "begun at {begun:?}, ready at {ready:?}"
    );
}

#[test]
fn calls_grow_with_the_objects_and_not_faster() {
    let tenant = Tenant::a();
    let sites_of = |variable| std::env::var(variable).ok()?.parse().ok();
    let (few, many) = (1, sites_of("FLOWER_TEST_SITES").unwrap_or(4_usize));
    let more = many - few;
    let it = Workspace::new(&sites(&tenant, few));
    let first = calls(&it, || drop(it.apply().succeeded()));
    let small = calls(&it, || it.plan_is_empty());
    it.configure(&sites(&tenant, many));
    let begun = Instant::now();
    let second = calls(&it, || drop(it.apply().succeeded()));
    let applied = begun.elapsed().as_secs();
    if more <= AT_ONCE {
        side_by_side(&tenant, few..many);
    }
    let begun = Instant::now();
    let large = calls(&it, || it.plan_is_empty());
    let planned = begun.elapsed().as_secs_f32();
    eprintln!(
        "apply: {first}, then {second} in {applied} s; refresh: {small}, then {large} in {planned:.1} s"
    );
    assert!(small > 0, "calls are not counted");
    let made = 1 + 2 * few;
    assert!(
        first <= PER_REFRESH + made * PER_OBJECT,
        "{first} calls for {made} objects"
    );
    // The new SuperNodes, and the SuperLink that registers them.
    let changed = 1 + 2 * more;
    assert!(
        second <= PER_REFRESH + many + changed * PER_OBJECT,
        "{second} calls for {changed} objects"
    );
    // The listing contains the SuperNodes; each key is one Secret.
    assert!(
        large <= small + more,
        "a refresh took {small}, then {large}"
    );
    assert!(large <= PER_REFRESH + many, "a refresh took {large}");
    tenant.destroyed(&it);
}
