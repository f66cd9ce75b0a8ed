//! Tests with keys from openssl and ssh-keygen (`testdata`); Python's `cryptography` wrote their
//! public halves. The keys protect nothing.

use super::*;

struct Fixture {
    algorithm: NodeKeyAlgorithm,
    openssh: &'static str,
    pkcs8: &'static str,
    sec1: &'static str,
    public_pem: &'static str,
    public_openssh: &'static str,
    fingerprint: &'static str,
}

macro_rules! fixture {
    ($algorithm:ident, $name:literal) => {
        Fixture {
            algorithm: NodeKeyAlgorithm::$algorithm,
            openssh: include_str!(concat!("testdata/", $name, ".openssh")),
            pkcs8: include_str!(concat!("testdata/", $name, ".pkcs8.pem")),
            sec1: include_str!(concat!("testdata/", $name, ".sec1.pem")),
            public_pem: include_str!(concat!("testdata/", $name, ".public.pem")),
            public_openssh: include_str!(concat!("testdata/", $name, ".public.openssh")),
            fingerprint: include_str!(concat!("testdata/", $name, ".fingerprint")),
        }
    };
}

const FIXTURES: [Fixture; 3] = [
    fixture!(EcdsaP256, "p256"),
    fixture!(EcdsaP384, "p384"),
    fixture!(EcdsaP521, "p521"),
];

#[test]
fn every_format_gives_the_same_key_and_pythons_public_bytes() {
    for fixture in FIXTURES {
        for text in [fixture.openssh, fixture.pkcs8, fixture.sec1] {
            let key = NodeKey::parse(text).unwrap();
            assert_eq!(key.algorithm(), fixture.algorithm);
            assert_eq!(key.public_pem().unwrap(), fixture.public_pem);
            let line = fixture.public_openssh.strip_suffix(" site-1\n").unwrap();
            assert_eq!(key.public_openssh().unwrap(), line);
            assert_eq!(key.fingerprint().unwrap(), fixture.fingerprint.trim());
        }
    }
}

#[test]
fn public_keys_are_read_from_both_forms() {
    for fixture in FIXTURES {
        for text in [fixture.public_openssh, fixture.public_pem] {
            let key = NodePublicKey::parse(text).unwrap();
            assert_eq!(key.pem().unwrap(), fixture.public_pem);
            assert_eq!(key.algorithm(), fixture.algorithm);
        }
    }
}

#[test]
fn windows_line_ends_and_indentation_do_no_harm() {
    for text in [FIXTURES[1].openssh, FIXTURES[1].pkcs8, FIXTURES[1].sec1] {
        let indented = text.replace('\n', "\r\n    ");
        let key = NodeKey::parse(&format!("\n  {indented}\n")).unwrap();
        assert_eq!(key.public_pem().unwrap(), FIXTURES[1].public_pem);
    }
    let key = NodePublicKey::parse(&FIXTURES[1].public_pem.replace('\n', "\r\n")).unwrap();
    assert_eq!(key.pem().unwrap(), FIXTURES[1].public_pem);
}

#[test]
fn any_line_width_is_read() {
    for (label, text) in [
        ("OPENSSH PRIVATE KEY", FIXTURES[1].openssh),
        ("PRIVATE KEY", FIXTURES[1].pkcs8),
    ] {
        let body: Vec<char> = text
            .lines()
            .filter(|line| !line.starts_with('-'))
            .flat_map(str::chars)
            .collect();
        for width in [48, 64, 70, 76, 10_000] {
            let lines: Vec<String> = body
                .chunks(width)
                .map(|line| line.iter().collect())
                .collect();
            let pem = format!(
                "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
                lines.join("\n")
            );
            let key = NodeKey::parse(&pem).unwrap();
            assert_eq!(
                key.public_pem().unwrap(),
                FIXTURES[1].public_pem,
                "width {width}"
            );
        }
    }
}

#[test]
fn what_is_written_is_what_ssh_keygen_and_python_write() {
    // Python's check numbers and padding differ from ours, so the test compares the fields.
    let key = NodeKey::parse(FIXTURES[2].pkcs8).unwrap();
    let text = key.private_openssh().unwrap();
    assert!(text.lines().all(|line| line.len() <= 70));
    let ours = Block::find(&text).unwrap().decode("").unwrap();
    let theirs = Block::find(FIXTURES[2].openssh)
        .unwrap()
        .decode("")
        .unwrap();
    let (Contents::Ec { number: one, .. }, Contents::Ec { number: two, .. }) = (
        openssh::read(&ours).unwrap(),
        openssh::read(&theirs).unwrap(),
    ) else {
        panic!("both are EC keys");
    };
    assert_eq!(one, two);
    assert_eq!(ours.len(), theirs.len());
}

