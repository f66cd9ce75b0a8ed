//! Valid and invalid addresses.

use super::*;

fn authority() -> String {
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().pem()
}

fn parse(url: &str) -> Result<String, EndpointError> {
    ControlEndpoint::parse(url, None).map(|endpoint| endpoint.to_string())
}

#[test]
fn an_address_is_scheme_host_and_port() {
    assert_eq!(
        parse("http://127.0.0.1:8000").unwrap(),
        "http://127.0.0.1:8000"
    );
    assert_eq!(parse("http://[::1]:8000/").unwrap(), "http://[::1]:8000");
    assert_eq!(
        parse("http://SuperLink.example").unwrap(),
        "http://superlink.example:80"
    );
    for url in [
        "",
        "127.0.0.1:8000",
        "superlink",
        "http://",
        "http://h:0",
        "http://h:99999",
        "http://h:x",
    ] {
        assert_eq!(parse(url), Err(EndpointError::NotAUrl), "{url}");
    }
    assert!(
        matches!(parse("ftp://h:9093"), Err(EndpointError::Scheme { scheme }) if scheme == "ftp")
    );
    for url in [
        "http://h:1/x",
        "http://h:1/?q",
        "http://u:secret@h:1",
        "http://h:1/#f",
    ] {
        assert!(
            matches!(parse(url), Err(EndpointError::TooMuch { .. })),
            "{url}"
        );
    }
    assert!(
        !parse("http://u:secret@h:1")
            .unwrap_err()
            .to_string()
            .contains("secret")
    );
}

#[test]
fn grpc_has_a_port_of_its_own_and_the_same_rules() {
    let ca = authority();
    assert_eq!(parse("grpc://h").unwrap(), "grpc://h:9093");
    assert_eq!(parse("grpc://[::1]:1").unwrap(), "grpc://[::1]:1");
    assert_eq!(parse("grpcs://h").unwrap(), "grpcs://h:9093");
    assert_eq!(
        ControlEndpoint::parse("grpc://h", Some(&ca)),
        Err(EndpointError::AuthorityWithoutTls)
    );
    let grpcs = ControlEndpoint::parse("grpcs://h:1", Some(&ca)).unwrap();
    assert_eq!(grpcs.protocol(), Protocol::Grpc);
    assert_eq!(grpcs.to_string(), "grpcs://h:1");
    assert_ne!(
        grpcs,
        ControlEndpoint::parse("https://h:1", Some(&ca)).unwrap()
    );
    let plain = |url| ControlEndpoint::parse(url, None).unwrap();
    assert_ne!(plain("grpc://h:1"), plain("http://h:1"));
    let told = plain("http://h:1").speaking(Protocol::Grpc);
    assert_eq!(told, plain("http://h:1"));
}

#[test]
fn trust_belongs_to_https_and_to_nothing_else() {
    let ca = authority();
    let https = ControlEndpoint::parse("https://h", Some(&ca)).unwrap();
    assert_eq!(https.to_string(), "https://h:443");
    // Without it, the authorities of this machine.
    let public = ControlEndpoint::parse("https://h", None).unwrap();
    assert!(public.keeps_secrets());
    assert_ne!(public, https);
    assert_eq!(
        ControlEndpoint::parse("http://h", Some(&ca)),
        Err(EndpointError::AuthorityWithoutTls)
    );
    for pem in [
        "",
        "no pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        assert!(
            matches!(
                ControlEndpoint::parse("https://h", Some(pem)),
                Err(EndpointError::Authority { .. })
            ),
            "{pem}"
        );
    }
}

#[test]
fn the_same_place_with_other_trust_is_another_endpoint() {
    let (one, other) = (authority(), authority());
    let endpoint = |ca: &str| ControlEndpoint::parse("https://h:1", Some(ca)).unwrap();
    assert_eq!(endpoint(&one), endpoint(&format!("\n{one}\n")));
    assert_ne!(endpoint(&one), endpoint(&other));
}

