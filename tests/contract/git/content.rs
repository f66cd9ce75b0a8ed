//! What is in a tree: subdirectories, links, submodules, LFS, and trees that git would not write.

use std::io::Write as _;
use std::process::{Command, Stdio};

use terraform_provider_flower::flower::app_source::git::{GitError, Limit};

use super::repository::{Reader, Repository, git, paths};

fn local(repository: &Repository) -> Reader {
    Reader::new(repository.bare().to_str().unwrap())
}

#[test]
fn a_subdirectory_is_the_root_of_the_app() {
    let repository = Repository::new();
    let reader = local(&repository);
    let (_, contents) = reader.fetch_below(None, "./apps/x/").unwrap();
    assert_eq!(paths(&contents), ["pyproject.toml"]);
    for bad in ["/apps", "../x", "apps/../..", "a\nb"] {
        assert!(
            matches!(
                reader.fetch_below(None, bad),
                Err(GitError::BadSubdirectory { .. })
            ),
            "{bad}"
        );
    }
    for absent in ["app/b", "app/a.py", "apps/y"] {
        let error = reader.fetch_below(None, absent).unwrap_err();
        assert!(error.remedy().contains("apps/x"), "{error:?}");
    }
}

#[test]
fn links_are_remembered_and_not_followed() {
    let repository = Repository::new();
    std::os::unix::fs::symlink("/etc/passwd", repository.work.join("app/link")).unwrap();
    std::os::unix::fs::symlink("apps", repository.work.join("folder")).unwrap();
    repository.commit(&[]);
    let reader = local(&repository);
    let (_, contents) = reader.fetch(None).unwrap();
    assert!(!contents.files.contains_key("app/link"));
    assert!(contents.links.contains("app/link") && contents.links.contains("folder"));
    assert!(matches!(
        reader.fetch_below(None, "folder/x"),
        Err(GitError::BadSubdirectory { .. })
    ));
}

#[test]
fn submodules_matter_only_below_the_subdirectory() {
    let repository = Repository::new();
    let other = Repository::new();
    git(
        &repository.work,
        &[
            "submodule",
            "add",
            "-q",
            other.bare().to_str().unwrap(),
            "lib/sub",
        ],
    );
    repository.commit(&[]);
    let reader = local(&repository);
    let error = reader.fetch(None).unwrap_err();
    assert!(
        matches!(&error, GitError::Submodule { paths, .. } if paths == &["lib/sub"]),
        "{error:?}"
    );
    assert!(matches!(
        reader.fetch_below(None, "lib/sub"),
        Err(GitError::Submodule { .. })
    ));
    assert!(reader.fetch_below(None, "apps/x").is_ok());
}

#[test]
fn lfs_pointers_are_named() {
    let repository = Repository::new();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    repository.commit(&[("app/model.bin", pointer)]);
    let error = local(&repository).fetch(None).unwrap_err();
    assert!(
        matches!(&error, GitError::Lfs { path, .. } if path == "app/model.bin"),
        "{error:?}"
    );
}

/// Writes an object that git itself would refuse.
fn object(repository: &Repository, kind: &str, content: &[u8]) -> String {
    let mut child = Command::new("git")
        .args(["hash-object", "-t", kind, "--literally", "-w", "--stdin"])
        .current_dir(repository.bare())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(content).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn tree(repository: &Repository, entries: &[(&str, &[u8], &str)]) -> String {
    let mut content = Vec::new();
    for (mode, name, id) in entries {
        content.extend_from_slice(mode.as_bytes());
        content.push(b' ');
        content.extend_from_slice(name);
        content.push(0);
        let byte = |at: usize| u8::from_str_radix(&id[at..at + 2], 16).unwrap();
        content.extend((0..40).step_by(2).map(byte));
    }
    object(repository, "tree", &content)
}

fn branch(repository: &Repository, tree: &str) {
    let commit = format!("tree {tree}\nauthor a <a@b> 0 +0000\ncommitter a <a@b> 0 +0000\n\nx\n");
    let commit = object(repository, "commit", commit.as_bytes());
    git(
        &repository.bare(),
        &["update-ref", "refs/heads/hostile", &commit],
    );
}

#[test]
fn hostile_trees_are_refused() {
    let repository = Repository::new();
    let blob = object(&repository, "blob", b"x");
    let reader = local(&repository);
    for names in [
        [&b".."[..], b"a"],
        [b"a/b", b"c"],
        [b"a", b"a"],
        [b".", b"b"],
    ] {
        let tree = tree(
            &repository,
            &names.map(|name| ("100644", name, blob.as_str())),
        );
        branch(&repository, &tree);
        let error = reader.fetch(Some("hostile")).unwrap_err();
        assert!(
            matches!(error, GitError::BadPath { .. } | GitError::Protocol { .. }),
            "{error:?}"
        );
    }
    let odd = tree(
        &repository,
        &[("100644", b"\xff\xfe", &blob), ("100644", b"ok", &blob)],
    );
    branch(&repository, &odd);
    let (_, contents) = reader.fetch(Some("hostile")).unwrap();
    assert_eq!(
        (paths(&contents), contents.unnameable.len()),
        (vec!["ok"], 1)
    );
}

#[test]
fn trees_that_multiply_end_at_a_limit() {
    let repository = Repository::new();
    let blob = object(&repository, "blob", &[b'x'; 1000]);
    let reader = local(&repository);
    let mut bomb = tree(&repository, &[("100644", b"f", &blob)]);
    for _ in 0..12 {
        let entries: Vec<Vec<u8>> = (0..10).map(|n| format!("d{n}").into_bytes()).collect();
        let entries: Vec<_> = entries
            .iter()
            .map(|name| ("40000", name.as_slice(), bomb.as_str()))
            .collect();
        bomb = tree(&repository, &entries);
    }
    branch(&repository, &bomb);
    let error = reader.fetch(Some("hostile")).unwrap_err();
    assert!(
        matches!(
            error,
            GitError::TooLarge {
                limit: Limit::Files(20_000),
                ..
            }
        ),
        "{error:?}"
    );
    let mut deep = tree(&repository, &[("100644", b"f", &blob)]);
    for _ in 0..200 {
        deep = tree(&repository, &[("40000", b"d", &deep)]);
    }
    branch(&repository, &deep);
    let error = reader.fetch(Some("hostile")).unwrap_err();
    assert!(
        matches!(
            error,
            GitError::TooLarge {
                limit: Limit::Depth(_),
                ..
            }
        ),
        "{error:?}"
    );
}
