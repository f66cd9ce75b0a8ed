//! How a SuperNode is let in. Its processes are started, and then whatever speaks first is believed:
//! its own log, which tells its number or why it was not let in; the SuperLink's list of nodes, where
//! that may be asked; or the runtime, when a process ends. A refusal may pass, for a SuperNode that was
//! killed counts as connected a while, and is waited out when the SuperLink knows the node or counts it.

use std::time::{Duration, Instant};

use super::model::Model;
use super::node_membership::{NodeMembership, Refusal};
use super::registrar::Registrar;
use super::workload::{sketch, workload};
use crate::at;
use crate::flower::control::NodeId;
use crate::flower::exit_meaning::{FlowerExit, Rejection};
use crate::flower::launch::LogLevel;
use crate::flower::version::{VersionRow, row_of};
use crate::resources::Configured;
use crate::resources::choices::Status;
use crate::resources::failure::{self, BringUp};
use crate::resources::operation::Operation;
use crate::resources::processes;
use crate::resources::release;
use crate::resources::report;
use crate::runtime::{
    Begun, Failure, LayoutRequest, Managed, ObjectRef, Port, RuntimeError, Workload,
};
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::schema::Computed;
use crate::tfplugin::{Call, Slot};

const START: Duration = Duration::from_mins(15);
/// A SuperNode that was killed counts as connected until its heartbeats are missed, and is refused
/// until then: how long that may take, and how often it tries.
const FORGOTTEN: Duration = Duration::from_secs(150);
/// How long a SuperNode that does not tell its number must go on before it counts as let in.
const SETTLED: Duration = Duration::from_secs(8);
/// How long the number of one that goes on is waited for. A log that was cut since it joined has lost
/// the line, and is not told it again.
const TOLD: Duration = Duration::from_secs(30);
/// How long a refresh looks for the number of one that was not awaited.
const GLANCE: Duration = Duration::from_secs(1);
const AGAIN: Duration = Duration::from_secs(5);

/// Starts the SuperNode and waits until the SuperLink has let it in. One that is `known` was let in
/// before, by this SuperLink and with this key.
pub(super) async fn bring_up(
    call: &Call<Configured>,
    managed: &Managed,
    model: &mut Model,
    slot: &Slot<Model>,
    operation: Operation,
    known: bool,
) -> Result<()> {
    let runtime = call.provider.runtime.as_ref();
    let object = managed.object();
    let what = format!("{object} did not join {}", model.superlink.address);
    let version = super::version(model)?;
    let row = release::row(version)?;
    let coming = BringUp {
        call,
        object,
        process: "supernode",
        what: &what,
        operation,
        limit: operation.limit(model.timeouts.as_ref(), START),
        begun: Instant::now(),
    };
    let looked = match operation {
        Operation::Update => {
            // Before anything is touched: what is refused here is no change that was left unfinished.
            let sketch = sketch(model, version)?;
            processes::prepare(call, object, &sketch, &what, coming.limit).await?;
            Some(coming.within(look(call, model)).await?)
        }
        Operation::Create | Operation::Delete => None,
    };
    let fixed = model.local.as_ref().and_then(|local| local.port);
    let layout = runtime
        .layout(LayoutRequest {
            object: managed,
            ports: &[Port::Runtime],
            fixed: fixed.map(|port| (Port::Runtime, port)),
            exposure: None,
            until: Instant::now(),
        })
        .await
        .map_err(|error| failure::not_started(what.as_str(), &error))?;
    let workload = workload(model, version, &layout)?;
    let kept = model.node_id.clone();
    model.flower_version.set(version);
    model.status.set(Status::Stopped);
    if matches!(operation, Operation::Create) {
        slot.put(model);
    }
    let id = coming
        .within(async {
            if model.wait {
                let membership = match looked {
                    Some(membership) => membership,
                    None => look(call, model).await?,
                };
                let awaited = Awaited {
                    announced: announces(row, model.log_level),
                    told: kept.get().is_some(),
                    known,
                    membership,
                    registrar: None,
                };
                return join(&coming, managed, model, &workload, awaited).await;
            }
            let started = runtime.start(managed, &workload, &call.stop).await;
            started.map_err(|error| failure::not_started(what.as_str(), &error))?;
            Ok(None)
        })
        .await?;
    model.status.set(Status::Running);
    model.node_id = match id {
        Some(id) => Computed::Known(id),
        None => kept,
    };
    Ok(())
}

