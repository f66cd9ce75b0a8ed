//! Environments that fake programs create: the inputs of these programs, and which results are
//! kept.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::super::super::InstallFault;
use super::*;

pub(super) fn wanted(
    version: &str,
    oldest: (u32, u32),
    newest: Option<(u32, u32)>,
) -> PythonEnvironment {
    PythonEnvironment {
        flower_version: version.to_owned(),
        oldest,
        newest,
        requirements: Vec::new(),
        simulation: false,
    }
}

/// A program that runs this script.
pub(super) fn script(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

/// A complete environment whose programs are those of the system.
pub(super) fn fill(dir: &Path) {
    fs::create_dir_all(dir.join("bin")).unwrap();
    fs::create_dir_all(dir.join("lib/python3/site-packages/flwr")).unwrap();
    for name in ["python", "sh", "flower-superlink", "flower-supernode"] {
        let link = dir.join("bin").join(name);
        let _ = fs::remove_file(&link);
        symlink("/bin/sh", link).unwrap();
    }
    marker::write(dir).unwrap();
}

/// A cache, and a Python that records how it is started and creates environments with itself.
struct Scene {
    dir: tempfile::TempDir,
    python: String,
    caller: Caller,
}

impl Scene {
    /// `loads` is the behaviour of an environment's Python when it loads Flower.
    fn new(loads: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let said = dir.path().join("said");
        let text = format!(
            r#"set -f; {{ echo "== $0" $*; pwd; env; }} >>'{}'
case "$*" in
  "-I -c "*) echo "3.12.3 $0" ;;
  "-I -m venv "*|"venv "*)
    for folder; do :; done
    mkdir -p "$folder/bin" "$folder/lib/python3.12/site-packages/flwr"
    for name in python flower-superlink flower-supernode; do cp "$0" "$folder/bin/$name"; done ;;
  *"config list") echo "global.index-url='https://of-the-file'"; echo "global.target='/elsewhere'" ;;
  "-c "*) {loads} ;;
esac"#,
            said.display()
        );
        let python = script(dir.path(), "python", &text);
        let mut caller = Caller::of_this_process();
        caller.here = dir.path().to_owned();
        let is_set = |name: &str| name.starts_with("PIP_") || name.starts_with("UV_");
        caller.variables.retain(|name, _| !is_set(name));
        let path = "/usr/bin:/bin".to_owned();
        caller.variables.insert("PATH".to_owned(), path);
        Self {
            dir,
            python,
            caller,
        }
    }

    fn cache(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    async fn ensure_after(
        &self,
        before: Option<&Environment>,
    ) -> Result<Environment, RuntimeError> {
        let request = Request {
            cache: &self.cache(),
            python: &self.python,
            wanted: &wanted("1.42.0", (3, 11), None),
            variables: &Variables::new(),
            before,
        };
        ensure_for(request, &self.caller, &CancellationToken::new()).await
    }

    async fn ensure(&self) -> Result<Environment, RuntimeError> {
        self.ensure_after(None).await
    }

    fn said(&self) -> String {
        fs::read_to_string(self.dir.path().join("said")).unwrap()
    }
}

fn is_work(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|one| one == "work")
}

