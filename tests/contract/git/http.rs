//! Over HTTP and HTTPS: names, commits, logins, authorities and proxies.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use terraform_provider_flower::flower::app_source::git::{GitError, GitLogin};
use terraform_provider_flower::flower::tls::TlsReason;

use super::repository::{CANARY, Reader, Repository, file_map, git};
use super::server::{Answer, Server, login};

fn login_of(password: &str) -> Option<GitLogin> {
    Some(GitLogin::new("me", password).unwrap())
}

#[test]
fn names_and_commits_are_resolved_and_fetched() {
    let repository = Repository::new();
    let server = Server::start(repository.folder.path(), |_| Answer::Git);
    let reader = Reader::new(&server.url());
    for (name, full, content) in [
        (None, "refs/heads/main", "three"),
        (Some("dev"), "refs/heads/dev", "two\r\n"),
        (Some("light"), "refs/tags/light", "one"),
        (Some("v1"), "refs/tags/v1", "one"),
        (Some("refs/tags/v1"), "refs/tags/v1", "one"),
    ] {
        let resolved = reader.resolve(name).unwrap();
        assert_eq!(resolved.id.to_string(), repository.id(full), "{name:?}");
        assert_eq!(resolved.reference.as_deref(), Some(full));
        let (commit, _) = reader.fetch(name).unwrap();
        assert_eq!((commit, reader.project(name).as_str()), (resolved, content));
    }
    let (_, contents) = reader.fetch(None).unwrap();
    assert_eq!(contents.files, file_map(&repository.work));
    let error = reader.resolve(Some("mian")).unwrap_err();
    assert!(error.remedy().contains("main"), "{}", error.remedy());
    let error = reader
        .resolve(Some(&repository.id("v1")[..10]))
        .unwrap_err();
    assert!(error.remedy().contains("40"), "{}", error.remedy());
}

#[test]
fn a_commit_that_no_ref_names_is_fetched_by_its_id_or_with_the_history() {
    let repository = Repository::new();
    repository.commit(&[("pyproject.toml", "four")]);
    let hidden = repository.id("main~1");
    let server = Server::start(repository.folder.path(), |_| Answer::Git);
    let reader = Reader::new(&server.url());
    let posts = || {
        let requests = server.requests.lock().unwrap();
        let posts = requests.iter().filter(|request| request.method == "POST");
        let all: Vec<u8> = posts.flat_map(|request| request.body.clone()).collect();
        String::from_utf8(all).unwrap()
    };
    // By default, a server sends only what it lists.
    assert_eq!(reader.project(Some(&hidden)), "three");
    assert!(posts().contains("want") && !posts().contains("deepen"));
    let (commit, _) = reader.fetch(Some(&hidden)).unwrap();
    assert_eq!(
        (commit.id.to_string(), commit.reference),
        (hidden.clone(), None)
    );

    git(
        &repository.bare(),
        &["config", "uploadpack.allowReachableSHA1InWant", "true"],
    );
    server.requests.lock().unwrap().clear();
    assert_eq!(reader.project(Some(&hidden)), "three");
    assert!(posts().contains(&format!("want {hidden}")) && posts().contains("deepen 1"));

    server.requests.lock().unwrap().clear();
    assert_eq!(reader.project(Some(&repository.id("dev"))), "two\r\n");
    assert!(posts().contains("deepen 1"));

    let absent = "0123456789abcdef0123456789abcdef01234567";
    server.requests.lock().unwrap().clear();
    assert!(matches!(
        reader.fetch(Some(absent)),
        Err(GitError::CommitNotFound { .. })
    ));
    assert!(
        posts().contains("deepen 1"),
        "no history is fetched from a server that knows the commit is not there"
    );
    git(
        &repository.bare(),
        &["config", "--unset", "uploadpack.allowReachableSHA1InWant"],
    );
    assert!(matches!(
        reader.fetch(Some(absent)),
        Err(GitError::CommitNotFound { .. })
    ));
    assert_eq!(reader.resolve(Some(absent)).unwrap().id.to_string(), absent);
}

