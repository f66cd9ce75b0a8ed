use proptest::prelude::*;

use super::*;
use crate::flower::app_source::AppTree;
use crate::flower::app_source::entry_path::PathFault;
use crate::flower::fab::{self, Fab};
use crate::flower::run_config::ConfigValue;

const SERVER: &str = "from flwr.serverapp import ServerApp\n\napp = ServerApp()\n";
const CLIENT: &str = "from flwr.clientapp import ClientApp\n\napp = ClientApp()\n";

fn code() -> InlineFields {
    InlineFields {
        server: Some(SERVER.to_owned()),
        client: Some(CLIENT.to_owned()),
        ..InlineFields::default()
    }
}

fn with_files(entries: &[(&str, &str)]) -> InlineFields {
    let mut all = BTreeMap::from([(PYPROJECT.to_owned(), "[project]\n".to_owned())]);
    all.extend(
        entries
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned())),
    );
    InlineFields {
        files: Some(all),
        ..InlineFields::default()
    }
}

fn build(fields: InlineFields) -> Fab {
    fab::build(&AppTree::from_files(files(fields).unwrap()).unwrap()).unwrap()
}

fn errors(fields: InlineFields) -> Vec<String> {
    let errors = files(fields).unwrap_err();
    assert!(errors.iter().all(|error| error.remedy().is_some()));
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn two_components_become_an_app() {
    let found = files(code()).unwrap();
    let paths: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(
        paths,
        [
            "inline_app/__init__.py",
            "inline_app/client_app.py",
            "inline_app/server_app.py",
            "pyproject.toml",
        ]
    );
    assert_eq!(found["inline_app/server_app.py"], SERVER.as_bytes());
    assert_eq!(found["inline_app/client_app.py"], CLIENT.as_bytes());
    let project = build(code()).project;
    assert_eq!(
        (
            project.publisher.as_str(),
            project.name.as_str(),
            project.version.as_str()
        ),
        ("terraform", "inline", "1.0.0")
    );
    assert_eq!(
        project.component_modules,
        ["inline_app.server_app", "inline_app.client_app"]
    );
}

#[test]
fn pyproject_is_pinned() {
    // The hash of every inline app depends on this text.
    let fields = InlineFields {
        name: Some("MNIST-demo".to_owned()),
        server_app: Some("server".to_owned()),
        server: Some("server = 1".to_owned()),
        requirements: vec![
            "numpy>=2".to_owned(),
            "torch==2.8 ; python_version > '3'".to_owned(),
        ],
        config: RunConfig::from([
            ("b".to_owned(), ConfigValue::Bool(true)),
            ("lr.start".to_owned(), ConfigValue::Float(1.0)),
            ("rounds".to_owned(), ConfigValue::Int(3)),
            ("text".to_owned(), ConfigValue::Str("a\"b\n'''".to_owned())),
        ]),
        ..code()
    };
    let found = files(fields).unwrap();
    let text = String::from_utf8(found[PYPROJECT].clone()).unwrap();
    assert_eq!(
        text,
        r#"[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "MNIST-demo"
version = "1.0.0"
description = "A Flower app from a Terraform configuration"
license = "LicenseRef-Proprietary"
dependencies = ["numpy>=2", "torch==2.8 ; python_version > '3'"]

[tool.hatch.build.targets.wheel]
packages = ["."]

[tool.flwr.app]
publisher = "terraform"

[tool.flwr.app.components]
serverapp = "mnist_demo_app.server_app:server"
clientapp = "mnist_demo_app.client_app:app"

[tool.flwr.app.config]
b = true
"lr.start" = 1.0
rounds = 3
text = """
a"b
'''"""
"#
    );
}

#[test]
fn the_package_ends_in_app_once() {
    for (name, package) in [
        ("a", "a_app"),
        ("A-app", "a_app"),
        ("app", "app_app"),
        ("x-1", "x_1_app"),
    ] {
        let fields = InlineFields {
            name: Some(name.to_owned()),
            ..code()
        };
        assert!(
            files(fields.clone())
                .unwrap()
                .contains_key(&format!("{package}/__init__.py"))
        );
        build(fields);
    }
}

#[test]
fn both_forms_and_none_are_refused() {
    assert_eq!(
        errors(InlineFields::default()),
        ["neither `files` nor `server` and `client` are set"]
    );
    let fields = InlineFields {
        files: with_files(&[]).files,
        name: Some("a".to_owned()),
        ..code()
    };
    assert_eq!(
        errors(fields),
        ["server", "client", "name"]
            .map(|name| format!("`files` contains the whole app, so `{name}` must not be set"))
    );
}

#[test]
fn all_errors_of_the_code_are_reported() {
    let fields = InlineFields {
        server: Some("x = 1\ny = '\0'\n".to_owned()),
        server_app: Some("class".to_owned()),
        client_app: Some("other".to_owned()),
        client: Some(CLIENT.to_owned()),
        name: Some("-a".to_owned()),
        requirements: vec!["numpy".to_owned(), "numpy=>1".to_owned()],
        ..InlineFields::default()
    };
    let found = files(fields).unwrap_err();
    let attributes: Vec<_> = found.iter().filter_map(InlineError::attribute).collect();
    assert_eq!(
        attributes,
        [
            Attribute::Name,
            Attribute::ServerApp,
            Attribute::Server,
            Attribute::Client,
            Attribute::Requirements
        ]
    );
    let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts[1],
        "`server_app`: \"class\" is not the name of a Python variable"
    );
    assert_eq!(texts[2], "line 2 of `server` contains a NUL character");
    assert_eq!(texts[3], "`client` does not define the variable \"other\"");
    assert!(
        texts[4].starts_with("requirement 2 (\"numpy=>1\") is invalid: "),
        "{}",
        texts[4]
    );
}

