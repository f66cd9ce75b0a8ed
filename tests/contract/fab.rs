//! Compares our FABs with those of the real `flwr build`: the same bytes, and the same errors.
//!
//! The parts with many corner cases (TOML in and out, gitignore patterns, dependencies) are also
//! compared on random input, with the same Python packages as in the CLI, in one Python process per
//! test.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use terraform_provider_flower::flower::app_source::AppTree;
use terraform_provider_flower::flower::fab::{self, FabError, document, pathspec, toml_text};

use crate::flower_env;

const HEAD: &str = "[project]\nname = 'quick-start'\nversion = '1.0.0'\ndescription = ''\nlicense = { file = 'LICENSE' }\ndependencies = ['flwr[simulation]>=1.20.0', 'numpy>=2.0.2 ; python_version >= \"3.10\"']\n";
const APP: &str = "[tool.flwr.app]\npublisher = 'acme'\n";
const COMPONENTS: &str = "[tool.flwr.app.components]\nserverapp = 'quick.server_app:app'\nclientapp = 'quick.client_app:app'\n";
const AGENT: &str = "[tool.flwr.app.components]\nagentapp = 'quick.server_app:app'\n";
const EVERYTHING: &str = r#"# All that TOML has, to be written again as Flower writes it.
[project.urls]
"Home page" = "https://example.org" # a comment
[tool.other]
nested = [[1, 2], [[3]], [], "two", { three = 3 }, 4.0]
inline = { a = { b = { c = [1, 2] } }, d = "x" }
dates = [1979-05-27T07:32:00Z, 1979-05-27 00:32:00.999999-07:00, 1979-05-27T07:32:00, 1979-05-27, 07:32:00.5]
numbers = [0xdead_beef, 0o17, 0b11, 1_000, -0, +7, 9223372036854775807, 1e16, 1e-7, -0.0, inf, nan, 6.02e23]
text = """
Two lines, a tab	and a \
    joined one: "\u00e9" \U0001F600 \u0007."""
literal = '''C:\path'''
"quoted key" = { "" = 1 }
dotted.key.here = true
[[tool.other.short]]
a = 1
[[tool.other.short]]
[[tool.other.long]]
text = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
[[tool.other.long.inner]]
b = 2
[tool.flwr.federations]
default = "local"
[tool.flwr.federations.local.options]
num-supernodes = 10
[tool.flwr.app]
publisher = "acmé"
[tool.flwr.app.components]
serverapp = "quick.server_app:app"
clientapp = "quick.client_app:app"
[tool.flwr.app.config]
rounds = 3
model = { name = "cnn", "lr.start" = 0.1 }
[tool.empty]
"#;

type File<'a> = (&'static str, &'a [u8]);

/// An app on disk, with common files and those of the case.
struct Case<'a> {
    name: &'static str,
    pyproject: String,
    files: Vec<File<'a>>,
    links: &'static [(&'static str, &'static str)],
}

impl<'a> Case<'a> {
    fn new(name: &'static str, pyproject: impl Into<String>, files: &[File<'a>]) -> Self {
        let (pyproject, files) = (pyproject.into(), files.to_vec());
        Self {
            name,
            pyproject,
            files,
            links: &[],
        }
    }

    fn plain(name: &'static str, files: &[File<'a>]) -> Self {
        Self::new(name, format!("{HEAD}{APP}{COMPONENTS}"), files)
    }

    /// With additional lines in `[tool.flwr.app]`.
    fn app(name: &'static str, lines: &str, files: &[File<'a>]) -> Self {
        Self::new(name, format!("{HEAD}{APP}{lines}\n{COMPONENTS}"), files)
    }

    fn link(mut self, links: &'static [(&'static str, &'static str)]) -> Self {
        self.links = links;
        self
    }

    fn write(&self, root: &Path) {
        let common: [(&str, &[u8]); 4] = [
            ("pyproject.toml", self.pyproject.as_bytes()),
            ("quick/__init__.py", b""),
            ("quick/server_app.py", b"app = 1\n"),
            ("quick/client_app.py", b"app = 2\n"),
        ];
        for (path, text) in common.into_iter().chain(self.files.iter().copied()) {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        for (at, target) in self.links {
            let at = root.join(at);
            let _ = fs::remove_file(&at);
            std::os::unix::fs::symlink(target, at).unwrap();
        }
    }
}

