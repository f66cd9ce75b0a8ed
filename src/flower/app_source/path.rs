//! An app in a directory of this machine.
//!
//! The walk finds the files that `flwr build` considers: regular files, never through a symbolic
//! link. It skips directories whose content no rule ships, because they are often the largest, and
//! those of Terraform and the provider.

use std::fs::{self, FileType};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use tracing::warn;

use super::excluded::{self, OwnFolders};
use super::{AppTree, Content, TreeError, read_error};

/// Walks a directory and reads only names.
pub(super) fn walk(root: &Path, own: &[PathBuf]) -> Result<AppTree, TreeError> {
    // Only the root may be a link: Flower resolves it, too.
    let meta = fs::metadata(root).map_err(|source| read_error(root, source))?;
    if !meta.is_dir() {
        return Err(TreeError::NotADirectory {
            path: root.to_owned(),
        });
    }
    let own = OwnFolders::within(root, own)?;
    let mut tree = AppTree::default();
    let mut pending = vec![(root.to_owned(), String::new(), false)];
    while let Some((directory, prefix, unnameable_prefix)) = pending.pop() {
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            // As in Flower, a directory below the root that cannot be listed does not ship.
            Err(error) if !prefix.is_empty() && tolerable(error.kind()) => {
                warn!(directory = %directory.display(), %error, "left a directory out of the app");
                continue;
            }
            Err(source) => return Err(read_error(&directory, source)),
        };
        for entry in entries {
            let entry = entry.map_err(|source| read_error(&directory, source))?;
            let path = entry.path();
            let kind = entry
                .file_type()
                .map_err(|source| read_error(&path, source))?;
            let name = entry.file_name();
            let relative = format!("{prefix}{}", name.to_string_lossy());
            if kind.is_dir() {
                if !never_ships(&relative) && !own.contains(&path) {
                    let unnameable = unnameable_prefix || name.to_str().is_none();
                    pending.push((path, format!("{relative}/"), unnameable));
                }
            } else if kind.is_symlink() {
                tree.links.insert(relative);
            } else if shippable(kind) {
                // Only the names below the root count, wherever the app lies.
                let named = name.to_str().is_some() && !unnameable_prefix;
                let content = if named {
                    Content::File(path)
                } else {
                    Content::Unnameable
                };
                tree.add(relative, content);
            }
        }
    }
    Ok(tree)
}

/// A pipe or socket has no content that could ship, and reading one could block forever.
fn shippable(kind: FileType) -> bool {
    kind.is_file()
}

fn tolerable(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::PermissionDenied | ErrorKind::NotFound)
}

