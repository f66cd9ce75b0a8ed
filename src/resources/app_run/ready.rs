//! What the provider waits for before it submits a run: a SuperLink that answers, and SuperNodes
//! that are online. The wait for SuperNodes has its own limit; otherwise the apply would wait for a
//! SuperNode that never connects as long as a whole training may take.

use std::time::Duration;

use tokio::time::Instant;

use super::federation::{Federation, dead_now, first_dead};
use super::model::{Model, Wait};
use crate::at;
use crate::flower::control::{ControlClient, ControlError, Node, NodeId, NodeStatus, SharedReads};
use crate::flower::version::{FlowerVersion, NodeAuth, row_of};
use crate::resources::Configured;
use crate::resources::connection_attributes::ControlInput;
use crate::resources::control_access::until_healthy;
use crate::resources::operation::{Waited, wait};
use crate::resources::report;
use crate::runtime::{Runtime, RuntimeError};
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::schema::{Maybe, ModelPath};
use crate::tfplugin::{Call, GoDuration, Plan};

/// How long a SuperLink may be unreachable before a run is submitted.
const REACH: Duration = Duration::from_secs(10);
/// How long SuperNodes may take to come online, unless the configuration says otherwise.
const NODES: Duration = Duration::from_mins(15);
const LOOK: Duration = Duration::from_millis(500);
const NOT_SUBMITTED: &str = "The run was not submitted";

/// An error if `wait` asks for SuperNodes that the SuperLink's release cannot list.
pub(super) fn check(plan: &Plan<Model>) -> Result<()> {
    let version = plan.get::<Option<FlowerVersion>>(at!(Model, control.flower_version))?;
    let Some(version) = version.known().flatten() else {
        return Ok(());
    };
    let lists = |version| !matches!(row_of(version), Ok(row) if matches!(row.node_auth, NodeAuth::KeyList { .. }));
    if lists(version) {
        return Ok(());
    }
    let nodes = plan.get::<Option<Vec<Option<NodeId>>>>(at!(Model, wait.nodes))?;
    let names = matches!(nodes, Maybe::Known(Some(ids)) if ids.iter().any(Option::is_some));
    let least = plan
        .get::<Option<u32>>(at!(Model, wait.min_nodes))?
        .known()
        .flatten();
    let mut found = Diagnostics::default();
    for (attribute, asked) in [
        (at!(Model, wait.nodes), names),
        (at!(Model, wait.min_nodes), least.unwrap_or(0) > 0),
    ] {
        if asked {
            found.push(
                Diagnostic::error(format!(
                    "Flower {version} cannot list online SuperNodes"
                ))
                .detail(format!(
                    "`{attribute}` needs a SuperLink with Flower 1.23 or later, which lists \
                     its SuperNodes."
                ))
                .detail(
                    "Remove it, and make the run depend on its SuperNodes (`depends_on`): their \
                     own apply waits until they have joined.",
                )
                .at(attribute),
            );
        }
    }
    found.or(())
}

/// Waits until the SuperLink answers and the nodes that the run needs are online.
pub(super) async fn ready(
    call: &Call<Configured>,
    model: &Model,
    control: &SharedReads,
    limit: Duration,
) -> Result<()> {
    let begun = Instant::now();
    let client = control.client();
    match wait(&call.stop, REACH.min(limit), until_healthy(client)).await {
        Waited::Done(done) => {
            done.map_err(|error| report::error(NOT_SUBMITTED, &error).at(at!(Model, control)))?;
        }
        Waited::Stopped => return Err(interrupted()),
        Waited::TimedOut => {
            if let Err(error) = client.health().await {
                return Err(report::error(NOT_SUBMITTED, &error)
                    .at(at!(Model, control))
                    .into());
            }
        }
    }
    if model.control.simulation.is_some() {
        // Flower creates the SuperNodes when it starts the run.
        return Ok(());
    }
    let Some(wanted) = model.wait.as_ref().and_then(Wanted::of) else {
        return Ok(());
    };
    let left = limit.saturating_sub(begun.elapsed());
    let bound = match wanted.limit {
        own if own <= left => Bound {
            limit: own,
            attribute: at!(Model, wait.nodes_timeout),
        },
        _ => Bound {
            limit: left,
            attribute: at!(Model, timeouts.create),
        },
    };
    let mut seen = Seen::default();
    let runtime = call.provider.runtime.as_ref();
    let waiting = async {
        tokio::select! {
            done = online(client, &wanted, &mut seen) => {
                done.map_err(|error| report::error(NOT_SUBMITTED, &error).at(at!(Model, control)))
            }
            dead = member_dies(runtime, &model.control, &wanted) => Err(in_vain(&dead)),
        }
    };
    match wait(&call.stop, bound.limit, waiting).await {
        Waited::Done(done) => {
            done?;
            all_live(runtime, model, &wanted).await
        }
        Waited::Stopped => Err(interrupted()),
        Waited::TimedOut => Err(too_late(&wanted, &seen, &bound).into()),
    }
}

fn interrupted() -> Diagnostics {
    report::error(NOT_SUBMITTED, &RuntimeError::Interrupted).into()
}

/// The SuperNodes that `wait` asks for, and the time limit.
struct Wanted {
    ids: Vec<NodeId>,
    least: usize,
    limit: Duration,
}

/// The shortest limit, and the attribute that sets it.
struct Bound {
    limit: Duration,
    attribute: ModelPath<Model>,
}

/// The result of the last read.
#[derive(Default)]
struct Seen {
    nodes: Vec<Node>,
    /// Why the SuperLink could not be asked.
    last_error: Option<ControlError>,
}

