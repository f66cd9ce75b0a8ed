//! Decodes the refusals of a SuperLink. Flower sends a code and a message as JSON; its web
//! framework sends `{"detail": …}`; old releases with gRPC send only a text. A proxy may send
//! anything.

use serde::Deserialize;
use tonic::Code;

use super::call::Call;
use super::error::{Answer, ControlError};

/// How many characters of an untrusted text to show.
const SHOWN: usize = 600;

#[derive(Deserialize)]
struct Body {
    code: Option<i64>,
    #[serde(alias = "public_message")]
    detail: Option<serde_json::Value>,
    #[serde(alias = "public_details")]
    extra: Option<String>,
}

/// Converts an unsuccessful response into an error.
pub(super) fn from_http(at: &str, call: Call, status: u16, body: &[u8]) -> ControlError {
    let parsed = serde_json::from_slice::<Body>(body).ok();
    let code = parsed.as_ref().and_then(|body| body.code);
    let answer = Answer {
        at: at.to_owned(),
        call,
        words: reason_of(status, parsed, body),
    };
    match code {
        Some(code) => with_code(code, answer),
        None => without_code(status, answer),
    }
}

/// Converts an unsuccessful gRPC status into an error. Its text is JSON with Flower's code from
/// 1.33 on, and sometimes from 1.30 on; before, it is plain text.
pub(super) fn from_grpc(at: &str, call: Call, code: Code, text: &str) -> ControlError {
    let parsed = serde_json::from_str::<Body>(text).ok();
    let number = parsed.as_ref().and_then(|body| body.code);
    let message = match (parsed, printable(text)) {
        (Some(body), _) if body.detail.is_some() => flower_message(body, &format!("gRPC {code:?}")),
        (_, text) if text.is_empty() => format!("gRPC {code:?} without a message"),
        (_, text) => format!("{text} (gRPC {code:?})"),
    };
    let answer = Answer {
        at: at.to_owned(),
        call,
        words: message,
    };
    match number {
        Some(number) => with_code(number, answer),
        None => with_grpc_code(code, text, answer),
    }
}

/// Whether the status means that the server does not have the method, and not that the method
/// refused the call.
pub(super) fn is_no_method(code: Code, text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let known = ["method not found", "unknown service", "unknown method"];
    match code {
        Code::Unimplemented => text.is_empty() || known.iter().any(|known| text.contains(known)),
        // The text of the Fleet API in some releases.
        Code::FailedPrecondition => text.contains("should be sent to a different service"),
        _ => false,
    }
}

/// Whether the server failed before it called a method: up to at least 1.23 it checks the account
/// first, and this check fails for a method that does not exist.
pub(super) fn is_no_handler(code: Code, text: &str) -> bool {
    code == Code::Unknown && text.eq_ignore_ascii_case("Error in service handler!")
}

fn with_grpc_code(code: Code, text: &str, answer: Answer) -> ControlError {
    let text = text.to_ascii_lowercase();
    let says = |part: &str| text.contains(part);
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
        // The server that sends this may already have passed on the request.
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
        // The SuperLink is still starting and has not executed the call.
        37 | 1005 | 1009 | 1010 => ControlError::Unavailable {
            at: answer.at,
            never_connected: false,
            cause: answer.words,
        },
        _ => ControlError::Refused(answer),
    }
}

/// An error from the web framework or from a proxy in front of the SuperLink.
fn without_code(status: u16, answer: Answer) -> ControlError {
    match status {
        401 | 403 | 407 => ControlError::Unauthenticated(answer),
        // A proxy that lost its server: the SuperLink may have received the request.
        502..=504 => ControlError::LostReply {
            at: answer.at,
            call: answer.call,
            cause: answer.words,
        },
        413 if answer.call == Call::StartRun => ControlError::TooLarge(answer),
        500 => ControlError::Refused(answer),
        // A proxy gave up and may have passed on the request; only these codes mean that it did
        // not.
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

fn reason_of(status: u16, parsed: Option<Body>, body: &[u8]) -> String {
    if let Some(parsed) = parsed.filter(|parsed| parsed.detail.is_some()) {
        return flower_message(parsed, &format!("HTTP {status}"));
    }
    let text = printable(&String::from_utf8_lossy(body));
    if text.is_empty() {
        format!("HTTP {status} without a message")
    } else {
        format!("HTTP {status}: {text}")
    }
}

/// Flower's message with its code, or with the status if there is no code.
fn flower_message(body: Body, status: &str) -> String {
    let detail = body.detail.unwrap_or_default();
    let mut message = printable(detail.as_str().unwrap_or(&detail.to_string()));
    if let Some(extra) = body.extra {
        message.push(' ');
        message.push_str(&printable(&extra));
    }
    match body.code {
        Some(code) => format!("{message} (Flower code {code})"),
        None => format!("{status}: {message}"),
    }
}

/// One printable line of limited length.
fn printable(text: &str) -> String {
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
