//! Refusals of all eras, and responses that only look like one.

use proptest::prelude::*;

use super::*;

fn refused(status: u16, body: &str) -> ControlError {
    from_http("127.0.0.1:8000", Call::StartRun, status, body.as_bytes())
}

#[test]
fn flowers_codes_decide_and_flowers_words_are_shown() {
    let error = refused(
        412,
        r#"{"code":15,"detail":"Invalid run configuration.","extra":"Key 'x' is unknown"}"#,
    );
    assert!(matches!(error, ControlError::ConfigInvalid(_)));
    assert_eq!(
        error.to_string(),
        "the SuperLink at 127.0.0.1:8000 refused to start the run: \
         Invalid run configuration. Key 'x' is unknown (Flower code 15)"
    );
    let kinds = [
        (16, "NotFound"),
        (18, "AlreadyFinished"),
        (22, "KeyInvalid"),
        (23, "KeyInUse"),
        (24, "NotFound"),
        (2, "FederationMissing"),
        (36, "Unauthenticated"),
        (2001, "RegistrationDisabled"),
        (9, "Refused"),
        (1005, "Unavailable"),
    ];
    for (code, kind) in kinds {
        let error = refused(400, &format!(r#"{{"code":{code},"detail":"d"}}"#));
        assert!(
            format!("{error:?}").starts_with(kind),
            "{code} became {error:?}"
        );
    }
}

#[test]
fn the_error_text_of_grpc_is_read_as_well() {
    let error = refused(
        404,
        r#"{"code":16,"public_message":"Run ID not found.","public_details":null}"#,
    );
    assert!(matches!(error, ControlError::NotFound(answer) if answer.words.starts_with("Run ID")));
}

#[test]
fn a_server_that_is_not_ready_did_nothing() {
    let error = refused(
        503,
        r#"{"code":1005,"detail":"LinkState is not initialized."}"#,
    );
    assert!(!error.outcome_unknown() && error.may_pass());
}

#[test]
fn a_proxy_that_lost_its_server_leaves_the_outcome_open() {
    for status in [408, 499, 502, 503, 504, 520, 524] {
        assert!(refused(status, "<html>Bad gateway</html>").outcome_unknown());
    }
}

#[test]
fn a_proxy_that_takes_no_such_request_says_that_it_is_too_large() {
    let error = refused(413, "<html>Request Entity Too Large</html>");
    assert!(matches!(error, ControlError::TooLarge(_)), "{error:?}");
    assert!(error.remedy().unwrap().contains("proxy"));
}

#[test]
fn an_unknown_route_is_not_a_missing_run() {
    let error = refused(404, r#"{"detail":"Not Found"}"#);
    assert!(matches!(error, ControlError::Protocol { .. }));
    assert_eq!(
        error.to_string(),
        "the server at 127.0.0.1:8000 does not start the run like a SuperLink: HTTP 404: Not Found"
    );
}

#[test]
fn a_strangers_text_is_cut_and_cleaned() {
    let text = refused(500, &format!("a\u{1b}[31m\n\n{}", "b ".repeat(5000))).to_string();
    assert!(text.len() < 800 && text.ends_with('…') && !text.contains('\u{1b}'));
}

fn over_grpc(call: Call, code: Code, text: &str) -> String {
    let error = from_grpc("h:9093", call, code, text);
    let kind = format!("{error:?}");
    kind.split(['(', ' ']).next().unwrap().to_owned()
}

#[test]
fn plain_words_of_old_releases_are_understood() {
    use Code::{FailedPrecondition, NotFound, PermissionDenied, Unknown};
    for (call, code, text, kind) in [
        (Call::ListRuns, NotFound, "Run ID not found", "NotFound"),
        (Call::StopRun, NotFound, "Run ID 42 not found", "NotFound"),
        (
            Call::UnregisterNode,
            NotFound,
            "Node ID not found for account",
            "NotFound",
        ),
        (
            Call::StopRun,
            FailedPrecondition,
            "Run ID 42 is already finished",
            "AlreadyFinished",
        ),
        (
            Call::RegisterNode,
            FailedPrecondition,
            "Public key already in use",
            "KeyInUse",
        ),
        (
            Call::RegisterNode,
            FailedPrecondition,
            "The provided public key is not valid",
            "KeyInvalid",
        ),
        (
            Call::StartRun,
            FailedPrecondition,
            "Key 'x' is not present in the main dictionary",
            "ConfigInvalid",
        ),
        (
            Call::StartRun,
            FailedPrecondition,
            "Federation '' does not exist.",
            "FederationMissing",
        ),
        (
            Call::StartRun,
            NotFound,
            "Federation not found, archived, or you cannot perform this action.",
            "FederationMissing",
        ),
        (
            Call::StartRun,
            FailedPrecondition,
            "File is not a zip file",
            "Refused",
        ),
        (
            Call::StopRun,
            PermissionDenied,
            "⛔️ Run ID does not belong to the user",
            "Unauthenticated",
        ),
        (Call::StartRun, Code::Unauthenticated, "", "Unauthenticated"),
        (
            Call::StartRun,
            Unknown,
            "Exception calling application: boom",
            "Refused",
        ),
        (
            Call::StartRun,
            Code::ResourceExhausted,
            "Received message larger than max (536871000 vs. 536870912)",
            "TooLarge",
        ),
        (
            Call::StartRun,
            Code::ResourceExhausted,
            "Too many calls in a minute",
            "Refused",
        ),
        (Call::StartRun, Code::Internal, "", "Refused"),
        (Call::StartRun, Code::Unavailable, "", "LostReply"),
        (Call::StartRun, Code::Cancelled, "", "LostReply"),
    ] {
        assert_eq!(over_grpc(call, code, text), kind, "{text}");
    }
}

#[test]
fn flowers_number_counts_more_than_the_code_of_grpc() {
    let text = r#"{"code":18,"public_message":"Run is already finished.","public_details":null}"#;
    let error = from_grpc("h:9093", Call::StopRun, Code::FailedPrecondition, text);
    assert!(matches!(error, ControlError::AlreadyFinished(_)));
    assert_eq!(
        error.to_string(),
        "the SuperLink at h:9093 refused to stop the run: Run is already finished. (Flower code 18)"
    );
    let error = from_grpc("h:9093", Call::ListRuns, Code::NotFound, "Run ID not found");
    assert_eq!(
        error.to_string(),
        "the SuperLink at h:9093 refused to list runs: Run ID not found (gRPC NotFound)"
    );
}

#[test]
fn a_missing_method_is_not_a_method_that_refuses() {
    assert!(is_no_method(Code::Unimplemented, "Method not found!"));
    assert!(is_no_method(
        Code::Unimplemented,
        "unknown service flwr.proto.Control"
    ));
    assert!(!is_no_method(
        Code::Unimplemented,
        "ListNodes is not available in simulation mode."
    ));
    assert!(!is_no_method(Code::NotFound, "Method not found!"));
}

proptest! {
    #[test]
    fn any_text_and_body_is_some_error(
        body in prop::collection::vec(any::<u8>(), 0..200),
        text in ".{0,2000}",
        number in any::<i64>(),
        status in 100_u16..600,
    ) {
        let json = serde_json::json!({"code": number, "public_message": text}).to_string();
        for text in [text.as_str(), json.as_str(), &"[".repeat(5000)] {
            for code in (0..20).map(Code::from_i32) {
                let error = from_grpc("h:1", Call::StartRun, code, text).to_string();
                prop_assert!(error.len() < 4000, "{}", error);
            }
        }
        let error = from_http("h:1", Call::StartRun, status, &body).to_string();
        prop_assert!(error.len() < 4000, "{}", error);
    }
}