/// What the SuperLink's list says before the start, where that is awaited and can be asked.
async fn look(call: &Call<Configured>, model: &Model) -> Result<Option<NodeMembership>> {
    if model.wait {
        NodeMembership::of(call, model).await
    } else {
        Ok(None)
    }
}

/// By what a SuperNode is seen to be let in.
struct Awaited {
    /// Whether it writes its number into its log.
    announced: bool,
    /// Whether it wrote it before, so that the line may be gone.
    told: bool,
    /// Whether it was let in before, so that a refusal will pass even if no list explains it.
    known: bool,
    membership: Option<NodeMembership>,
    /// Its SuperLink, where that is one of this runtime. Looked for once it refused.
    registrar: Option<Registrar>,
}

impl Awaited {
    /// After how long without a word one that goes on counts as let in; `None` for one that must speak.
    const fn silence(&self, begun: Begun) -> Option<Duration> {
        match (self.announced, self.told, begun) {
            (false, _, _) => Some(SETTLED),
            (true, true, Begun::Unchanged) => Some(TOLD),
            (true, _, _) => None,
        }
    }

    /// Why it was refused.
    async fn refusal(&mut self) -> Refusal {
        let listed = match &mut self.membership {
            Some(membership) => membership.refusal().await,
            None => Refusal::Unexplained,
        };
        let listed = match (listed, &self.registrar) {
            (Refusal::Unexplained, Some(registrar)) => registrar.refusal().await,
            (listed, _) => listed,
        };
        match listed {
            Refusal::Unexplained if self.known => Refusal::Passing,
            listed => listed,
        }
    }
}

/// Whether the release tells the number, at a level that is logged.
fn announces(row: &VersionRow, level: Option<LogLevel>) -> bool {
    let quiet = matches!(level, Some(LogLevel::Warning | LogLevel::Error));
    row.announces_node && !quiet
}

/// What was heard of a SuperNode that comes up.
enum Heard {
    /// It was let in; its number, where that is told.
    LetIn(Option<NodeId>),
    Rejected(Rejection),
}

/// Starts the processes and listens until the SuperNode was let in; its number then, where it is told.
async fn join(
    coming: &BringUp<'_>,
    managed: &Managed,
    model: &Model,
    workload: &Workload,
    mut awaited: Awaited,
) -> Result<Option<NodeId>> {
    let BringUp { call, what, .. } = *coming;
    let runtime = call.provider.runtime.as_ref();
    let until = Instant::now() + FORGOTTEN;
    loop {
        let begun = runtime.start(managed, workload, &call.stop).await;
        let begun = begun.map_err(|error| failure::not_started(what, &error))?;
        let wait_policy = coming.wait_policy(&workload.pod);
        let failure = tokio::select! {
            failure = runtime.watch_failure(coming.object, wait_policy) => failure,
            heard = hear(coming, &awaited, begun) => match heard? {
                Heard::LetIn(id) => return Ok(id),
                Heard::Rejected(rejection) => rejected(coming, rejection).await?,
            },
        };
        let (exit, may_pass) = match FlowerExit::in_log(&failure.log.join("\n")) {
            Some(refused) if refused.may_pass() => {
                if awaited.registrar.is_none() {
                    awaited.registrar = Registrar::of(call, model).await;
                }
                match awaited.refusal().await {
                    Refusal::Passing => (Some(refused), true),
                    Refusal::Unexplained | Refusal::Unlisted => (Some(refused), false),
                    Refusal::Revoked => (Some(refused.because(Rejection::Revoked)), false),
                    Refusal::Double => (Some(refused.because(Rejection::Double)), false),
                }
            }
            other => (other, false),
        };
        if !may_pass || Instant::now() + AGAIN > until {
            let entry = awaited.registrar.as_ref().and_then(Registrar::entry);
            let message = turned_away(what, &failure, exit.as_ref(), entry);
            return Err(coming.bounded(&failure, message).into());
        }
        tracing::info!(object = %coming.object, "refused, trying again");
        tokio::time::sleep(AGAIN).await;
    }
}

/// The failure of a SuperNode that is not tried again, at the attribute to blame.
fn turned_away(
    what: &str,
    failure: &Failure,
    exit: Option<&FlowerExit>,
    entry: Option<&str>,
) -> Diagnostic {
    let entry = entry.map(|entry| format!("Its key is the entry {entry:?} of `supernodes`."));
    let report = failure::report_with(exit, what, failure).remedy(entry);
    match exit.and_then(|exit| exit.rejection) {
        Some(Rejection::Untrusted) => report.at(at!(Model, superlink.ca_certificate)),
        Some(Rejection::Double | Rejection::Revoked | Rejection::Keyless) => {
            report.at(at!(Model, key))
        }
        Some(Rejection::Refused | Rejection::KeyInUse) | None => report,
    }
}

