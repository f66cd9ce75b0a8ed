//! The whole builder. The contract tests compare its bytes with those of the real CLI; the pinned
//! hash here is the CLI's, so that a change is seen without the CLI.

use std::collections::BTreeMap;
use std::io::Read;

use super::*;

const PYPROJECT_TEXT: &str = r#"# comments are lost
[project]
name = "quickstart"
version = "1.2.3"
license = "Apache-2.0"
dependencies = ["flwr>=1.20", "numpy"]

[tool.flwr.app]
publisher = "acme"

[tool.flwr.app.components]
serverapp = "quick.server_app:app"
clientapp = "quick.client_app:app"

[tool.flwr.app.config]
num-server-rounds = 3
optimizer.lr = 0.1

[tool.flwr.federations]
default = "local"
"#;

fn files() -> BTreeMap<String, Vec<u8>> {
    [
        ("pyproject.toml", PYPROJECT_TEXT),
        ("README.md", "# Quick\n"),
        ("LICENSE", "Apache"),
        ("data/train.csv", "1,2,3"),
        ("quick/__init__.py", ""),
        ("quick/server_app.py", "app = ServerApp()\n"),
        ("quick/client_app.py", "app = ClientApp()\n"),
        ("quick/test_it.py", "assert True\n"),
    ]
    .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
    .into()
}

fn build_files(files: BTreeMap<String, Vec<u8>>) -> Result<Fab, FabError> {
    build(&AppTree::from_files(files).unwrap())
}

fn with(path: &str, content: impl Into<Vec<u8>>) -> Result<Fab, FabError> {
    let mut files = files();
    files.insert(path.to_owned(), content.into());
    build_files(files)
}

/// `pyproject.toml` with one change.
fn edited(from: &str, to: &str) -> Result<Fab, FabError> {
    assert!(PYPROJECT_TEXT.contains(from));
    with("pyproject.toml", PYPROJECT_TEXT.replace(from, to))
}

fn names(fab: &Fab) -> Vec<String> {
    let zip = zip::ZipArchive::new(std::io::Cursor::new(fab.bytes.clone())).unwrap();
    zip.file_names()
        .map(|name| name.unwrap().into_owned())
        .collect()
}

fn text(fab: &Fab, name: &str) -> String {
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(fab.bytes.clone())).unwrap();
    let mut text = String::new();
    zip.by_name(name)
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    text
}

fn problem_keys(result: Result<Fab, FabError>) -> Vec<String> {
    match result {
        Err(FabError::Invalid(problems)) => problems.into_iter().map(|p| p.key).collect(),
        other => panic!("expected problems, got {other:?}"),
    }
}

#[test]
fn the_hash_is_the_one_of_the_flower_cli() {
    let fab = build_files(files()).unwrap();
    assert_eq!(
        fab.hash.as_str(),
        "bb33f7cd15efb59812ced313d4dc8941289599d5fd7b11bb15b7ab0c69a1c29f"
    );
    assert_eq!(
        fab.file_name(),
        format!("acme.quickstart.1-2-3.{}.fab", fab.hash.short())
    );
}

#[test]
fn what_ships_and_in_which_order() {
    let fab = build_files(files()).unwrap();
    assert_eq!(
        names(&fab),
        [
            "pyproject.toml",
            "LICENSE",
            "README.md",
            "quick/__init__.py",
            "quick/client_app.py",
            "quick/server_app.py",
            ".info/CONTENT",
        ]
    );
    let content = text(&fab, ".info/CONTENT");
    assert!(!content.ends_with('\n'));
    assert_eq!(
        content.lines().nth(3).unwrap(),
        "quick/__init__.py,e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855,0"
    );
    assert!(!text(&fab, "pyproject.toml").contains("federations"));
}

#[test]
fn the_project_is_read() {
    let project = build_files(files()).unwrap().project;
    assert_eq!(
        (
            project.publisher.as_str(),
            project.name.as_str(),
            project.version.as_str()
        ),
        ("acme", "quickstart", "1.2.3")
    );
    assert_eq!(project.dependencies, ["flwr>=1.20", "numpy"]);
    assert_eq!(
        project.config.keys().collect::<Vec<_>>(),
        ["num-server-rounds", "optimizer.lr"]
    );
}

#[test]
fn an_app_needs_a_pyproject_that_ships() {
    let mut without = files();
    without.remove("pyproject.toml");
    assert!(matches!(
        build_files(without),
        Err(FabError::NoPyproject(MissingPyproject::Absent))
    ));
    assert!(matches!(
        with(".gitignore", "*.toml"),
        Err(FabError::NoPyproject(MissingPyproject::Ignored))
    ));
}

