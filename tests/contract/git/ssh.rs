//! Over SSH, with the `ssh` program and a real sshd.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use terraform_provider_flower::flower::app_source::git::{GitError, GitLogin};

use super::repository::{Reader, Repository, file_map};
use super::ssh_server::SshServer;

fn reader(server: &SshServer, repository: &Repository) -> Reader {
    let mut reader = Reader::new(&server.url(&repository.bare()));
    reader.access.ssh.key_file = Some(server.file("client"));
    reader.access.ssh.known_hosts = Some(server.file("known"));
    reader
}

/// The `ssh` processes that connect to this server.
fn clients(server: &SshServer) -> usize {
    let port = format!("-p\0{}\0", server.port);
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let commands = processes
        .filter_map(|process| std::fs::read_to_string(process.path().join("cmdline")).ok());
    commands.filter(|command| command.contains(&port)).count()
}

#[test]
fn names_and_commits_are_resolved_and_fetched() {
    let (server, repository) = (SshServer::start(), Repository::new());
    let reader = reader(&server, &repository);
    assert_eq!(
        reader.resolve(Some("v1")).unwrap().id.to_string(),
        repository.id("v1")
    );
    assert_eq!(reader.project(Some("dev")), "two\r\n");
    assert_eq!(
        reader.fetch(None).unwrap().1.files,
        file_map(&repository.work)
    );
    repository.commit(&[("pyproject.toml", "four")]);
    assert_eq!(reader.project(Some(&repository.id("main~1"))), "three");
    let absent = "0123456789abcdef0123456789abcdef01234567";
    assert!(matches!(
        reader.fetch(Some(absent)),
        Err(GitError::CommitNotFound { .. })
    ));
    assert!(matches!(
        reader.resolve(Some("v2")),
        Err(GitError::RefNotFound { .. })
    ));
    assert_eq!(clients(&server), 0);
}

#[test]
fn paths_are_quoted_for_the_shell_of_the_server() {
    let (server, repository) = (SshServer::start(), Repository::new());
    let odd = repository.folder.path().join("it's; touch $(x) `y` !z.git");
    std::fs::rename(repository.bare(), &odd).unwrap();
    let mut reader = reader(&server, &repository);
    reader.url = server.url(&odd);
    assert_eq!(reader.project(None), "three");
}

#[test]
fn keys_and_host_keys_are_checked() {
    let (server, repository) = (SshServer::start(), Repository::new());
    let mut reader = reader(&server, &repository);
    reader.access.ssh.key_file = Some(server.file("stranger"));
    let error = reader.fetch(None).unwrap_err();
    assert!(
        matches!(&error, GitError::LoginRefused { cause, .. } if cause.contains("publickey")),
        "{error:?}"
    );
    reader.access.ssh.known_hosts = Some(server.file("empty"));
    let error = reader.fetch(None).unwrap_err();
    let host = format!("[127.0.0.1]:{}", server.port);
    assert!(
        matches!(&error, GitError::HostKeyUnknown { host: named, .. } if *named == host),
        "{error:?}"
    );
    let command = format!("`ssh-keyscan -p {} 127.0.0.1`", server.port);
    assert!(error.remedy().contains(&command), "{}", error.remedy());
    assert_eq!(std::fs::read_to_string(server.file("empty")).unwrap(), "");
    reader.access.ssh.known_hosts = Some(server.file("changed"));
    let error = reader.fetch(None).unwrap_err();
    assert!(
        matches!(&error, GitError::HostKeyChanged { cause, .. } if !cause.contains('@')),
        "{error:?}"
    );
    reader.access.ssh.known_hosts = Some(server.file("absent"));
    assert!(matches!(reader.fetch(None), Err(GitError::File { .. })));
    assert_eq!(clients(&server), 0);
}

#[test]
fn servers_without_the_repository_or_without_answer() {
    let (server, repository) = (SshServer::start(), Repository::new());
    let mut reader = reader(&server, &repository);
    reader.url = server.url(&repository.folder.path().join("absent.git"));
    assert!(matches!(
        reader.fetch(None),
        Err(GitError::RepositoryNotFound { .. })
    ));
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    reader.url = format!("ssh://127.0.0.1:{port}/x");
    let error = reader.fetch(None).unwrap_err();
    assert!(
        matches!(&error, GitError::Connection { cause, .. } if cause.contains("refused")),
        "{error:?}"
    );
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    reader.url = format!("ssh://127.0.0.1:{}/x", silent.local_addr().unwrap().port());
    reader.limits.silence = Duration::from_millis(300);
    assert!(matches!(reader.fetch(None), Err(GitError::Timeout { .. })));
    reader.access.login = Some(GitLogin::new("me", "password").unwrap());
    assert!(matches!(
        reader.fetch(None),
        Err(GitError::Credentials { .. })
    ));
}

#[test]
fn the_program_ends_when_the_operation_is_cancelled_or_killed() {
    let (server, repository) = (SshServer::start(), Repository::new());
    let slow = repository.folder.path().join("slow.sh");
    std::fs::write(&slow, "#!/bin/sh\nexec cat > /dev/null\n").unwrap();
    std::fs::set_permissions(&slow, std::fs::Permissions::from_mode(0o755)).unwrap();
    let key = std::fs::read_to_string(server.file("client.pub")).unwrap();
    std::fs::write(
        server.file("authorized"),
        format!("command=\"{}\" {key}", slow.display()),
    )
    .unwrap();
    let reader = reader(&server, &repository);
    let cancel = reader.cancel.clone();
    let begun = Instant::now();
    let fetching = std::thread::spawn(move || (reader.fetch(None).unwrap_err(), reader));
    wait_for(|| clients(&server) == 1);
    cancel.cancel();
    let (error, _reader) = fetching.join().unwrap();
    assert!(matches!(error, GitError::Cancelled { .. }), "{error:?}");
    assert_eq!(clients(&server), 0);
    assert!(begun.elapsed() < Duration::from_secs(10));

    let mut child = program(&server, &repository).spawn().unwrap();
    wait_for(|| clients(&server) == 1);
    child.kill().unwrap();
    child.wait().unwrap();
    wait_for(|| clients(&server) == 0);
}

fn wait_for(condition: impl Fn() -> bool) {
    for _ in 0..200 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("it does not happen");
}

/// Our binary, with an `ssh` that reads another configuration than the user's.
fn program(server: &SshServer, repository: &Repository) -> Command {
    let config = format!(
        "Host work\n  HostName 127.0.0.1\n  Port {}\n  IdentityFile {}\n  UserKnownHostsFile {}\n",
        server.port,
        server.file("client").display(),
        server.file("known").display(),
    );
    std::fs::write(server.file("ssh_config"), config).unwrap();
    let script = format!(
        "#!/bin/sh\nexec /usr/bin/ssh -F {} -p {} \"$@\"\n",
        server.file("ssh_config").display(),
        server.port,
    );
    let folder = server.file("bin");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("ssh"), script).unwrap();
    std::fs::set_permissions(folder.join("ssh"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(super::program());
    command.arg(format!("work:{}", repository.bare().display()));
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    command
        .env("PATH", path)
        .env("TMPDIR", server.folder.path());
    command
}

#[test]
fn hosts_of_the_users_configuration_work() {
    let (server, repository) = (SshServer::start(), Repository::new());
    let output = program(&server, &repository).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.starts_with(&repository.id("main")), "{printed}");
    let output = program(&server, &repository)
        .env("PATH", "/nonexistent")
        .output()
        .unwrap();
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("`ssh` cannot be started")
    );
}