/// The code of an sdist can read all variables of pip.
#[tokio::test]
async fn installers_see_neither_secrets_nor_another_python_nor_the_working_folder() {
    for installer in ["pip", "uv"] {
        let mut scene = Scene::new(":");
        if installer == "uv" {
            let folder = scene.dir.path().join("tools");
            fs::create_dir(&folder).unwrap();
            fs::copy(&scene.python, folder.join("uv")).unwrap();
            let path = format!("{}:/usr/bin:/bin", folder.display());
            scene.caller.variables.insert("PATH".to_owned(), path);
        }
        for name in [
            "AWS_SECRET_ACCESS_KEY",
            "TF_VAR_x",
            "PYTHONPATH",
            "PYTHONHOME",
            "VIRTUAL_ENV",
            "PIP_TARGET",
            "UV_PYTHON",
        ] {
            let canary = "canary".to_owned();
            scene.caller.variables.insert(name.to_owned(), canary);
        }
        scene.ensure().await.unwrap();
        let said = scene.said();
        assert!(
            !said.contains("canary") && !said.contains("/elsewhere"),
            "{said}"
        );
        let starts: Vec<_> = said.split("== ").skip(1).collect();
        let installs = starts
            .iter()
            .find(|one| one.lines().next().unwrap().contains(" install "));
        assert!(installs.unwrap().contains("flwr==1.42.0"), "{said}");
        assert_eq!(
            installs.unwrap().contains("https://of-the-file"),
            installer == "pip"
        );
        for start in starts {
            let mut lines = start.lines();
            let (command, folder) = (lines.next().unwrap(), lines.next().unwrap());
            let isolated = command.contains("python -I ");
            let loads = command.contains("python -c import sys");
            assert!(isolated || loads || command.contains("/uv "), "{command}");
            assert!(is_work(folder) || command.contains("-I -c"), "{start}");
        }
        let left = fs::read_dir(scene.cache()).unwrap().flatten();
        let left: Vec<_> = left
            .map(|one| one.file_name().into_string().unwrap())
            .collect();
        assert!(!left.iter().any(|name| is_work(name)), "{left:?}");
    }
}

/// Case 02: modules on the caller's PYTHONPATH are not in the environment.
#[tokio::test]
async fn one_in_which_flower_cannot_be_loaded_is_not_kept_and_python_is_quoted() {
    let loads = "echo \"ModuleNotFoundError: No module named 'numpy'\" >&2; exit 1";
    let scene = Scene::new(loads);
    for _ in 0..2 {
        let error = scene.ensure().await.unwrap_err();
        let RuntimeError::Environment { fault, words, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(fault, InstallFault::Unusable);
        assert!(words.contains("No module named 'numpy'"), "{words}");
    }
    let installs = scene.said().matches("-m venv").count();
    assert_eq!(installs, 2, "it is made again each time");
}

#[tokio::test]
async fn one_without_flower_in_it_is_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    // It prints a version, and succeeds with every other command.
    let text = r#"case "$*" in
        "-I -m venv "*) mkdir -p "$4/bin"; cp "$0" "$4/bin/python" ;;
        "-I -c "*) echo "3.12.3 $0" ;;
    esac"#;
    let python = script(dir.path(), "python", text);
    let scene = Scene {
        python,
        ..Scene::new(":")
    };
    let refused = scene.ensure().await.unwrap_err();
    assert!(
        matches!(
            refused,
            RuntimeError::Environment {
                fault: InstallFault::Incomplete(_),
                ..
            }
        ),
        "{refused}"
    );
}

#[tokio::test]
async fn one_that_is_broken_is_drift_and_is_made_again() {
    let scene = Scene::new(":");
    let first = scene.ensure().await.unwrap();
    assert_eq!(scene.ensure().await.unwrap(), first, "it is kept");
    assert!(first.outdated_for(&scene.caller).is_empty());
    let mut before = first;
    for broken in [
        "bin/python",
        "bin/flower-superlink",
        "lib/python3.12/site-packages/flwr",
        ".complete",
    ] {
        super::super::files::remove(&before.dir.join(broken)).unwrap();
        let words = before.outdated_for(&scene.caller);
        assert!(
            words.concat().contains("cannot be used"),
            "{broken} {words:?}"
        );
        let again = scene.ensure_after(Some(&before)).await.unwrap();
        assert_eq!(again.dir, before.dir);
        assert_ne!(again.identity(), before.identity(), "{broken}");
        let words = before.outdated_for(&scene.caller).concat();
        assert!(words.contains("was created again"), "{words}");
        assert!(again.outdated_for(&scene.caller).is_empty());
        before = again;
    }
    // An uninstalled interpreter leaves a broken link.
    let python = before.dir.join("bin/python");
    fs::remove_file(&python).unwrap();
    symlink("/no/such/python", &python).unwrap();
    assert!(!before.outdated_for(&scene.caller).is_empty());
}

