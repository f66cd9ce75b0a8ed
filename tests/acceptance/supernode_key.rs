//! `flower_supernode_key`.

use std::fs;

use crate::workspace::Workspace;

const KEY: &str = r#"
provider "flower" {}
resource "flower_supernode_key" "a" {
  name      = "site-a"
  algorithm = "ECDSA-P256"
}
"#;

/// A test key, used nowhere else.
const OWN: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2
OF/2NxApJCzGCEDdfSp6VQO30hyhRANCAAQRWz+jn65BtOMvdyHKcvjBeBSDZH2r
1RTwjmYSi9R/zpBnuQ4EiMnCqfMPWiZqB4QdbAd0E7oH50VpuZ1P087G
-----END PRIVATE KEY-----
";

#[test]
fn a_key_lives_is_rotated_imported_and_removed() {
    let it = Workspace::new(KEY);
    it.apply().succeeded();
    it.plan_is_empty();
    let first = it.state("flower_supernode_key.a");
    assert!(
        first["public_key"]
            .as_str()
            .unwrap()
            .starts_with("ecdsa-sha2-nistp256 ")
    );
    assert!(
        first["fingerprint"]
            .as_str()
            .unwrap()
            .starts_with("SHA256:")
    );

    it.run(&["state", "rm", "flower_supernode_key.a"])
        .succeeded();
    it.apply()
        .failed_with(&["SuperNode key \"site-a\" already exists", "import"]);
    it.run(&["import", "flower_supernode_key.a", "site-a"])
        .succeeded();
    it.plan_is_empty();
    assert_eq!(
        it.state("flower_supernode_key.a")["public_key"],
        first["public_key"]
    );

    it.configure(&KEY.replace("algorithm =", "rotation = \"2\"\n  algorithm ="));
    it.apply().succeeded();
    it.plan_is_empty();
    let second = it.state("flower_supernode_key.a");
    assert_ne!(second["public_key"], first["public_key"]);
    assert_ne!(second["secret"]["key"], first["secret"]["key"]);

    it.keeps_its_private_keys();
    // Also in a plan that creates another key.
    it.configure(&KEY.replace("algorithm =", "rotation = \"3\"\n  algorithm ="));
    it.keeps_its_private_keys();
    it.apply().succeeded();
    it.keeps_its_private_keys();
    it.destroy();
}

#[test]
fn a_key_that_vanished_is_made_again() {
    let it = Workspace::new(KEY);
    it.apply().succeeded();
    std::fs::remove_dir_all(it.path(".flower")).unwrap();
    assert_eq!(it.plan().code, Some(2));
    it.apply().succeeded();
    it.plan_is_empty();
    it.destroy();
}

#[test]
fn a_key_whose_secret_alone_was_removed_is_made_again() {
    let it = Workspace::new(KEY);
    it.apply().succeeded();
    let before = it.state("flower_supernode_key.a")["public_key"].clone();
    let secret = it.path(".flower/vault/supernode-key-site-a.json");
    fs::remove_file(&secret).unwrap();
    it.plan().says(&[
        "The private key of SuperNode key \"site-a\" is gone",
        "0 to add, 1 to change, 0 to destroy",
    ]);
    it.apply().succeeded();
    it.plan_is_empty();
    assert_ne!(it.state("flower_supernode_key.a")["public_key"], before);

    // Also if its state was lost.
    fs::remove_file(&secret).unwrap();
    it.run(&["state", "rm", "flower_supernode_key.a"])
        .succeeded();
    it.apply_after_a_kill().succeeded();
    it.plan_is_empty();
    it.destroy();
}

#[test]
fn a_destroy_that_had_removed_the_secret_is_ended_by_the_next_one() {
    let it = Workspace::new(KEY);
    it.apply().succeeded();
    fs::remove_file(it.path(".flower/vault/supernode-key-site-a.json")).unwrap();
    it.destroy();
}

#[test]
fn a_key_of_ones_own_is_never_stored() {
    let own = format!(
        "variable \"key\" {{\n  default = <<EOT\n{OWN}EOT\n}}\n{}",
        KEY.replace(
            "algorithm =",
            "private_key_wo = var.key\n  private_key_wo_version = 1\n  algorithm ="
        )
    );
    let it = Workspace::new(&own);
    it.apply().succeeded();
    it.plan_is_empty();
    let secret_line = OWN.lines().nth(1).unwrap();
    assert!(
        !it.written().contains(secret_line),
        "the key is in a state or a log"
    );

    it.configure(&own.replace("private_key_wo_version = 1", ""));
    it.plan()
        .failed_with(&["private_key_wo needs private_key_wo_version"]);
    it.configure(&own.replace("var.key", "\"-----BEGIN garbage\""));
    it.configure(
        &own.replace("var.key", "\"garbage\"")
            .replace("version = 1", "version = 2"),
    );
    it.apply().failed_with(&["The private key cannot be used"]);
    it.configure(
        &own.replace("ECDSA-P256", "ECDSA-P384")
            .replace("version = 1", "version = 3"),
    );
    it.apply()
        .failed_with(&["of another algorithm", "algorithm = \"ECDSA-P256\""]);
    it.configure(&own);
    it.destroy();
}