#[test]
fn all_violations_are_told_with_their_keys() {
    let document = "[project]\nname = '1x'\ndependencies = ['a b']\n[tool.flwr.app]\nfab-include = []\nconfig.a = [1]\n[tool.flwr.app.components]\nserverapp = 'x'\n";
    assert_eq!(
        problem_keys(with("pyproject.toml", document)),
        [
            "project.version",
            "tool.flwr.app.publisher",
            "project.name",
            "tool.flwr.app.components.serverapp",
            "tool.flwr.app.components.clientapp",
            "tool.flwr.app.fab-include",
            "tool.flwr.app.config.a",
            "project.dependencies",
        ]
    );
    assert_eq!(
        problem_keys(with("pyproject.toml", "")),
        ["project", "tool.flwr.app"]
    );
}

#[test]
fn a_publisher_is_whatever_the_author_wrote() {
    let publisher = |text: &str| edited("publisher = \"acme\"", &format!("publisher = {text}"));
    let fab = publisher("['The Authors', 'Somebody']").unwrap();
    assert_eq!(fab.project.publisher, "['The Authors', 'Somebody']");
    assert_eq!(
        fab.file_name(),
        format!(
            "['The Authors', 'Somebody'].quickstart.1-2-3.{}.fab",
            fab.hash.short()
        )
    );
    for bad in [
        "'a/b'",
        "['a/b']",
        "\"a\\u0000b\"",
        &format!("'{}'", "a".repeat(250)),
    ] {
        assert_eq!(
            problem_keys(publisher(bad)),
            ["tool.flwr.app.publisher"],
            "{bad}"
        );
    }
    let version = edited("version = \"1.2.3\"", "version = '1/2'");
    assert_eq!(problem_keys(version), ["project.version"]);
}

#[test]
fn large_integers_are_the_business_of_whose_they_are() {
    let large = "123456789012345678901234567890";
    let line = |key: &str| {
        edited(
            "num-server-rounds = 3",
            &format!("num-server-rounds = 3\n{key}"),
        )
    };
    let fab = line(&format!(
        "[tool.other]\nseed = {large}\nmore = [-{large}]\n[tool.third]"
    ))
    .unwrap();
    assert!(text(&fab, "pyproject.toml").contains(&format!("\nseed = {large}\n")));
    assert_eq!(
        problem_keys(line(&format!("a.seed = {large}\nb = 9223372036854775808"))),
        ["tool.flwr.app.config.a.seed", "tool.flwr.app.config.b"]
    );
    assert!(line("b = 9223372036854775807").is_ok());
}

#[test]
fn the_message_reads_as_a_list() {
    let error = edited("version = \"1.2.3\"", "version = 1").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the app's pyproject.toml is invalid:\n- project.version: must be a string"
    );
    assert!(error.remedy().is_some());
}

#[test]
fn an_agent_app_needs_no_other_components() {
    let fab = edited(
        "serverapp = \"quick.server_app:app\"\nclientapp = \"quick.client_app:app\"",
        "agentapp = \"agents.main:app\"",
    );
    assert!(fab.is_ok(), "{fab:?}");
}

#[test]
fn a_component_that_the_app_does_not_have_is_refused() {
    let keys = problem_keys(edited("quick.server_app:app", "quick.sever_app:app"));
    assert_eq!(keys, ["tool.flwr.app.components.serverapp"]);
    let keys = problem_keys(edited("quick.client_app:app", "quick.client_app:ap"));
    assert_eq!(keys, ["tool.flwr.app.components.clientapp"]);
    let elsewhere = edited("quick.client_app:app", "installed_package.client:app");
    assert!(elsewhere.is_ok());
}

#[test]
fn the_authors_patterns_must_mean_something() {
    let patterns = |list: &str| {
        let line = format!("publisher = \"acme\"\n{list}");
        edited("publisher = \"acme\"", &line)
    };
    let fab = patterns("fab-include = ['quick/']\nfab-exclude = ['*_app.py']").unwrap();
    assert_eq!(
        names(&fab),
        ["pyproject.toml", "quick/__init__.py", ".info/CONTENT"]
    );
    assert_eq!(
        problem_keys(patterns("fab-include = ['*.rs', 'a\\']")),
        ["tool.flwr.app.fab-include", "tool.flwr.app.fab-include"]
    );
    let mut with_ignore = files();
    with_ignore.insert(".gitignore".to_owned(), b"x\n".to_vec());
    with_ignore.insert(
        "pyproject.toml".to_owned(),
        PYPROJECT_TEXT
            .replace("[tool.flwr.app]", "[tool.flwr.app]\nfab-exclude = ['*.md']")
            .into_bytes(),
    );
    let error = build_files(with_ignore).unwrap_err().to_string();
    assert!(error.contains("(.gitignore)"), "{error}");
}