#[test]
fn one_component_is_not_enough() {
    let fields = InlineFields {
        client: None,
        ..code()
    };
    assert_eq!(
        errors(fields),
        ["`client` is missing: an app needs the code of its ServerApp and of its ClientApp"]
    );
    let fields = InlineFields {
        name: Some("a".to_owned()),
        ..InlineFields::default()
    };
    assert_eq!(errors(fields).len(), 2);
}

#[test]
fn names_follow_the_strictest_rule() {
    for name in [
        "",
        "1a",
        "-a",
        "a-",
        "a_b",
        "a b",
        "é",
        "a.b",
        "a/b",
        "../a",
        &"a".repeat(33),
    ] {
        let fields = InlineFields {
            name: Some(name.to_owned()),
            ..code()
        };
        let found = files(fields).unwrap_err();
        assert!(
            matches!(found[..], [InlineError::BadName { .. }]),
            "{name:?}"
        );
    }
    for variable in ["", "1a", "a-b", "a.b", "a:b", "é", "None", "lambda"] {
        let fields = InlineFields {
            server_app: Some(variable.to_owned()),
            ..code()
        };
        let found = files(fields).unwrap_err();
        assert!(
            matches!(found[..], [InlineError::BadVariable { .. }]),
            "{variable:?}"
        );
    }
}

#[test]
fn files_keep_every_byte() {
    let texts = [
        "\u{feff}# with a mark\n",
        "a = 1\r\nb = \"\\\"\"\r\n",
        "'''\"\"\"\\",
        "\u{1F600} é \u{2028}\u{85}",
        "",
        "no line end",
        "${a} %{b}",
    ];
    let entries: Vec<(String, &str)> = texts
        .iter()
        .enumerate()
        .map(|(n, text)| (format!("q/{n}.py"), *text))
        .collect();
    let entries: Vec<(&str, &str)> = entries.iter().map(|(p, t)| (p.as_str(), *t)).collect();
    let found = files(with_files(&entries)).unwrap();
    for (path, text) in entries {
        assert_eq!(found[path], text.as_bytes(), "{path}");
    }
}

