//! The SuperLink and the SuperNodes of a run, if this provider's runtime runs them. A run knows
//! only the URL of its SuperLink; the rest comes from the configurations that the runtime recorded.
//! Processes that ended show what a dead SuperLink cannot report.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::flower::control::{ControlClient, Node, NodeId};
use crate::flower::launch::{Isolation, LogLevel};
use crate::flower::progress::Progress;
use crate::resources::Configured;
use crate::resources::connection_attributes::ControlInput;
use crate::resources::recorded_configuration;
use crate::resources::{superlink, supernode};
use crate::runtime::{Kind, ObjectRef, Readiness, Runtime};
use crate::terminal::visible;
use crate::tfplugin::Call;
use crate::tfplugin::schema::Model;

/// How often to check the processes during a wait.
const LOOK: Duration = Duration::from_secs(3);

/// The members of a federation, as the runtime recorded them.
pub(super) struct Federation {
    pub superlink: Member<superlink::Model>,
    pub supernodes: Vec<Member<supernode::Model>>,
}

/// A SuperLink or a SuperNode.
pub(super) struct Member<M> {
    pub object: ObjectRef,
    pub model: M,
}

impl Federation {
    /// The federation of the SuperLink at this `control`; `None` if this runtime does not run it.
    pub(super) async fn of(runtime: &dyn Runtime, control: &ControlInput) -> Option<Self> {
        let superlinks = members::<superlink::Model>(runtime, Kind::Superlink).await;
        let superlink = superlinks.into_iter().find(|one| {
            one.model
                .control
                .get()
                .is_some_and(|own| own.is_of(control))
        })?;
        let mut supernodes = members::<supernode::Model>(runtime, Kind::Supernode).await;
        let fleet = superlink.model.fleet.get();
        supernodes.retain(|one| fleet.is_some_and(|fleet| fleet.is_of(&one.model.superlink)));
        Some(Self {
            superlink,
            supernodes,
        })
    }

    /// The SuperNodes with these ids.
    pub(super) fn with_ids(&self, ids: &[NodeId]) -> Vec<&Member<supernode::Model>> {
        let wanted = |one: &&Member<supernode::Model>| {
            let id = one.model.node_id.get();
            id.is_some_and(|id| ids.contains(id))
        };
        self.supernodes.iter().filter(wanted).collect()
    }
}

/// The nodes of a SuperLink, read once for all that shows a run.
#[derive(Debug, Clone, Default)]
pub(super) struct KnownNodes {
    /// As the SuperLink lists them.
    pub listed: Vec<Node>,
    /// Their names: as the SuperLink lists them (from 1.38), and as this provider's runtime knows
    /// them.
    pub names: BTreeMap<NodeId, String>,
}

impl KnownNodes {
    /// The nodes that this progress needs: none for a run without rounds, and names only if a
    /// client failed. `all` reads both in any case.
    pub(super) async fn of(
        call: &Call<Configured>,
        client: &ControlClient,
        control: &ControlInput,
        progress: &Progress,
        all: bool,
    ) -> Self {
        if !(all || progress.is_known()) {
            return Self::default();
        }
        let listed = client.list_nodes().await.unwrap_or_default();
        let mut names = BTreeMap::new();
        if all || progress.has_failures() {
            let runtime = call.provider.runtime.as_ref();
            names = self::names(runtime, control, &listed).await;
        }
        Self { listed, names }
    }
}

async fn names(
    runtime: &dyn Runtime,
    control: &ControlInput,
    nodes: &[Node],
) -> BTreeMap<NodeId, String> {
    let listed = nodes.iter().filter_map(|node| {
        let name = node.name.as_deref()?;
        Some((node.id, visible(name).into_owned()))
    });
    let mut names: BTreeMap<_, _> = listed.collect();
    if let Some(federation) = Federation::of(runtime, control).await {
        for supernode in federation.supernodes {
            if let Some(id) = supernode.model.node_id.get() {
                names.insert(*id, supernode.object.name.as_str().to_owned());
            }
        }
    }
    names
}

/// The log level of the SuperLink, if this provider's runtime runs it and the level hides what
/// strategies log.
pub(super) async fn quiet_level(runtime: &dyn Runtime, control: &ControlInput) -> Option<LogLevel> {
    let level = Federation::of(runtime, control)
        .await?
        .superlink
        .model
        .log_level;
    level.filter(|level| matches!(level, LogLevel::Warning | LogLevel::Error))
}

impl Member<supernode::Model> {
    /// The processes that apps may run in; which process it is depends on the release.
    pub(super) const fn app_processes(&self) -> &'static [&'static str] {
        match self.model.isolation {
            Isolation::Subprocess => &["supernode"],
            Isolation::Process => &["superexec", "clientapp"],
        }
    }
}

/// Whether the SuperLink of this run has ended; then the run has ended as well.
pub(super) async fn has_ended(runtime: &dyn Runtime, control: &ControlInput) -> bool {
    match Federation::of(runtime, control).await {
        Some(federation) => is_dead(runtime, &federation.superlink.object)
            .await
            .is_some(),
        None => false,
    }
}

