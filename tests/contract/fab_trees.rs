//! Apps that nobody would write by hand, built by us and by `flwr build`: the result is the same
//! bundle, or an error in both.
//!
//! A seeded generator changes a valid app in a few places: values of other types in
//! `pyproject.toml`, swapped or missing lines, unusual names, patterns and files. One Python
//! process builds all of them with the function behind the CLI, so that hundreds take seconds.
//! `FLOWER_TEST_SEED` sets another seed, `FLOWER_TEST_TREES` the number of apps.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::string::string_regex;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sha2::{Digest, Sha256};
use terraform_provider_flower::flower::app_source::AppTree;
use terraform_provider_flower::flower::fab::{self, Fab, FabError};

use crate::fab::python;

const TREES: usize = 400;

/// Builds each app as the CLI does: the name and hash of the file, or the error.
const DRIVER: &str = r"
import contextlib, hashlib, importlib, io, json, os, sys
from pathlib import Path
from flwr.cli.build import build
results = []
for folder in json.load(sys.stdin):
    os.chdir(os.path.join(folder, 'out'))
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            build(app=Path(folder, 'app'))
        [name] = os.listdir('.')
        results.append([name, hashlib.sha256(Path(name).read_bytes()).hexdigest()])
    except Exception as error:
        results.append(type(error).__name__ + ': ' + str(error))
    for name, module in list(sys.modules.items()):
        if (getattr(module, '__file__', None) or '').startswith(folder):
            del sys.modules[name]
    importlib.invalidate_caches()
print(json.dumps(results))
";

/// An app: its `pyproject.toml`, and its other files.
#[derive(Debug, Clone)]
struct Tree {
    pyproject: String,
    files: Vec<(String, String)>,
}

impl Tree {
    fn write(&self, root: &Path) {
        fs::create_dir_all(root.join("out")).unwrap();
        let common = [
            ("pyproject.toml", self.pyproject.as_str()),
            ("quick/__init__.py", ""),
            ("quick/server_app.py", "app = 1\n"),
            ("quick/client_app.py", "app = 2\n"),
        ];
        let others = self
            .files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()));
        for (path, text) in common.into_iter().chain(others) {
            let path = root.join("app").join(path);
            // A file with the path of a folder is left out.
            let _ = fs::create_dir_all(path.parent().unwrap());
            let _ = fs::write(path, text);
        }
    }
}

/// A TOML value of any type, often an unusual one.
fn value() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("true".to_owned()),
        "[+-]?(0|[1-9][0-9]{0,3})",
        "[+-]?[1-9][0-9]{17,40}",
        "0x[0-9a-f]{1,24}",
        "0o[0-7]{20,24}",
        "0b1[01]{60,70}",
        "[+-]?[0-9]\\.[0-9]{1,17}(e[+-]?[0-9]{1,3})?",
        "[+-]?(1e400|inf|nan|0\\.0|1e16|1e-5|9007199254740993\\.0)",
        "(0001|1979|9999)-(01|02|12)-(01|28|31)([T ](00|23):(00|59)(:(00|59|60)(\\.[0-9]{1,9})?)?(Z|[+-](00|07|23):(00|30))?)?",
        "(00|23):(00|59)(:(00|59)(\\.[0-9]{1,9})?)?",
        "'[a-zA-Z0-9 .,\"é語😀-]{0,40}'",
        "\"([a-z 'éß\u{ad}\u{a0}\u{200b}]|\\\\[nrtbfe\"\\\\]|\\\\u(0001|00ad|2028|e000)|\\\\U0001f600){0,12}\"",
        "\"\"\"\n?[a-z \n'\"é]{0,12}[a-z]\"\"\"",
    ];
    scalar.prop_recursive(3, 10, 3, |inner| {
        let pair = (key(), inner.clone()).prop_map(|(key, value)| format!("{key} = {value}"));
        let table = proptest::collection::vec(pair, 0..3)
            .prop_map(|pairs| format!("{{ {} }}", pairs.join(", ")))
            .boxed();
        prop_oneof![
            proptest::collection::vec(inner, 0..4)
                .prop_map(|items| format!("[{}]", items.join(", "))),
            table.clone(),
            proptest::collection::vec(table, 1..3)
                .prop_map(|items| format!("[{}]", items.join(", "))),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-f]",
        1 => "[a-c]\\.[d-f]",
        1 => "\"[a-c .é]{0,3}\"",
        1 => "'[a \"\\\\]{1,2}'",
        1 => "[0-9]{1,2}",
    ]
}

