//! HTTP servers that redirect, fail, lie or are silent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use terraform_provider_flower::flower::app_source::git::{GitError, GitLogin, Limit};

use super::repository::{CANARY, Reader, Repository, git};
use super::server::{Answer, Server, login, redirect, text};

const REFS: &str = "/app.git/info/refs?service=git-upload-pack";

fn failing(answer: impl Fn() -> Answer + Send + Sync + 'static) -> GitError {
    let repository = Repository::new();
    let server = Server::start(repository.folder.path(), move |_| answer());
    let mut reader = Reader::new(&server.url());
    reader.access.login = Some(GitLogin::new("me", CANARY).unwrap());
    reader.fetch(None).unwrap_err()
}

#[test]
fn credentials_never_follow_a_redirect_to_another_server() {
    let repository = Repository::new();
    let open = Server::start(repository.folder.path(), |_| Answer::Git);
    let other = Server::with_login(repository.folder.path(), CANARY);
    for (target, ends_well) in [(&open, true), (&other, false)] {
        let to = format!("http://{}{REFS}", target.address);
        let first = Server::start(repository.folder.path(), move |_| redirect(&to));
        let mut reader = Reader::new(&first.url());
        reader.access.login = Some(GitLogin::new("me", CANARY).unwrap());
        match reader.fetch(None) {
            Ok((commit, _)) if ends_well => {
                assert_eq!(commit.id.to_string(), repository.id("main"));
            }
            Err(GitError::Redirect { .. }) if !ends_well => {}
            other => panic!("{other:?}"),
        }
        assert!(first.saw("authorization") && !target.saw("authorization"));
        assert!(target.saw("user-agent"));
    }
}

#[test]
fn a_redirect_on_the_same_server_keeps_the_credentials() {
    let repository = Repository::new();
    let server = Server::start(repository.folder.path(), {
        let login = login(CANARY);
        move |request| {
            if request.target.starts_with("/old") {
                redirect(REFS)
            } else {
                login(request)
            }
        }
    });
    let mut reader = Reader::new(&format!("http://{}/old", server.address));
    reader.access.login = Some(GitLogin::new("me", CANARY).unwrap());
    assert_eq!(reader.project(None), "three");
}

#[test]
fn other_redirects_are_refused() {
    for to in [
        "/users/sign_in".to_owned(),
        format!("https://me:{CANARY}@127.0.0.1{REFS}"),
        format!("/login?token={CANARY}"),
        REFS.to_owned(),
        String::new(),
    ] {
        let error = failing(move || redirect(&to));
        assert!(matches!(error, GitError::Redirect { .. }), "{error:?}");
    }
    let repository = Repository::new();
    let server = Server::start(repository.folder.path(), |request| {
        match request.method.as_str() {
            "POST" => redirect("/other.git/git-upload-pack"),
            _ => Answer::Git,
        }
    });
    assert!(matches!(
        Reader::new(&server.url()).fetch(None),
        Err(GitError::Redirect { .. })
    ));
}

#[test]
fn answers_that_are_not_gits_say_what_they_are() {
    let html = failing(|| text("200 OK", "text/html; charset=utf-8", "<html>hello"));
    assert!(matches!(&html, GitError::NotAGitServer { detail, .. } if detail.contains("web page")));
    let plain = failing(|| text("200 OK", "text/plain", "abc\trefs/heads/main\n"));
    assert!(matches!(&plain, GitError::NotAGitServer { detail, .. } if detail.contains("files")));
    let not_http = failing(|| Answer::Text("SSH-2.0-OpenSSH\r\n\r\n".to_owned()));
    assert!(
        matches!(not_http, GitError::NotAGitServer { .. }),
        "{not_http:?}"
    );
    assert!(matches!(
        failing(|| text("404 Not Found", "text/html", "")),
        GitError::RepositoryNotFound { .. }
    ));
    assert!(matches!(
        failing(|| text("403 Forbidden", "text/html", CANARY)),
        GitError::LoginRefused { .. }
    ));
    assert!(matches!(
        failing(|| text("502 Bad Gateway", "text/html", "")),
        GitError::Status { status: 502, .. }
    ));
    let kind = "application/x-git-upload-pack-advertisement";
    let garbage = failing(move || text("200 OK", kind, "zzzz not a packet"));
    assert!(matches!(garbage, GitError::Protocol { .. }), "{garbage:?}");
    let cut = failing(move || {
        Answer::Text(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: 1000\r\n\r\n001e"
        ))
    });
    assert!(matches!(cut, GitError::Connection { .. }), "{cut:?}");
    let echo = format!("0040ERR hello {CANARY} and more\n");
    let said = failing(move || text("200 OK", kind, &echo));
    assert!(
        matches!(&said, GitError::Protocol { cause, .. } if cause.contains("***")),
        "{said:?}"
    );
}

