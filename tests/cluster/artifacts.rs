//! The files that runs leave in a pod: downloaded through the port-forward, equal by their hash.
//!
//! `FLOWER_TEST_MODEL_MIB` sets another size than 50 MiB; docs/performance.md has the figures for
//! 1 GiB.

use std::fs;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use sha2::{Digest as _, Sha256};

use crate::inside;
use crate::tenant::Tenant;
use crate::workspace::Workspace;

/// What the app writes as its model, with this number of MiB.
fn model(mib: u32) -> String {
    let mut hash = Sha256::new();
    for number in 0..mib {
        hash.update(Sha256::digest(number.to_string()).repeat(32768));
    }
    hex::encode(hash.finalize())
}

fn config(tenant: &Tenant, superlink: &str, mode: &str, mib: u32) -> String {
    format!(
        "{}resource \"flower_superlink\" \"main\" {{\n  name = \"main\"\n  artifacts = {{}}\n{superlink}\n}}\n\
         resource \"flower_app_run\" \"r\" {{\n  control = flower_superlink.main.control\n  \
         source = {{ path = \"${{path.module}}/app\" }}\n  \
         run_config = {{ fail-in = \"{mode}\", num-server-rounds = {mib} }}\n  \
         artifacts = {{ download_to = \"${{path.root}}/model\" }}\n}}\n",
        tenant.provider()
    )
}

#[test]
fn a_model_of_50_mb_comes_out_of_the_pod_as_it_is() {
    let tenant = Tenant::a();
    let mib = std::env::var("FLOWER_TEST_MODEL_MIB").map_or(50, |text| text.parse().unwrap());
    let it = Workspace::new(&config(&tenant, "  isolation = \"process\"", "", mib));
    it.app_that_leaves();
    it.apply().succeeded();
    it.plan_is_empty();
    let run = it.state("flower_app_run.r");
    let file = &run["artifact_files"]["model.bin"];
    assert_eq!(file["sha256"], model(mib));
    let path = it.path("model/model.bin");
    let here = fs::read(&path).unwrap();
    assert_eq!(here.len(), usize::try_from(mib).unwrap() << 20);
    assert_eq!(hex::encode(Sha256::digest(&here)), model(mib));

    // A lost copy is downloaded again also after the pod was replaced: it is on the volume.
    fs::remove_file(&path).unwrap();
    let pod = tenant.pods("superlink-main")[0].name_any();
    tenant.delete::<Pod>(&pod);
    tenant.another_pod("superlink-main", &pod);
    it.apply().succeeded();
    it.plan_is_empty();
    assert_eq!(fs::read(&path).unwrap(), here);
    assert_eq!(it.state("flower_app_run.r")["run_id"], run["run_id"]);

    // The service can read the artifacts and nothing else of the volume, and write nothing.
    let sees = inside::shell(
        &tenant,
        "superlink-main",
        "artifacts",
        "ls /flower; touch /flower/artifacts/x 2>&1; touch /x 2>&1; env | grep -c FLWR || true",
    );
    assert!(
        sees.contains("artifacts") && !sees.contains("state"),
        "{sees}"
    );
    assert_eq!(sees.matches("Read-only file system").count(), 2, "{sees}");
    // Nobody reaches it from outside of the pod.
    let ports = inside::listening(&tenant, "superlink-main", "artifacts");
    assert!(!ports.contains(&9095), "{ports:?}");

    // Hostile files, of a ServerApp in the SuperLink's own container.
    it.configure(&config(&tenant, "", "hostile", 1));
    it.apply().succeeded().says(&[
        "Not all files of the run",
        "\"passwd\": it is a link",
        "\"etc\": it is a link",
        "\"pipe\": it is a link, a device or a pipe",
        ".git",
        "not valid UTF-8",
    ]);
    it.plan_is_empty();
    let run = it.state("flower_app_run.r");
    let names: Vec<_> = run["artifact_files"].as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "checkpoints/round 1.txt",
            "main.tf",
            "model.bin",
            "open/file"
        ]
    );
    tenant.destroyed(&it);
}
