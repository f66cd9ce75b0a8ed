//! Reads a SuperLink's refusals. Flower sends a number and its words as JSON, and a plain
//! `{"detail": …}` where its web framework answers; something in between may send anything at all.

use serde::Deserialize;

use super::call::Call;
use super::error::{Answer, ControlError};

/// The longest text of a stranger that is shown.
const SHOWN: usize = 600;

#[derive(Deserialize)]
struct Body {
    code: Option<i64>,
    #[serde(alias = "public_message")]
    detail: Option<serde_json::Value>,
    #[serde(alias = "public_details")]
    extra: Option<String>,
}

/// Turns an answer that is not a success into an error.
pub(super) fn from_http(at: &str, call: Call, status: u16, body: &[u8]) -> ControlError {
    let parsed = serde_json::from_slice::<Body>(body).ok();
    let code = parsed.as_ref().and_then(|body| body.code);
    let answer = Answer {
        at: at.to_owned(),
        call,
        words: words(status, parsed, body),
    };
    let Some(code) = code else {
        return without_code(status, answer);
    };
    match code {
        16 | 24 => ControlError::NotFound(answer),
        18 => ControlError::AlreadyFinished(answer),
        23 => ControlError::KeyInUse(answer),
        22 => ControlError::KeyInvalid(answer),
        15 => ControlError::ConfigInvalid(answer),
        36 | 1008 => ControlError::Unauthenticated(answer),
        2001 => ControlError::RegistrationDisabled(answer),
        2 | 12 | 25 | 26 | 27 => ControlError::FederationMissing(answer),
        // The SuperLink itself is still starting: it said so before it did anything.
        37 | 1005 | 1009 | 1010 => ControlError::Unavailable {
            at: answer.at,
            never_connected: false,
            cause: answer.words,
        },
        _ => ControlError::Refused(answer),
    }
}

/// The web framework, or something between here and the SuperLink.
fn without_code(status: u16, answer: Answer) -> ControlError {
    match status {
        401 | 403 | 407 => ControlError::Unauthenticated(answer),
        // A proxy that lost its server: the SuperLink may have had the request.
        502..=504 => ControlError::LostReply {
            at: answer.at,
            call: answer.call,
            cause: answer.words,
        },
        500 => ControlError::Refused(answer),
        _ => ControlError::Protocol {
            at: answer.at,
            call: answer.call,
            cause: answer.words,
        },
    }
}

fn words(status: u16, parsed: Option<Body>, body: &[u8]) -> String {
    let Some(Body {
        code,
        detail: Some(detail),
        extra,
    }) = parsed
    else {
        let text = shown(&String::from_utf8_lossy(body));
        return if text.is_empty() {
            format!("HTTP {status} without a text")
        } else {
            format!("HTTP {status}: {text}")
        };
    };
    let mut words = shown(detail.as_str().unwrap_or(&detail.to_string()));
    if let Some(extra) = extra {
        words.push(' ');
        words.push_str(&shown(&extra));
    }
    match code {
        Some(code) => format!("{words} (Flower code {code})"),
        None => format!("HTTP {status}: {words}"),
    }
}

/// One line, printable, of bounded length.
fn shown(text: &str) -> String {
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if word.is_empty() {
            continue;
        }
        if line.len() + word.len() > SHOWN {
            line.push('…');
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

#[cfg(test)]
mod tests {
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
        assert!(
            matches!(error, ControlError::NotFound(answer) if answer.words.starts_with("Run ID"))
        );
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
        for status in [502, 503, 504] {
            assert!(refused(status, "<html>Bad gateway</html>").outcome_unknown());
        }
    }

    #[test]
    fn an_unknown_route_is_not_a_missing_run() {
        let error = refused(404, r#"{"detail":"Not Found"}"#);
        assert!(matches!(error, ControlError::Protocol { .. }));
        assert_eq!(
            error.to_string(),
            "what answers at 127.0.0.1:8000 does not start the run as a SuperLink would: HTTP 404: Not Found"
        );
    }

    #[test]
    fn a_strangers_text_is_cut_and_cleaned() {
        let text = refused(500, &format!("a\u{1b}[31m\n\n{}", "b ".repeat(5000))).to_string();
        assert!(text.len() < 800 && text.ends_with('…') && !text.contains('\u{1b}'));
    }
}
