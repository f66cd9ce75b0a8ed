//! Whether a completed run has trained. Flower reports a run as completed even if all SuperNodes
//! failed in every round; the log of the ServerApp shows these failures.

use std::collections::BTreeMap;

use super::cause::{AppParts, Cause, places, sites_of};
use super::federation::{Federation, quiet_level};
use super::follow::NOT_AGAIN;
use super::model::{Model, OnClientFailure, OnFailure};
use super::run_log::counted;
use crate::at;
use crate::flower::control::{NodeId, RunId};
use crate::flower::progress::{LastMetrics, Outcome, Progress, Round};
use crate::resources::Configured;
use crate::resources::report::quoted;
use crate::tfplugin::Call;
use crate::tfplugin::diagnostic::{Diagnostic, Result, Severity};

/// How many failures a message shows.
const SHOWN: usize = 10;

/// The result of a run's rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Training {
    /// Every round had results, as far as the log shows.
    Fine,
    /// Some SuperNodes failed, and the last round had results.
    SomeFailed,
    /// The last round had no result.
    LastHadNone,
    /// No round had a result.
    NoneHad,
}

impl Training {
    pub(super) fn of(progress: &Progress) -> Self {
        let outcomes = progress.trained().map(|round| progress.outcome(round));
        let told: Vec<_> = outcomes
            .filter(|outcome| *outcome != Outcome::Unknown)
            .collect();
        let mut phases = progress.trained().flat_map(Round::phases);
        let some_failed =
            phases.any(|(_, phase)| phase.failures > Some(0) || !phase.failed.is_empty());
        match told.last() {
            Some(Outcome::NoResult) if told.iter().all(|one| *one == Outcome::NoResult) => {
                Self::NoneHad
            }
            Some(Outcome::NoResult) => Self::LastHadNone,
            _ if told.contains(&Outcome::NoResult) || some_failed => Self::SomeFailed,
            _ => Self::Fine,
        }
    }

    /// The severity that the configuration gives this result; `None` if there is nothing to report.
    fn severity(self, model: &Model) -> Option<Severity> {
        let severity = match (model.on_client_failure, self) {
            (_, Self::Fine) | (Some(OnClientFailure::Ignore), _) => return None,
            (Some(OnClientFailure::Warn), _) | (None, Self::SomeFailed) => Severity::Warning,
            (Some(OnClientFailure::Error), _) | (None, Self::LastHadNone | Self::NoneHad) => {
                Severity::Error
            }
        };
        // If a failed run is only recorded, failed training is only a warning.
        let recorded = model.on_failure == OnFailure::Record;
        Some(if recorded {
            Severity::Warning
        } else {
            severity
        })
    }

    fn summary(self, id: RunId) -> String {
        match self {
            Self::NoneHad => format!("No round of the run {id} had a result"),
            Self::LastHadNone => format!("The last round of the run {id} had no result"),
            Self::SomeFailed | Self::Fine => format!("SuperNodes failed in the run {id}"),
        }
    }

    const fn meaning(self) -> &'static str {
        match self {
            Self::NoneHad => {
                "Flower reports the run as completed, but no SuperNode returned a result in any \
                 round: nothing was trained."
            }
            Self::LastHadNone => {
                "Flower reports the run as completed, but no SuperNode returned a result in its \
                 last round."
            }
            Self::SomeFailed | Self::Fine => {
                "The run completed, but some of its SuperNodes replied with an error."
            }
        }
    }
}

