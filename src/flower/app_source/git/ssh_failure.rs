//! Why `ssh` failed, from what it and the server's git printed.
//!
//! `ssh` exits with 255 for all reasons of its own, so its words decide. They are not translated.

use std::process::ExitStatus;

use super::error::GitError;
use super::session::{Session, means_not_found};
use super::url::SshUrl;

pub(super) fn reason(
    session: &Session,
    url: &SshUrl,
    printed: &str,
    status: Option<ExitStatus>,
) -> GitError {
    let at = session.at.clone();
    let host = match url.port {
        Some(port) => format!("[{}]:{port}", url.host),
        None => url.host.clone(),
    };
    let says = |words: &[&str]| words.iter().any(|words| printed.contains(words));
    let cause = session.cause(&without_frame(printed));
    if says(&[
        "HOST IDENTIFICATION HAS CHANGED",
        "is marked as revoked",
        "REVOKED HOST KEY",
    ]) {
        GitError::HostKeyChanged { host, cause }
    } else if says(&["Host key verification failed", "host key is known for"]) {
        GitError::HostKeyUnknown { host, cause }
    } else if says(&["Permission denied (", "Too many authentication failures"]) {
        GitError::LoginRefused { at, cause }
    } else if means_not_found(printed) {
        GitError::RepositoryNotFound { at }
    } else if says(&[
        "Connection timed out",
        "Operation timed out",
        "Timeout, server",
    ]) {
        let after = session.limits.connect;
        GitError::Timeout { at, after }
    } else if says(&[
        "command not found",
        "not recognized as",
        "is not a git command",
    ]) {
        let detail = cause;
        GitError::NotAGitServer { at, detail }
    } else if cause.is_empty() {
        let status = status.map_or_else(
            || "an unknown status".to_owned(),
            |status| status.to_string(),
        );
        let cause = format!("ssh ended with {status} and printed nothing");
        GitError::Connection { at, cause }
    } else {
        GitError::Connection { at, cause }
    }
}

/// Without the frame of `@` around the warning about a changed host key.
fn without_frame(printed: &str) -> String {
    let lines = printed
        .lines()
        .map(|line| line.trim_matches(['@', ' ', '\r']));
    lines
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}
