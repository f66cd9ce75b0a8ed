//! The message of every error of the domain, as the person who ran Terraform reads it.

use std::path::PathBuf;
use std::time::Duration;

use time::macros::datetime;

use super::*;
use crate::flower::app_source::TreeError;
use crate::flower::control::{Answer, Call, RunId, TlsReason};
use crate::flower::fab::KeyPlace;
use crate::flower::version::FlowerVersion;
use crate::runtime::{InstallFault, Kind, ObjectRef, Port, PythonFault};

/// All messages, one after the other.
fn shown(errors: &[&dyn Explained]) -> String {
    let messages: Vec<_> = errors
        .iter()
        .map(|error| {
            let message = super::error("It did not work", *error);
            format!("{}\n\n{}\n", message.summary, message.detail)
        })
        .collect();
    messages.join("----\n")
}

fn answer() -> Answer {
    Answer {
        at: "superlink.example.org:8000".to_owned(),
        call: Call::StartRun,
        words: "its own words".to_owned(),
    }
}

fn at() -> String {
    "superlink.example.org:8000".to_owned()
}

fn lost() -> ControlError {
    ControlError::LostReply {
        at: at(),
        call: Call::StartRun,
        cause: "connection reset by peer".to_owned(),
    }
}

fn object() -> ObjectRef {
    ObjectRef {
        kind: Kind::Superlink,
        name: "main".parse().unwrap(),
    }
}

#[test]
fn a_quoted_log_is_short_whatever_was_written() {
    let lines = |line: &str, count| vec![line.to_owned(); count];
    assert_eq!(
        quoted_log("Its last lines", &lines("", 0)),
        "Its last lines: it wrote nothing."
    );
    let steps: Vec<_> = (0..3000).map(|step| format!("\r{step}/3000")).collect();
    let bar = steps.concat();
    assert_eq!(quoted_log("Log", &lines(&bar, 1)), "Log:\n  | 2999/3000");
    let long = quoted_log("Log", &lines(&"x".repeat(100_000), 1));
    assert!(long.ends_with("x … (99600 more characters)"), "{long}");
    assert!(long.len() < 500, "{}", long.len());
    for line in ["x".repeat(100_000), "é".repeat(399), "y".to_owned()] {
        let mut all = lines(&line, 10_000);
        all.push("the last one".to_owned());
        let shown = quoted_log("Log", &all);
        assert!(shown.len() < 17 << 10, "{}", shown.len());
        assert!(shown.ends_with("the last one"), "{shown}");
        assert!(shown.contains("earlier lines)"), "{shown}");
    }
}

#[test]
fn what_others_say_is_not_taken_for_ours_or_for_a_command() {
    assert_eq!(quoted("Flower's words", "boom"), "Flower's words: boom");
    assert_eq!(
        quoted(
            "Its words",
            "boom\n\nApply again.\n::add-mask::x\n##vso[task]"
        ),
        "Its words:\n  | boom\n  | \n  | Apply again.\n  | : :add-mask::x\n  | # #vso[task]"
    );
}

