//! The life of every resource in a runtime in memory: it is created, changed, read and removed,
//! with a kill, an interruption and a failure at each step. After any of these, another apply
//! reaches the configuration, nothing exists twice, and a destroy leaves nothing.

mod by_chance;
mod flower;
mod host;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::json;

use crate::at;
use crate::resources::app_run::AppRun;
use crate::resources::planning::tree;
use crate::resources::superlink::{self, Superlink};
use crate::resources::supernode::Supernode;
use crate::resources::supernode_key::{self, SupernodeKey};
use crate::runtime::memory::Break;
use crate::runtime::{Kind, ObjectRef};
use crate::tfplugin::value::Value;
use host::{Ended, Host, input};

/// An app that every SuperLink in these tests accepts.
struct App(tempfile::TempDir);

impl App {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let pyproject = "[project]\nname = \"probe\"\nversion = \"1.0.0\"\ndependencies = [\"flwr\"]\n\
            [tool.flwr.app]\npublisher = \"acme\"\n\
            [tool.flwr.app.components]\nserverapp = \"probe.app:app\"\nclientapp = \"probe.app:app\"\n\
            [tool.flwr.app.config]\nrounds = 1\n";
        std::fs::create_dir(dir.path().join("probe")).unwrap();
        std::fs::write(dir.path().join("pyproject.toml"), pyproject).unwrap();
        std::fs::write(dir.path().join("probe/__init__.py"), "").unwrap();
        std::fs::write(dir.path().join("probe/app.py"), "app = None\n").unwrap();
        Self(dir)
    }
}

/// The changes to a configuration with one SuperNode.
#[derive(Clone, Copy, Default)]
struct Changes {
    /// Another log level of the SuperLink and the SuperNode.
    restarts: bool,
    /// Another key.
    rotates: bool,
    /// Another run.
    reruns: bool,
}

/// The steps of an apply in the order of their dependencies.
#[derive(Clone)]
struct Federation {
    app: Arc<App>,
    changes: Changes,
}

impl Federation {
    fn new() -> Self {
        Self {
            app: Arc::new(App::new()),
            changes: Changes::default(),
        }
    }

    fn key(&self) -> Value {
        let rotation = if self.changes.rotates { "2" } else { "1" };
        // P-256 is the fastest curve: these tests spend most of their CPU time on its arithmetic.
        tree::<SupernodeKey>(
            json!({ "name": "site", "algorithm": "ECDSA-P256", "rotation": rotation }),
        )
        .0
    }

    fn superlink(&self, host: &Host) -> Value {
        let level = self.changes.restarts.then_some("DEBUG");
        let key = host.state::<SupernodeKey>();
        let key = key
            .at(at!(supernode_key::Model, public_key))
            .as_str()
            .unwrap_or_default();
        tree::<Superlink>(json!({
            "name": "main",
            "log_level": level,
            "supernodes": { "site": { "public_key": key } },
        }))
        .0
    }

    fn supernode(&self, host: &Host) -> Value {
        let level = self.changes.restarts.then_some("DEBUG");
        let mut config = tree::<Supernode>(json!({ "name": "site", "log_level": level })).0;
        let superlink = host.state::<Superlink>();
        config.set(
            "superlink",
            input::<Supernode>("superlink", superlink.at(at!(superlink::Model, fleet))),
        );
        config.set(
            "control",
            input::<Supernode>("control", superlink.at(at!(superlink::Model, control))),
        );
        config.set(
            "key",
            input::<Supernode>(
                "key",
                host.state::<SupernodeKey>()
                    .at(at!(supernode_key::Model, secret)),
            ),
        );
        config
    }

    fn run(&self, host: &Host) -> Value {
        let rounds = if self.changes.reruns { 2 } else { 1 };
        let mut config = tree::<AppRun>(json!({
            "source": { "path": self.app.0.path() },
            "run_config": { "type": ["object", { "rounds": "number" }], "value": { "rounds": rounds } },
        }))
        .0;
        let superlink = host.state::<Superlink>();
        config.set(
            "control",
            input::<AppRun>("control", superlink.at(at!(superlink::Model, control))),
        );
        config
    }

    /// One apply of the whole federation; it ends at the first failure.
    async fn apply(&self, host: &mut Host) -> Result<(), Ended> {
        host.apply::<SupernodeKey>(&self.key()).await?;
        let config = self.superlink(host);
        host.apply::<Superlink>(&config).await?;
        let config = self.supernode(host);
        host.apply::<Supernode>(&config).await?;
        let config = self.run(host);
        host.apply::<AppRun>(&config).await
    }

