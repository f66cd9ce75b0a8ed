//! Tests the examples: the quickstart unchanged, and those of the reference pages, applied together
//! because they refer to each other.

use std::fs;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::browser;
use crate::workspace::Workspace;

#[test]
fn the_examples_of_the_reference_pages_work() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut all = fs::read_to_string(root.join("provider/provider.tf")).unwrap();
    // The workspace sets the source of the provider.
    let provider = all.find("provider \"flower\"").unwrap();
    all.drain(..provider);
    let mut count = 0;
    for (folder, file) in [
        ("resources", "resource.tf"),
        ("data-sources", "data-source.tf"),
    ] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path().join(file);
            all.push_str(&fs::read_to_string(path).unwrap());
            count += 1;
        }
    }
    assert!(count >= 8, "only {count} examples were found");
    let it = Workspace::new(&all);
    it.app();
    // Only one site: the quickstart's app would wait for a second one.
    it.file(
        "app/quickstart/server_app.py",
        "from flwr.serverapp import ServerApp\n\napp = ServerApp()\n\n\n@app.main()\ndef main(grid, context):\n    print('done')\n",
    );
    it.apply().succeeded();
    it.plan_is_empty();
    it.destroy();
}

#[test]
fn a_training_is_measured_and_shown() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let it = Workspace::new("");
    let main = include_str!("../../examples/metrics/main.tf");
    assert!(main.contains("${path.module}/../quickstart/app"));
    let app = root.join("quickstart/app").display().to_string();
    let main = main.replace("${path.module}/../quickstart/app", &app);
    it.file("main.tf", &main);
    it.apply().succeeded();
    it.plan_is_empty();
    // The quickstart's sites pull the number to 1 and 2.
    let error = it.output("metrics")["error"].as_f64().unwrap();
    assert!((0.5..1.0).contains(&error), "{error}");
    assert!(it.output("bytes").as_u64().unwrap() > 0);
    let run = it.state("flower_app_run.training");
    let html = fs::read_to_string(it.path("reports/training.html")).unwrap();
    let id = run["run_id"].as_str().unwrap();
    for part in [id, "hospital-a", "hospital-b", "<svg", "[ROUND 2/2]"] {
        assert!(html.contains(part), "{part}");
    }
    let last = run["rounds"][1]["evaluate"]["metrics"]["error"].to_string();
    assert!(html.contains(&format!("data-value=\"{last}\"")), "{last}");
    // As a browser shows it: all points, axes with a name each, and nothing that it refused to load.
    let page = browser::open(&it.path("reports/training.html"));
    assert_eq!(page.messages, Vec::<String>::new());
    for text in [
        ">round</text>",
        ">error</text>",
        "role=\"img\"",
        "</footer>",
    ] {
        assert!(page.dom.contains(text), "no {text} in {}", page.dom);
    }
    let points = run["rounds"].as_array().unwrap().iter();
    let points: Vec<_> = points
        .map(|round| round["evaluate"]["metrics"]["error"].to_string())
        .collect();
    let shown = page.values("data-value");
    let plotted = points
        .iter()
        .filter(|point| shown.contains(&point.as_str()));
    assert_eq!(plotted.count(), 2, "{shown:?}");
    let model = Sha256::digest(fs::read(it.path("model/model.npz")).unwrap());
    assert_eq!(it.output("model"), hex::encode(model));
    let summary = fs::read_to_string(it.path("reports/training.md")).unwrap();
    for part in [id, "hospital-a", "hospital-b"] {
        assert!(summary.contains(part), "{summary}");
    }

    // A report that is moved is written again, and one that would change the app is refused.
    it.file(
        "main.tf",
        &main.replace("reports/training.html", "other/page.html"),
    );
    it.apply().succeeded();
    let again = fs::read_to_string(it.path("other/page.html")).unwrap();
    assert!(again.contains(id) && again.contains("<svg"));
    assert_eq!(again, html, "the page of a finished run differs");
    it.file(
        "main.tf",
        &main.replace("${path.root}/reports/training.md", &format!("{app}/x.md")),
    );
    it.plan().failed_with(&["would become a part of the app"]);
    it.file(
        "main.tf",
        &main.replace("reports/training.html", "main.tf/page.html"),
    );
    it.plan()
        .failed_with(&["The report cannot be written", "is not a folder"]);

    // What the model is not good enough for fails the apply.
    it.file(
        "main.tf",
        &main.replace("[\"error\"] < 1", "[\"error\"] < 0.1"),
    );
    it.apply()
        .failed_with(&["The model is not good enough: error 0."]);
    it.file("main.tf", &main);
    it.destroy();
}

#[test]
fn a_training_is_repeated_every_night() {
    let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/quickstart/app");
    let it = Workspace::new("");
    let main = include_str!("../../examples/nightly/main.tf");
    assert!(main.contains("${path.module}/../quickstart/app"));
    let app = app.display().to_string();
    let main = main.replace("${path.module}/../quickstart/app", &app);
    it.file("main.tf", &main);
    let night = |command: &str, night: &str| {
        let night = format!("-var=night={night}");
        let mut args = vec![command, "-no-color", night.as_str()];
        args.push(if command == "plan" {
            "-detailed-exitcode"
        } else {
            "-auto-approve"
        });
        it.run(&args)
    };
    night("apply", "2026-11-28").succeeded();
    let first = it.state("flower_app_run.nightly")["run_id"].clone();
    // A job that is started again trains nothing again.
    assert_eq!(night("plan", "2026-11-28").code, Some(0));
    night("apply", "2026-11-29").succeeded();
    assert_ne!(it.state("flower_app_run.nightly")["run_id"], first);
    let week = it.output("week");
    let week: Vec<_> = week.as_array().unwrap().iter().collect();
    assert_eq!(week.len(), 2, "{week:?}");
    for run in week {
        assert!(
            run.as_str().unwrap().ends_with(" finished:completed"),
            "{run}"
        );
    }
    night("destroy", "2026-11-29").succeeded();
    it.nothing_left();
}

#[test]
fn the_quickstart_works_as_it_is() {
    let it = Workspace::new("");
    it.file("main.tf", include_str!("../../examples/quickstart/main.tf"));
    it.app();
    it.apply().succeeded();
    it.plan_is_empty();
    let url = it.output("superlink");
    assert!(
        url.as_str().unwrap().starts_with("https://127.0.0.1:"),
        "{url}"
    );
    let sites = it.output("supernodes");
    for (site, shown) in sites.as_object().unwrap() {
        let node = it.state(&format!("flower_supernode.site[{site:?}]"));
        let id = node["node_id"].as_str().unwrap();
        assert_eq!(*shown, format!("{id} running"), "{site}");
    }
    assert_eq!(sites.as_object().unwrap().len(), 2);
    let run = it.state("flower_app_run.training")["run_id"].clone();
    let run = run.as_str().unwrap();
    assert_eq!(it.output("run"), format!("{run} finished:completed"));
    it.destroy();
}
