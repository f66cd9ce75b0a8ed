//! What lies behind an error, in words that hold no secret: both those who open the way to a cluster and
//! those who tell what came of it use them.

use kube::client::AuthError;

/// Why a client cannot be made. A proxy is never quoted: its URL may hold a password.
pub(super) fn of_client(error: &kube::Error) -> String {
    match error {
        kube::Error::Auth(error) => without_credentials(error),
        kube::Error::ProxyProtocolUnsupported { .. }
        | kube::Error::ProxyProtocolDisabled { .. } => {
            "the URL of its proxy does not begin with \"http://\" or \"https://\"".to_owned()
        }
        other => chain(other),
    }
}

/// Why there are no credentials, without what their program was given and printed.
pub(super) fn without_credentials(error: &AuthError) -> String {
    match error {
        AuthError::AuthExecRun { out, .. } => {
            let said = String::from_utf8_lossy(&out.stderr);
            let lines: Vec<_> = said.trim().lines().collect();
            let last = lines.get(lines.len().saturating_sub(5)..).unwrap_or(&[]);
            format!(
                "the exec plugin failed ({}): {}",
                out.status,
                last.join("\n")
            )
        }
        AuthError::AuthExecParse(_) => {
            "what the exec plugin printed is not an ExecCredential".to_owned()
        }
        other => chain(other),
    }
}

/// An error with its causes, each once.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        next = cause.source();
    }
    text
}
