//! The same app from every source.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Json, json};
use sha2::Sha256;
use tempfile::TempDir;

use super::*;
use crate::flower::version::DEFAULT;
use crate::resources::Configured;
use crate::resources::app_run::AppRun;
use crate::resources::planning::{checked, plan, tree};
use crate::runtime::local::LocalRuntime;
use crate::tfplugin::value::Value;

const APP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart/app");
const FILES: [&str; 4] = [
    "pyproject.toml",
    "quickstart/__init__.py",
    "quickstart/client_app.py",
    "quickstart/server_app.py",
];

fn text(name: &str) -> String {
    std::fs::read_to_string(Path::new(APP).join(name)).unwrap()
}

async fn bundle(source: &Source) -> Fab {
    read(None, source, DEFAULT, None).await.unwrap().unwrap()
}

/// A tar.gz with the app in a folder, as a repository's page offers it.
fn archive(dir: &TempDir) -> (String, String) {
    let path = dir.path().join("app.tar.gz");
    let mut tar = tar::Builder::new(Vec::new());
    for name in FILES {
        let text = text(name);
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        let name = format!("repo-main/apps/one/{name}");
        tar.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&tar.into_inner().unwrap()).unwrap();
    let bytes = gzip.finish().unwrap();
    std::fs::write(&path, &bytes).unwrap();
    (
        path.display().to_string(),
        hex::encode(Sha256::digest(&bytes)),
    )
}

fn config(source: Json) -> Json {
    json!({
        "source": source,
        "control": { "url": "kube://a/b", "flower_version": "1.42.0" },
    })
}

#[tokio::test]
async fn the_same_app_has_the_same_hash_from_every_source() {
    let dir = tempfile::tempdir().unwrap();
    let expected = bundle(&Source::folder(APP)).await;
    let fab = dir.path().join("app.fab");
    std::fs::write(&fab, &expected.bytes).unwrap();
    let (archive, sha256) = archive(&dir);
    let files: BTreeMap<_, _> = FILES.map(|name| (name, text(name))).into();
    for source in [
        json!({ "path": APP }),
        json!({ "archive": { "path": archive, "sha256": sha256, "subdirectory": "apps/one" } }),
        json!({ "inline": { "files": files } }),
        json!({ "fab": { "path": fab, "sha256": expected.hash.as_str().to_uppercase() } }),
    ] {
        let planned = plan::<AppRun>(None, config(source.clone())).await;
        assert_eq!(planned.errors, "", "{source}");
        assert_eq!(
            planned.text("fab_hash"),
            Some(expected.hash.as_str()),
            "{source}"
        );
    }
}

#[tokio::test]
async fn code_in_the_configuration_is_an_app() {
    let code = |class: &str| format!("from flwr.x import {class}\napp = {class}()\n");
    let source = |server: String| {
        json!({ "inline": {
            "server": server, "client": code("ClientApp"), "requirements": ["numpy>=2"],
            "config": { "type": ["object", { "lr": "number" }], "value": { "lr": 0.5 } },
        } })
    };
    let mut wanted = config(source(code("ServerApp")));
    wanted["run_config"] = json!({ "type": ["object", { "lr": "number" }], "value": { "lr": 1 } });
    let planned = plan::<AppRun>(None, wanted.clone()).await;
    assert_eq!(planned.errors, "");
    let hash = planned.text("fab_hash").unwrap().to_owned();
    let again = plan::<AppRun>(None, wanted.clone()).await;
    assert_eq!(again.text("fab_hash"), Some(hash.as_str()));
    // Another text is another app; an unknown key of the configuration is an error.
    wanted["source"] = source(code("ServerApp") + "# \u{1F600} \"\"\" \\ \r\n");
    let other = plan::<AppRun>(None, wanted.clone()).await;
    assert_ne!(other.text("fab_hash"), Some(hash.as_str()));
    wanted["run_config"] = json!({ "type": ["object", { "l": "number" }], "value": { "l": 1 } });
    let refused = plan::<AppRun>(None, wanted).await;
    assert!(
        refused.errors.contains("run_config[\"l\"]"),
        "{}",
        refused.errors
    );
}