#[test]
fn paths_are_checked() {
    for (path, fault) in [
        ("", PathFault::Empty),
        ("/a.py", PathFault::Absolute),
        ("../a.py", PathFault::Parent),
        ("./a.py", PathFault::NotNormal),
        ("a//b.py", PathFault::NotNormal),
        ("a/", PathFault::NotNormal),
        ("a\\b.py", PathFault::Backslash),
        ("C:/a.py", PathFault::Drive),
        ("a\0", PathFault::Control),
        ("a\n.py", PathFault::Control),
    ] {
        let found = files(with_files(&[(path, "")])).unwrap_err();
        let path = path.to_owned();
        assert_eq!(found, [InlineError::BadPath { path, fault }]);
    }
    assert!(files(with_files(&[("a.py", ""), ("A.py", ""), ("é.py", "")])).is_ok());
    assert_eq!(
        errors(with_files(&[
            ("q", ""),
            ("q/a.py", ""),
            ("q/b.py", ""),
            ("q/c/d.py", "")
        ])),
        ["`files` contains \"q\" both as a file and as a folder"]
    );
    assert_eq!(
        errors(with_files(&[("q/a.py", "\n\0")])),
        ["line 2 of \"q/a.py\" in `files` contains a NUL character"]
    );
    let fields = InlineFields {
        files: Some(BTreeMap::new()),
        ..InlineFields::default()
    };
    assert_eq!(
        errors(fields),
        ["`files` does not contain \"pyproject.toml\""]
    );
}

#[test]
fn the_same_input_gives_the_same_bundle() {
    assert_eq!(build(code()).hash, build(code()).hash);
    let generated = files(code()).unwrap();
    let copied = generated
        .into_iter()
        .map(|(path, bytes)| (path, String::from_utf8(bytes).unwrap()))
        .collect();
    let fields = InlineFields {
        files: Some(copied),
        ..InlineFields::default()
    };
    assert_eq!(build(fields).hash, build(code()).hash);
}

fn config_value() -> impl Strategy<Value = ConfigValue> {
    prop_oneof![
        any::<bool>().prop_map(ConfigValue::Bool),
        any::<i64>().prop_map(ConfigValue::Int),
        any::<f64>()
            .prop_filter("NaN is not equal to itself", |value| !value.is_nan())
            .prop_map(ConfigValue::Float),
        any::<String>().prop_map(ConfigValue::Str),
    ]
}

proptest! {
    #[test]
    fn any_code_and_any_config_survive(
        body in "[^\0]{0,200}",
        config in proptest::collection::btree_map("\\PC{1,12}", config_value(), 0..6),
    ) {
        let server = format!("{body}\napp = 1");
        let fields = InlineFields {
            server: Some(server.clone()),
            config: config.clone(),
            ..code()
        };
        let found = files(fields).unwrap();
        prop_assert_eq!(&found["inline_app/server_app.py"], server.as_bytes());
        let tree = AppTree::from_files(found).unwrap();
        match fab::build(&tree) {
            Ok(fab) => prop_assert_eq!(fab.project.config, config),
            // A text may look like a key.
            Err(fab::FabError::PrivateKey(_)) => {}
            Err(error) => prop_assert!(false, "{error}"),
        }
    }

    #[test]
    fn every_valid_name_builds(name in "[A-Za-z][A-Za-z0-9-]{0,30}[A-Za-z0-9]") {
        let fields = InlineFields { name: Some(name.clone()), ..code() };
        prop_assert_eq!(build(fields).project.name, name);
    }

    #[test]
    fn any_attributes_give_files_or_errors(
        name in proptest::option::of(any::<String>()),
        variable in proptest::option::of(any::<String>()),
        server in proptest::option::of(any::<String>()),
        requirements in proptest::collection::vec(any::<String>(), 0..3),
    ) {
        let fields = InlineFields {
            name,
            server_app: variable,
            server,
            requirements,
            client: Some(CLIENT.to_owned()),
            ..InlineFields::default()
        };
        if let Ok(found) = files(fields) {
            prop_assert!(fab::build(&AppTree::from_files(found).unwrap()).is_ok());
        }
    }
}