/// Builds with the CLI; returns the name and bytes of the file, or the CLI's error.
fn build_with_cli(app: &Path, scratch: &Path) -> Result<(String, Vec<u8>), Output> {
    let out = scratch.join("out");
    fs::create_dir(&out).unwrap();
    let output = Command::new(flower_env::bin("flwr"))
        .args(["build", "--app"])
        .arg(app)
        .current_dir(&out)
        .env("FLWR_HOME", scratch.join("home"))
        .env("FLWR_TELEMETRY_ENABLED", "0")
        .output()
        .unwrap();
    let mut files = fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    match files.next() {
        Some(path) if output.status.success() => {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            Ok((name, fs::read(path).unwrap()))
        }
        _ => Err(output),
    }
}

/// Runs a check on every case, two in parallel: the CLI takes most of a second to start.
fn each(cases: Vec<Case>, check: fn(&Case, &Path, &Path)) {
    let half = cases.len().div_ceil(2);
    std::thread::scope(|scope| {
        for cases in cases.chunks(half) {
            scope.spawn(move || {
                for case in cases {
                    let scratch = tempfile::tempdir().unwrap();
                    let app = scratch.path().join("app");
                    case.write(&app);
                    check(case, &app, scratch.path());
                }
            });
        }
    });
}

/// One Python process with Flower's own packages; JSON in, JSON out.
pub fn python(program: &str, input: &serde_json::Value) -> serde_json::Value {
    let mut child = Command::new(flower_env::bin("flwr").with_file_name("python"))
        .args(["-W", "ignore", "-c", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let text = serde_json::to_vec(input).unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&text));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The same values in every run, so that a failure can be reproduced.
fn samples<T: std::fmt::Debug>(strategy: &impl Strategy<Value = T>, count: usize) -> Vec<T> {
    let mut runner = TestRunner::deterministic();
    (0..count)
        .map(|_| strategy.new_tree(&mut runner).unwrap().current())
        .collect()
}

#[test]
fn the_same_bytes_as_the_cli() {
    let agent = format!("{HEAD}{APP}{AGENT}");
    let crlf = format!("{HEAD}{APP}{COMPONENTS}").replace('\n', "\r\n");
    let v1 = "fab-format-version = 1\nflwr-version-target = '1.42.0'";
    let cases = vec![
        Case::plain("types", &[
            ("LICENSE", b"x"), ("LICENSE.md", b"x"), ("sub/LICENSE", b"x"), ("README.md", b"# R\n"),
            ("conf/a.yaml", b"a: 1"), ("conf/a.yml", b""), ("conf/a.json", b"{}"), ("conf/a.jsonl", b"{}\n{}"),
            ("data/a.csv", b"1"), ("a.txt", b""), (".editorconfig", b""), ("test_a.py", b""), ("quick/a_test.py", b""),
            ("tests/b.py", b""), ("sub/pyproject.toml", b""), ("other.toml", b"x = 1"), (".info/CONTENT", b"x"),
            ("a.egg", b""), ("b.egg/x.py", b""),
        ]),
        Case::plain("gitignore", &[
            (".gitignore", b"# c\n\n out/ \n!out/keep.py\n*.md\r\n!/README.md\n/top.py\nquick/**/deep.py\n\\#x.py\n[ab].py\nx[\n"),
            ("out/a.py", b""), ("out/keep.py", b""), ("README.md", b""), ("d/README.md", b""), ("top.py", b""),
            ("d/top.py", b""), ("quick/x/y/deep.py", b""), ("quick/deep.py", b""), ("#x.py", b""), ("a.py", b""),
            ("c.py", b""), ("d/.gitignore", b"*.py"), ("d/kept.py", b""),
        ]),
        Case::plain("odd gitignore", &[(".gitignore", b"\xef\xbb\xbf*.md\n*.json\n"), ("a.md", b""), ("a.json", b"")]),
        Case::plain("gitignore in another encoding", &[(".gitignore", b"*.md\n\xff\n"), ("a.md", b"")]),
        Case::app("patterns", "fab-include = ['quick/', '*.md']\nfab-exclude = ['quick/no/**']", &[
            ("quick/no/a.py", b""), ("a.md", b""), ("x.md", b""), ("other/a.py", b""), ("quick/test_a.py", b""),
        ]),
        Case::plain("names", &[
            ("\u{e9}t\u{e9}/caf\u{e9}.py", b"x = 1\r\n"), ("\u{1F600}.py", b""), ("\u{FF5E}.py", b"\xef\xbb\xbf"), ("e\u{301}.md", b""),
            ("a b+[x].py", b""), ("back\\slash.py", b""), ("Z.py", b""), ("a.PY", b""), ("README.MD", b""), ("license", b""),
            ("-.py", b""), ("a-b/c.py", b""), ("a/c.py", b""), ("a.b/c.py", b""), ("\u{7f}\u{1}.py", b""),
        ]),
        Case::new("everything in TOML", format!("{HEAD}{EVERYTHING}"), &[]),
        Case::plain("directories", &[
            (".venv/a.py", b""), ("venv/a.py", b""), ("env/a.py", b""), ("ENV/a.py", b""), ("build/a.py", b""), ("lib/a.py", b""),
            ("quick/.venv/a.py", b""), ("quick/lib/a.py", b""), ("quick/build/a.py", b""), ("__pycache__/a.py", b""),
            ("quick/__pycache__/a.py", b""), (".flwr/a.py", b""), ("quick/.flwr/a.py", b""), ("Lib/a.py", b""),
        ]),
        Case::plain("links", &[("real/a.py", b"")]).link(&[
            ("linked.py", "quick/server_app.py"), ("linked", "real"), ("gone.py", "nowhere"), (".gitignore", "real/a.py"),
        ]),
        Case::app("format 1", v1, &[("LICENSE", b"x")]),
        Case::new("agent", agent, &[]),
        Case::new("CRLF", crlf, &[("a.md", b"x\r\ny")]),
        Case::plain("ten levels", &[("1/2/3/4/5/6/7/8/9/10/a.py", b""), ("1/2/3/4/5/6/7/8/9/10/11/a.csv", b"")]),
    ];
    each(cases, |case, app, scratch| {
        let ours = fab::build(&AppTree::from_dir(app, &[]).unwrap())
            .unwrap_or_else(|e| panic!("{}: {e}", case.name));
        let (name, bytes) =
            build_with_cli(app, scratch).unwrap_or_else(|e| panic!("{}: {e:?}", case.name));
        assert_eq!(ours.file_name(), name, "{}", case.name);
        assert!(ours.bytes == bytes, "{}: other bytes", case.name);
    });
}

#[test]
fn the_same_apps_are_refused() {
    let whole = format!("{HEAD}{APP}{COMPONENTS}");
    let swap = |from: &str, to: &str| {
        assert!(whole.contains(from), "{from}");
        whole.replace(from, to)
    };
    let v1 = "fab-format-version = 1\nflwr-version-target = '1.42.0'";
    let large = vec![b'x'; 10 * 1024 * 1024];
    let cases = vec![
        Case::new("byte order mark", format!("\u{feff}{whole}"), &[]),
        Case::new("no TOML", "a = = 1", &[]),
        Case::new("no version", swap("version = '1.0.0'\n", ""), &[]),
        Case::new("bad name", swap("quick-start", "quick_start"), &[]),
        Case::new("bad dependency", swap("numpy>=2.0.2", "numpy=>2"), &[]),
        Case::new(
            "bad component",
            swap("quick.client_app:app", "quick.client_app"),
            &[],
        ),
        Case::new(
            "no such module",
            swap("quick.client_app:app", "quick.klient_app:app"),
            &[],
        ),
        Case::new(
            "no such attribute",
            swap("quick.client_app:app", "quick.client_app:client"),
            &[],
        ),
        Case::app("pattern without a match", "fab-include = ['*.nope']", &[]),
        Case::app(
            "pattern of another type",
            "fab-include = ['*']",
            &[("a.csv", b""), (".gitignore", b"x")],
        ),
        Case::app(
            "exclude keeps .gitignore",
            "fab-exclude = ['*.md']",
            &[("a.md", b""), (".gitignore", b"x")],
        ),
        Case::app("array in the config", "config.a = [1]", &[]),
        Case::app("licence does not ship", v1, &[]),
        Case::app("format 2", "fab-format-version = 2", &[]),
        Case::plain("eleven levels", &[("1/2/3/4/5/6/7/8/9/10/11/a.py", b"")]),
        Case::plain("too large", &[("a.json", large.as_slice())]),
        Case::plain("pyproject ignored", &[(".gitignore", b"*.toml")]),
        Case::plain("bad gitignore", &[(".gitignore", b"a\\\n")]),
        Case::plain("backward range", &[(".gitignore", b"[z-a]\n")]),
        Case::plain("linked pyproject", &[("other.txt", whole.as_bytes())])
            .link(&[("pyproject.toml", "other.txt")]),
    ];
    each(cases, |case, app, scratch| {
        let ours = AppTree::from_dir(app, &[])
            .map_err(FabError::from)
            .and_then(|tree| fab::build(&tree));
        let error = ours
            .err()
            .unwrap_or_else(|| panic!("{}: we accept it", case.name));
        assert!(error.remedy().is_some(), "{}: {error}", case.name);
        assert!(
            build_with_cli(app, scratch).is_err(),
            "{}: the CLI accepts it",
            case.name
        );
    });
}

#[test]
fn a_name_that_is_not_utf8_is_refused_only_if_it_ships() {
    use std::os::unix::ffi::OsStrExt;
    for (bytes, ships) in [(b"a\xff.csv", false), (b"ab\xff.py", true)] as [(&[u8], bool); 2] {
        let scratch = tempfile::tempdir().unwrap();
        let app = scratch.path().join("app");
        Case::plain("", &[]).write(&app);
        fs::write(app.join(std::ffi::OsStr::from_bytes(bytes)), b"").unwrap();
        let ours = fab::build(&AppTree::from_dir(&app, &[]).unwrap());
        let theirs = build_with_cli(&app, scratch.path());
        assert_eq!((ours.is_err(), theirs.is_err()), (ships, ships));
    }
}

/// Documents with few keys, so that many keys collide and TOML's rules for this are tested, too.
fn toml_document() -> impl Strategy<Value = String> {
    let key = || {
        prop_oneof![
            8 => "[a-f]".prop_map(|k| k), 2 => "[a-c]\\.[d-f]", 1 => "\"[a-c .é\t]{0,3}\"", 1 => "'[x \"\\\\]{1,2}'", 1 => "[0-9]{1,2}-_",
        ]
    };
    let scalar = prop_oneof![
        any::<i64>().prop_map(|v| v.to_string()),
        "[+-]?[1-9](_?[0-9]){17,40}",
        "0x[0-9a-fA-F](_?[0-9a-fA-F]){15,24}",
        "0b1[01]{60,70}",
        "[+-]?(0|[1-9](_?[0-9]){0,3})",
        "0x[0-9a-fA-F]{1,8}",
        "0o[0-7]{1,5}",
        any::<f64>()
            .prop_filter("finite", |v| v.is_finite())
            .prop_map(|v| format!("{v:?}")),
        "[+-]?[0-9](_?[0-9]){0,2}(\\.[0-9]{1,6})?([eE][+-]?[0-9]{1,2})?",
        "[+-]?(inf|nan)",
        "true|false|True",
        "[0-9]{3}[0-9]-(0[0-9]|1[0-3])-([0-2][0-9]|3[01])([Tt ]([01][0-9]|2[0-4]):[0-6][0-9](:[0-6][0-9](\\.[0-9]{1,9})?)?([Zz]|[+-]([01][0-9]|2[0-4]):[0-6][0-9])?)?",
        "([01][0-9]|2[0-4]):[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,9})?)?",
        "\"([ -!#-Z^-~é😀\t]|\\\\[btnfre\"\\\\]|\\\\u00[0-9a-f]{2}|\\\\x[0-7][0-9a-f]){0,40}\"",
        "'[ -&(-~é\t]{0,90}'",
        "\"\"\"\r?\n?[a-z \t\r\n'\"é]{0,12}(\\\\ *\r?\n *)?[a-z]?\"{3,6}",
        "'''[a-z \t\n\"\\\\]{0,12}'{3,6}",
    ];
    let value = scalar.prop_recursive(3, 12, 4, move |inner| {
        let pair = (key(), inner.clone()).prop_map(|(k, v)| format!("{k} = {v}"));
        let table = proptest::collection::vec(pair, 0..4)
            .prop_map(|pairs| format!("{{ {} }}", pairs.join(", ")));
        prop_oneof![
            (
                proptest::collection::vec(inner, 0..4),
                "(, ?|,\n# c\n| ,\r\n)"
            )
                .prop_map(|(v, sep)| format!("[{}]", v.join(&sep))),
            table.clone(),
            proptest::collection::vec(table, 1..3)
                .prop_map(|tables| format!("[{}]", tables.join(", "))),
        ]
    });
    let line = prop_oneof![
        6 => (key(), value).prop_map(|(k, v)| format!("{k} = {v}")),
        2 => (key(), key()).prop_map(|(a, b)| format!("[{a}.{b}] # c")),
        1 => key().prop_map(|k| format!("[{k}]")),
        1 => (key(), key()).prop_map(|(a, b)| format!("[[{a}.{b}]]")),
        1 => key().prop_map(|k| format!("[[{k}]]")),
    ];
    (proptest::collection::vec(line, 0..7), "\n|\r\n").prop_map(|(lines, end)| lines.join(&end))
}

#[test]
fn toml_is_read_and_written_as_flower_does() {
    let documents = samples(&toml_document(), 4000);
    let program = "import json,sys,tomli,tomli_w\ndef f(t):\n try: return tomli_w.dumps(tomli.loads(t))\n except ValueError: return None\nprint(json.dumps([f(t) for t in json.load(sys.stdin)]))";
    let expected = python(program, &serde_json::json!(documents));
    let (mut accepted, mut wrong) = (0, Vec::new());
    for (text, expected) in documents.iter().zip(expected.as_array().unwrap()) {
        let ours = document::parse(text.as_bytes()).map(|table| toml_text::dumps(&table));
        accepted += usize::from(ours.is_ok());
        if ours.as_deref().ok() != expected.as_str() {
            wrong.push(format!("{text:?}\nours: {ours:?}\nflwr: {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}: {}", wrong.len(), wrong.join("\n\n"));
    assert!(accepted > 1000, "only {accepted} documents were valid");
}

#[test]
fn patterns_match_as_in_pathspec() {
    let part = "(\\*\\*|\\*|[ab]|[ab]\\*|\\?|\\[[!^]?\\]?[a-c/-]{0,3}\\]?|\\\\[ab*!]|\\*\\.py|é| )";
    let pattern = format!("!?/?{part}(/?{part}){{0,3}}/?( |\\\\ )?|[#!/]");
    let path = "[ab é]{1,2}(/[ab*\\]]{1,2}){0,3}(\\.py)?";
    let strategy = (
        proptest::collection::vec(pattern.as_str(), 1..4),
        proptest::collection::vec(path, 1..12),
    );
    let cases = samples(&strategy, 4000);
    let program = "import json,sys,pathspec\ndef f(c):\n try: s=pathspec.PathSpec.from_lines('gitwildmatch',c[0])\n except Exception: return None\n return [s.match_file(p) for p in c[1]]\nprint(json.dumps([f(c) for c in json.load(sys.stdin)]))";
    let expected = python(program, &serde_json::json!(cases));
    for ((patterns, paths), expected) in cases.iter().zip(expected.as_array().unwrap()) {
        let ours = pathspec::PathSpec::compile(patterns).ok().map(|spec| {
            paths
                .iter()
                .map(|path| spec.matches(path))
                .collect::<Vec<bool>>()
        });
        assert_eq!(&serde_json::json!(ours), expected, "{patterns:?} {paths:?}");
    }
}

#[test]
fn dependencies_and_targets_are_judged_as_by_packaging() {
    let version = "v?([0-2]!)?[0-3](\\.[0-3]){0,2}([-_.]?(a|b|rc|alpha|pre|c)[-_.]?[0-2]?)?(-[0-2]|[-_.]?(post|r|rev)[0-2]?)?([-_.]?dev[0-2]?)?(\\+[a-z0-2]{1,2}([.-][a-z]{1})?)?(\\.\\*)?";
    let bound = format!("(>=|>=|<=|==|!=|~=|<|>|===|=>) ?({version})");
    let marker = "(python_version|os.name|extra|extras|'x'|\"y\"|foo) ?(<|==|in|not in|not  in|notin|~=) ?(sys_platform|'3'|\"4\"|3)";
    let dependency = format!(
        " ?(flwr|flwr|flwr|a\\.b-|numpy)(\\[[a-c]?(,[a-c])?\\])?( ?\\(?{bound}( ?,{bound}){{0,2}},?\\)?| ?@ ?[a-z:/]{{1,5}})?( ?; ?\\(?{marker}( (and|or) {marker})?\\)?)?"
    );
    let strategy = (
        dependency.as_str(),
        prop_oneof![Just(None), version.prop_map(Some)],
    );
    let cases: Vec<String> = samples(&strategy, 6000)
        .into_iter()
        .map(|(dependency, target)| {
            let dependency = serde_json::to_string(&dependency).unwrap();
            let head = HEAD
                .replace(
                    "dependencies = [",
                    &format!("dependencies = [{dependency}, "),
                )
                .replace("'flwr[simulation]>=1.20.0', ", "");
            let target = target.map_or_else(String::new, |t| {
                format!("fab-format-version = 1\nflwr-version-target = '{t}'\n")
            });
            format!("{head}{APP}{target}{AGENT}")
        })
        .collect();
    let program = "import json,sys,tomli\nfrom flwr.common.config import validate_config\ndef f(t):\n try: return validate_config(tomli.loads(t),check_module=False)[0]\n except ValueError: return False\nprint(json.dumps([f(t) for t in json.load(sys.stdin)]))";
    let expected = python(program, &serde_json::json!(cases));
    let mut accepted = 0;
    for (text, expected) in cases.iter().zip(expected.as_array().unwrap()) {
        let files = [("pyproject.toml", text.as_str()), ("LICENSE", "")]
            .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
        let ours = fab::build(&AppTree::from_files(BTreeMap::from(files)).unwrap());
        accepted += usize::from(ours.is_ok());
        assert_eq!(
            Some(ours.is_ok()),
            expected.as_bool(),
            "{text}\n{:?}",
            ours.err()
        );
    }
    assert!(accepted > 500, "only {accepted} were valid");
}