/// Mostly a common value.
fn usually(
    usual: &'static str,
    odd: impl Strategy<Value = String> + 'static,
) -> impl Strategy<Value = String> {
    prop_oneof![9 => Just(usual.to_owned()), 1 => odd]
}

fn project() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        "'[a-zA-Zéß語][a-z0-9-]{0,35}'",
        "' ?[aªⅠ½ⓐ٣\u{301}\u{93e}_-]{1,3} ?'",
        "''",
        value(),
    ];
    let version = prop_oneof![
        "'[0-9a-z. é-]{0,8}'",
        "'1/2'",
        "\"1\\\\u0000\"",
        "'[0-9]{200,250}'",
        value(),
    ];
    let dependency = prop_oneof![
        "'(numpy|a\\.b_c|torch)( ?(>=|==|~=|=>) ?[0-9](\\.[0-9*])?)?( ?; ?python_version (<|in) \"3\")?'",
        "'[fF]lwr(-nightly)?(\\[simulation\\])?(>=1\\.2[0-9])?'",
        value(),
    ];
    let dependencies = prop_oneof![
        proptest::collection::vec(dependency, 0..4).prop_map(|all| format!("[{}]", all.join(", "))),
        value(),
    ];
    let license = prop_oneof![
        Just("'MIT'".to_owned()),
        "\\{ (file|text) = '(LICENSE|LICENSE.md|x)' \\}",
        value(),
    ];
    (
        usually("'quick-start'", name),
        usually("'1.0.0'", version),
        usually("['flwr[simulation]>=1.20.0']", dependencies),
        usually("{ file = 'LICENSE' }", license),
    )
        .prop_map(|(name, version, dependencies, license)| {
            format!(
                "[project]\nname = {name}\nversion = {version}\ndependencies = {dependencies}\nlicense = {license}\n"
            )
        })
}

fn pattern() -> impl Strategy<Value = String> {
    let part =
        "(\\*\\*|\\*|[a-c]|quick|data|\\[[!^]?[a-c-]{0,3}\\]|[a-c]\\*|\\*\\.(py|md|json)|\\?|é| )";
    let pattern = format!("!?/?{part}(/{part}){{0,2}}/?(\\\\ | )?");
    prop_oneof![6 => string_regex(&pattern).unwrap(), 1 => "quick/(\\*\\*)?", 1 => "[#!/ ]{0,2}"]
}

fn app() -> impl Strategy<Value = String> {
    let quoted = |text: String| serde_json::to_string(&text).unwrap();
    let patterns = move || {
        prop_oneof![
            4 => proptest::collection::vec(pattern().prop_map(quoted), 0..3)
                .prop_map(|all| format!("[{}]", all.join(", "))),
            1 => Just("['quick/', '*.md', '*.py']".to_owned()),
            1 => value(),
        ]
    };
    let publisher = prop_oneof![
        3 => value(),
        1 => "['[A-Z][a-z]{1,8}', \"[a-z]'[a-z]\"]",
        1 => "'[a-z \"é😀]{0,10}'",
        1 => Just("'a/b'".to_owned()),
        1 => "'[a-z]{200,250}'",
    ];
    let line = prop_oneof![
        patterns().prop_map(|list| format!("fab-include = {list}")),
        patterns().prop_map(|list| format!("fab-exclude = {list}")),
        "fab-format-version = (0|1|1|2|-1|1\\.0|true|18446744073709551617)",
        "flwr-version-target = '1\\.(19|42\\.0|x)'",
        (key(), value()).prop_map(|(key, value)| format!("config.{key} = {value}")),
        (key(), value()).prop_map(|(key, value)| format!("{key} = {value}")),
    ];
    let components = prop_oneof![
        1 => Just("agentapp = 'quick.server_app:app'\n".to_owned()),
        1 => Just("serverapp = 'quick.server_app:app'\n".to_owned()),
        1 => "serverapp = 'quick(\\.server_app|\\.klient)?:?(app|ap|app\\.x)?'\nclientapp = 'quick.client_app:app'\n",
        1 => value().prop_map(|value| format!("serverapp = {value}\nclientapp = 'quick.client_app:app'\n")),
    ];
    (
        usually("'acme'", publisher),
        prop_oneof![
            2 => Just(Vec::new()),
            1 => proptest::collection::vec(line, 1..3),
        ],
        usually(
            "serverapp = 'quick.server_app:app'\nclientapp = 'quick.client_app:app'\n",
            components,
        ),
    )
        .prop_map(|(publisher, lines, components)| {
            format!(
                "[tool.flwr.app]\npublisher = {publisher}\n{}\n[tool.flwr.app.components]\n{components}",
                lines.join("\n")
            )
        })
}

