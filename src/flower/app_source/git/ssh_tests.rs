use std::path::PathBuf;

use super::super::url::GitUrl;
use super::*;

fn all(url: &str, access: &SshAccess) -> Vec<String> {
    let Ok(GitUrl::Ssh(url)) = GitUrl::parse(url) else {
        panic!("{url}")
    };
    let arguments = arguments(&url, access, Duration::from_secs(10));
    arguments
        .into_iter()
        .map(|argument| argument.into_string().unwrap())
        .collect()
}

#[test]
fn host_and_path_come_last_and_quoted() {
    let ends = |url: &str, expected: &[&str]| {
        let arguments = all(url, &SshAccess::default());
        assert!(
            arguments
                .iter()
                .map(String::as_str)
                .rev()
                .zip(expected.iter().rev().copied())
                .all(|(a, b)| a == b),
            "{arguments:?}"
        );
    };
    ends(
        "git@h:a/b.git",
        &["-l", "git", "--", "h", "git-upload-pack 'a/b.git'"],
    );
    ends(
        "ssh://h:22/a%27;id",
        &["-p", "22", "--", "h", r"git-upload-pack '/a'\'';id'"],
    );
    ends(
        "h:a b!$(id)`id`",
        &["--", "h", r"git-upload-pack 'a b'\!'$(id)`id`'"],
    );
    ends("ssh://[::1]/~/x", &["--", "::1", "git-upload-pack '~/x'"]);
}

#[test]
fn nothing_is_asked_and_nothing_is_trusted_anew() {
    let arguments = all("h:x", &SshAccess::default());
    for option in [
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "ControlMaster=no",
    ] {
        assert!(
            arguments.iter().any(|argument| argument == option),
            "{option}"
        );
    }
    assert!(
        !arguments
            .iter()
            .any(|argument| argument.starts_with("Identit"))
    );
}

#[test]
fn files_replace_those_of_the_user() {
    let access = SshAccess {
        key_file: Some(PathBuf::from("/a b/100%/key")),
        known_hosts: Some(PathBuf::from("/k")),
    };
    let arguments = all("h:x", &access);
    for option in [
        "IdentityFile=\"/a b/100%%/key\"",
        "IdentitiesOnly=yes",
        "UserKnownHostsFile=\"/k\"",
        "GlobalKnownHostsFile=/dev/null",
    ] {
        assert!(
            arguments.iter().any(|argument| argument == option),
            "{option}"
        );
    }
}
