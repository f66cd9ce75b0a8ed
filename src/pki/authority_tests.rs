use time::macros::datetime;

use super::super::inspect::inspect_bundle;
use super::*;

const NOW: OffsetDateTime = datetime!(2026-11-24 10:00:00.25 UTC);
const YEAR: Duration = Duration::days(365);

fn authority() -> Authority {
    Authority::generate("Hospital A", AuthorityAlgorithm::EcdsaP256, YEAR, NOW).unwrap()
}

fn names() -> ServerNames {
    ServerNames::new(["superlink.example.org", "localhost"], ["127.0.0.1", "::1"]).unwrap()
}

#[test]
fn an_authority_says_what_it_is() {
    for algorithm in [AuthorityAlgorithm::EcdsaP256, AuthorityAlgorithm::EcdsaP384] {
        let made = Authority::generate("Hospital A", algorithm, YEAR, NOW).unwrap();
        let info = made.info();
        assert!(info.is_ca);
        assert_eq!(info.subject, "CN=Hospital A");
        assert_eq!(info.not_before, datetime!(2026-11-24 9:00 UTC));
        assert_eq!(info.not_after, datetime!(2027-11-24 10:00 UTC));
        let pem = first_certificate(made.certificate_pem()).unwrap();
        let parsed = pem.parse_x509().unwrap();
        let constraints = parsed.basic_constraints().unwrap().unwrap();
        assert!(constraints.critical);
        assert_eq!(constraints.value.path_len_constraint, Some(0));
        assert!(parsed.key_usage().unwrap().unwrap().value.key_cert_sign());
    }
}

#[test]
fn a_server_certificate_holds_the_names_and_verifies() {
    let authority = authority();
    let server = authority
        .issue_server(&names(), Duration::days(30), NOW)
        .unwrap();
    let info = inspect(&server.certificate_pem).unwrap();
    assert!(!info.is_ca);
    assert_eq!(info.issuer, "CN=Hospital A");
    assert_eq!(info.dns_names, ["superlink.example.org", "localhost"]);
    assert_eq!(info.ip_addresses, names().ips());
    assert_eq!(info.not_after, server.not_after);
    assert_eq!(server.not_after, datetime!(2026-12-24 10:00 UTC));

    let authority_pem = first_certificate(authority.certificate_pem()).unwrap();
    let server_pem = first_certificate(&server.certificate_pem).unwrap();
    let issuer = authority_pem.parse_x509().unwrap();
    let parsed = server_pem.parse_x509().unwrap();
    parsed.verify_signature(Some(issuer.public_key())).unwrap();
    let usage = parsed.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.server_auth && !usage.client_auth);
    assert!(
        server
            .private_key_pem
            .starts_with("-----BEGIN PRIVATE KEY-----")
    );
}

#[test]
fn each_server_certificate_has_its_own_key_and_serial() {
    let authority = authority();
    let one = authority.issue_server(&names(), YEAR, NOW).unwrap();
    let two = authority.issue_server(&names(), YEAR, NOW).unwrap();
    assert_ne!(*one.private_key_pem, *two.private_key_pem);
    let serial = |pem: &str| {
        first_certificate(pem)
            .unwrap()
            .parse_x509()
            .unwrap()
            .raw_serial_as_string()
    };
    assert_ne!(serial(&one.certificate_pem), serial(&two.certificate_pem));
}

#[test]
fn a_loaded_authority_signs_like_the_one_that_was_made() {
    let made = authority();
    let loaded = Authority::load(made.certificate_pem(), made.private_key_pem()).unwrap();
    let server = loaded.issue_server(&names(), YEAR, NOW).unwrap();
    let authority_pem = first_certificate(made.certificate_pem()).unwrap();
    let server_pem = first_certificate(&server.certificate_pem).unwrap();
    let issuer = authority_pem.parse_x509().unwrap();
    server_pem
        .parse_x509()
        .unwrap()
        .verify_signature(Some(issuer.public_key()))
        .unwrap();
}

#[test]
fn authorities_of_others_are_read() {
    for (certificate, key) in [
        (
            include_str!("testdata/ca-p384.crt"),
            include_str!("testdata/ca-p384.sec1.pem"),
        ),
        (
            include_str!("testdata/ca-rsa.crt"),
            include_str!("testdata/ca-rsa.pkcs8.pem"),
        ),
    ] {
        let authority = Authority::load(certificate, key).unwrap();
        let now = authority.info().not_before + Duration::days(1);
        let server = authority
            .issue_server(&names(), Duration::days(1), now)
            .unwrap();
        let authority_pem = first_certificate(certificate).unwrap();
        let server_pem = first_certificate(&server.certificate_pem).unwrap();
        let issuer = authority_pem.parse_x509().unwrap();
        server_pem
            .parse_x509()
            .unwrap()
            .verify_signature(Some(issuer.public_key()))
            .unwrap();
    }
}