    /// The key and the SuperLink, which the other resources connect to.
    async fn apply_servers(&self, host: &mut Host) -> Result<(), String> {
        let made = async {
            host.apply::<SupernodeKey>(&self.key()).await?;
            let config = self.superlink(host);
            host.apply::<Superlink>(&config).await
        };
        made.await.map_err(|ended| format!("{ended:?}"))
    }

    async fn destroy(&self, host: &mut Host) -> Result<(), Ended> {
        host.destroy::<AppRun>().await?;
        host.destroy::<Supernode>().await?;
        host.destroy::<Superlink>().await?;
        host.destroy::<SupernodeKey>().await
    }

    /// What a second plan would change.
    async fn differences(&self, host: &mut Host) -> Option<String> {
        let mut found = Vec::new();
        found.extend(host.differences::<SupernodeKey>(&self.key()).await);
        let config = self.superlink(host);
        found.extend(host.differences::<Superlink>(&config).await);
        let config = self.supernode(host);
        found.extend(host.differences::<Supernode>(&config).await);
        let config = self.run(host);
        found.extend(host.differences::<AppRun>(&config).await);
        (!found.is_empty()).then(|| found.join("\n"))
    }

    /// Applies until it succeeds, as a user does. If an object without a state has the name,
    /// imports it.
    async fn converge(&self, host: &mut Host) -> Result<(), String> {
        for _ in 0..4 {
            host.restart(Break::Never);
            match self.apply(host).await {
                Ok(()) => return Ok(()),
                Err(Ended::Badly(found)) if found.contains("Take it over") => {
                    let done = if found.contains("flower_superlink.NAME") {
                        host.import::<Superlink>("main").await
                    } else if found.contains("flower_supernode_key.NAME") {
                        host.import::<SupernodeKey>("site").await
                    } else {
                        host.import::<Supernode>("site").await
                    };
                    done?;
                }
                Err(ended) => return Err(format!("{ended:?}")),
            }
        }
        Err("it does not come to an end".to_owned())
    }
}

/// The errors in the world, and in a plan, after everything was applied.
async fn wrong(federation: &Federation, host: &mut Host, runs: usize) -> Option<String> {
    host.restart(Break::Never);
    if let Some(differs) = federation.differences(host).await {
        return Some(format!("a plan is not empty:\n{differs}"));
    }
    let superlink = ObjectRef {
        kind: Kind::Superlink,
        name: "main".parse().unwrap(),
    };
    let objects = host.world.lock().objects.len();
    let notes = host.world.lock().notes.len();
    let registered = host.flower.registered(&host.world, &superlink);
    let found = (objects, registered, host.flower.runs());
    if found != (3, 1, runs) {
        return Some(format!("objects, nodes, runs: {found:?}"));
    }
    // An interrupted apply leaves the note of its run until the run is removed.
    (notes > 1).then(|| format!("{notes} notes"))
}

/// Destroys everything, and returns what is left.
async fn left(federation: &Federation, host: &mut Host) -> Option<String> {
    host.restart(Break::Never);
    if let Err(ended) = federation.destroy(host).await {
        return Some(format!("destroy: {ended:?}"));
    }
    let state = host.world.lock();
    (!state.is_empty()).then(|| format!("left: {:?} {:?}", state.objects, state.notes.keys()))
}

#[tokio::test(start_paused = true)]
async fn a_federation_is_made_changed_and_removed() {
    let mut federation = Federation::new();
    let mut host = Host::new();
    federation.converge(&mut host).await.unwrap();
    assert_eq!(wrong(&federation, &mut host, 1).await, None);
    federation.changes = Changes {
        restarts: true,
        ..Changes::default()
    };
    federation.converge(&mut host).await.unwrap();
    assert_eq!(wrong(&federation, &mut host, 1).await, None);
    federation.changes.reruns = true;
    federation.converge(&mut host).await.unwrap();
    assert_eq!(wrong(&federation, &mut host, 2).await, None);
    federation.changes.rotates = true;
    federation.converge(&mut host).await.unwrap();
    assert_eq!(wrong(&federation, &mut host, 2).await, None);
    assert_eq!(left(&federation, &mut host).await, None);
}

/// How long one try may take while the others run.
const ENDS: Duration = Duration::from_mins(1);
/// How many tries run at once: they wait most of the time.
const AT_ONCE: usize = 24;

/// How a try is broken off.
type Way = fn(usize) -> Break;
const WAYS: [(&str, Way); 3] = [
    ("killed", Break::Kill),
    ("interrupted", Break::Interrupt),
    ("failed", Break::Fail),
];

/// What exists before an apply that is broken off.
struct Before {
    federation: Federation,
    host: Host,
    is_made: bool,
}

