//! The text of an error with its causes, which libraries leave out of their messages.

/// The messages of an error and its sources, without repetitions.
pub(crate) fn error_chain(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !message.contains(&more) {
            message.push_str(": ");
            message.push_str(&more);
        }
        source = error.source();
    }
    message
}