#[test]
fn a_pod_is_named_by_namespace_and_name() {
    let endpoint = ControlEndpoint::parse("kube://fl-a/superlink-main", None).unwrap();
    let pod = PodAddress::new("fl-a", "superlink-main");
    assert_eq!(endpoint.pod(), Some(&pod));
    assert_eq!(endpoint.to_string(), "kube://fl-a/superlink-main");
    assert_eq!(endpoint.address(), "localhost:8000");
    assert_eq!(endpoint.protocol(), Protocol::Either);
    let grpc = endpoint.clone().speaking(Protocol::Grpc);
    assert_eq!((grpc.port(), grpc.protocol()), (8000, Protocol::Grpc));
    assert_eq!(grpc.to_string(), endpoint.to_string());
    assert_ne!(grpc, endpoint);
    let ca = authority();
    assert_ne!(
        endpoint,
        ControlEndpoint::parse("kube://fl-a/superlink-main", Some(&ca)).unwrap()
    );
    assert_ne!(
        endpoint,
        ControlEndpoint::parse("kube://fl-b/superlink-main", None).unwrap()
    );
    for url in [
        "kube://a",
        "kube://a/",
        "kube://a/b/c",
        "kube://a:1/b",
        "kube://a/b?c",
        "kube:///b",
    ] {
        assert!(ControlEndpoint::parse(url, None).is_err(), "{url}");
    }
}

#[test]
fn loopback_is_recognized() {
    for (url, loopback) in [
        ("http://127.0.0.9:1", true),
        ("http://localhost:1", true),
        ("http://[::1]:1", true),
        ("http://10.0.0.1:1", false),
        ("http://localhost.example:1", false),
    ] {
        assert_eq!(
            ControlEndpoint::parse(url, None).unwrap().is_loopback(),
            loopback,
            "{url}"
        );
    }
}

#[test]
fn a_token_travels_only_where_nobody_reads_it() {
    let ca = authority();
    let https = || ControlEndpoint::parse("https://h", Some(&ca)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = |text: &str| {
        let path = dir.path().join("token");
        std::fs::write(&path, text).unwrap();
        path
    };
    let with = https().with_token_file(&file(" secret-token\n")).unwrap();
    let current = || with.login().unwrap().current().to_string();
    assert_eq!(current(), "secret-token");
    assert_ne!(with, https());
    assert!(!format!("{with:?} {with}").contains("secret"));
    for bad in ["", " ", "a b", "a\nb", "\u{e9}"] {
        assert_eq!(
            https().with_token_file(&file(bad)),
            Err(EndpointError::Token),
            "{bad:?}"
        );
    }
    let http = |url| ControlEndpoint::parse(url, None).unwrap();
    // Another program renews the file; while the file is incomplete, the old token is used.
    assert_eq!(current(), "secret-token");
    let path = file("renewed");
    assert_eq!(current(), "renewed");
    assert!(http("http://127.0.0.1:1").with_token_file(&path).is_ok());
    assert_eq!(
        http("http://h").with_token_file(&path),
        Err(EndpointError::TokenWithoutTls)
    );
}

#[test]
fn what_is_spoken_somewhere_makes_it_no_other_place() {
    for (one, other, same) in [
        ("grpcs://127.0.0.1:9093", "https://127.0.0.1:9093", true),
        ("https://h:8000", "http://H:8000/", true),
        ("grpc://h", "grpcs://h:9093", true),
        ("https://h:8000", "https://h:8001", false),
        ("https://h:8000", "https://g:8000", false),
        ("kube://a/superlink-x", "kube://a/superlink-x", true),
        ("kube://a/superlink-x", "kube://b/superlink-x", false),
        ("kube://a/x", "https://a:8000", false),
        ("nonsense", "nonsense", true),
        ("nonsense", "https://h:8000", false),
    ] {
        let found = ControlEndpoint::is_same_place(one, other);
        assert_eq!(found, same, "{one} and {other}");
    }
}

#[test]
fn a_token_for_all_superlinks_is_kept_from_those_without_tls() {
    let ca = authority();
    let token: AccountToken = " secret-token\n".parse().unwrap();
    assert!(!format!("{token:?}").contains("secret"));
    let sent = |url, ca| {
        let endpoint = ControlEndpoint::parse(url, ca).unwrap();
        let with = endpoint.clone().with_token(&token);
        assert_eq!(with == endpoint, with.secret().is_none(), "{url}");
        with.secret().map(|secret| secret.to_string())
    };
    let expected = Some("secret-token".to_owned());
    assert_eq!(sent("https://h", Some(&ca)), expected);
    assert_eq!(sent("grpcs://h", Some(&ca)), expected);
    assert_eq!(sent("http://127.0.0.1:1", None), expected);
    assert_eq!(sent("http://h", None), None);
    for bad in ["", " ", "a b", "\u{e9}"] {
        assert_eq!(bad.parse::<AccountToken>(), Err(EndpointError::Token));
    }
}