#[test]
fn a_login_is_needed_right_and_seen_nowhere_else() {
    let repository = Repository::new();
    let server = Server::start(repository.folder.path(), {
        let login = login(CANARY);
        move |request| {
            assert_eq!(processes_with(CANARY), Vec::<String>::new());
            login(request)
        }
    });
    let mut reader = Reader::new(&server.url());
    assert!(matches!(
        reader.resolve(None),
        Err(GitError::LoginNeeded { .. })
    ));
    assert!(!server.saw("authorization"));
    reader.access.login = login_of("wrong");
    assert!(matches!(
        reader.fetch(None),
        Err(GitError::LoginRefused { .. })
    ));
    reader.access.login = login_of(CANARY);
    assert_eq!(reader.project(None), "three");
    assert!(!format!("{:?} {:?}", reader.access, reader.fetch(None)).contains("hunter2"));
    let error = Reader {
        url: format!("http://me:{CANARY}@{}/app.git", server.address),
        ..reader
    }
    .resolve(None);
    assert!(matches!(error, Err(GitError::Url { .. })));
}

/// The processes whose arguments or environment contain a text.
pub fn processes_with(text: &str) -> Vec<String> {
    let found = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|process| {
            ["cmdline", "environ"].iter().any(|file| {
                let bytes = std::fs::read(process.path().join(file)).unwrap_or_default();
                bytes
                    .windows(text.len())
                    .any(|part| part == text.as_bytes())
            })
        });
    found
        .map(|process| process.file_name().to_string_lossy().into_owned())
        .collect()
}

struct Tls {
    config: Arc<rustls::ServerConfig>,
    der: rustls::pki_types::CertificateDer<'static>,
    pem: String,
}

fn tls(name: &str) -> Tls {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            key.serialize_der().try_into().unwrap(),
        )
        .unwrap();
    Tls {
        config: Arc::new(config),
        der: authority.der().clone(),
        pem: authority.pem(),
    }
}

#[test]
fn https_needs_an_authority_and_the_right_name() {
    let repository = Repository::new();
    let right = tls("127.0.0.1");
    let server = Server::with_tls(repository.folder.path(), Some(right.config), login(CANARY));
    let mut reader = Reader::new(&server.url().replace("http:", "https:"));
    reader.access.login = login_of(CANARY);
    let reason = |reader: &Reader| match reader.fetch(None) {
        Err(GitError::Tls { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(reason(&reader), TlsReason::WrongAuthority);
    assert!(!server.saw("authorization"));
    reader.access.authorities = vec![right.der.clone()];
    assert_eq!(reader.project(None), "three");
    reader.url = reader.url.replace("127.0.0.1", "localhost");
    assert!(matches!(reason(&reader), TlsReason::NameMismatch { .. }));

    let plain = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    reader.url = format!("https://{}/x", plain.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = plain.accept().unwrap();
        std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        let _ = std::io::Read::read_to_end(&mut stream, &mut Vec::new());
    });
    assert_eq!(reason(&reader), TlsReason::NotTls);
}

#[test]
fn proxies_and_authorities_come_from_the_environment() {
    let repository = Repository::new();
    let right = tls("127.0.0.1");
    let server = Server::with_tls(repository.folder.path(), Some(right.config), |_| {
        Answer::Git
    });
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = proxy.local_addr().unwrap();
    let target = server.address;
    let lines = std::thread::spawn(move || {
        let (mut client, _) = proxy.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            std::io::Read::read_exact(&mut client, &mut byte).unwrap();
            head.push(byte[0]);
        }
        std::io::Write::write_all(&mut client, b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let mut server = std::net::TcpStream::connect(target).unwrap();
        let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut from, &mut to));
        let _ = std::io::copy(&mut server, &mut client);
        String::from_utf8(head).unwrap()
    });
    let file = repository.folder.path().join("ca.pem");
    std::fs::write(&file, &right.pem).unwrap();
    let run = |proxy: String| {
        let output = std::process::Command::new(super::program())
            .arg(server.url().replace("http:", "https:"))
            .arg("dev")
            .env("SSL_CERT_FILE", &file)
            .env("HTTPS_PROXY", proxy)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    // The request for the pack needs a second connection, which this proxy does not accept.
    let printed = run(format!("http://user:{CANARY}@{at}"));
    assert!(
        printed.contains("the proxy 127.0.0.1") && !printed.contains(CANARY),
        "{printed}"
    );
    let head = lines.join().unwrap();
    assert!(
        head.starts_with(&format!("CONNECT {target} HTTP/1.1\r\n")),
        "{head}"
    );
    assert!(head.contains("Proxy-Authorization: Basic "), "{head}");
    assert!(run(String::new()).starts_with(&repository.id("dev")));
    assert!(run("socks5://127.0.0.1:1".to_owned()).contains("no other kind"));
}
