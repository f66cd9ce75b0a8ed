//! Downloads from servers on the loopback that behave well and badly.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::*;

/// The requests that a server got.
type Asked = Arc<Mutex<Vec<String>>>;

/// A server that gives the same answers, one for each connection; returns its port.
fn server(answers: Vec<String>) -> (u16, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Asked::default();
    let seen = Arc::clone(&asked);
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let head = head_of(&mut stream);
            seen.lock().unwrap().push(head);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (port, asked)
}

fn head_of(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).unwrap_or_default() == 0 {
            break;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap().to_lowercase()
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn moved(to: &str) -> String {
    format!(
        "HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
}

fn file(port: u16) -> RemoteFile {
    let url = format!("http://127.0.0.1:{port}/a/app.zip?sig=hunter2-canary#x");
    RemoteFile::new(&url, None, None, true).unwrap()
}

#[tokio::test]
async fn a_file_is_downloaded_through_redirects_and_hashed() {
    let (port, asked) = server(vec![moved("b.zip"), moved("/c.zip"), ok("content")]);
    let mut found = file(port).download(7).await.unwrap();
    let mut text = String::new();
    found.file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "content");
    assert_eq!(found.sha256, hex::encode(Sha256::digest("content")));
    let asked = asked.lock().unwrap();
    let lines: Vec<_> = asked
        .iter()
        .map(|head| head.lines().next().unwrap())
        .collect();
    assert_eq!(
        lines,
        [
            "get /a/app.zip?sig=hunter2-canary http/1.1",
            "get /a/b.zip http/1.1",
            "get /c.zip http/1.1"
        ]
    );
}

#[tokio::test]
async fn what_goes_wrong_is_told_without_the_query() {
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nshort";
    let endless = moved("/a/app.zip?sig=hunter2-canary");
    for (answers, words) in [
        (vec![ok("content")], "has more than 6 bytes"),
        (vec![cut.to_owned()], "failed to read"),
        (vec!["garbage\r\n\r\n".to_owned()], "failed to read"),
        (
            vec!["HTTP/1.1 404 Not Found\r\n\r\n".to_owned()],
            "status 404",
        ),
        (vec!["HTTP/1.1 503 Busy\r\n\r\n".to_owned()], "status 503"),
        (vec![moved("ftp://h/a")], "its scheme is not https or http"),
        (
            vec![moved("https://u:hunter2-canary@h/a")],
            "a user name or password",
        ),
        (vec![endless; 6], "redirects too often"),
    ] {
        let (port, _) = server(answers);
        let error = file(port).download(6).await.unwrap_err();
        let told = format!("{error} {error:?} {:?}", file(port));
        assert!(told.contains(words), "{words}: {told}");
        assert!(!told.contains("canary"), "{told}");
    }
    // Nobody listens.
    let error = file(1).download(6).await.unwrap_err();
    assert!(error.may_pass(), "{error}");
}

#[tokio::test]
async fn a_token_goes_only_to_its_own_server() {
    let (other, at_other) = server(vec![ok("content")]);
    let (port, asked) = server(vec![moved(&format!("http://127.0.0.1:{other}/x"))]);
    let mut file = file(port);
    file.token = Some(HeaderValue::from_static("Bearer hunter2-canary"));
    file.download(7).await.unwrap();
    assert!(asked.lock().unwrap()[0].contains("authorization: bearer hunter2"));
    assert!(!at_other.lock().unwrap()[0].contains("authorization"));
}

#[test]
fn no_message_shows_a_password() {
    for (url, shown) in [
        ("https://u:p@h/a?sig=1#x", "https://***@h/a"),
        ("https://token@h", "https://***@h"),
        ("ssh://git@h/a.git", "ssh://git@h/a.git"),
        ("git@h:a.git", "git@h:a.git"),
        ("https://h/a@b", "https://h/a@b"),
    ] {
        assert_eq!(shown_address(url), shown);
    }
    let error = RemoteFile::new("https://u:canary@h/a", None, None, false).unwrap_err();
    assert!(!error.to_string().contains("canary"), "{error}");
}

#[test]
fn addresses_that_are_not_safe_are_refused() {
    let new = |url: &str, token| RemoteFile::new(url, None, token, false).map(drop);
    new("https://h/a.zip", Some("t")).unwrap();
    for (url, words) in [
        ("h/a.zip", "cannot be downloaded from"),
        ("ftp://h/a.zip", "its scheme"),
        ("https://u:p@h/a.zip", "user name or password"),
        ("http://h/a.zip", "needs a `sha256`"),
    ] {
        let error = new(url, None).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    let plain = RemoteFile::new("http://h/a", None, Some("t"), true).unwrap_err();
    assert!(matches!(plain, RemoteError::NotEncrypted { .. }));
    let bad = RemoteFile::new("https://h/a", Some("x"), None, true).unwrap_err();
    assert!(matches!(bad, RemoteError::Credentials { .. }));
    let from: Uri = "https://h/a/b".parse().unwrap();
    assert_eq!(redirected(&from, "http://h/a"), Err("it is not encrypted"));
    assert_eq!(redirected(&from, "//i/c").unwrap(), "https://i/c");
}
