//! The same app from every source: the same bundle, so not another run.

use std::fs;
use std::process::Command;

use crate::workspace::Workspace;

fn config(source: &str) -> String {
    format!(
        "provider \"flower\" {{}}\n\
         resource \"flower_superlink\" \"main\" {{\n  name = \"main\"\n}}\n\
         resource \"flower_app_run\" \"r\" {{\n  control = flower_superlink.main.control\n  \
         source = {source}\n  run_config = {{ fail-in = \"nothing\" }}\n}}\n\
         data \"flower_app\" \"one\" {{\n  source = {source}\n}}\n\
         output \"files\" {{\n  value = data.flower_app.one.files\n}}\n"
    )
}

#[test]
fn the_same_files_are_the_same_run_from_every_source() {
    let path = "{ path = \"${path.module}/app\" }";
    let it = Workspace::new(&config(path));
    it.app_that_leaves();
    it.apply().succeeded();
    it.plan_is_empty();
    let run = it.state("flower_app_run.r");
    // With a folder around everything, as a repository's page offers it.
    let packed = Command::new("tar")
        .args(["--transform=s,^,repo-1.0/,", "-czf", "app.tar.gz", "app"])
        .current_dir(it.path("."))
        .status();
    assert!(packed.unwrap().success());
    let git = |arguments: &[&str]| {
        let done = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@example.org"])
            .args(arguments)
            .current_dir(it.path("."))
            .stdout(std::process::Stdio::null())
            .status();
        assert!(done.unwrap().success());
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "app"]);
    git(&["commit", "-q", "-m", "one"]);
    let names = "toset([for name in fileset(\"${path.module}/app\", \"**\") : name])";
    for source in [
        "{ git = { url = \"file://${abspath(path.root)}\", subdirectory = \"app\" } }".to_owned(),
        "{ archive = { path = \"app.tar.gz\", subdirectory = \"app\" } }".to_owned(),
        "{ archive = { path = \"app.tar.gz\", subdirectory = \"app\", sha256 = filesha256(\"app.tar.gz\") } }".to_owned(),
        format!("{{ inline = {{ files = {{ for name in {names} : name => file(\"${{path.module}}/app/${{name}}\") }} }} }}"),
        path.to_owned(),
    ] {
        it.configure(&config(&source));
        it.apply().succeeded();
        it.plan_is_empty();
        let now = it.state("flower_app_run.r");
        assert_eq!(now["fab_hash"], run["fab_hash"], "{source}");
        assert_eq!(now["run_id"], run["run_id"], "{source}");
        assert!(it.output("files").to_string().contains("quickstart/server_app.py"));
    }
    // A branch that has moved is told, and the run stays.
    let repository = "{ git = { url = \"file://${abspath(path.root)}\", subdirectory = \"app\" } }";
    it.configure(&config(repository));
    it.apply().succeeded();
    let commit = it.state("flower_app_run.r")["resolved_commit"].clone();
    assert_eq!(commit.as_str().unwrap().len(), 40);
    it.file("app/quickstart/more.py", "more = 1\n");
    git(&["add", "app"]);
    git(&["commit", "-q", "-m", "two"]);
    it.plan()
        .says(&["The app of a run has a newer commit", "follow = true"]);
    it.apply().succeeded();
    assert_eq!(it.state("flower_app_run.r")["run_id"], run["run_id"]);
    it.configure(&config(
        &repository.replace("{ url", "{ follow = true, url"),
    ));
    it.apply().succeeded();
    it.plan_is_empty();
    let now = it.state("flower_app_run.r");
    assert_ne!(now["run_id"], run["run_id"]);
    assert_ne!(now["resolved_commit"], commit);
    fs::remove_file(it.path("app/quickstart/more.py")).unwrap();

    // Another archive is refused before anything is submitted.
    let other = format!(
        "{{ archive = {{ path = \"app.tar.gz\", subdirectory = \"app\", sha256 = \"{}\" }} }}",
        "0".repeat(64)
    );
    it.configure(&config(&other));
    it.plan()
        .failed_with(&["\"app.tar.gz\" has the SHA-256", "restore the file"]);
    // An app that is gone does not prevent a destroy.
    it.configure(&config(
        "{ archive = { path = \"app.tar.gz\", subdirectory = \"app\" } }",
    ));
    it.apply().succeeded();
    fs::remove_file(it.path("app.tar.gz")).unwrap();
    it.configure(
        config("{ archive = { path = \"app.tar.gz\", subdirectory = \"app\" } }")
            .split("data ")
            .next()
            .unwrap(),
    );
    it.plan().says(&["The run stays as it is in the state"]);
    it.destroy();
}

#[test]
fn an_app_in_the_configuration_trains() {
    let it = Workspace::new("");
    it.file(
        "main.tf",
        include_str!("../../examples/sources/inline/main.tf"),
    );
    it.apply().succeeded();
    it.plan_is_empty();
    assert_eq!(it.output("loss"), 0.5);
    let state = it.state("flower_app_run.training");
    assert_eq!(state["rounds"][0]["train"]["results"], 2, "{state}");
    // Another line of code is another run.
    let main = include_str!("../../examples/sources/inline/main.tf");
    it.file("main.tf", &main.replace("\"loss\": 0.5", "\"loss\": 0.25"));
    it.apply().succeeded();
    assert_eq!(it.output("loss"), 0.25);
    it.destroy();
}