#[tokio::test]
async fn a_source_that_cannot_be_used_is_an_error_of_the_plan() {
    let dir = tempfile::tempdir().unwrap();
    let (archive, _) = archive(&dir);
    let other = "0".repeat(64);
    for (source, words) in [
        (json!({}), "Set exactly one of"),
        (
            json!({ "path": APP, "inline": { "files": {} } }),
            "Only one of",
        ),
        (
            json!({ "archive": { "path": archive, "sha256": other } }),
            "not 000000",
        ),
        (json!({ "archive": { "path": archive } }), "apps/one"),
        (
            json!({ "archive": { "path": archive, "subdirectory": "no" } }),
            "no",
        ),
        (
            json!({ "archive": { "path": dir.path() } }),
            "is not a file",
        ),
        (
            json!({ "archive": { "path": "no/such.zip" } }),
            "No such file",
        ),
        (json!({ "archive": { "path": "Cargo.toml" } }), "looks like"),
        (
            json!({ "archive": { "path": archive, "sha256": "1" } }),
            "64 hexadecimal digits",
        ),
        (
            json!({ "fab": { "path": archive } }),
            "not a Flower App Bundle",
        ),
        (json!({ "inline": {} }), "neither `files` nor"),
        (
            json!({ "inline": { "server": "app = 1" } }),
            "`client` is missing",
        ),
        (
            json!({ "inline": { "files": { "../x.py": "" } } }),
            "../x.py",
        ),
    ] {
        let wanted = tree::<AppRun>(config(source.clone()));
        let (found, _) = checked::<AppRun>(&Value::Null, &wanted).await;
        let told = format!("{found:?}");
        assert!(told.contains(words), "{source}: {told}");
    }
}

#[tokio::test]
async fn the_key_of_a_source_is_the_source() {
    let inline = json!({ "inline": { "files": { "a": "\u{1F600}\r\n" } } });
    let planned = plan::<AppRun>(None, config(inline)).await;
    assert!(!planned.errors.is_empty());
    let source = Source {
        inline: Some(InlineSource {
            files: Some([("a".to_owned(), "\u{1F600}\r\n".to_owned())].into()),
            server: None,
            client: None,
            server_app: None,
            client_app: None,
            name: None,
            requirements: Some(vec!["numpy".to_owned()]),
            config: None,
        }),
        ..Source::folder("")
    };
    let again = Source::of_key(&source.key()).unwrap();
    assert_eq!(again.key(), source.key());
}

#[tokio::test(start_paused = true)]
async fn many_runs_of_one_app_read_it_once() {
    let dir = tempfile::tempdir().unwrap();
    for name in FILES {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text(name)).unwrap();
    }
    let source = Source::folder(dir.path().to_str().unwrap());
    let provider = Configured::new(Arc::new(LocalRuntime {
        data_dir: dir.path().join("data"),
        cache_dir: dir.path().join("cache"),
        python: "python3".to_owned(),
    }));
    let all = (0..100).map(|_| read(Some(&provider), &source, DEFAULT, None));
    let all = futures_util::future::join_all(all).await;
    let first = bundle(&source).await;
    std::fs::remove_dir_all(dir.path()).unwrap();
    let last = read(Some(&provider), &source, DEFAULT, None).await;
    for one in all.into_iter().chain([last]) {
        assert_eq!(one.unwrap().unwrap().hash, first.hash);
    }
    // A failure is not kept, and no bundle for long.
    tokio::time::advance(Duration::from_mins(1)).await;
    for _ in 0..2 {
        let read = read(Some(&provider), &source, DEFAULT, None).await;
        assert!(read.unwrap().is_err());
    }
}
