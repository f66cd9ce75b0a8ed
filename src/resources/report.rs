//! Turns the errors of the domain into messages for the person who ran Terraform: each keeps its
//! own words and says what to do.

use std::fmt::Display;

use crate::flower::control::{ControlError, EndpointError, FindError, SubmitError};
use crate::flower::fab::FabError;
use crate::flower::launch::LaunchError;
use crate::flower::version::VersionError;
use crate::pki::{AuthorityError, InspectError, NodeKeyError, ServerNameError};
use crate::runtime::RuntimeError;
use crate::terminal::{plain, shortened};
use crate::tfplugin::diagnostic::Diagnostic;

/// An error that knows what to do about it.
pub trait Explained: Display {
    fn advice(&self) -> Option<String>;
}

macro_rules! explained {
    ($($ty:ty),* $(,)?) => { $(
        impl Explained for $ty {
            fn advice(&self) -> Option<String> {
                self.remedy()
            }
        }
    )* };
}

explained!(
    AuthorityError,
    ControlError,
    EndpointError,
    FabError,
    FindError,
    InspectError,
    LaunchError,
    NodeKeyError,
    RuntimeError,
    ServerNameError,
    SubmitError,
    VersionError,
);

/// The message that `what` failed (a short clause, such as "The SuperLink \"a\" did not start").
pub fn failed(what: impl Into<String>, error: &(impl Explained + ?Sized)) -> Diagnostic {
    Diagnostic::error(what)
        .detail(sentence(&error.to_string()))
        .remedy(error.advice())
}

/// The same as a warning.
pub fn noticed(what: impl Into<String>, error: &(impl Explained + ?Sized)) -> Diagnostic {
    Diagnostic::warning(what)
        .detail(sentence(&error.to_string()))
        .remedy(error.advice())
}

/// Errors are written as fragments; a detail is read as a sentence.
fn sentence(text: &str) -> String {
    let mut chars = text.trim().chars();
    let Some(first) = chars.next() else {
        return String::new();
    };
    // A path or a name in code is written as it is.
    let word = text.split_whitespace().next().unwrap_or_default();
    let is_name = word.contains(['/', '\\', '_']);
    let mut sentence: String = if is_name {
        std::iter::once(first).chain(chars).collect()
    } else {
        first.to_uppercase().chain(chars).collect()
    };
    if !sentence.ends_with(['.', '!', '?', ':', '\n']) && !sentence.contains('\n') {
        sentence.push('.');
    }
    sentence
}

/// How many characters of a log line a person is shown.
const SHOWN_OF_A_LINE: usize = 400;
/// How many bytes of a log.
const SHOWN_OF_A_LOG: usize = 16 << 10;

/// Log lines as they stand in a detail: long ones cut, and no more of them than a person reads.
pub fn quoted_log(title: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return format!("{title}: it wrote nothing.");
    }
    let mut room = SHOWN_OF_A_LOG;
    let mut shown = Vec::new();
    for line in lines.iter().rev() {
        let line = format!("  {}", shortened(&plain(line), SHOWN_OF_A_LINE));
        let Some(left) = room.checked_sub(line.len() + 1) else {
            break;
        };
        room = left;
        shown.push(line);
    }
    if shown.len() < lines.len() {
        shown.push(format!("  … ({} earlier lines)", lines.len() - shown.len()));
    }
    shown.reverse();
    format!("{title}:\n{}", shown.join("\n"))
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
