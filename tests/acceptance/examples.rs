//! The examples of the reference pages, applied together: they name each other's objects.

use std::fs;
use std::path::Path;

use crate::workspace::Workspace;

#[test]
fn the_examples_of_the_reference_pages_work() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut all = fs::read_to_string(root.join("provider/provider.tf")).unwrap();
    // The workspace declares where the provider comes from.
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
    // One site alone: the app of the quickstart would wait for another.
    it.file(
        "app/quickstart/server_app.py",
        "from flwr.serverapp import ServerApp\n\napp = ServerApp()\n\n\n@app.main()\ndef main(grid, context):\n    print('done')\n",
    );
    it.apply().succeeded();
    it.plan_is_empty();
    it.destroy();
}