/// Listens to the log and to the SuperLink, whichever tells first.
async fn hear(coming: &BringUp<'_>, awaited: &Awaited, begun: Begun) -> Result<Heard> {
    let BringUp { call, what, .. } = *coming;
    let runtime = call.provider.runtime.as_ref();
    let explain = |error: RuntimeError| Diagnostics::from(report::error(what, &error));
    runtime.ready(coming.object).await.map_err(explain)?;
    // The log of one that goes on tells of troubles that it got over.
    let telling = |line: &str| {
        let rejected = || begun == Begun::Started && Rejection::in_line(line).is_some();
        (node_id(line).is_some() || rejected()).then(|| line.to_owned())
    };
    let said = async {
        let line = runtime.wait_log(coming.object, coming.process, &telling);
        let line = line.await.map_err(explain)?;
        if let Some(rejection) = Rejection::in_line(&line) {
            return Ok(Heard::Rejected(rejection));
        }
        let id = node_id(&line);
        if let (Some(membership), Some(id)) = (&awaited.membership, id) {
            membership.sees(id).await?;
        }
        Ok(Heard::LetIn(id))
    };
    let seen = async {
        match (&awaited.membership, awaited.silence(begun)) {
            (Some(membership), _) if membership.knows_it() => {
                let id = membership.sees_it(begun).await?;
                Ok(Heard::LetIn(Some(id)))
            }
            (_, Some(silence)) => {
                tokio::time::sleep(silence).await;
                Ok(Heard::LetIn(None))
            }
            (_, None) => std::future::pending().await,
        }
    };
    tokio::select! {
        heard = said => heard,
        heard = seen => heard,
    }
}

/// The failure of a SuperNode that said why it is not let in. It is ended: some releases do not end by
/// themselves, and would look as if they ran.
async fn rejected(coming: &BringUp<'_>, rejection: Rejection) -> Result<Failure> {
    let runtime = coming.call.provider.runtime.as_ref();
    let log = runtime.log_tail(coming.object, coming.process, Failure::LINES);
    let log = log.await.unwrap_or_default();
    let ended = runtime.end(coming.object).await;
    ended.map_err(|error| report::error(coming.what, &error))?;
    Ok(Failure {
        process: coming.process.to_owned(),
        how: rejection.to_string(),
        log,
        remedy: None,
        out_of_time: false,
    })
}

/// The number of a SuperNode, where its log alone tells it: of one that was not awaited, and of one
/// without a key, which a cluster may have started anew as another node.
pub(super) async fn told(
    call: &Call<Configured>,
    object: &ObjectRef,
    state: &Model,
) -> Option<NodeId> {
    let row = row_of(*state.flower_version.get()?).ok()?;
    let asked = state.key.is_none() || (!state.wait && state.node_id.get().is_none());
    if !asked || !announces(row, state.log_level) {
        return None;
    }
    let runtime = &call.provider.runtime;
    let telling = |line: &str| node_id(line).is_some().then(|| line.to_owned());
    let line = runtime.wait_log(object, "supernode", &telling);
    node_id(&tokio::time::timeout(GLANCE, line).await.ok()?.ok()?)
}

/// The number in the line that a SuperNode writes once it was let in.
fn node_id(line: &str) -> Option<NodeId> {
    let (_, rest) = line.split_once("SuperNode ID:")?;
    rest.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_was_started_anew_must_speak_even_if_it_was_let_in_before() {
        for (announced, told, begun, silence) in [
            (true, false, Begun::Started, None),
            (true, true, Begun::Started, None),
            (true, false, Begun::Unchanged, None),
            (true, true, Begun::Unchanged, Some(TOLD)),
            (false, true, Begun::Started, Some(SETTLED)),
        ] {
            let awaited = Awaited {
                announced,
                told,
                known: true,
                membership: None,
                registrar: None,
            };
            assert_eq!(
                awaited.silence(begun),
                silence,
                "{announced} {told} {begun:?}"
            );
        }
    }

    #[test]
    fn a_number_is_read_from_its_line_alone() {
        assert_eq!(
            node_id("INFO :      SuperNode ID: 472771781186895385"),
            Some(NodeId(472_771_781_186_895_385))
        );
        for line in [
            "SuperNode ID:",
            "SuperNode ID: x",
            "SuperNode with node ID 7 could not be activated.",
        ] {
            assert_eq!(node_id(line), None, "{line}");
        }
    }
}
