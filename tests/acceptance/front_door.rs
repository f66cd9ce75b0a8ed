//! The first steps of a new user: the README's configuration with an installed provider and a
//! backend, and two organisations with one repository each.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::workspace::Workspace;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The first configuration in the README.
fn readme() -> String {
    let text = fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    let (_, rest) = text.split_once("```hcl\n").unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

#[test]
fn the_readmes_configuration_works_with_init_and_a_backend() {
    let it = Workspace::new("");
    let mirror = it.path("mirror");
    let provider = Path::new(env!("CARGO_BIN_EXE_terraform-provider-flower"));
    // It has run these tests, and another `cargo run` would wait for its turn to build.
    let installed = Command::new(provider.with_file_name("xtask"))
        .args(["install", "--binary"])
        .arg(provider)
        .arg("--mirror")
        .arg(&mirror)
        // As `cargo xtask` would set it: these tests have the provider's own folder in it.
        .env("CARGO_MANIFEST_DIR", Path::new(ROOT).join("xtask"))
        .current_dir(ROOT)
        .output()
        .unwrap();
    let told = String::from_utf8(installed.stdout).unwrap();
    let words = String::from_utf8_lossy(&installed.stderr);
    assert!(installed.status.success(), "{words}");
    // The printed CLI settings, unchanged.
    let from = told.find("provider_installation {").unwrap();
    let to = from + told[from..].find("\n}\n").unwrap() + 3;
    it.file("cli.tfrc", &told[from..to]);
    it.file("main.tf", &readme());
    it.file(
        "backend.tf",
        "terraform {\n  backend \"local\" {\n    path = \"states/federation.tfstate\"\n  }\n}\n",
    );
    it.run(&["init", "-no-color", "-input=false"]).succeeded();
    it.apply().succeeded();
    it.plan_is_empty();
    assert!(it.path("states/federation.tfstate").exists());
    assert!(!it.path("terraform.tfstate").exists());
    it.destroy();
}

/// A workspace with the configuration of one of the two repositories.
fn repository(name: &str) -> Workspace {
    let it = Workspace::new("");
    let main = Path::new(ROOT).join("examples/two-repositories").join(name);
    it.file(
        "main.tf",
        &fs::read_to_string(main.join("main.tf")).unwrap(),
    );
    it
}

#[test]
fn two_repositories_exchange_a_key_and_an_address() {
    let (coordinator, hospital) = (repository("coordinator"), repository("hospital"));
    let variables = |it: &Workspace, values: serde_json::Value| {
        it.file("terraform.tfvars.json", &values.to_string());
    };
    // 1. The hospital creates its key.
    variables(&hospital, json!({ "name": "hospital-a" }));
    hospital.apply().succeeded();
    hospital.plan_is_empty();
    // 2. The coordinator registers the key.
    let key = hospital.output("public_key");
    variables(&coordinator, json!({ "hospitals": { "hospital-a": key } }));
    coordinator.apply().succeeded();
    coordinator.plan_is_empty();
    // 3. The hospital joins.
    let fleet = coordinator.output("fleet");
    variables(&hospital, json!({ "name": "hospital-a", "fleet": fleet }));
    hospital.apply().succeeded();
    hospital.plan_is_empty();
    let node = hospital.state("flower_supernode.this[0]")["node_id"].clone();
    assert_eq!(coordinator.output("nodes")["hospital-a"], node);
    coordinator.plan_is_empty();
    hospital.destroy();
    coordinator.destroy();
}
