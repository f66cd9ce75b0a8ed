//! Repositories on this machine.

use std::process::Command;

use terraform_provider_flower::flower::app_source::git::GitError;

use super::repository::{Reader, Repository, file_map, git};

#[test]
fn bare_repositories_and_working_directories_are_read_in_place() {
    let repository = Repository::new();
    std::fs::write(repository.work.join("pyproject.toml"), "not committed").unwrap();
    for url in [
        repository.work.to_str().unwrap().to_owned(),
        repository.bare().to_str().unwrap().to_owned(),
        format!("file://{}", repository.bare().display()),
    ] {
        let reader = Reader::new(&url);
        assert_eq!(reader.project(None), "three");
        assert_eq!(reader.project(Some("v1")), "one");
        assert_eq!(reader.project(Some(&repository.id("dev"))), "two\r\n");
        assert_eq!(
            reader.resolve(Some("v1")).unwrap().id.to_string(),
            repository.id("v1")
        );
    }
    git(&repository.work, &["checkout", "-q", "-f", "dev"]);
    let reader = Reader::new(repository.bare().to_str().unwrap());
    assert_eq!(
        reader.fetch(Some("dev")).unwrap().1.files,
        file_map(&repository.work)
    );
}

#[test]
fn what_is_not_there_is_named() {
    let repository = Repository::new();
    let reader = Reader::new(repository.bare().to_str().unwrap());
    let absent = "0123456789abcdef0123456789abcdef01234567";
    assert!(matches!(
        reader.resolve(Some(absent)),
        Err(GitError::CommitNotFound { .. })
    ));
    assert!(matches!(
        reader.fetch(Some("v2")),
        Err(GitError::RefNotFound { .. })
    ));
    git(&repository.bare(), &["tag", "file", "main:pyproject.toml"]);
    assert!(matches!(
        reader.fetch(Some("file")),
        Err(GitError::NotACommit { .. })
    ));
    let empty = tempfile::tempdir().unwrap();
    let reader = Reader::new(empty.path().to_str().unwrap());
    assert!(matches!(
        reader.fetch(None),
        Err(GitError::RepositoryNotFound { .. })
    ));
    git(empty.path(), &["init", "-q"]);
    assert!(matches!(reader.fetch(None), Err(GitError::Empty { .. })));
}

#[test]
fn a_repository_of_another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let repository = Repository::new();
    let changed = Command::new("chown")
        .args(["-R", "nobody"])
        .arg(repository.bare())
        .status();
    assert!(changed.unwrap().success());
    let reader = Reader::new(repository.bare().to_str().unwrap());
    assert!(matches!(
        reader.fetch(None),
        Err(GitError::ForeignOwner { .. })
    ));
}

#[test]
fn settings_hooks_and_filters_do_not_run() {
    let repository = Repository::new();
    let touched = repository.folder.path().join("touched");
    let touch = format!("touch {}", touched.display());
    for (key, value) in [
        ("core.fsmonitor", touch.as_str()),
        ("filter.x.smudge", touch.as_str()),
        ("core.sshCommand", touch.as_str()),
        ("core.autocrlf", "true"),
        ("credential.helper", &format!("!{touch}")),
        ("url.https://elsewhere/.insteadOf", "/"),
    ] {
        git(&repository.work, &["config", key, value]);
    }
    std::fs::write(
        repository.work.join(".git/hooks/post-checkout"),
        format!("#!/bin/sh\n{touch}\n"),
    )
    .unwrap();
    std::fs::write(repository.work.join(".git/info/attributes"), "* filter=x\n").unwrap();
    let reader = Reader::new(repository.work.to_str().unwrap());
    assert_eq!(reader.project(Some("dev")), "two\r\n");
    assert!(!touched.exists());
}
