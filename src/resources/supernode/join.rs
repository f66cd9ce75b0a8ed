//! How a SuperNode joins. The provider starts its processes and uses the first information that
//! arrives: the SuperNode's log, which shows its node id or why it was refused; the SuperLink's
//! list of nodes, if the provider may read it; or the runtime, when a process ends. A refusal may
//! be temporary, because a SuperNode that was killed counts as connected for a while. The provider
//! waits until such a refusal ends if the SuperLink knows the node or counts it as connected.

use std::time::Duration;

use tokio::time::Instant;

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
/// A SuperNode that was killed counts as connected until its heartbeats are missed, and the
/// SuperLink refuses its successor until then. How long that may take, and how often to try.
const FORGOTTEN: Duration = Duration::from_secs(150);
/// How long a SuperNode that does not log its node id must run before it counts as joined.
const SETTLED: Duration = Duration::from_secs(8);
/// How long to wait for the node id of a SuperNode that was not restarted. If its log was rotated
/// since it joined, the line is lost, and the SuperNode does not write it again.
const TOLD: Duration = Duration::from_secs(30);
/// How long a refresh looks for the node id of a SuperNode that no apply waited for.
const GLANCE: Duration = Duration::from_secs(1);
const AGAIN: Duration = Duration::from_secs(5);

/// Starts the SuperNode and waits until the SuperLink has accepted it. A `known` SuperNode joined
/// this SuperLink with this key before.
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
            // Before any change, so that a refusal here does not leave an unfinished change.
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

/// What the SuperLink's list says before the start, if the provider waits and the SuperLink has
/// such a list.
async fn look(call: &Call<Configured>, model: &Model) -> Result<Option<NodeMembership>> {
    if model.wait {
        NodeMembership::of(call, model).await
    } else {
        Ok(None)
    }
}

/// How the provider recognises that a SuperNode has joined.
struct Awaited {
    /// Whether it writes its node id into its log.
    announced: bool,
    /// Whether it wrote the id earlier, so that the line may be gone.
    told: bool,
    /// Whether it joined before, so that a refusal is temporary even if no list explains it.
    known: bool,
    membership: Option<NodeMembership>,
    /// Its SuperLink, if this runtime has it. Looked up only after a refusal.
    registrar: Option<Registrar>,
}

impl Awaited {
    /// After how long without a message a running SuperNode counts as joined; `None` if it must
    /// write one.
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

/// Whether the release logs the node id, and the log level shows it.
fn announces(row: &VersionRow, level: Option<LogLevel>) -> bool {
    let quiet = matches!(level, Some(LogLevel::Warning | LogLevel::Error));
    row.announces_node && !quiet
}

/// The first information about a starting SuperNode.
enum Heard {
    /// It joined; the node id, if it is known.
    LetIn(Option<NodeId>),
    Rejected(Rejection),
}

/// Starts the processes and waits until the SuperNode has joined. Returns its node id, if it is
/// known.
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

/// The failure of a SuperNode that is not started again, at the attribute to blame.
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

/// Reads the log and the SuperLink's list, and uses whichever answers first.
async fn hear(coming: &BringUp<'_>, awaited: &Awaited, begun: Begun) -> Result<Heard> {
    let BringUp { call, what, .. } = *coming;
    let runtime = call.provider.runtime.as_ref();
    let explain = |error: RuntimeError| Diagnostics::from(report::error(what, &error));
    runtime.ready(coming.object).await.map_err(explain)?;
    // The log of a SuperNode that was not restarted contains earlier problems that are over.
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

/// The failure of a SuperNode whose log says why it was refused. The provider ends it: some
/// releases do not end by themselves, and would look as if they ran.
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

/// The node id of a SuperNode, if only its log shows it: one that no apply waited for, or one
/// without a key, which a cluster may have restarted as another node.
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

/// The node id in the line that a SuperNode writes when it has joined.
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