/// Flower's own rules exclude all of these except `.git`, whose refs they take for source code if a
/// branch is named `x.py`.
pub(super) fn never_ships(directory: &str) -> bool {
    let name = directory.rsplit('/').next().unwrap_or(directory);
    matches!(directory, ".flwr" | ".venv")
        || matches!(name, "__pycache__" | ".git")
        || excluded::is_named(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> (tempfile::TempDir, AppTree) {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"x").unwrap();
        }
        let tree = AppTree::from_dir(dir.path(), &[]).unwrap();
        (dir, tree)
    }

    #[test]
    fn directories_that_never_ship_are_not_entered() {
        let (_dir, tree) = tree(&[
            "a.py",
            ".venv/lib/x.py",
            ".flwr/x.py",
            "p/__pycache__/x.py",
            ".git/refs/heads/x.py",
            "p/.venv/kept.py",
            "venv/kept.py",
        ]);
        let paths: Vec<&str> = tree.paths().collect();
        assert_eq!(paths, ["a.py", "p/.venv/kept.py", "venv/kept.py"]);
    }

    /// The files of an app at `root`, in a folder that also contains the provider's own files.
    fn left(dir: &Path, root: &str, own: &[&str]) -> Vec<String> {
        let own: Vec<PathBuf> = own.iter().map(|folder| dir.join(folder)).collect();
        let tree = AppTree::from_dir(&dir.join(root), &own).unwrap();
        tree.paths().map(str::to_owned).collect()
    }

    #[test]
    fn the_folders_of_the_provider_are_left_out_whatever_they_are_called() {
        let (dir, _) = tree(&[
            "a.py",
            "state/vault/superlink-a-ca.json",
            "deep/cache/environments/x/y.py",
            "deep/cached.py",
            "states/b.py",
            "infra/data/vault/a.json",
            "infra/c.py",
        ]);
        let dir = dir.path();
        let own = ["state", "deep/cache", "infra/data", "not-made-yet"];
        let expected = ["a.py", "deep/cached.py", "infra/c.py", "states/b.py"];
        assert_eq!(left(dir, "", &own), expected);
        assert_eq!(
            left(
                dir,
                "infra/..",
                &["infra/../state", "./deep/cache/", "infra/data"]
            ),
            expected,
            "`${{path.module}}/..` and folders that are named in other ways"
        );
        // An app may lie below the provider's folder, which then contains no such file.
        assert_eq!(left(dir, "states", &["."]), ["b.py"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_of_the_provider_is_known_behind_links() {
        use std::os::unix::fs::symlink;
        let (dir, _) = tree(&["app/a.py", "app/real/vault/a.json", "other/vault/b.json"]);
        let dir = dir.path();
        symlink(dir.join("app/real"), dir.join("data")).unwrap();
        symlink(dir.join("app"), dir.join("linked")).unwrap();
        symlink(dir.join("other"), dir.join("app/.flower")).unwrap();
        for root in ["app", "linked"] {
            for own in ["data", "app/real", "linked/real"] {
                assert_eq!(left(dir, root, &[own]), ["a.py"], "{root} {own}");
            }
        }
    }

    #[test]
    fn an_app_cannot_lie_in_the_provider_s_folder_itself() {
        let (dir, _) = tree(&["pyproject.toml", "vault/a.json"]);
        let own = [dir.path().join("vault/..")];
        let error = AppTree::from_dir(dir.path(), &own).unwrap_err();
        assert!(matches!(error, TreeError::OwnFolder { .. }), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn folders_of_terraform_and_the_provider_are_not_entered() {
        let (dir, _) = tree(&[
            "a.py",
            ".terraform/x.json",
            "b/.flower/y.json",
            "own/z.json",
        ]);
        let folders = [".terraform", "b/.flower", "own"];
        for folder in folders {
            let link = dir.path().join(folder).join("link");
            std::os::unix::fs::symlink("nowhere", link).unwrap();
        }
        let tree = AppTree::from_dir(dir.path(), &[dir.path().join("own")]).unwrap();
        // A walk must not follow a link twice.
        assert!(tree.links.is_empty(), "{:?}", tree.links);
        assert_eq!(tree.paths().collect::<Vec<_>>(), ["a.py"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_left_out_and_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().join("real");
        fs::create_dir(&real).unwrap();
        fs::write(real.join("a.py"), b"x").unwrap();
        std::os::unix::fs::symlink(real.join("a.py"), dir.path().join("b.py")).unwrap();
        std::os::unix::fs::symlink(&real, dir.path().join("linked")).unwrap();
        let tree = AppTree::from_dir(dir.path(), &[]).unwrap();
        assert_eq!(tree.paths().collect::<Vec<_>>(), ["real/a.py"]);
        assert!(tree.is_behind_link("b.py"));
        assert!(tree.is_behind_link("linked/a.py"));
        assert!(!tree.is_behind_link("linkedx.py"));
    }

    #[test]
    fn no_content_is_read_before_it_is_asked_for() {
        let (dir, tree) = tree(&["a.py"]);
        fs::write(dir.path().join("a.py"), b"later").unwrap();
        assert_eq!(tree.size("a.py").unwrap(), 5);
        assert_eq!(tree.read("a.py").unwrap().as_ref(), b"later");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_name_that_is_not_utf8_cannot_be_read() {
        use std::os::unix::ffi::OsStrExt;
        let dir = tempfile::tempdir().unwrap();
        let name = std::ffi::OsStr::from_bytes(b"bad\xff.py");
        fs::write(dir.path().join(name), b"x").unwrap();
        fs::write(dir.path().join("ok\u{FFFD}.py"), b"x").unwrap();
        let tree = AppTree::from_dir(dir.path(), &[]).unwrap();
        assert!(matches!(
            tree.read("bad\u{FFFD}.py"),
            Err(TreeError::NotUtf8 { .. })
        ));
        assert!(tree.read("ok\u{FFFD}.py").is_ok());
    }

    #[test]
    fn a_file_is_not_an_app() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(
            AppTree::from_dir(file.path(), &[]),
            Err(TreeError::NotADirectory { .. })
        ));
    }
}
