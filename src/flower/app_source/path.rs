//! An app in a directory of this machine.
//!
//! The walk takes what `flwr build` would look at: regular files, never through a symbolic link.
//! Directories whose content no rule could ship are not entered, for they are often larger than everything else.

use std::fs::{self, FileType};
use std::io::ErrorKind;
use std::path::Path;

use tracing::warn;

use super::{AppTree, Content, TreeError, read_error};

/// Walks a directory. Names only: no content is read.
pub(super) fn walk(root: &Path) -> Result<AppTree, TreeError> {
    // Only the root may be a link: Flower resolves it too.
    let meta = fs::metadata(root).map_err(|source| read_error(root, source))?;
    if !meta.is_dir() {
        return Err(TreeError::NotADirectory {
            path: root.to_owned(),
        });
    }
    let mut tree = AppTree::default();
    let mut pending = vec![(root.to_owned(), String::new(), false)];
    while let Some((directory, prefix, unnameable_prefix)) = pending.pop() {
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            // Like Flower: what cannot be listed below the root does not ship.
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
                if !never_ships(&relative) {
                    let unnameable = unnameable_prefix || name.to_str().is_none();
                    pending.push((path, format!("{relative}/"), unnameable));
                }
            } else if kind.is_symlink() {
                tree.links.insert(relative);
            } else if shippable(kind) {
                // Judged by the names below the root: where the app lies is not its business.
                let named = name.to_str().is_some() && !unnameable_prefix;
                let content = if named {
                    Content::File(path)
                } else {
                    Content::Unnameable
                };
                tree.files.insert(relative, content);
            }
        }
    }
    Ok(tree)
}

/// A pipe or socket has no content that could ship, and reading one could block for ever.
fn shippable(kind: FileType) -> bool {
    kind.is_file()
}

fn tolerable(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::PermissionDenied | ErrorKind::NotFound)
}

/// Flower's own rules exclude all of these but `.git`, whose refs it takes for source when a branch is named `x.py`.
fn never_ships(directory: &str) -> bool {
    let name = directory.rsplit('/').next().unwrap_or(directory);
    matches!(directory, ".flwr" | ".venv") || matches!(name, "__pycache__" | ".git")
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
        let tree = AppTree::from_dir(dir.path()).unwrap();
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

    #[cfg(unix)]
    #[test]
    fn links_are_left_out_and_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().join("real");
        fs::create_dir(&real).unwrap();
        fs::write(real.join("a.py"), b"x").unwrap();
        std::os::unix::fs::symlink(real.join("a.py"), dir.path().join("b.py")).unwrap();
        std::os::unix::fs::symlink(&real, dir.path().join("linked")).unwrap();
        let tree = AppTree::from_dir(dir.path()).unwrap();
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
        let tree = AppTree::from_dir(dir.path()).unwrap();
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
            AppTree::from_dir(file.path()),
            Err(TreeError::NotADirectory { .. })
        ));
    }
}