/// Waits until one of these objects is removed or has stopped for good, and returns which one.
pub(super) async fn first_dead(runtime: &dyn Runtime, objects: &[&ObjectRef]) -> String {
    let mut before: Option<&ObjectRef> = None;
    loop {
        let dead = dead_now(runtime, objects).await;
        match (dead, before) {
            // An object that is restarting is not dead at the next check.
            (Some((object, how)), Some(same)) if object == same => {
                return format!("{object} {how}");
            }
            (dead, _) => before = dead.map(|(object, _)| object),
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The first of these objects that is removed or has stopped, and how.
pub(super) async fn dead_now<'a>(
    runtime: &dyn Runtime,
    objects: &[&'a ObjectRef],
) -> Option<(&'a ObjectRef, &'static str)> {
    for object in objects {
        if let Some(how) = is_dead(runtime, object).await {
            return Some((*object, how));
        }
    }
    None
}

/// How an object ended, if it did. An object that an apply is changing may still start.
async fn is_dead(runtime: &dyn Runtime, object: &ObjectRef) -> Option<&'static str> {
    match runtime.observe(object, &[]).await {
        Ok(None) => Some("was removed"),
        Ok(Some(seen)) if seen.readiness == Readiness::Stopped && !seen.unfinished => {
            Some("has stopped, or its SuperExec has; only the next apply starts it again")
        }
        Ok(Some(_)) | Err(_) => None,
    }
}

/// The recorded objects of a kind. Records that cannot be read are skipped.
async fn members<M: Model>(runtime: &dyn Runtime, kind: Kind) -> Vec<Member<M>> {
    let recorded = runtime.recorded_configurations(kind).await;
    let recorded = recorded.unwrap_or_else(|error| {
        tracing::warn!("the {kind}s could not be listed: {error}");
        BTreeMap::default()
    });
    let members = recorded_configuration::readable(recorded).map(|(name, model)| {
        let object = ObjectRef { kind, name };
        Member { object, model }
    });
    members.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::runtime::Objects as _;
    use crate::runtime::local::LocalRuntime;

    async fn settled(runtime: &LocalRuntime, kind: Kind, name: &str, rest: serde_json::Value) {
        let object = ObjectRef {
            kind,
            name: name.parse().unwrap(),
        };
        let mut configuration = json!({
            "name": name, "isolation": "subprocess", "flower_version": "1.42.0",
            "allow_state_loss": false, "insecure": false, "wait": true, "log_lines": 20,
        });
        for (name, value) in rest.as_object().unwrap() {
            configuration[name] = value.clone();
        }
        let stop = CancellationToken::new();
        let claimed = runtime.claim(&object, &stop).await.unwrap();
        runtime.settle(claimed, &configuration).await.unwrap();
    }

    #[tokio::test]
    async fn a_superlink_that_was_removed_ends_a_wait_within_seconds() {
        let dir = tempfile::tempdir().unwrap();
        let runtime = LocalRuntime {
            data_dir: dir.path().join("data"),
            cache_dir: dir.path().join("cache"),
            python: "python3".to_owned(),
        };
        for (name, port) in [("a", 1), ("b", 2)] {
            let superlink = json!({
                "control": {
                    "url": format!("https://127.0.0.1:{port}"), "flower_version": "1.42.0",
                    "superlink_id": format!("id-{port}"),
                },
                "fleet": {
                    "address": format!("127.0.0.1:{port}"), "insecure": false,
                    "flower_version": "1.42.0",
                },
            });
            settled(&runtime, Kind::Superlink, name, superlink).await;
            let supernode = json!({
                "superlink": { "address": format!("127.0.0.1:{port}") },
                "node_id": format!("7{port}"),
            });
            settled(
                &runtime,
                Kind::Supernode,
                &format!("site-{name}"),
                supernode,
            )
            .await;
        }
        let asked = |url: &str, id: Option<&str>| ControlInput {
            url: url.to_owned(),
            ca_certificate: None,
            flower_version: None,
            superlink_id: id.map(|id| id.parse().unwrap()),
            token_file: None,
            simulation: None,
        };
        let nobody = asked("https://127.0.0.1:3", None);
        assert!(Federation::of(&runtime, &nobody).await.is_none());
        // The id identifies the SuperLink, whatever its address.
        let moved = asked("https://127.0.0.1:3", Some("id-2"));
        assert!(Federation::of(&runtime, &moved).await.is_some());
        let another = asked("https://127.0.0.1:2", Some("id-3"));
        assert!(Federation::of(&runtime, &another).await.is_none());
        let control = asked("https://127.0.0.1:2", None);
        let federation = Federation::of(&runtime, &control).await.unwrap();
        assert_eq!(federation.superlink.object.name.as_str(), "b");
        let names = |nodes: Vec<&Member<supernode::Model>>| -> Vec<String> {
            let names = nodes
                .iter()
                .map(|node| node.object.name.as_str().to_owned());
            names.collect()
        };
        assert_eq!(names(federation.supernodes.iter().collect()), ["site-b"]);
        assert_eq!(names(federation.with_ids(&[NodeId(72)])), ["site-b"]);
        assert!(federation.with_ids(&[NodeId(71)]).is_empty());

        let superlink = &federation.superlink.object;
        let awaited = [superlink];
        let waiting = first_dead(&runtime, &awaited);
        tokio::time::timeout(Duration::from_millis(200), waiting)
            .await
            .unwrap_err();
        std::fs::remove_dir_all(runtime.data_dir.join("superlinks/b")).unwrap();
        let dead = first_dead(&runtime, &awaited);
        let dead = tokio::time::timeout(Duration::from_secs(20), dead).await;
        assert_eq!(dead.unwrap(), "SuperLink \"b\" was removed");
        let now = dead_now(&runtime, &awaited).await;
        assert_eq!(now, Some((superlink, "was removed")));
        let other = [&federation.supernodes[0].object];
        assert_eq!(dead_now(&runtime, &other).await, None);
    }
}
