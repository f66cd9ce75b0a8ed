//! The files that runs leave: downloaded, verified, downloaded again, and never anywhere else.

use std::fs;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::workspace::Workspace;

/// What the app writes as its model, with this number of MiB.
pub fn model(mib: u32) -> Vec<u8> {
    let parts = (0..mib).map(|number| Sha256::digest(number.to_string()).repeat(32768));
    parts.flatten().collect()
}

fn config(superlink: &str, mode: &str, rest: &str) -> String {
    format!(
        "provider \"flower\" {{}}\n\
         resource \"flower_superlink\" \"main\" {{\n  name = \"main\"\n{superlink}\n}}\n\
         resource \"flower_app_run\" \"r\" {{\n  control = flower_superlink.main.control\n  \
         source = {{ path = \"${{path.module}}/app\" }}\n  \
         run_config = {{ fail-in = \"{mode}\", num-server-rounds = 3 }}\n{rest}\n}}\n"
    )
}

const HERE: &str = "artifacts = { download_to = \"${path.root}/model\" }";

/// The files below a folder, without the provider's list.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_str().unwrap().to_owned();
        if entry.file_type().unwrap().is_dir() {
            let inner = files(&entry.path()).into_iter();
            found.extend(inner.map(|one| format!("{name}/{one}")));
        } else if name != "flower-artifacts.json" {
            found.push(name);
        }
    }
    found.sort();
    found
}

#[test]
fn what_a_run_leaves_is_downloaded_and_a_lost_copy_is_no_other_run() {
    // Nothing is submitted to a SuperLink that has no folder for it.
    let it = Workspace::new(&config("", "", HERE));
    it.app_that_leaves();
    it.apply().failed_with(&[
        "The SuperLink has no artifacts for this run",
        "Set `artifacts = {}`",
    ]);
    let kept = "artifacts = {}";
    it.configure(&config(kept, "", HERE));
    it.apply().succeeded();
    it.plan_is_empty();
    let run = it.state("flower_app_run.r");
    let expected = model(3);
    let path = it.path("model/model.bin");
    assert_eq!(fs::read(&path).unwrap(), expected);
    assert_eq!(
        files(&it.path("model")),
        ["checkpoints/round 1.txt", "model.bin"]
    );
    let file = &run["artifact_files"]["model.bin"];
    assert_eq!(file["sha256"], hex::encode(Sha256::digest(&expected)));
    assert_eq!(file["size"], expected.len());

    // A lost copy.
    fs::remove_file(&path).unwrap();
    it.plan().says(&[
        "are missing on this machine",
        "\"model.bin\" in",
        "0 to add, 1 to change, 0 to destroy",
    ]);
    it.apply().succeeded();
    it.plan_is_empty();
    assert_eq!(fs::read(&path).unwrap(), expected);
    assert_eq!(it.state("flower_app_run.r")["run_id"], run["run_id"]);

    // Another folder, and none.
    it.configure(&config(kept, "", &HERE.replace("/model", "/other")));
    it.apply().succeeded();
    assert_eq!(fs::read(it.path("other/model.bin")).unwrap(), expected);
    it.configure(&config(kept, "", ""));
    it.apply().succeeded();
    it.plan_is_empty();
    let now = it.state("flower_app_run.r");
    assert_eq!(
        (&now["run_id"], &now["artifact_files"]),
        (&run["run_id"], &serde_json::Value::Null)
    );

    // A ServerApp in another process, with hostile files. The next run replaces the files.
    let apart = "isolation = \"process\"\nartifacts = {}";
    it.configure(&config(apart, "hostile", HERE));
    it.apply().succeeded().says(&[
        "Not all files of the run",
        "\"passwd\": it is a link",
        "\"etc\": it is a link",
        "\"pipe\": it is a link, a device or a pipe",
        ".git",
        "not valid UTF-8",
    ]);
    // A hard link is a file like any other, and a folder of downloads is no module.
    assert_eq!(
        files(&it.path("model")),
        [
            "checkpoints/round 1.txt",
            "main.tf",
            "model.bin",
            "open/file"
        ]
    );
    it.plan_is_empty();

    // Nor does a folder with other files get any.
    fs::write(it.path("other/notes.txt"), "mine").unwrap();
    fs::remove_file(it.path("other/flower-artifacts.json")).unwrap();
    it.configure(&config(apart, "hostile", &HERE.replace("/model", "/other")));
    it.plan()
        .failed_with(&["is not empty and holds other files"]);

    // An app that leaves nothing.
    it.configure(&config(apart, "nothing", HERE));
    it.apply()
        .succeeded()
        .says(&["left no files", "FLOWER_ARTIFACTS_DIR"]);
    // The copies of the last run stay, and the warning says that this one has none.
    assert_eq!(files(&it.path("model")).len(), 4);
    it.plan_is_empty();
    it.destroy();
    assert!(it.path("model").exists());
}