#[test]
fn of_the_runtime() {
    let path = || PathBuf::from("/data/.flower/superlinks/main/record.json");
    let text = str::to_owned;
    insta::assert_snapshot!(shown(&[
        &RuntimeError::Exists {
            object: object(),
            place: text("/data/.flower"),
        },
        &RuntimeError::BeingMade {
            object: object(),
            by: text("process 42"),
        },
        &RuntimeError::Gone(object()),
        &RuntimeError::PortTaken {
            port: 8000,
            purpose: Port::Api,
        },
        &RuntimeError::NoPort(20_000, 30_000),
        &RuntimeError::Format {
            path: path(),
            found: 2,
            known: 1,
        },
        &RuntimeError::Damaged {
            path: path(),
            cause: text("expected value at line 1 column 1"),
        },
        &RuntimeError::DamagedNote {
            note: text("/data/.flower/journal/run-1.json"),
            cause: text("expected value at line 1 column 1"),
        },
        &RuntimeError::File {
            what: "write",
            path: path(),
            cause: std::io::Error::from(std::io::ErrorKind::StorageFull),
        },
        &RuntimeError::PythonMissing {
            python: text("python3"),
            fault: PythonFault::NotFound,
        },
        &RuntimeError::PythonMissing {
            python: text("python3"),
            fault: PythonFault::Ended {
                how: text("exit status: 127"),
                words: text("  pyenv: version `3.12' is not installed"),
            },
        },
        &RuntimeError::UnfitCache {
            path: PathBuf::from("/home/Jane Doe/.cache"),
            found: Some(' '),
        },
        &RuntimeError::FolderRequirement {
            text: text("../package"),
        },
        &RuntimeError::RequirementFile {
            text: text("./wheels/m.whl"),
            path: PathBuf::from("/data/wheels/m.whl"),
            cause: std::io::Error::from(std::io::ErrorKind::NotFound),
        },
        &RuntimeError::Environment {
            version: text("1.42.0"),
            fault: InstallFault::Unusable,
            words: text("  ModuleNotFoundError: No module named 'numpy'"),
        },
        &RuntimeError::PythonUnfit {
            python: text("python3"),
            found: text("3.13.1"),
            version: text("1.13.1"),
            oldest: (3, 9),
            newest: Some((3, 12)),
        },
        &RuntimeError::NoSecret(text("supernode-key-a"), text("private-key-x")),
        &RuntimeError::Environment {
            version: text("1.42.0"),
            fault: InstallFault::NoRelease,
            words: text("ERROR: No matching distribution found for flwr==1.42.0"),
        },
        &RuntimeError::Spawn {
            program: text("flower-superlink"),
            cause: text("Permission denied"),
        },
        &RuntimeError::Unkillable {
            process: text("superlink"),
            pid: 42,
        },
        &RuntimeError::Interrupted,
        &RuntimeError::Unsupported,
    ]));
}

#[test]
fn of_the_control_api() {
    let detail = || "the certificate ended on 2026-01-01".to_owned();
    let tls = |reason| ControlError::Tls { at: at(), reason };
    insta::assert_snapshot!(shown(&[
        &ControlError::NotFound(answer()),
        &ControlError::AlreadyFinished(answer()),
        &ControlError::KeyInUse(answer()),
        &ControlError::KeyInvalid(answer()),
        &ControlError::ConfigInvalid(answer()),
        &ControlError::Unauthenticated(answer()),
        &ControlError::RegistrationDisabled(answer()),
        &ControlError::FederationMissing(answer()),
        &ControlError::Refused(answer()),
        &ControlError::TooLarge(answer()),
        &ControlError::Unavailable {
            at: at(),
            never_connected: true,
            cause: "connection refused".to_owned(),
        },
        &tls(TlsReason::WrongAuthority),
        &tls(TlsReason::NameMismatch { detail: detail() }),
        &tls(TlsReason::Expired { detail: detail() }),
        &tls(TlsReason::NotYetValid { detail: detail() }),
        &tls(TlsReason::NotTls),
        &tls(TlsReason::Handshake { detail: detail() }),
        &ControlError::Timeout {
            at: at(),
            call: Call::ListRuns,
            after: Duration::from_secs(30),
        },
        &lost(),
        &ControlError::Protocol {
            at: at(),
            call: Call::ListNodes,
            cause: "status 404".to_owned(),
        },
        &SubmitError::Ambiguous {
            lost: lost(),
            ids: vec![RunId(7), RunId(8)],
        },
        &SubmitError::Unresolved {
            lost: lost(),
            looking: lost(),
        },
        &SubmitError::LostTwice(lost()),
        &EndpointError::NotAUrl,
        &EndpointError::Scheme {
            scheme: "ftp".to_owned(),
        },
        &EndpointError::TooMuch { what: "a path" },
        &EndpointError::AuthorityWithoutTls,
        &EndpointError::Authority {
            cause: "no certificate in it".to_owned(),
        },
    ]));
}