#[tokio::test]
async fn one_in_which_flower_is_not_found_any_more_is_made_again() {
    let scene = Scene::new(":");
    let made = scene.ensure().await.unwrap();
    let log = |last: &str| ["Traceback", last, ""].map(str::to_owned);
    for other in ["ModuleNotFoundError: No module named 'my_app'", "it ended"] {
        assert_eq!(made.blamed(&log(other)), None);
    }
    assert_eq!(scene.ensure().await.unwrap(), made);
    let remedy = made.blamed(&log("ModuleNotFoundError: No module named 'flwr'"));
    assert!(remedy.unwrap().contains("Apply again"));
    assert_ne!(scene.ensure().await.unwrap(), made);
}

#[tokio::test]
async fn what_is_up_to_date_is_used_on_and_another_index_is_not() {
    let mut scene = Scene::new(":");
    let mut set = |name: &str, value: &str| {
        scene
            .caller
            .variables
            .insert(name.to_owned(), value.to_owned());
    };
    set("PIP_INDEX_URL", "https://one/simple");
    let first = scene.ensure().await.unwrap();
    scene.caller.variables.remove("PIP_INDEX_URL");
    let unset = scene.ensure_after(Some(&first)).await.unwrap();
    assert_eq!(unset, first, "a shell without it starts nothing again");
    let mut set = |name: &str, value: &str| {
        scene
            .caller
            .variables
            .insert(name.to_owned(), value.to_owned());
    };
    set("PIP_INDEX_URL", "https://two/simple");
    let second = scene.ensure_after(Some(&first)).await.unwrap();
    assert_ne!(second.dir, first.dir);
}

#[tokio::test]
async fn a_lock_that_is_a_link_is_not_followed() {
    let scene = Scene::new(":");
    let made = scene.ensure().await.unwrap();
    let victim = scene.dir.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    let lock = format!("{}.lock", made.dir.display());
    fs::remove_file(&lock).unwrap();
    symlink(&victim, &lock).unwrap();
    marker::remove(&made.dir);
    assert!(scene.ensure().await.is_err());
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}

/// Case 06.
#[test]
fn a_cache_in_which_flower_finds_no_migrations_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (name, found) in [
        ("Jane Doe", Some(' ')),
        ("a,b", Some(',')),
        ("a:b", Some(':')),
        ("100%", Some('%')),
        ("a\u{a0}b", Some('\u{a0}')),
        ("Jänē-\"日本\"_'$(1)'#;&", None),
    ] {
        let folder = dir.path().join(name);
        let refused = place(&folder.join("environments"))
            .err()
            .map(|error| match error {
                RuntimeError::UnfitCache { found, .. } => found,
                other => panic!("{other}"),
            });
        assert_eq!(refused, found.map(Some), "{name}");
    }
    // Flower resolves links.
    fs::create_dir(dir.path().join("Jane Doe")).unwrap();
    symlink(dir.path().join("Jane Doe"), dir.path().join("link")).unwrap();
    let error = place(&dir.path().join("link/environments")).unwrap_err();
    let said = format!("{error} {}", error.remedy().unwrap());
    assert!(
        said.contains("a blank") && said.contains("cache_dir = "),
        "{said}"
    );
}

#[test]
fn no_program_is_looked_for_where_apps_write() {
    let inherited = Some("/usr/bin:bin::.:/bin:".to_owned());
    let path = search_path(Path::new("/env/bin"), inherited);
    assert_eq!(path, "/env/bin:/usr/bin:/bin");
    assert_eq!(search_path(Path::new("/env/bin"), None), "/env/bin");
}
