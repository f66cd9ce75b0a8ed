//! Reads a SuperLink's refusals. Flower sends a number and its words as JSON, and a plain
//! `{"detail": …}` where its web framework answers; over gRPC old releases send words alone. Something
//! in between may send anything at all.

use serde::Deserialize;
use tonic::Code;

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
    match code {
        Some(code) => with_code(code, answer),
        None => without_code(status, answer),
    }
}

/// Turns a gRPC status that is not a success into an error: Flower's number as JSON from 1.33 on, and
/// here and there from 1.30; before that plain words.
pub(super) fn from_grpc(at: &str, call: Call, code: Code, text: &str) -> ControlError {
    let parsed = serde_json::from_str::<Body>(text).ok();
    let number = parsed.as_ref().and_then(|body| body.code);
    let words = match (parsed, shown(text)) {
        (Some(body), _) if body.detail.is_some() => said(body, &format!("gRPC {code:?}")),
        (_, text) if text.is_empty() => format!("gRPC {code:?} without a text"),
        (_, text) => format!("{text} (gRPC {code:?})"),
    };
    let answer = Answer {
        at: at.to_owned(),
        call,
        words,
    };
    match number {
        Some(number) => with_code(number, answer),
        None => with_grpc_code(code, text, answer),
    }
}

/// True if this is how gRPC servers say that they have no such method, and not how a method says that
/// it will not.
pub(super) fn is_no_method(code: Code, text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let known = ["method not found", "unknown service", "unknown method"];
    match code {
        Code::Unimplemented => text.is_empty() || known.iter().any(|known| text.contains(known)),
        // The Fleet API of some releases.
        Code::FailedPrecondition => text.contains("should be sent to a different service"),
        _ => false,
    }
}

fn with_grpc_code(code: Code, text: &str, answer: Answer) -> ControlError {
    let text = text.to_ascii_lowercase();
    let says = |words: &str| text.contains(words);
    let is_federation = says("federation") && !says("federation options");
    match code {
        Code::NotFound if is_federation => ControlError::FederationMissing(answer),
        Code::NotFound => ControlError::NotFound(answer),
        Code::Unauthenticated | Code::PermissionDenied => ControlError::Unauthenticated(answer),
        Code::FailedPrecondition | Code::InvalidArgument => match answer.call {
            Call::StopRun if says("already finished") => ControlError::AlreadyFinished(answer),
            Call::RegisterNode if says("already in use") => ControlError::KeyInUse(answer),
            Call::RegisterNode if says("not valid") => ControlError::KeyInvalid(answer),
            Call::StartRun if says("is not present in the main dictionary") => {
                ControlError::ConfigInvalid(answer)
            }
            _ if is_federation => ControlError::FederationMissing(answer),
            _ => ControlError::Refused(answer),
        },
        Code::ResourceExhausted if answer.call == Call::StartRun && says("larger than") => {
            ControlError::TooLarge(answer)
        }
        // Whoever says this may have passed the request on before.
        Code::Unavailable | Code::Cancelled | Code::DeadlineExceeded => ControlError::LostReply {
            at: answer.at,
            call: answer.call,
            cause: answer.words,
        },
        _ => ControlError::Refused(answer),
    }
}

fn with_code(code: i64, answer: Answer) -> ControlError {
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
        413 if answer.call == Call::StartRun => ControlError::TooLarge(answer),
        500 => ControlError::Refused(answer),
        // What stands between gave up, and the request may have been passed on; only these say that
        // it was not.
        400 | 404 | 405 | 411 | 413..=415 | 421 | 431 | 501 | 505 => ControlError::Protocol {
            at: answer.at,
            call: answer.call,
            cause: answer.words,
        },
        _ if !answer.call.is_read() => ControlError::LostReply {
            at: answer.at,
            call: answer.call,
            cause: answer.words,
        },
        _ => ControlError::Protocol {
            at: answer.at,
            call: answer.call,
            cause: answer.words,
        },
    }
}

fn words(status: u16, parsed: Option<Body>, body: &[u8]) -> String {
    if let Some(parsed) = parsed.filter(|parsed| parsed.detail.is_some()) {
        return said(parsed, &format!("HTTP {status}"));
    }
    let text = shown(&String::from_utf8_lossy(body));
    if text.is_empty() {
        format!("HTTP {status} without a text")
    } else {
        format!("HTTP {status}: {text}")
    }
}

/// Flower's words, and its number or else the number of what carried them.
fn said(body: Body, status: &str) -> String {
    let detail = body.detail.unwrap_or_default();
    let mut words = shown(detail.as_str().unwrap_or(&detail.to_string()));
    if let Some(extra) = body.extra {
        words.push(' ');
        words.push_str(&shown(&extra));
    }
    match body.code {
        Some(code) => format!("{words} (Flower code {code})"),
        None => format!("{status}: {words}"),
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
#[path = "refusal_tests.rs"]
mod tests;