impl Wanted {
    fn of(wait: &Wait) -> Option<Self> {
        // A SuperNode without a node id was awaited when it was created.
        let ids: Vec<_> = wait.nodes.iter().flatten().filter_map(|id| *id).collect();
        let least = usize::try_from(wait.min_nodes.unwrap_or(0)).unwrap_or(usize::MAX);
        let limit = wait.nodes_timeout.as_ref().map_or(NODES, GoDuration::get);
        (!ids.is_empty() || least > 0).then_some(Self { ids, least, limit })
    }

    /// The missing nodes, as text; `None` if none is missing.
    fn missing(&self, nodes: &[Node]) -> Option<String> {
        let missing: Vec<_> = self
            .ids
            .iter()
            .filter_map(|id| match nodes.iter().find(|node| node.id == *id) {
                Some(node) if node.status == NodeStatus::Online => None,
                Some(node) => Some(format!("{} ({})", named(node), node.status.as_str())),
                None => Some(format!("{id} (not known to the SuperLink)")),
            })
            .collect();
        let count = online_of(nodes).count();
        let mut words = Vec::new();
        if !missing.is_empty() {
            words.push(format!("Missing: {}.", missing.join(", ")));
        }
        if count < self.least {
            words.push(format!("{count} of at least {} are online.", self.least));
        }
        (!words.is_empty()).then(|| words.join(" "))
    }
}

/// Waits until no node is missing; temporary failures do not end the wait.
async fn online(
    client: &ControlClient,
    wanted: &Wanted,
    seen: &mut Seen,
) -> std::result::Result<(), ControlError> {
    let mut told = String::new();
    loop {
        match client.list_nodes().await {
            Ok(nodes) => {
                let missing = wanted.missing(&nodes);
                *seen = Seen {
                    nodes,
                    last_error: None,
                };
                let Some(missing) = missing else {
                    return Ok(());
                };
                if told != missing {
                    tracing::info!("Waiting for SuperNodes. {missing}");
                    told = missing;
                }
            }
            Err(error) if error.may_pass() => {
                tracing::info!("Waiting for SuperNodes: {error}");
                seen.last_error = Some(error);
            }
            Err(error) => return Err(error),
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Waits until the SuperLink or an awaited SuperNode is dead; for ever if this runtime does not run
/// them.
async fn member_dies(runtime: &dyn Runtime, control: &ControlInput, wanted: &Wanted) -> String {
    let Some(federation) = Federation::of(runtime, control).await else {
        return std::future::pending().await;
    };
    let nodes = federation.with_ids(&wanted.ids);
    let nodes = nodes.iter().map(|node| &node.object);
    let objects: Vec<_> = nodes.chain([&federation.superlink.object]).collect();
    first_dead(runtime, &objects).await
}

/// An error if a SuperNode has stopped that the SuperLink still counts as online, which it does for
/// a minute. In a cluster, Kubernetes restarts it.
async fn all_live(runtime: &dyn Runtime, model: &Model, wanted: &Wanted) -> Result<()> {
    if wanted.ids.is_empty() || model.control.is_in_cluster() {
        return Ok(());
    }
    let Some(federation) = Federation::of(runtime, &model.control).await else {
        return Ok(());
    };
    let nodes = federation.with_ids(&wanted.ids);
    let nodes: Vec<_> = nodes.iter().map(|node| &node.object).collect();
    match dead_now(runtime, &nodes).await {
        Some((object, how)) => Err(in_vain(&format!("{object} {how}")).into()),
        None => Ok(()),
    }
}

/// The error for awaited SuperNodes that cannot come online.
fn in_vain(dead: &str) -> Diagnostic {
    Diagnostic::error(NOT_SUBMITTED)
        .detail(format!(
            "The SuperNodes that `wait` asks for cannot come online: {dead}."
        ))
        .detail(
            "Read its log, then apply. The apply starts or creates it again and submits the run.",
        )
        .at(at!(Model, wait))
}

fn too_late(wanted: &Wanted, seen: &Seen, bound: &Bound) -> Diagnostic {
    let missing = wanted.missing(&seen.nodes).unwrap_or_default();
    let last_error = seen.last_error.as_ref();
    let last_error =
        last_error.map(|error| format!("The last request to the SuperLink failed: {error}."));
    Diagnostic::error(NOT_SUBMITTED)
        .detail(format!(
            "The SuperNodes that `wait` asks for were not online within {} s. {} {missing}",
            bound.limit.as_secs(),
            online_words(&seen.nodes)
        ))
        .remedy(last_error)
        .detail(format!(
            "Read the logs of the missing SuperNodes, or raise `{}`.",
            bound.attribute
        ))
        .at(at!(Model, wait))
}

/// The nodes that `wait` asks for and that are missing, as text.
pub(super) fn missing_words(model: &Model, nodes: &[Node]) -> Option<String> {
    Wanted::of(model.wait.as_ref()?)?.missing(nodes)
}

/// The nodes that are online, as text.
pub(super) fn online_words(nodes: &[Node]) -> String {
    let names: Vec<_> = online_of(nodes).map(named).collect();
    if names.is_empty() {
        "No SuperNode is online.".to_owned()
    } else {
        format!("Online: {}.", names.join(", "))
    }
}

fn named(node: &Node) -> String {
    match &node.name {
        Some(name) => format!("{} ({name})", node.id),
        None => node.id.to_string(),
    }
}

fn online_of(nodes: &[Node]) -> impl Iterator<Item = &Node> {
    nodes
        .iter()
        .filter(|node| node.status == NodeStatus::Online)
}

#[cfg(test)]
#[path = "ready_tests.rs"]
mod tests;