#[test]
fn of_command_lines_releases_and_apps() {
    let flag = || "--port".to_owned();
    let source = |error: TreeError| FabError::from(error);
    let keys = |found: &[(&str, usize)]| {
        let place = |(path, line): &(&str, usize)| KeyPlace {
            path: (*path).to_owned(),
            line: *line,
        };
        found.iter().map(place).collect::<Vec<_>>()
    };
    insta::assert_snapshot!(shown(&[
        &LaunchError::OwnedFlag {
            flag: flag(),
            attribute: "local.port",
        },
        &LaunchError::ChosenFlag { flag: flag() },
        &LaunchError::EndsAtOnce {
            flag: "--version".to_owned(),
        },
        &LaunchError::OwnedVariable {
            name: "FLWR_HOME".to_owned(),
            owner: "the provider chooses",
        },
        &LaunchError::NotAVariable {
            name: "A=B".to_owned(),
        },
        &LaunchError::KeysWithoutTls,
        &LaunchError::FleetPortMissing,
        &VersionError::Malformed {
            text: "banana".to_owned(),
        },
        &VersionError::Unknown {
            version: FlowerVersion::new(9, 9, 9),
            oldest: FlowerVersion::new(1, 13, 0),
            newest: FlowerVersion::new(1, 42, 0),
        },
        &source(TreeError::NotADirectory {
            path: PathBuf::from("./app"),
        }),
        &source(TreeError::OwnFolder {
            path: PathBuf::from("./app"),
        }),
        &source(TreeError::Read {
            path: PathBuf::from("./app/a.py"),
            source: std::io::Error::from(std::io::ErrorKind::PermissionDenied),
        }),
        &source(TreeError::NotUtf8 {
            path: "a\u{fffd}.py".to_owned(),
        }),
        &FabError::TooDeep {
            path: "a/b/c".to_owned(),
            depth: 12,
            limit: 10,
            more: 2,
        },
        &FabError::BadName {
            path: "a\nb".to_owned(),
            reason: "it has a line break",
        },
        &FabError::PrivateKey(keys(&[("conf/a.json", 3), ("b.py", 1)])),
        &FabError::PrivateKey(keys(&[("pyproject.toml", 9)])),
        &FabError::TerraformFile(vec!["old/state.json".to_owned()]),
        &FabError::TooLarge {
            size: 11 << 20,
            limit: 10 << 20,
            biggest: vec![("data/train.bin".to_owned(), 9 << 20)],
        },
    ]));
}

#[test]
fn of_keys_and_certificates() {
    let subject = || "CN=Example".to_owned();
    insta::assert_snapshot!(shown(&[
        &NodeKeyError::UnknownAlgorithm("RSA".to_owned()),
        &NodeKeyError::Encrypted,
        &NodeKeyError::Unsupported("RSA".to_owned()),
        &NodeKeyError::PublicGiven,
        &NodeKeyError::PrivateGiven,
        &NodeKeyError::NotAKey,
        &NodeKeyError::Damaged {
            format: "OpenSSH",
            reason: "it ends in the middle".to_owned(),
        },
        &NodeKeyError::Randomness("not available".to_owned()),
        &AuthorityError::Certificate(InspectError::NoCertificate),
        &AuthorityError::NotAnAuthority { subject: subject() },
        &AuthorityError::MayNotSign { subject: subject() },
        &AuthorityError::Mismatch,
        &AuthorityError::Key("not a key".to_owned()),
        &AuthorityError::NotValid {
            not_before: datetime!(2025-01-01 0:00 UTC),
            not_after: datetime!(2026-01-01 0:00 UTC),
            now: datetime!(2026-11-25 0:00 UTC),
        },
        &AuthorityError::Validity(time::Duration::seconds(0)),
        &AuthorityError::CommonName("\n".to_owned()),
        &AuthorityError::Signing("no".to_owned()),
        &InspectError::PrivateKeyFound,
        &InspectError::Damaged {
            position: 2,
            reason: "it ends in the middle".to_owned(),
        },
        &ServerNameError::Empty,
        &ServerNameError::Dns {
            name: "a b".to_owned(),
            reason: "it has a space",
        },
        &ServerNameError::Ip("1.2.3".to_owned()),
    ]));
}

#[test]
fn commands_to_a_ci_service_are_broken_up_and_addresses_are_not() {
    use crate::resources::report::inert;
    for (text, expected) in [
        ("::error::x", ": :error::x"),
        (
            "a \"::set-output name=b::c\"",
            "a \": :set-output name=b::c\"",
        ),
        ("##vso[task]", "# #vso[task]"),
        (
            "https://[::1]:8000 std::io a::b",
            "https://[::1]:8000 std::io a::b",
        ),
    ] {
        assert_eq!(inert(text), expected, "{text}");
    }
}
