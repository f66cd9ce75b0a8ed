//! Tests the examples: the quickstart unchanged, and those of the reference pages, applied together
//! because they refer to each other.

use std::fs;
use std::path::Path;

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