#[test]
fn silence_and_cancelling_end_an_operation() {
    let repository = Repository::new();
    let server = Server::start(repository.folder.path(), |request| {
        match request.method.as_str() {
            "POST" => Answer::Never,
            _ => Answer::Git,
        }
    });
    let mut reader = Reader::new(&server.url());
    reader.limits.silence = Duration::from_millis(300);
    let begun = Instant::now();
    assert!(matches!(reader.fetch(None), Err(GitError::Timeout { .. })));
    reader.limits.silence = Duration::from_secs(30);
    reader.limits.total = Duration::from_millis(300);
    assert!(matches!(reader.fetch(None), Err(GitError::Timeout { .. })));
    reader.limits.total = Duration::from_secs(30);
    let cancel = reader.cancel.clone();
    let cancelling = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        cancel.cancel();
    });
    assert!(matches!(
        reader.fetch(None),
        Err(GitError::Cancelled { .. })
    ));
    cancelling.join().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn nobody_listens() {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let error = Reader::new(&format!("http://127.0.0.1:{port}/x"))
        .resolve(None)
        .unwrap_err();
    assert!(
        matches!(&error, GitError::Connection { cause, .. } if cause.contains("refused")),
        "{error:?}"
    );
    let error = Reader::new("http://no-such-host.invalid/x")
        .resolve(None)
        .unwrap_err();
    assert!(matches!(error, GitError::Connection { .. }), "{error:?}");
    let mut reader = Reader::new("http://git.example.org/x");
    reader.access.login = Some(GitLogin::new("me", CANARY).unwrap());
    assert!(matches!(
        reader.resolve(None),
        Err(GitError::NotEncrypted { .. })
    ));
}

#[test]
fn limits_hold_while_a_pack_comes() {
    let repository = Repository::new();
    let mut state = 1_u64;
    let noise: String = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        format!("{state:016x}")
    })
    .take(20_000)
    .collect();
    repository.commit(&[("noise", &noise)]);
    let server = Server::start(repository.folder.path(), |_| Answer::Git);
    let mut reader = Reader::new(&server.url());
    let limit = |reader: &Reader| match reader.fetch(None) {
        Err(GitError::TooLarge { limit, .. }) => limit,
        other => panic!("{other:?}"),
    };
    reader.limits.received = 20_000;
    assert_eq!(limit(&reader), Limit::Received(20_000));
    reader.limits.received = 1 << 30;
    reader.limits.objects = 3;
    assert_eq!(limit(&reader), Limit::Objects(3));
    reader.limits.objects = 1000;
    reader.limits.bytes = 100_000;
    assert_eq!(limit(&reader), Limit::Bytes(100_000));
    reader.limits.bytes = 1 << 30;
    reader.limits.files = 3;
    assert_eq!(limit(&reader), Limit::Files(3));
}

#[test]
fn a_branch_that_moves_meanwhile_is_read_again() {
    let repository = Repository::new();
    let (folder, work) = (repository.folder.path().to_owned(), repository.work.clone());
    let moved = std::sync::Once::new();
    let server = Server::start(&folder, move |request| {
        if request.method == "POST" {
            moved.call_once(|| {
                git(&work, &["commit", "-q", "--amend", "-m", "moved"]);
                git(&work, &["push", "-q", "--mirror", "../app.git"]);
            });
        }
        Answer::Git
    });
    let (commit, _) = Reader::new(&server.url()).fetch(None).unwrap();
    assert_eq!(commit.id.to_string(), repository.id("main"));
}

#[test]
fn the_folder_of_a_killed_process_is_removed_by_the_next() {
    let repository = Repository::new();
    let hangs = Arc::new(AtomicBool::new(true));
    let waits = Arc::new(AtomicBool::new(false));
    let server = Server::start(repository.folder.path(), {
        let (hangs, waits) = (hangs.clone(), waits.clone());
        move |request| match request.method.as_str() {
            "POST" if hangs.load(Ordering::SeqCst) => {
                waits.store(true, Ordering::SeqCst);
                Answer::Never
            }
            _ => Answer::Git,
        }
    });
    let temporary = tempfile::tempdir().unwrap();
    let base = temporary.path().join("git-read-scratch");
    let mut command = std::process::Command::new(super::program());
    command
        .arg(server.url())
        .env("TMPDIR", temporary.path())
        .stdout(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    // It has its folder, and waits for the pack.
    while !waits.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(std::fs::read_dir(&base).unwrap().next().is_some());
    // A process that lives keeps its folder.
    hangs.store(false, Ordering::SeqCst);
    assert!(command.status().unwrap().success() && base.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(base.exists());
    assert!(command.status().unwrap().success() && !base.exists());
}