/// Tables of other tools, and those that Flower removes.
fn others() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        4 => (key(), value()).prop_map(|(key, value)| format!("{key} = {value}")),
        2 => (key(), key()).prop_map(|(a, b)| format!("[tool.{a}.{b}]")),
        1 => (key(), key()).prop_map(|(a, b)| format!("[[tool.{a}.{b}]] # c")),
        1 => key().prop_map(|key| format!("[tool.flwr.federations.{key}]")),
        1 => key().prop_map(|key| format!("[{key}]")),
    ];
    proptest::collection::vec(line, 0..4)
        .prop_map(|lines| format!("[tool.other]\n{}\n", lines.join("\n")))
}

/// A typo.
#[derive(Debug, Clone)]
enum Slip {
    None,
    LoseLine(prop::sample::Index),
    SwapLines(prop::sample::Index, prop::sample::Index),
    Insert(prop::sample::Index, String),
    Crlf,
}

impl Slip {
    fn any() -> impl Strategy<Value = Self> {
        let at = any::<prop::sample::Index>;
        prop_oneof![
            20 => Just(Self::None),
            2 => at().prop_map(Self::LoseLine),
            2 => (at(), at()).prop_map(|(a, b)| Self::SwapLines(a, b)),
            1 => (at(), "[\\[\\]\"'=.#\\\\\r\n\u{feff}\u{7f}é ]").prop_map(|(at, c)| Self::Insert(at, c)),
            1 => Just(Self::Crlf),
        ]
    }