#[test]
fn a_generated_key_survives_openssh_and_differs_each_time() {
    // Several keys of each: the encoding depends on the first bytes of the number.
    for algorithm in NodeKeyAlgorithm::ALL.repeat(20) {
        let key = NodeKey::generate(algorithm).unwrap();
        let text = key.private_openssh().unwrap();
        assert!(text.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\n"));
        assert!(text.ends_with("-----END OPENSSH PRIVATE KEY-----\n"));
        let again = NodeKey::parse(&text).unwrap();
        assert_eq!(again.algorithm(), algorithm);
        assert_eq!(again.public_pem().unwrap(), key.public_pem().unwrap());
        assert_eq!(
            again.private_openssh().unwrap(),
            text,
            "same key, same bytes"
        );
        let other = NodeKey::generate(algorithm).unwrap();
        assert_ne!(other.public_pem().unwrap(), key.public_pem().unwrap());
    }
}

#[test]
fn what_cannot_be_used_is_named() {
    for encrypted in [
        include_str!("testdata/encrypted.openssh"),
        include_str!("testdata/encrypted.pkcs8.pem"),
        include_str!("testdata/encrypted.sec1.pem"),
    ] {
        assert_eq!(
            NodeKey::parse(encrypted).unwrap_err(),
            NodeKeyError::Encrypted
        );
    }
    for (text, name) in [
        (include_str!("testdata/ed25519.openssh"), "an Ed25519 key"),
        (include_str!("testdata/ed25519.pkcs8.pem"), "an Ed25519 key"),
        (include_str!("testdata/rsa.openssh"), "an RSA key"),
        (include_str!("testdata/rsa.pkcs8.pem"), "an RSA key"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n",
            "an RSA key",
        ),
        (
            include_str!("testdata/k256.sec1.pem"),
            "an EC key on secp256k1",
        ),
        (
            include_str!("testdata/k256.pkcs8.pem"),
            "an EC key on secp256k1",
        ),
    ] {
        assert_eq!(
            NodeKey::parse(text).unwrap_err(),
            NodeKeyError::Unsupported(name.into())
        );
    }
    let rsa = include_str!("testdata/rsa.public.openssh");
    assert_eq!(
        NodePublicKey::parse(rsa).unwrap_err(),
        NodeKeyError::Unsupported("an RSA key".into())
    );
}

#[test]
fn the_wrong_half_is_named() {
    for text in [FIXTURES[0].public_pem, FIXTURES[0].public_openssh] {
        assert_eq!(NodeKey::parse(text).unwrap_err(), NodeKeyError::PublicGiven);
    }
    for text in [FIXTURES[0].openssh, FIXTURES[0].pkcs8, FIXTURES[0].sec1] {
        assert_eq!(
            NodePublicKey::parse(text).unwrap_err(),
            NodeKeyError::PrivateGiven
        );
    }
    for text in [
        "",
        "hello",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        assert_eq!(NodeKey::parse(text).unwrap_err(), NodeKeyError::NotAKey);
        assert_eq!(
            NodePublicKey::parse(text).unwrap_err(),
            NodeKeyError::NotAKey
        );
    }
}

#[test]
fn a_damaged_key_is_an_error_that_quotes_nothing() {
    for text in [FIXTURES[1].openssh, FIXTURES[1].pkcs8, FIXTURES[1].sec1] {
        let lines: Vec<&str> = text.lines().collect();
        let cut = [&lines[..lines.len() - 3], &lines[lines.len() - 1..]]
            .concat()
            .join("\n");
        let error = NodeKey::parse(&cut).unwrap_err();
        assert!(matches!(error, NodeKeyError::Damaged { .. }), "{error:?}");
        let shown = format!("{error} {error:?} {:?}", error.remedy());
        let secret_lines = lines.iter().filter(|line| !line.starts_with("-----"));
        assert!(secret_lines.into_iter().all(|line| !shown.contains(line)));
    }
}

#[test]
fn two_keys_in_one_text_are_refused_and_not_halved() {
    let fixture = &FIXTURES[0];
    for private in [fixture.pkcs8, fixture.sec1, fixture.openssh] {
        assert_eq!(
            NodeKey::parse(&format!("{private}\n{private}")).unwrap_err(),
            NodeKeyError::SeveralGiven
        );
    }
    for public in [fixture.public_pem, fixture.public_openssh] {
        assert_eq!(
            NodePublicKey::parse(&format!("{}\n{public}", public.trim())),
            Err(NodeKeyError::SeveralGiven)
        );
    }
}

#[test]
fn debug_shows_no_key() {
    let key = NodeKey::parse(FIXTURES[0].pkcs8).unwrap();
    assert_eq!(format!("{key:?}"), "NodeKey { algorithm: EcdsaP256, .. }");
}

#[test]
fn algorithm_names_are_read_back() {
    for algorithm in NodeKeyAlgorithm::ALL {
        assert_eq!(
            algorithm.as_str().parse::<NodeKeyAlgorithm>().unwrap(),
            algorithm
        );
    }
    let error = "RSA".parse::<NodeKeyAlgorithm>().unwrap_err();
    assert!(error.remedy().unwrap().contains("ECDSA-P384"));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_parsers_fall_over(text in ".{0,200}", body in "[A-Za-z0-9+/=\n]{0,300}") {
        for label in ["OPENSSH PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "PUBLIC KEY"] {
            let pem = format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
            let _ = NodeKey::parse(&pem);
            let _ = NodePublicKey::parse(&pem);
        }
        let _ = NodeKey::parse(&text);
        let _ = NodePublicKey::parse(&format!("ecdsa-sha2-nistp384 {text}"));
    }
}
