//! Runs of apps in repositories: which commit they get, and when a branch that moves is another run.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::flower::version::DEFAULT;
use crate::resources::Configured;
use crate::resources::app_run::source::{Source, read};
use crate::resources::app_run::tests::finished_state;
use crate::resources::app_run::{AppRun, Model};
use crate::resources::planning::{Planned, plan_in};
use crate::runtime::local::LocalRuntime;

const APP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart/app");
const FILES: [&str; 4] = [
    "pyproject.toml",
    "quickstart/__init__.py",
    "quickstart/client_app.py",
    "quickstart/server_app.py",
];

/// A repository with the quickstart's app in a folder.
struct Repository {
    dir: TempDir,
    repository: git2::Repository,
}

impl Repository {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut options = git2::RepositoryInitOptions::new();
        options.initial_head("main");
        let repository = git2::Repository::init_opts(dir.path(), &options).unwrap();
        let it = Self { dir, repository };
        it.commit("README.md", "one");
        it
    }

    fn commit(&self, name: &str, text: &str) -> String {
        let root = self.dir.path();
        for file in FILES {
            let to = root.join("apps/one").join(file);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(std::path::Path::new(APP).join(file), to).unwrap();
        }
        std::fs::write(root.join(name), text).unwrap();
        let mut index = self.repository.index().unwrap();
        index
            .add_all(["*"], git2::IndexAddOption::DEFAULT, None)
            .unwrap();
        index.write().unwrap();
        let tree = index.write_tree().unwrap();
        let tree = self.repository.find_tree(tree).unwrap();
        let author = git2::Signature::now("a", "a@example.org").unwrap();
        let parent = self.repository.head().ok();
        let parent = parent.map(|head| head.peel_to_commit().unwrap());
        let parents: Vec<_> = parent.iter().collect();
        let made = self
            .repository
            .commit(Some("HEAD"), &author, &author, name, &tree, &parents);
        made.unwrap().to_string()
    }

    fn source(&self, more: Json) -> Json {
        let mut git = json!({
            "url": format!("file://{}", self.dir.path().display()),
            "ref": "main",
            "subdirectory": "apps/one",
        });
        for (name, value) in more.as_object().unwrap() {
            git[name] = value.clone();
        }
        json!({ "git": git })
    }
}

fn config(source: Json) -> Json {
    json!({
        "source": source,
        "control": { "url": "https://h:8000", "flower_version": "1.42.0" },
    })
}

/// A plan in a process of its own: what was read before is not known.
async fn plan(prior: Option<&Json>, config: Json) -> Planned<Model> {
    let dir = tempfile::tempdir().unwrap();
    let runtime = LocalRuntime {
        data_dir: dir.path().join("data"),
        cache_dir: dir.path().join("cache"),
        python: "python3".to_owned(),
    };
    let provider = Arc::new(Configured::new(Arc::new(runtime)));
    plan_in::<AppRun>(Some(provider), prior, config).await
}

/// The state of a run with what was planned.
fn applied(config: &Json, planned: &Planned<Model>) -> Json {
    let mut state = finished_state(config, planned.text("fab_hash").unwrap());
    state["resolved_commit"] = json!(planned.text("resolved_commit").unwrap());
    state
}

#[tokio::test]
async fn an_app_in_a_repository_has_the_hash_that_it_has_in_a_folder() {
    let repository = Repository::new();
    let fab = read(None, &Source::folder(APP), DEFAULT, None).await;
    let expected = fab.unwrap().unwrap().hash;
    let commit = repository.commit("b.md", "two");
    for reference in [
        json!("main"),
        json!(null),
        json!("refs/heads/main"),
        json!(commit),
    ] {
        let source = repository.source(json!({ "ref": reference }));
        let planned = plan(None, config(source)).await;
        assert_eq!(planned.errors, "", "{reference}");
        assert_eq!(planned.text("fab_hash"), Some(expected.as_str()));
        assert_eq!(planned.text("resolved_commit"), Some(commit.as_str()));
    }
}

#[tokio::test]
async fn a_branch_that_moves_is_another_run_only_if_it_is_followed() {
    let repository = Repository::new();
    let kept = config(repository.source(json!({})));
    let followed = config(repository.source(json!({ "follow": true })));
    let first = plan(None, kept.clone()).await;
    let before = first.text("resolved_commit").unwrap().to_owned();
    let state = applied(&kept, &first);
    assert!(plan(Some(&state), kept.clone()).await.warned().is_empty());

    // A commit that does not change the app.
    let other = repository.commit("README.md", "two");
    let planned = plan(Some(&state), kept.clone()).await;
    assert_eq!(planned.warned(), ["The app of a run has a newer commit"]);
    assert_eq!(planned.text("resolved_commit"), Some(before.as_str()));
    let planned = plan(Some(&applied(&followed, &first)), followed.clone()).await;
    assert!(planned.replaces.is_empty() && planned.warned().is_empty());
    assert_eq!(planned.text("resolved_commit"), Some(other.as_str()));

    // One that does.
    repository.commit("apps/one/quickstart/more.py", "more = 1\n");
    let planned = plan(Some(&state), kept.clone()).await;
    assert!(planned.replaces.is_empty());
    assert_eq!(planned.text("fab_hash"), first.text("fab_hash"));
    let planned = plan(Some(&applied(&followed, &first)), followed).await;
    assert_eq!(planned.replaces, ["fab_hash"]);

    // The app of the commit that the run keeps is checked for another configuration.
    let mut changed = kept.clone();
    changed["run_config"] = json!({ "type": ["object", { "x": "number" }], "value": { "x": 1 } });
    let planned = plan(Some(&state), changed).await;
    assert!(planned.errors.contains("run_config"), "{}", planned.errors);

    // A run of the state does not need its repository.
    let gone = repository.dir.path().to_owned();
    std::fs::rename(gone.join(".git"), gone.join("away")).unwrap();
    let planned = plan(Some(&state), kept.clone()).await;
    assert_eq!(planned.errors, "");
    assert!(planned.replaces.is_empty() && planned.warned().len() == 1);
    let planned = plan(None, kept).await;
    assert!(
        planned.errors.contains("cannot be read"),
        "{}",
        planned.errors
    );
}

#[tokio::test]
async fn a_repository_that_cannot_be_read_now_is_read_by_the_apply() {
    let source = json!({ "git": { "url": "http://127.0.0.1:1/a.git" } });
    let planned = plan(None, config(source)).await;
    assert_eq!(planned.errors, "");
    assert!(planned.is_unknown("fab_hash") && planned.is_unknown("resolved_commit"));
    assert_eq!(planned.warned().len(), 1);
    for (source, words) in [
        (json!({ "url": "nothing" }), "cannot be read"),
        (
            json!({ "url": "https://user:pw@example.org/a.git" }),
            "cannot be read",
        ),
        (
            json!({ "url": "file:///no/such/repository" }),
            "cannot be read",
        ),
        (
            json!({ "url": "https://example.org/a.git", "username": "a" }),
            "cannot be read",
        ),
        (
            json!({ "url": "https://example.org/a.git", "password_file": "no/such/file" }),
            "cannot be read",
        ),
        (
            json!({ "url": "https://example.org/a.git", "ca_certificate": "x" }),
            "cannot be read",
        ),
        (json!({ "url": "git@-oProxyCommand=x:a" }), "cannot be read"),
    ] {
        let planned = plan(None, config(json!({ "git": source }))).await;
        assert!(
            planned.errors.contains(words),
            "{source}: {}",
            planned.errors
        );
    }
}
