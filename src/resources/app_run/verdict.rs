//! What a run that ended badly means for the apply: Flower's reason, the last lines of the log, and
//! the known cause.

use super::cause::{AppParts, READ, cause, client_failed, installing, places, sites_of};
use super::federation::Federation;
use super::follow::{SUPERLINK, ended_as, words};
use super::model::{Model, OnFailure};
use super::ready::online_words;
use crate::flower::control::{ControlClient, Run, SubStatus};
use crate::resources::Configured;
use crate::resources::report::quoted_log;
use crate::tfplugin::Call;
use crate::tfplugin::diagnostic::{Diagnostic, Result};

/// What the end of a run means for the apply. `failures` lists the SuperNodes that failed in it.
pub(super) async fn of(
    call: &Call<Configured>,
    client: &ControlClient,
    model: &Model,
    parts: &AppParts,
    run: &Run,
    failures: &str,
) -> Result<()> {
    if !run.is_finished() || run.sub_status == SubStatus::Completed {
        return Ok(());
    }
    if model.on_failure == OnFailure::Record {
        call.warn(recorded(run, failures));
        return Ok(());
    }
    let nodes = client.list_nodes().await.unwrap_or_default();
    let lines = client.log_end(run.id, READ).await;
    let lines = lines.inspect_err(|error| {
        tracing::warn!(run = %run.id, "its log could not be read: {error}");
    });
    let federation = Federation::of(call.provider.runtime.as_ref(), &model.control).await;
    let failing = lines.as_ref().is_ok_and(|lines| client_failed(lines));
    let runtime = call.provider.runtime.as_ref();
    let sites = sites_of(runtime, federation.as_ref(), failing).await;
    let mut message = Diagnostic::error(ended_as(run.id, &run.sub_status))
        .detail(format!(
            "Status {}, sub-status {}.",
            run.status.as_str(),
            run.sub_status.as_str()
        ))
        .detail(words(run));
    let cause = lines
        .as_ref()
        .ok()
        .and_then(|lines| cause(lines, &run.details, &sites));
    if let Some(cause) = cause {
        message = message.detail(cause.told(parts, model.control.is_in_cluster()));
    } else if run.details.contains(NO_HEARTBEAT) {
        message = message.detail(silent_end(call, federation.as_ref()).await);
    } else if let Ok(lines) = &lines {
        message = message.remedy(installing(lines));
    }
    if !failures.is_empty() {
        message = message.detail(format!("SuperNodes failed:\n{failures}"));
    }
    message = message.detail(match &lines {
        Ok(lines) => shown(lines, model.log_lines),
        Err(error) => format!("The log of the ServerApp could not be read: {error}."),
    });
    message = message.detail(format!(
        "{} Exceptions of a ClientApp are in the log of its SuperNode{}",
        online_words(&nodes),
        places(&sites)
    ));
    let again = if run.sub_status == SubStatus::Stopped {
        "This apply did not stop it: somebody else did, or the SuperLink. Apply again to submit a \
         new run that replaces this one."
    } else {
        "Fix the app and apply. The apply submits a new run that replaces this one."
    };
    Err(message
        .detail(format!(
            "{again} To accept such a run without an error, set `on_failure = \"record\"`."
        ))
        .into())
}

/// The warning for a run that may fail by its configuration.
fn recorded(run: &Run, failures: &str) -> Diagnostic {
    let mut message = Diagnostic::warning(ended_as(run.id, &run.sub_status)).detail(words(run));
    if !failures.is_empty() {
        message = message.detail(format!("SuperNodes failed:\n{failures}"));
    }
    message.detail("It is recorded, as `on_failure = \"record\"` asks.")
}

/// Flower's message for a ServerApp that is gone without a reason.
const NO_HEARTBEAT: &str = "No heartbeat received from the task";

/// The possible causes if a ServerApp ended without a message, and where to look.
async fn silent_end(call: &Call<Configured>, federation: Option<&Federation>) -> String {
    let place = match federation {
        Some(federation) => {
            let runtime = call.provider.runtime.as_ref();
            let superlink = &federation.superlink.object;
            runtime.log_place(superlink, SUPERLINK).await
        }
        None => None,
    };
    let place = place.map(|place| format!(" (log: {place})"));
    format!(
        "The ServerApp's process ended and reported nothing: it called `sys.exit`, ran out of \
         memory, or was killed. Read its lines in the output of the SuperLink or its SuperExec{}.",
        place.unwrap_or_default()
    )
}

/// The last lines, as many as the configuration asks for.
pub(super) fn shown(lines: &[String], most: u32) -> String {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let from = lines.len().saturating_sub(most);
    let last = lines.get(from..).unwrap_or_default();
    quoted_log("The last lines of the ServerApp", last)
}
