//! Older releases in pods, and one SuperLink that is upgraded through several of them.

use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim};

use crate::federation::{completed, federation, private_keys_stay};
use crate::tenant::Tenant;
use crate::workspace::Workspace;

/// A federation with a release, and a run on it.
fn configured(tenant: &Tenant, release: &str, isolation: &str) -> String {
    let settings = format!("  flower_version = {release:?}\n  isolation = {isolation:?}");
    let nodes = format!("  isolation = {isolation:?}");
    let all = federation(&settings, &nodes, "  timeouts = { create = \"180s\" }");
    format!("{}{all}", tenant.provider())
}

#[test]
fn releases_that_read_keys_from_a_list_train_in_pods() {
    // In the older release, each app has its own process that waits for it, and there is no health
    // service of the SuperLink. The other release with `process` is below.
    for (release, isolation, expected) in [
        ("1.22.0", "subprocess", &["superlink"][..]),
        ("1.20.0", "process", &["superlink", "serverapp"]),
    ] {
        let tenant = Tenant::a();
        let it = Workspace::new(&configured(&tenant, release, isolation));
        it.app_of_every_era();
        it.apply().succeeded();
        it.plan_is_empty();
        completed(&it);
        assert_eq!(tenant.containers("superlink-main"), expected);
        let files: ConfigMap = tenant.get("superlink-main.files");
        let list = files.data.unwrap()["supernodes.csv"].clone();
        assert_eq!(list.matches("ecdsa-sha2-").count(), 2, "{list}");
        private_keys_stay(&it, &[&tenant]);
        tenant.destroyed(&it);
    }
}

#[test]
fn a_key_list_that_changes_restarts_the_superlink_and_nothing_is_run_again() {
    let tenant = Tenant::a();
    let config = configured(&tenant, "1.22.0", "process");
    let it = Workspace::new(&config);
    it.app_of_every_era();
    it.apply().succeeded();
    let run = completed(&it);
    let pod = || tenant.pods("superlink-main")[0].metadata.uid.clone();
    let before = pod();
    // One more key is registered; the SuperNodes keep running.
    let list =
        "{ for name, key in flower_supernode_key.site : name => { public_key = key.public_key } }";
    assert!(config.contains(list));
    let longer = format!(
        "merge({list}, {{ later = {{ public_key = flower_supernode_key.later.public_key }} }})"
    );
    it.configure(&config.replace(list, &longer));
    it.file(
        "later.tf",
        "resource \"flower_supernode_key\" \"later\" {\n  name = \"later\"\n}\n",
    );
    it.plan()
        .says(&["It restarts because of a change of `supernodes`"]);
    it.apply().succeeded();
    it.plan_is_empty();
    assert_ne!(pod(), before);
    assert_eq!(completed(&it), run);
    tenant.destroyed(&it);
}

#[test]
fn an_upgrade_keeps_the_volume_with_its_runs_and_nodes() {
    let tenant = Tenant::a();
    let config = |release| configured(&tenant, release, "process");
    let it = Workspace::new(&config("1.32.1"));
    it.app();
    it.apply().succeeded();
    let run = completed(&it);
    let nodes = it.state("flower_superlink.main")["nodes"].clone();
    let volume = || {
        let claims = tenant.list::<PersistentVolumeClaim>("");
        assert_eq!(claims.len(), 1);
        claims[0].metadata.uid.clone()
    };
    let before = volume();
    // From gRPC to HTTP, and to a Fleet API that shares its port and has a gateway in front of it.
    for release in ["1.38.0", "1.42.0"] {
        it.configure(&config(release));
        it.apply().succeeded();
        it.plan_is_empty();
        assert_eq!(completed(&it), run, "{release} ran it again");
        assert_eq!(it.state("flower_superlink.main")["nodes"], nodes);
        assert_eq!(volume(), before);
    }
    // The kept data is also used.
    it.configure(&config("1.42.0").replace("num-server-rounds = 1", "num-server-rounds = 2"));
    it.apply().succeeded();
    assert_ne!(completed(&it), run);
    tenant.destroyed(&it);
}

#[test]
fn a_control_api_that_speaks_grpc_is_found_by_an_address_alone() {
    let tenant = Tenant::a();
    let by_hand = format!(
        "{{ url = \"kube://{}/superlink-main\", ca_certificate = flower_superlink.main.control.ca_certificate }}",
        tenant.namespace
    );
    let config = configured(&tenant, "1.32.1", "subprocess").replace(
        "  control    = flower_superlink.main.control\n",
        &format!("  control    = {by_hand}\n  depends_on = [flower_superlink.main]\n"),
    );
    assert!(config.contains("kube://"));
    let it = Workspace::new(&config);
    it.app();
    it.apply().succeeded();
    it.plan_is_empty();
    completed(&it);
    tenant.destroyed(&it);
}
