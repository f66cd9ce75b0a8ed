//! Turns the errors of the domain into messages for the person who ran Terraform. Each message
//! keeps the text of the error and adds what to do.

use std::fmt::Display;

use crate::flower::app_source::git::GitError;
use crate::flower::app_source::remote_file::RemoteError;
use crate::flower::control::{ControlError, EndpointError, FindError, SubmitError};
use crate::flower::fab::FabError;
use crate::flower::launch::LaunchError;
use crate::flower::version::VersionError;
use crate::pki::{AuthorityError, InspectError, NodeKeyError, ServerNameError};
use crate::runtime::RuntimeError;
use crate::terminal::{plain, shortened};
use crate::tfplugin::diagnostic::Diagnostic;

/// An error with a remedy.
pub trait Explained: Display {
    fn remedy(&self) -> Option<String>;
}

macro_rules! explained {
    ($($ty:ty),* $(,)?) => { $(
        impl Explained for $ty {
            fn remedy(&self) -> Option<String> {
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

impl Explained for RemoteError {
    fn remedy(&self) -> Option<String> {
        Some(self.remedy())
    }
}

impl Explained for GitError {
    fn remedy(&self) -> Option<String> {
        Some(self.remedy())
    }
}

/// The text of an error as a sentence. It may quote names that an app chose.
fn told(error: &(impl Explained + ?Sized)) -> String {
    sentence(&inert(&error.to_string()))
}

/// The error that `what` failed (a short clause, such as "The SuperLink \"a\" did not start").
pub fn error(what: impl Into<String>, error: &(impl Explained + ?Sized)) -> Diagnostic {
    Diagnostic::error(what)
        .detail(told(error))
        .remedy(error.remedy().map(|text| inert(&text)))
}

/// The same as a warning.
pub fn warning(what: impl Into<String>, error: &(impl Explained + ?Sized)) -> Diagnostic {
    Diagnostic::warning(what)
        .detail(told(error))
        .remedy(error.remedy().map(|text| inert(&text)))
}

/// Turns an error text, which is a fragment, into a sentence for a detail.
fn sentence(text: &str) -> String {
    let mut chars = text.trim().chars();
    let Some(first) = chars.next() else {
        return String::new();
    };
    // A path or a name in code keeps its case.
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

/// The text of another program for a detail: a single line follows the title; several lines go
/// below it, marked so that they do not look like our own text.
pub fn quoted(title: &str, text: &str) -> String {
    let text = inert(text);
    let mut lines = text.lines();
    match (lines.next(), lines.next()) {
        (None, _) => title.to_owned(),
        (Some(line), None) => format!("{title}: {line}"),
        (Some(_), Some(_)) => {
            let lines: Vec<_> = text.lines().map(barred).collect();
            format!("{title}:\n{}", lines.join("\n"))
        }
    }
}

/// A marked line of another program's text.
fn barred(line: &str) -> String {
    format!("  | {line}")
}

/// A text without commands to a CI service: GitHub and Azure run commands in the output of their
/// jobs.
pub fn inert(text: &str) -> String {
    let text = text.replace("##[", "# #[").replace("##vso[", "# #vso[");
    let mut inert = String::with_capacity(text.len());
    let mut before = None;
    for (at, one) in text.char_indices() {
        let rest = text.get(at..).unwrap_or_default();
        // GitHub's commands begin a line, and Terraform breaks lines at any blank.
        let begins = before.is_none_or(|one: char| !one.is_alphanumeric() && one != ':');
        let names = |rest: &str| rest.starts_with(|one: char| one.is_ascii_lowercase());
        if begins && rest.strip_prefix("::").is_some_and(names) {
            inert.push_str(": ");
        } else {
            inert.push(one);
        }
        before = Some(one);
    }
    inert
}

/// How many characters of a log line a message shows.
const SHOWN_OF_A_LINE: usize = 400;
/// How many bytes of a log a message shows.
const SHOWN_OF_A_LOG: usize = 16 << 10;

/// Log lines for a detail: long lines are cut, and the total size is limited.
pub fn quoted_log(title: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return format!("{title}: it wrote nothing.");
    }
    let mut room = SHOWN_OF_A_LOG;
    let mut shown = Vec::new();
    for line in lines.iter().rev() {
        let line = barred(&inert(&shortened(&plain(line), SHOWN_OF_A_LINE)));
        let Some(left) = room.checked_sub(line.len() + 1) else {
            break;
        };
        room = left;
        shown.push(line);
    }
    if shown.len() < lines.len() {
        let earlier = lines.len() - shown.len();
        shown.push(barred(&format!("… ({earlier} earlier lines)")));
    }
    shown.reverse();
    format!("{title}:\n{}", shown.join("\n"))
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