impl Before {
    fn nothing() -> Self {
        Self {
            federation: Federation::new(),
            host: Host::new(),
            is_made: false,
        }
    }

    /// A whole federation.
    async fn made() -> Self {
        let mut before = Self::nothing();
        before.federation.converge(&mut before.host).await.unwrap();
        before.is_made = true;
        before
    }

    fn changed(&self, changes: Changes) -> (Federation, Host) {
        let mut federation = self.federation.clone();
        federation.changes = changes;
        (federation, self.host.copy())
    }

    /// Breaks an apply off at a step, and returns what is wrong after the next applies.
    async fn broken_off(&self, at: Break, changes: Changes) -> Option<String> {
        let (federation, mut host) = self.changed(changes);
        host.restart(at);
        let ended = federation.apply(&mut host).await;
        if let Err(found) = federation.converge(&mut host).await {
            return Some(format!("{ended:?}, then: {found}"));
        }
        let runs = host.flower.runs();
        if let Some(found) = wrong(&federation, &mut host, runs).await {
            return Some(format!("{ended:?}, then {found}"));
        }
        let reruns = !self.is_made || changes.reruns;
        // Terraform taints a run whose apply was interrupted during the wait, and so runs it again.
        let may_taint = reruns && !matches!(at, Break::Kill(_));
        let most = usize::from(self.is_made) + usize::from(reruns) + usize::from(may_taint);
        if runs > most {
            return Some(format!("{runs} runs, {ended:?}"));
        }
        left(&federation, &mut host).await
    }

    /// Breaks a destroy off at a step, and returns what is wrong after the next destroy.
    async fn half_destroyed(&self, at: Break) -> Option<String> {
        let (federation, mut host) = self.changed(Changes::default());
        host.restart(at);
        let ended = federation.destroy(&mut host).await;
        let left = left(&federation, &mut host).await?;
        Some(format!("{ended:?}, then {left}"))
    }

    /// The number of steps of an apply that is not broken off.
    async fn steps(&self, changes: Changes) -> usize {
        let (federation, mut host) = self.changed(changes);
        host.restart(Break::Never);
        federation.apply(&mut host).await.unwrap();
        host.gate.count()
    }
}

/// Tries every way of breaking off at each of these steps, but kills only at the first `kills`
/// steps.
async fn at_each_step(steps: usize, kills: usize, try_one: impl AsyncFn(Break) -> Option<String>) {
    let mut tries = Vec::new();
    for (word, way) in WAYS {
        let steps = if word == "killed" { kills } else { steps };
        for step in 0..steps {
            let try_one = &try_one;
            tries.push(async move {
                let found = match tokio::time::timeout(ENDS, try_one(way(step))).await {
                    Ok(found) => found?,
                    Err(_) => "it does not end".to_owned(),
                };
                Some(format!("{word} at step {step} of {steps}: {found}"))
            });
        }
    }
    let count = tries.len();
    let tries = futures_util::stream::iter(tries).buffer_unordered(AT_ONCE);
    let found: Vec<String> = tries.filter_map(std::future::ready).collect().await;
    assert!(count > 60, "only {count} tries");
    assert!(
        found.is_empty(),
        "{} of {count}:\n{}",
        found.len(),
        found.join("\n\n")
    );
}

#[tokio::test(start_paused = true)]
async fn a_creation_that_breaks_off_anywhere_leaves_nothing_twice() {
    let before = Before::nothing();
    let steps = before.steps(Changes::default()).await;
    // The last step deletes the note of the run. If the provider is killed after it, Terraform has
    // not received the run, and no note of it exists.
    at_each_step(steps, steps - 1, async |at| {
        before.broken_off(at, Changes::default()).await
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_update_that_breaks_off_anywhere_is_brought_about_by_the_next() {
    let changes = Changes {
        restarts: true,
        ..Changes::default()
    };
    let before = Before::made().await;
    let steps = before.steps(changes).await;
    at_each_step(steps, steps, async |at| {
        before.broken_off(at, changes).await
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_replacement_that_breaks_off_anywhere_is_brought_about_by_the_next() {
    let changes = Changes {
        rotates: true,
        reruns: true,
        ..Changes::default()
    };
    let before = Before::made().await;
    let steps = before.steps(changes).await;
    // As in a creation.
    at_each_step(steps, steps - 1, async |at| {
        before.broken_off(at, changes).await
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_breaks_off_anywhere_is_ended_by_the_next() {
    let before = Before::made().await;
    let (federation, mut host) = before.changed(Changes::default());
    host.restart(Break::Never);
    federation.destroy(&mut host).await.unwrap();
    let steps = host.gate.count();
    at_each_step(steps, steps, async |at| before.half_destroyed(at).await).await;
}