/// What the rounds mean for the apply: an error, a warning or nothing.
pub(super) async fn judge(
    call: &Call<Configured>,
    id: RunId,
    model: &Model,
    parts: &AppParts,
    progress: &Progress,
    names: &BTreeMap<NodeId, String>,
) -> Result<()> {
    let training = Training::of(progress);
    if let Some(warning) = without_numbers(id, &progress.last_metrics()) {
        call.warn(warning);
    }
    if !progress.is_known() {
        let is_quiet = warn_of_silence(call, id, model).await;
        let matters = matches!(model.on_client_failure, None | Some(OnClientFailure::Error));
        if !is_quiet && matters {
            call.warn(nothing_known(id));
        }
    }
    let Some(severity) = training.severity(model) else {
        return Ok(());
    };
    let message = message(call, training, id, model, parts, progress, names).await;
    match severity {
        Severity::Warning => {
            call.warn(message);
            Ok(())
        }
        Severity::Error => {
            let mut error = message.detail(
                "Fix the app or its data and apply. The apply submits a new run that replaces this \
                 one. To accept such a run, set `on_client_failure = \"warn\"`.",
            );
            error.severity = severity;
            Err(error.into())
        }
    }
}

/// The warning for an app that logs no rounds.
fn nothing_known(id: RunId) -> Diagnostic {
    Diagnostic::warning(format!(
        "Nothing is known of the SuperNodes in the run {id}"
    ))
    .detail(
        "The ServerApp's log tells of no round, so the provider cannot tell whether SuperNodes \
             trained or failed. Only Flower's strategies log their rounds.",
    )
    .detail(
        "Let the ServerApp end with an exception if a SuperNode fails, or use a strategy of \
             Flower. If the ServerApp checks the replies itself, set `on_client_failure = \
             \"ignore\"`.",
    )
    .at(at!(Model, on_client_failure))
}

/// A warning if the log level of the SuperLink hides the rounds; whether it does.
async fn warn_of_silence(call: &Call<Configured>, id: RunId, model: &Model) -> bool {
    let runtime = call.provider.runtime.as_ref();
    let level = quiet_level(runtime, &model.control).await;
    if let Some(level) = level {
        call.warn(
            Diagnostic::warning(format!("The rounds of the run {id} are not known"))
                .detail(format!(
                    "The `log_level` of its SuperLink is `{}`, and Flower logs rounds, results \
                     and failures of SuperNodes at level INFO. So `rounds`, `metrics` and \
                     `client_failures` are null, and a training in which all SuperNodes failed \
                     looks like a good one.",
                    level.variable()
                ))
                .detail("Remove `log_level` from the `flower_superlink`, or set it to \"INFO\"."),
        );
    }
    level.is_some()
}

/// A warning if the last value of a metric is NaN or an infinity.
fn without_numbers(id: RunId, last: &LastMetrics<'_>) -> Option<Diagnostic> {
    let found = last.not_finite().map(|(source, name, value)| {
        quoted(
            &format!("  {source}"),
            &format!("{name} = {}", value.as_f64()),
        )
    });
    let mut found: Vec<_> = found.collect();
    if found.is_empty() {
        return None;
    }
    let more = found.len().saturating_sub(SHOWN);
    found.truncate(SHOWN);
    if more > 0 {
        found.push(format!("  and {more} more"));
    }
    let warning = Diagnostic::warning(format!(
        "The last metrics of the run {id} are not all numbers"
    ));
    Some(
        warning
            .detail(found.join("\n"))
            .detail(
                "A loss that is NaN or infinite usually means that the training diverged, and that \
                 its model is of no use. In `metrics` and `rounds` these values are null.",
            )
            .detail(
                "Check the learning rate and the data of the SuperNodes. To make the apply fail \
                 instead, check `metrics` in a `postcondition`.",
            ),
    )
}

/// The same for a run that no apply waited for: at most a warning.
pub(super) async fn judge_later(
    call: &Call<Configured>,
    id: RunId,
    model: &Model,
    progress: &Progress,
    names: &BTreeMap<NodeId, String>,
) {
    if let Some(warning) = without_numbers(id, &progress.last_metrics()) {
        call.warn(warning);
    }
    let training = Training::of(progress);
    if training.severity(model).is_some() {
        let parts = AppParts::default();
        let message = message(call, training, id, model, &parts, progress, names).await;
        call.warn(message.detail(NOT_AGAIN));
    }
}