#[test]
fn depth_and_names_are_checked_on_what_ships() {
    let deep = |file: &str| format!("{}{file}", "d/".repeat(11));
    assert!(matches!(
        with(&deep("x.py"), ""),
        Err(FabError::TooDeep {
            depth: 11,
            more: 0,
            ..
        })
    ));
    assert!(with(&deep("x.csv"), "").is_ok());
    assert!(matches!(with("a,b.py", ""), Err(FabError::BadName { .. })));
    assert!(with("a,b.csv", "").is_ok());
}

/// The first line of a private key in two parts, so that no program takes this file for a key.
fn key_line() -> String {
    format!("-----{} OPENSSH PRIVATE KEY-----", "BEGIN")
}

#[test]
fn a_private_key_in_any_file_that_ships_is_refused() {
    for path in [
        "quick/keys.py",
        "conf/a.json",
        "README.md",
        "LICENSE",
        "x.toml",
        "y.yaml",
    ] {
        let error = with(path, format!("first line\n  {}\n", key_line())).unwrap_err();
        let place = KeyPlace {
            path: path.to_owned(),
            line: 2,
        };
        assert!(
            matches!(&error, FabError::PrivateKey(found) if *found == [place]),
            "{error}"
        );
        let remedy = error.remedy().unwrap();
        assert!(remedy.contains(&format!("/{path}")), "{remedy}");
    }
    for path in [
        "key.pem",
        "data/train.csv",
        "test_key.py",
        ".flower/vault/a.json",
    ] {
        assert!(with(path, key_line()).is_ok(), "{path} does not ship");
    }
}

#[test]
fn a_private_key_in_pyproject_toml_counts_only_where_it_ships() {
    let keyed = edited("# comments are lost", &format!("# {}", key_line()));
    assert!(keyed.is_ok(), "a comment does not ship");
    let line = format!("version = \"1.2.3\"\ndescription = '{}'", key_line());
    let error = edited("version = \"1.2.3\"", &line).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a private key would ship with the app to the SuperLink and every SuperNode: pyproject.toml, line 5"
    );
    assert!(
        error
            .remedy()
            .unwrap()
            .starts_with("Remove the key from pyproject.toml")
    );
}

#[test]
fn files_of_the_provider_and_of_terraform_change_nothing() {
    let hash = build_files(files()).unwrap().hash;
    let mut beside = files();
    for path in [
        ".flower/vault/superlink-a-tls.json",
        "infra/.flower/superlink/a/record.json",
        ".terraform/modules/modules.json",
        ".terraform/providers/a/b/README.md",
        "secret.auto.tfvars.json",
        "terraform.tfstate.json",
        &format!(".terraform/{}x.json", "d/".repeat(20)),
    ] {
        beside.insert(path.to_owned(), key_line().into_bytes());
    }
    let fab = build_files(beside).unwrap();
    assert_eq!(fab.hash, hash);
    let text = fab.bytes.to_vec();
    assert_eq!(private_key::line_of(&text), None);
}

#[test]
fn the_files_are_those_of_the_bundle() {
    let fab = build_files(files()).unwrap();
    let mut all = names(&fab);
    assert_eq!(all.pop().as_deref(), Some(CONTENT));
    all.sort();
    assert!(fab.digests.keys().eq(&all), "{all:?}");
}

#[test]
fn a_large_app_is_refused_with_its_largest_files() {
    let big = vec![b' '; 10 * 1024 * 1024];
    let error = with("big.json", big).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("the largest files are big.json (10485760 bytes)"),
        "{message}"
    );
}

#[test]
fn an_app_is_as_large_as_its_release_takes() {
    let tree = AppTree::from_files(files()).unwrap();
    let size = build(&tree).unwrap().bytes.len() as u64;
    assert!(build_within(&tree, size).is_ok());
    let error = build_within(&tree, size - 1).unwrap_err();
    assert!(
        matches!(error, FabError::TooLarge { limit, .. } if limit == size - 1),
        "{error:?}"
    );
}

#[test]
fn a_huge_file_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    for (path, content) in files() {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    // A sparse file: it uses no disk space, but is too large to read into memory.
    for name in ["huge.csv", "huge.json"] {
        let file = std::fs::File::create(dir.path().join(name)).unwrap();
        file.set_len(1 << 40).unwrap();
        let built = build(&AppTree::from_dir(dir.path(), &[]).unwrap());
        match name {
            "huge.csv" => assert!(built.is_ok()),
            _ => assert!(matches!(built, Err(FabError::TooLarge { .. }))),
        }
    }
}