#[test]
fn what_is_no_authority_is_refused() {
    let made = authority();
    let server = made.issue_server(&names(), YEAR, NOW).unwrap();
    let error = Authority::load(&server.certificate_pem, &server.private_key_pem).unwrap_err();
    assert!(
        matches!(error, AuthorityError::NotAnAuthority { .. }),
        "{error}"
    );
    let error = Authority::load(made.certificate_pem(), authority().private_key_pem()).unwrap_err();
    assert!(matches!(error, AuthorityError::Mismatch), "{error}");
    let error = Authority::load("no certificate", made.private_key_pem()).unwrap_err();
    assert!(matches!(error, AuthorityError::Certificate(_)), "{error}");
    let encrypted = include_str!("testdata/encrypted.pkcs8.pem");
    let error = Authority::load(made.certificate_pem(), encrypted).unwrap_err();
    assert!(error.to_string().contains("passphrase"), "{error}");
    let p521 = include_str!("testdata/p521.pkcs8.pem");
    let error = Authority::load(made.certificate_pem(), p521).unwrap_err();
    assert!(matches!(error, AuthorityError::Key(_)), "{error}");
}

#[test]
fn a_server_certificate_never_outlives_its_authority() {
    let authority = authority();
    let server = authority.issue_server(&names(), YEAR * 3, NOW).unwrap();
    assert_eq!(server.not_after, authority.info().not_after);
    let late = NOW + YEAR;
    let error = authority.issue_server(&names(), YEAR, late).unwrap_err();
    assert!(matches!(error, AuthorityError::NotValid { .. }), "{error}");
}

#[test]
fn bad_validities_and_names_are_refused() {
    for validity in [Duration::ZERO, Duration::seconds(-1), Duration::MAX] {
        let made = Authority::generate("x", AuthorityAlgorithm::EcdsaP256, validity, NOW);
        assert!(
            matches!(made, Err(AuthorityError::Validity(_))),
            "{validity}"
        );
    }
    for name in ["", "  ", "a\nb", &"x".repeat(65)] {
        let made = Authority::generate(name, AuthorityAlgorithm::EcdsaP256, YEAR, NOW);
        assert!(
            matches!(made, Err(AuthorityError::CommonName(_))),
            "{name:?}"
        );
    }
}

#[test]
fn a_bundle_keeps_its_order_and_text_around_it() {
    let old = Authority::generate("old", AuthorityAlgorithm::EcdsaP256, YEAR, NOW).unwrap();
    let new = Authority::generate("new", AuthorityAlgorithm::EcdsaP384, YEAR, NOW).unwrap();
    let text = format!(
        "# new\n{}# old\n{}",
        new.certificate_pem(),
        old.certificate_pem()
    );
    let subjects: Vec<String> = inspect_bundle(&text)
        .unwrap()
        .into_iter()
        .map(|info| info.subject)
        .collect();
    assert_eq!(subjects, ["CN=new", "CN=old"]);
}

#[test]
fn a_bundle_that_is_none_says_why() {
    assert_eq!(inspect_bundle("").unwrap_err(), InspectError::NoCertificate);
    let made = authority();
    let both = format!(
        "{}{}",
        made.certificate_pem(),
        made.private_key_pem().as_str()
    );
    assert_eq!(
        inspect_bundle(&both).unwrap_err(),
        InspectError::PrivateKeyFound
    );
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let error = inspect_bundle(&format!("{}{broken}", made.certificate_pem())).unwrap_err();
    assert!(
        matches!(error, InspectError::Damaged { position: 2, .. }),
        "{error}"
    );
    // A truncated block must be an error, not be skipped.
    let cut = &made.certificate_pem()[..100];
    assert!(inspect_bundle(&format!("{}{cut}", made.certificate_pem())).is_err());
}

#[test]
fn debug_shows_no_key() {
    let made = authority();
    let server = made.issue_server(&names(), YEAR, NOW).unwrap();
    let shown = format!("{made:?}{server:?}");
    assert!(!shown.contains("PRIVATE KEY"));
}