async fn message(
    call: &Call<Configured>,
    training: Training,
    id: RunId,
    model: &Model,
    parts: &AppParts,
    progress: &Progress,
    names: &BTreeMap<NodeId, String>,
) -> Diagnostic {
    let mut message = Diagnostic::warning(training.summary(id)).detail(training.meaning());
    message = message.detail(told(progress, names));
    if training != Training::NoneHad && last_is_unevaluated(progress) {
        message = message.detail(
            "No SuperNode evaluated the model of the last round: `metrics.evaluate` is of an earlier \
             round.",
        );
    }
    if progress.contradicts {
        message = message.detail(
            "The log contradicts itself. Flower writes the text of a ClientApp's exception into it \
             as it is, and such a text may imitate Flower's own lines: do not trust `rounds`, \
             `metrics` and `client_failures` of this run before you have read its log.",
        );
    }
    let failures = progress.rounds.iter().flat_map(Round::phases);
    let reasons = failures.flat_map(|(_, phase)| &phase.failed);
    let cause = reasons
        .into_iter()
        .find_map(|failure| Cause::of_client(&failure.reason));
    if let Some(cause) = cause {
        message = message.detail(cause.told(parts, model.control.is_in_cluster()));
    }
    let runtime = call.provider.runtime.as_ref();
    let federation = Federation::of(runtime, &model.control).await;
    let sites = sites_of(runtime, federation.as_ref(), false).await;
    if sites.is_empty() {
        message
    } else {
        let places = places(&sites);
        message.detail(format!(
            "Exceptions of a ClientApp are in the log of its SuperNode{places}"
        ))
    }
}

/// Whether every SuperNode failed in the evaluation of the last round.
fn last_is_unevaluated(progress: &Progress) -> bool {
    let last = progress.trained().next_back();
    let evaluated = last.and_then(|round| round.evaluate.as_ref());
    evaluated.is_some_and(|phase| phase.results == Some(0) && phase.failures > Some(0))
}

/// The failures, one per line, each with the rounds in which it occurred.
pub(super) fn told(progress: &Progress, names: &BTreeMap<NodeId, String>) -> String {
    let mut rounds: BTreeMap<(NodeId, &str), Vec<String>> = BTreeMap::new();
    let mut unnamed = Vec::new();
    for round in progress.trained() {
        for (kind, phase) in round.phases() {
            let place = format!("{} ({})", round.number, kind.as_str());
            for failure in &phase.failed {
                let key = (failure.node, failure.reason.as_str());
                rounds.entry(key).or_default().push(place.clone());
            }
            let is_empty = progress.outcome(round) == Outcome::NoResult
                && phase.sampled > Some(0)
                && phase.results.is_none_or(|results| results == 0);
            if phase.failed.is_empty() && (phase.failures > Some(0) || is_empty) {
                let results = counted(phase.results.unwrap_or(0), "result");
                let failures = counted(phase.failures.unwrap_or(0), "failure");
                unnamed.push(format!("  round {place}: {results} and {failures}"));
            }
        }
    }
    let with_reason = rounds.into_iter().map(|((node, reason), places)| {
        let name = names.get(&node).map(|name| format!(" ({name})"));
        let title = format!(
            "  SuperNode {node}{}, round {}",
            name.unwrap_or_default(),
            some_of(&places)
        );
        quoted(&title, reason)
    });
    let mut lines: Vec<_> = with_reason.chain(unnamed).collect();
    let more = lines.len().saturating_sub(SHOWN);
    lines.truncate(SHOWN);
    if more > 0 {
        lines.push(format!(
            "  and {more} more: see `client_failures` and `rounds`"
        ));
    }
    lines.join("\n")
}

