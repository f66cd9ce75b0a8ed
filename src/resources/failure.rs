//! The messages for processes that end or do not become ready.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use super::Configured;
use super::choices::Status;
use super::operation::{Operation, Waited, wait};
use super::report::{self, quoted_log};
use super::superlink::Model as Superlink;
use super::supernode::Model as Supernode;
use crate::at;
use crate::flower::exit_meaning::FlowerExit;
use crate::runtime::{
    Concern, Failure, ObjectRef, Observation, PodSettings, Readiness, RuntimeError, WaitPolicy,
};
use crate::tfplugin::Call;
use crate::tfplugin::diagnostic::{Diagnostic, Result};

/// How long to wait for the last log lines of an object that did not become ready.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// How many of the last log lines a message shows.
const SHOWN: usize = 20;

/// The error for a failed process, with the meaning of its exit code and its last log lines.
pub fn report(what: &str, failure: &Failure) -> Diagnostic {
    let exit = FlowerExit::in_log(&failure.log.join("\n"));
    report_with(exit.as_ref(), what, failure)
}

/// The same, with the exit code that the caller found.
pub fn report_with(exit: Option<&FlowerExit>, what: &str, failure: &Failure) -> Diagnostic {
    let message = Diagnostic::error(what)
        .detail(format!(
            "`{}`: {}.",
            failure.process,
            failure.how.trim_end_matches('.')
        ))
        .remedy(exit.and_then(FlowerExit::meaning));
    let message = if refused_a_flag(&failure.log) {
        message.at(at!(Superlink | Supernode, extra_args))
    } else {
        message
    };
    // A process that never ran has no log.
    let message = if failure.log.is_empty() && failure.remedy.is_some() {
        message
    } else {
        let from = failure.log.len().saturating_sub(SHOWN);
        let shown = failure.log.get(from..).unwrap_or_default();
        message.detail(quoted_log("Its last lines", shown))
    };
    message
        .remedy(failure.remedy.as_ref())
        .remedy(exit.and_then(FlowerExit::remedy))
}

/// The error for a failed start, at the attribute to blame.
pub fn not_started(what: impl Into<String>, error: &RuntimeError) -> Diagnostic {
    let message = report::error(what, error);
    match error.concern() {
        Some(Concern::FlowerVersion) => message.at(at!(Superlink | Supernode, flower_version)),
        Some(Concern::Requirements) => message.at(at!(Superlink | Supernode, requirements)),
        Some(Concern::Ports) => message.at(at!(Superlink | Supernode, local)),
        Some(Concern::Exposure) => message.at(at!(Superlink, service)),
        None => message,
    }
}

/// Our table contains the flags of each release, so a refused flag comes from the user's
/// `extra_args`.
fn refused_a_flag(log: &[String]) -> bool {
    log.iter()
        .any(|line| line.starts_with("flower-") && line.contains(": error: "))
}

/// The status of an observed object, with a warning for what others changed. An object that is not
/// `awaited` may become ready at any time.
pub fn status(
    call: &Call<Configured>,
    object: &ObjectRef,
    observed: &Observation,
    awaited: bool,
) -> Status {
    if !observed.changed.is_empty() {
        call.warn(
            Diagnostic::warning(format!("{object} was changed outside of Terraform"))
                .detail(format!("{}.", observed.changed.join("; ")))
                .detail(
                    "The next apply sets the fields back. If something else owns a field by then, \
                     the apply fails and changes nothing.",
                ),
        );
    }
    if observed.unfinished {
        call.warn(
            Diagnostic::warning(format!("An earlier apply of {object} did not finish"))
                .detail(
                    "The object may run with the settings of that apply instead of those in \
                         the state.",
                )
                .detail("The next apply makes it match the configuration."),
        );
    }
    if !observed.outdated.is_empty() {
        call.warn(
            Diagnostic::warning(format!("{object} is out of date"))
                .detail(format!("{}.", observed.outdated.join("; ")))
                .detail("The next apply brings it up to date and restarts it."),
        );
    }
    let changed =
        observed.unfinished || !observed.changed.is_empty() || !observed.outdated.is_empty();
    found(observed.readiness, changed, awaited)
}

const fn found(readiness: Readiness, changed: bool, awaited: bool) -> Status {
    match readiness {
        Readiness::Stopped => Status::Stopped,
        Readiness::NotReady if awaited => Status::Stopped,
        _ if changed => Status::Changed,
        Readiness::Ready | Readiness::NotReady => Status::Running,
    }
}

/// Starting an object, and the messages if it fails.
pub struct BringUp<'a> {
    pub call: &'a Call<Configured>,
    pub object: &'a ObjectRef,
    /// The process whose last log lines say most.
    pub process: &'a str,
    /// The summary of the error if it fails.
    pub what: &'a str,
    pub operation: Operation,
    pub limit: Duration,
    /// When the operation began: all its waits share `limit`.
    pub begun: Instant,
}

