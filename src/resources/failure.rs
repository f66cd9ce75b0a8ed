//! What a person is told when processes end or do not get ready.

use std::time::Duration;

use super::report::quoted_log;
use super::timeouts::Operation;
use crate::flower::exit_meaning::FlowerExit;
use crate::runtime::Failure;
use crate::tfplugin::diagnostic::Diagnostic;

/// A process that ended by itself, with the meaning of its exit code and its last lines.
pub fn report(what: String, failure: &Failure) -> Diagnostic {
    let exit = FlowerExit::in_log(&failure.log.join("\n"));
    let meaning = exit.as_ref().and_then(|exit| {
        let meaning = exit.meaning()?;
        Some(format!("Flower's exit code {}: {meaning}.", exit.code))
    });
    Diagnostic::error(what)
        .detail(format!(
            "The process `{}`: {}.",
            failure.process, failure.how
        ))
        .remedy(meaning)
        .detail(quoted_log("Its last lines", &failure.log))
        .remedy(exit.and_then(|exit| exit.remedy()))
}

/// Something that did not come about in time.
pub fn timed_out(
    what: String,
    limit: Duration,
    operation: Operation,
    log: &[String],
) -> Diagnostic {
    Diagnostic::error(what)
        .detail(format!("It was not ready after {} s.", limit.as_secs()))
        .detail(quoted_log("Its last lines", log))
        .detail(format!(
            "Raise `{}` if it only needs more time.",
            operation.attribute()
        ))
}