#[test]
fn what_is_no_key_is_refused_with_its_place() {
    let it = Workspace::new(
        "provider \"flower\" {}\nresource \"flower_supernode_key\" \"a\" {\n  name = \"No_Label\"\n  algorithm = \"RSA\"\n}\n",
    );
    it.plan().failed_with(&[
        "Invalid value for name",
        "Invalid value for algorithm",
        "`ECDSA-P384`",
    ]);
}

/// A state from another machine or folder does not find its objects here. This must not recreate
/// them.
#[test]
fn what_was_made_on_another_machine_is_left_alone() {
    let it = Workspace::new(KEY);
    it.apply().succeeded();
    let address = "flower_supernode_key.a";
    let here = it.state(address)["place"].as_str().unwrap().to_owned();
    let state = || fs::read_to_string(it.path("terraform.tfstate")).unwrap();
    let own = state();

    // An earlier version of the provider stored less.
    it.file("terraform.tfstate", &own.replace(&here, "local"));
    it.plan_is_empty();
    it.file("terraform.tfstate", &own);

    // Objects move with their folder.
    fs::rename(it.path(".flower"), it.path(".moved")).unwrap();
    let moved = "provider \"flower\" {\n  local = { data_dir = \".moved\" }\n}";
    let there = KEY.replacen("provider \"flower\" {}", moved, 1);
    it.configure(&there);
    it.plan_is_empty();
    it.configure(KEY);
    fs::rename(it.path(".moved"), it.path(".elsewhere")).unwrap();

    let other = here
        .replace("machine ", "machine not-")
        .replace(" (", " (0");
    it.file("terraform.tfstate", &own.replace(&here, &other));
    let plan = it.plan();
    assert_eq!(plan.code, Some(0), "{}", plan.text);
    plan.says(&["was not read", "terraform state rm"]);
    it.configure(&KEY.replace("algorithm", "rotation = \"2\"\n  algorithm"));
    let plan = it.plan();
    assert_eq!(plan.code, Some(2), "{}", plan.text);
    it.apply()
        .failed_with(&["is in another place", "Run Terraform there"]);

    // The same name in another folder is another object, such as that of another workspace.
    it.configure(&there);
    fs::rename(it.path(".elsewhere"), it.path(".flower")).unwrap();
    it.file("terraform.tfstate", "");
    it.apply().succeeded();
    let theirs = state();
    it.file("terraform.tfstate", &own);
    it.plan()
        .failed_with(&["is in another place", ".moved", "workspaces"]);
    it.file("terraform.tfstate", &theirs);
    it.run(&["destroy", "-auto-approve", "-no-color"])
        .succeeded();
    it.configure(KEY);
    fs::rename(it.path(".flower"), it.path(".elsewhere")).unwrap();

    // In this folder, an object that is not found no longer exists.
    it.file("terraform.tfstate", &own);
    it.apply().succeeded();
    it.destroy();
}

#[test]
fn an_object_is_found_by_its_identity_where_it_is() {
    let it = Workspace::new(KEY);
    it.apply().succeeded();
    if !it.knows_identities() {
        // Terraform before 1.12 has no identity: only the ID tells.
        it.destroy();
        return;
    }
    let first = it.state("flower_supernode_key.a");
    let place = first["place"].as_str().unwrap();
    let imported = |identity: &str| {
        format!(
            "{KEY}import {{\n  to = flower_supernode_key.a\n  identity = {{\n{identity}  }}\n}}\n"
        )
    };
    let forget = || {
        it.run(&["state", "rm", "flower_supernode_key.a"])
            .succeeded()
    };
    forget();
    // The same name in another cluster is another object.
    let elsewhere = "    name = \"site-a\"\n    place = \"cluster 0c9f, namespace fl\"\n";
    it.configure(&imported(elsewhere));
    it.plan().failed_with(&[
        "SuperNode key \"site-a\" is in another place",
        "cluster 0c9f, namespace fl",
    ]);
    for identity in [
        format!("    name = \"site-a\"\n    place = {place:?}\n"),
        "    name = \"site-a\"\n".to_owned(),
    ] {
        it.configure(&imported(&identity));
        it.apply().succeeded();
        it.configure(KEY);
        it.plan_is_empty();
        let again = it.state("flower_supernode_key.a");
        assert_eq!(again["public_key"], first["public_key"]);
        forget();
    }
    it.configure(&imported("    name = \"site-a\"\n"));
    it.apply().succeeded();
    it.destroy();
}