impl BringUp<'_> {
    /// Waits for `work` until it ends, the limit is over, or Terraform is interrupted.
    pub async fn within<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.within_and(Duration::ZERO, work).await
    }

    /// The same for work that reports by itself what it waited for when the time is over.
    pub async fn told_within<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.within_and(LAST_WORDS, work).await
    }

    /// When the time of the operation is over.
    pub fn until(&self) -> Instant {
        self.begun + self.limit
    }

    /// How long to wait for a node for the pod, and for its processes to answer.
    pub fn wait_policy(&self, pod: &PodSettings) -> WaitPolicy {
        WaitPolicy {
            scheduling: pod.scheduling_timeout,
            starting: pod.start_timeout,
            until: self.until(),
        }
    }

    /// If the failure was a timeout of the operation, adds that to its message.
    pub fn bounded(&self, failure: &Failure, message: Diagnostic) -> Diagnostic {
        if failure.out_of_time {
            message.detail(format!(
                "It was not ready after {} s, the time of `{}`. Raise it if the object only needs \
                 more time.",
                self.limit.as_secs(),
                self.operation.attribute()
            ))
        } else {
            message
        }
    }

    async fn within_and<T>(
        &self,
        more: Duration,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let left = self.limit.saturating_sub(self.begun.elapsed()) + more;
        match wait(&self.call.stop, left, work).await {
            Waited::Done(done) => done,
            Waited::Stopped => Err(report::error(self.what, &RuntimeError::Interrupted).into()),
            Waited::TimedOut => {
                let runtime = &self.call.provider.runtime;
                // If the runtime does not answer either, the message has no log.
                let log = runtime.log_tail(self.object, self.process, SHOWN);
                let log = tokio::time::timeout(LAST_WORDS, log).await;
                let log = log
                    .ok()
                    .and_then(std::result::Result::ok)
                    .unwrap_or_default();
                Err(timed_out(self.what, self.limit, self.operation, &log).into())
            }
        }
    }
}

/// The error for an object that was not ready in time.
fn timed_out(what: &str, limit: Duration, operation: Operation, log: &[String]) -> Diagnostic {
    Diagnostic::error(what)
        .detail(format!("It was not ready after {} s.", limit.as_secs()))
        .detail(quoted_log("Its last lines", log))
        .detail(format!(
            "Raise `{}` if it only needs more time.",
            operation.attribute()
        ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tfplugin::schema::ModelPath;

    #[test]
    fn an_exit_is_told_with_its_meaning_and_its_last_lines() {
        let failure = Failure {
            process: "supernode".to_owned(),
            how: "it ended with exit status: 1".to_owned(),
            log: vec![
                "INFO: Starting Flower SuperNode".to_owned(),
                "Exit Code: 305".to_owned(),
            ],
            remedy: None,
            out_of_time: false,
        };
        let message = report("SuperNode \"a\" did not join 127.0.0.1:9", &failure);
        insta::assert_snapshot!(format!("{}\n\n{}", message.summary, message.detail));
    }

    #[test]
    fn a_flag_that_the_program_refuses_is_at_extra_args() {
        let ended = |last: &str| {
            report(
                "SuperLink \"a\" did not start",
                &Failure {
                    process: "superlink".to_owned(),
                    how: "it ended with exit status: 2".to_owned(),
                    log: vec!["usage: flower-superlink [-h]".to_owned(), last.to_owned()],
                    remedy: None,
                    out_of_time: false,
                },
            )
        };
        let refused = ended("flower-superlink: error: unrecognized arguments: --no-such-flag");
        assert_eq!(
            refused.path,
            Some(ModelPath::<()>::dotted("extra_args").path())
        );
        assert_eq!(ended("ERROR: error: no disk").path, None);
    }

    #[test]
    fn what_nobody_waits_for_has_not_stopped_while_it_is_not_ready() {
        for (readiness, changed, awaited, status) in [
            (Readiness::NotReady, false, false, Status::Running),
            (Readiness::NotReady, false, true, Status::Stopped),
            (Readiness::NotReady, true, false, Status::Changed),
            (Readiness::Stopped, false, false, Status::Stopped),
            (Readiness::Ready, true, true, Status::Changed),
            (Readiness::Ready, false, true, Status::Running),
        ] {
            assert_eq!(found(readiness, changed, awaited), status, "{readiness:?}");
        }
    }

    #[test]
    fn an_error_is_told_at_the_setting_to_blame() {
        let path = |error: RuntimeError| {
            let message = not_started("SuperLink \"a\" did not start", &error);
            message.path.map(|path| path.to_string())
        };
        for (error, expected) in [
            (RuntimeError::NoPort(1, 2), Some("local")),
            (RuntimeError::NoHostname, Some("service")),
            (RuntimeError::NeedsImage, Some("requirements")),
            (RuntimeError::Interrupted, None),
        ] {
            assert_eq!(path(error).as_deref(), expected);
        }
    }

    #[test]
    fn what_never_ran_is_told_with_what_to_do() {
        let failure = Failure {
            process: "superlink".to_owned(),
            how: "its image cannot be pulled (ErrImagePull): image \"x\", not found".to_owned(),
            log: Vec::new(),
            remedy: Some("Check the name in `kubernetes.image`.".to_owned()),
            out_of_time: false,
        };
        let message = report("SuperLink \"a\" did not start", &failure);
        insta::assert_snapshot!(format!("{}\n\n{}", message.summary, message.detail));
    }

    #[test]
    fn the_last_twenty_lines_are_shown() {
        let failure = Failure {
            process: "superlink".to_owned(),
            how: "it ended".to_owned(),
            log: (1..=30).map(|number| format!("line {number}.")).collect(),
            remedy: None,
            out_of_time: false,
        };
        let detail = report("SuperLink \"a\" did not start", &failure).detail;
        let shown = |number: u32| detail.contains(&format!("line {number}."));
        assert!((11..=30).all(shown) && !(1..=10).any(shown), "{detail}");
    }

    #[test]
    fn a_time_that_is_over_names_the_attribute_that_sets_it() {
        let message = timed_out(
            "SuperLink \"a\" did not start",
            Duration::from_secs(90),
            Operation::Create,
            &["waiting".to_owned()],
        );
        insta::assert_snapshot!(format!("{}\n\n{}", message.summary, message.detail));
    }
}