    fn on(&self, text: String) -> String {
        let mut lines: Vec<&str> = text.lines().collect();
        let count = lines.len();
        match self {
            Self::None => return text,
            Self::Crlf => return text.replace('\n', "\r\n"),
            Self::LoseLine(at) => {
                lines.remove(at.index(count));
            }
            Self::SwapLines(a, b) => lines.swap(a.index(count), b.index(count)),
            Self::Insert(at, c) => {
                let chars: Vec<char> = text.chars().collect();
                let (before, after) = chars.split_at(at.index(chars.len()));
                return before
                    .iter()
                    .copied()
                    .chain(c.chars())
                    .chain(after.iter().copied())
                    .collect();
            }
        }
        lines.join("\n")
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    let pyproject = (project(), app(), others(), any::<bool>(), Slip::any());
    let pyproject = pyproject.prop_map(|(project, app, others, first, slip)| {
        slip.on(if first {
            format!("{others}{project}{app}")
        } else {
            format!("{project}{app}{others}")
        })
    });
    let folder =
        "((quick|data|a|é|b c|\\.hidden|build|venv|\\.venv|__pycache__|lib|tests|\\.flwr)/){0,2}";
    let name =
        "([a-c]|test_a|a_test|x y|é|語|a,b|LICENSE|README|\\.editorconfig|\\.gitignore|a[b]|😀)";
    let ending =
        "(\\.py|\\.md|\\.json|\\.jsonl|\\.yaml|\\.yml|\\.toml|\\.txt|\\.csv|\\.egg|\\.PY|)";
    let path = string_regex(&format!("{folder}{name}{ending}")).unwrap();
    let file = (path, "[a-z0-9 =\r\né]{0,20}");
    let deep = ("(d/){9,11}a\\.(py|csv)", Just(String::new()));
    let ignore = proptest::collection::vec(pattern(), 0..5)
        .prop_map(|patterns| Some((".gitignore".to_owned(), patterns.join("\n"))));
    (
        pyproject,
        proptest::collection::vec(file, 0..10),
        prop_oneof![2 => Just(None), 1 => ignore],
        prop_oneof![20 => Just(None), 1 => deep.prop_map(Some)],
        prop_oneof![1 => Just(None), 3 => Just(Some(("LICENSE".to_owned(), String::new())))],
    )
        .prop_map(|(pyproject, mut files, ignore, deep, license)| {
            files.extend([ignore, deep, license].into_iter().flatten());
            Tree { pyproject, files }
        })
}

/// An intended difference, as the module head of the builder says.
fn is_meant(ours: &Result<Fab, FabError>, theirs: &Result<(String, String), String>) -> bool {
    match (ours, theirs) {
        // Only a Python environment knows whether a module exists, and what it assigns.
        (Ok(_), Err(words)) => [
            "Unable to load module",
            "Unable to find attribute",
            "ModuleNotFoundError",
            "Empty module name",
        ]
        .iter()
        .any(|sign| words.contains(sign)),
        // A node could not install it.
        (Err(FabError::BadName { .. }), Ok(_)) => true,
        // A run could not return its configuration.
        (Err(FabError::Invalid(problems)), Ok(_)) => problems.iter().all(|problem| {
            problem.key.starts_with("tool.flwr.app.config.")
                && problem.message.contains("with more than 64 bits")
        }),
        _ => false,
    }
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn generated_apps_are_built_as_by_the_cli() {
    let seed = number("FLOWER_TEST_SEED", 1);
    let count = usize::try_from(number("FLOWER_TEST_TREES", TREES as u64)).unwrap();
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &Sha256::digest(seed.to_le_bytes()));
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = tree();
    let root = tempfile::tempdir().unwrap();
    let root = root.path().canonicalize().unwrap();
    let trees: Vec<Tree> = (0..count)
        .map(|_| strategy.new_tree(&mut runner).unwrap().current())
        .collect();
    let folders: Vec<_> = (0..count)
        .map(|number| root.join(number.to_string()))
        .collect();
    for (tree, folder) in trees.iter().zip(&folders) {
        tree.write(folder);
    }
    let theirs = python(DRIVER, &serde_json::json!(folders));
    let theirs = theirs.as_array().unwrap();
    assert_eq!(theirs.len(), count);

    let (mut built, mut refused, mut meant) = (0, 0, 0);
    let mut wrong = Vec::new();
    for ((tree, folder), theirs) in trees.iter().zip(&folders).zip(theirs) {
        let ours = AppTree::from_dir(&folder.join("app"), &[])
            .map_err(FabError::from)
            .and_then(|tree| fab::build(&tree));
        let theirs = match theirs.as_str() {
            Some(words) => Err(words.to_owned()),
            None => Ok((
                theirs[0].as_str().unwrap().to_owned(),
                theirs[1].as_str().unwrap().to_owned(),
            )),
        };
        match (&ours, &theirs) {
            (Ok(fab), Ok((name, hash)))
                if fab.file_name() == *name && fab.hash.as_str() == hash =>
            {
                built += 1;
            }
            (Err(_), Err(_)) => refused += 1,
            _ if is_meant(&ours, &theirs) => meant += 1,
            _ => {
                let ours = ours
                    .map(|fab| (fab.file_name(), fab.hash))
                    .map_err(|error| error.to_string());
                wrong.push(format!(
                    "{}\n{:?}\nours: {ours:?}\nflwr: {theirs:?}\n",
                    tree.pyproject, tree.files
                ));
            }
        }
    }
    eprintln!(
        "FLOWER_TEST_SEED={seed}: {count} apps, {built} built alike, {refused} refused by both, {meant} known differences"
    );
    assert!(
        wrong.is_empty(),
        "FLOWER_TEST_SEED={seed}, {} differences:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(
        built * 4 > count && refused * 10 > count,
        "{built} built and {refused} refused show little"
    );
}
