use super::*;

fn reason(text: &str) -> &'static str {
    match GitUrl::parse(text) {
        Err(GitError::Url { reason, .. }) => reason,
        other => panic!("{text:?}: {other:?}"),
    }
}

#[test]
fn usual_addresses_are_accepted() {
    for (text, shown) in [
        (
            "https://github.com/adap/flower",
            "https://github.com/adap/flower",
        ),
        (
            "HTTPS://GitHub.com:443/adap/flower.git/",
            "https://github.com/adap/flower.git",
        ),
        ("http://[::1]:8080/a b/ü", "http://[::1]:8080/a%20b/%C3%BC"),
        (
            "git@github.com:adap/flower.git",
            "ssh://git@github.com/adap/flower.git",
        ),
        ("ssh://git@h:2222/~me/x", "ssh://git@h:2222/~me/x"),
        ("ssh://[fe80::1]/srv/a%20b", "ssh://[fe80::1]/srv/a b"),
        ("[::1]:x", "ssh://[::1]/x"),
        ("work:x/y.git", "ssh://work/x/y.git"),
        ("a.b@c.org@gerrit.c.org:x", "ssh://a.b@c.org@gerrit.c.org/x"),
        ("file:///srv/a%20b.git", "/srv/a b.git"),
        ("file://localhost/srv/x", "/srv/x"),
        ("../x", "../x"),
    ] {
        assert_eq!(GitUrl::parse(text).unwrap().to_string(), shown, "{text}");
    }
}

#[test]
fn hostile_addresses_are_refused() {
    for text in [
        "-oProxyCommand=touch /tmp/x:repo",
        "ssh://-oProxyCommand=x/repo",
        "ssh://-l@host/repo",
        "-x@host:repo",
        "host:-repo",
        "host:a\nb",
        "ssh://host/a%0ab",
        "ssh://host/%00",
        "ssh://ho st/x",
        "ssh://h;id/x",
        "ssh://$(id)/x",
        "ssh://`id`@h/x",
        "https://h\r\nX: y/x",
        "https://h/x\r\nX: y",
        "https://h/",
        "https:///x",
        "https://-h/x",
        "https://h:0/x",
        "https://h:99999/x",
        "https://[::1/x",
        "https://[evil]/x",
        "ext::sh -c id",
        "ftp://h/x",
        "git://h/x",
        "file://other/x",
        "file://x",
        "file:///a%00",
        "",
        "name",
        "a/b",
        "a/b:c",
        "host:",
        "host:/",
    ] {
        reason(text);
    }
}

#[test]
fn secrets_in_an_address_are_refused_and_masked() {
    for text in [
        "https://hunter2canary@h/x",
        "https://me:hunter2canary@h/x",
        "https://me:hunter2canary/y@h/x",
        "https://h/x?token=hunter2canary",
        "https://h/x#hunter2canary",
        "ssh://me:hunter2canary@h/x",
        "me:hunter2canary@h:x",
        "ftp://me:hunter2canary@h/x",
    ] {
        // `me:hunter2canary/…` reads as host, port and path, so it fails for its port.
        let error = GitUrl::parse(text).unwrap_err();
        assert!(
            !format!("{error} {error:?} {}", error.remedy()).contains("hunter2"),
            "{text}"
        );
    }
}

#[test]
fn redirects_keep_to_repositories() {
    const SUFFIX: &str = "/info/refs?service=git-upload-pack";
    let Ok(GitUrl::Http(from)) = GitUrl::parse("https://h/x") else {
        panic!()
    };
    for (to, expected) in [
        ("/x.git", Some("https://h/x.git")),
        ("//other/x", Some("https://other/x")),
        ("http://h/x", Some("http://h/x")),
        ("https://me:secret@h/x", None),
        ("x", None),
        ("ftp://h/x", None),
    ] {
        let redirected = from.redirected(&format!("{to}{SUFFIX}"), SUFFIX);
        let redirected = redirected.ok().map(|url| url.to_string());
        assert_eq!(redirected.as_deref(), expected, "{to}");
    }
    assert!(from.redirected("https://h/users/sign_in", SUFFIX).is_err());
}