/// The first of the places of a failure.
fn some_of(places: &[String]) -> String {
    const FIRST: usize = 4;
    let first = places.get(..FIRST).unwrap_or(places).join(", ");
    match places.len().checked_sub(FIRST) {
        None | Some(0) => first,
        Some(more) => format!("{first} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flower::progress::ProgressReader;
    use crate::terminal::uncoloured;

    fn progress(log: &str) -> Progress {
        let mut reader = ProgressReader::default();
        reader.add(&uncoloured(log), None);
        reader.end()
    }

    fn rounds(results: &[(u32, u32)]) -> Progress {
        let lines = results.iter().enumerate().map(|(at, (results, failures))| {
            format!(
                "INFO :      [ROUND {n}/9]\nINFO :      configure_train: Sampled 2 nodes (out of 2)\n\
                 INFO :      aggregate_train: Received {results} results and {failures} failures\n",
                n = at + 1
            )
        });
        progress(&lines.collect::<String>())
    }

    #[test]
    fn a_training_is_good_if_its_last_round_had_a_result() {
        let of = |results: &[(u32, u32)]| Training::of(&rounds(results));
        assert_eq!(of(&[]), Training::Fine);
        assert_eq!(of(&[(2, 0), (2, 0)]), Training::Fine);
        assert_eq!(of(&[(2, 0), (1, 1)]), Training::SomeFailed);
        assert_eq!(of(&[(0, 2), (2, 0)]), Training::SomeFailed);
        assert_eq!(of(&[(2, 0), (0, 2)]), Training::LastHadNone);
        assert_eq!(of(&[(0, 2), (0, 2)]), Training::NoneHad);
        // An app that logs nothing is not judged.
        assert_eq!(
            Training::of(&progress("INFO :      hello\n")),
            Training::Fine
        );
    }

    #[test]
    fn failures_are_told_with_their_nodes_and_rounds() {
        let log = include_str!("../../flower/progress/testdata/flwr-1.42.0-failing-fedavg.log");
        let names = BTreeMap::from([(NodeId(1_234_567_890_123_456_789), "clinic".to_owned())]);
        insta::assert_snapshot!(told(&progress(log), &names));
        let log =
            include_str!("../../flower/progress/testdata/flwr-1.42.0-failing-fedavg-legacy.log");
        insta::assert_snapshot!(told(&progress(log), &names));
    }

    #[test]
    fn metrics_that_are_no_numbers_are_told() {
        let log = |values: &str| {
            progress(&format!(
                "INFO :      [ROUND 1/1]\nINFO :      configure_train: Sampled 2 nodes (out of 2)\n\
                 INFO :      aggregate_train: Received 2 results and 0 failures\n\
                 INFO :      \t└──> Aggregated MetricRecord: {{{values}}}\n"
            ))
        };
        let told = |values: &str| without_numbers(RunId(7), &log(values).last_metrics());
        assert_eq!(told("'loss': 0.5, 'rounds': 3"), None);
        let found = told("'loss': nan, 'norm': -inf, 'rounds': 3").unwrap();
        insta::assert_snapshot!(format!("{}\n\n{}", found.summary, found.detail));
    }

    #[test]
    fn a_last_round_that_nobody_evaluated_is_known() {
        let log = |results: u32, failures: u32| {
            progress(&format!(
                "INFO :      [ROUND 1/1]\nINFO :      configure_train: Sampled 2 nodes (out of 2)\n\
                 INFO :      aggregate_train: Received 2 results and 0 failures\n\
                 INFO :      configure_evaluate: Sampled 2 nodes (out of 2)\n\
                 INFO :      aggregate_evaluate: Received {results} results and {failures} failures\n"
            ))
        };
        assert!(last_is_unevaluated(&log(0, 2)));
        assert!(!last_is_unevaluated(&log(1, 1)));
        assert!(!last_is_unevaluated(&log(0, 0)));
        assert!(!last_is_unevaluated(&rounds(&[(0, 2)])));
    }

    #[test]
    fn an_app_that_logs_no_round_is_told_with_what_to_do() {
        insta::assert_snapshot!(nothing_known(RunId(7)).detail);
    }
}
