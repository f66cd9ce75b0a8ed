//! `flower_supernode`: the process at a data owner's site.

mod model;
mod skew;
mod workload;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::flower::exit_meaning::FlowerExit;
use crate::flower::launch::LogLevel;
use crate::flower::version::{FlowerVersion, VersionRow, row_of};
use crate::resources::Configured;
use crate::resources::choices::Status;
use crate::resources::config_values::flatten;
use crate::resources::failure::{self, BringUp};
use crate::resources::lifecycle::{self, Remains};
use crate::resources::memory;
use crate::resources::place;
use crate::resources::pod;
use crate::resources::processes;
use crate::resources::release;
use crate::resources::report::failed;
use crate::resources::timeouts::Operation;
use crate::runtime::{Kind, LayoutRequest, ObjectRef, Port, Workload};
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::schema::{Computed, Dynamic, Maybe, Tree};
use crate::tfplugin::value::Value;
use crate::tfplugin::{Call, Plan, Resource, Slot};
pub use model::Model;
use workload::{object, parse_version, workload};

const START: Duration = Duration::from_mins(15);
/// A SuperNode that was killed counts as connected until its heartbeats are missed, and is refused
/// until then: how long that may take, and how often it tries.
const FORGOTTEN: Duration = Duration::from_secs(150);
/// How long a SuperNode that does not tell its number must go on before it counts as let in.
const SETTLED: Duration = Duration::from_secs(8);
/// How long the number of one that was let in before is waited for. A log that was cut since has lost
/// the line, and a process that was not started anew does not write it again.
const TOLD: Duration = Duration::from_secs(30);
/// How long a refresh looks for the number of one that was not awaited.
const GLANCE: Duration = Duration::from_secs(1);
const AGAIN: Duration = Duration::from_secs(5);
/// Flower's exit code for a SuperNode that was refused.
const REFUSED: u16 = 305;

pub struct Supernode;

impl Resource for Supernode {
    type Model = Model;
    type Provider = Configured;

    const TYPE: &'static str = "flower_supernode";

    fn validate(config: &Tree) -> Diagnostics {
        let mut found = Diagnostics::default();
        let insecure = config.get::<Option<bool>>("superlink.insecure");
        if matches!(insecure, Ok(Maybe::Known(Some(true)))) && config.is_set("key") {
            found.push(
                Diagnostic::error("A node key needs TLS")
                    .detail(
                        "Flower refuses keys without TLS, and `superlink.insecure` turns it off.",
                    )
                    .detail("Remove `insecure`, or leave `key` out.")
                    .on("key"),
            );
        }
        found.absorb(pod::validate(config));
        found.extend(processes::validate(config));
        if let Ok(Maybe::Known(Some(node_config))) = config.get::<Option<Dynamic>>("node_config") {
            found.absorb(flatten(&node_config.0, "node_config").map(drop));
        }
        found
    }

    async fn plan(_: Option<Arc<Configured>>, plan: &mut Plan) -> Result<()> {
        if !plan.config.is_set("flower_version") {
            match plan.get::<Option<String>>("superlink.flower_version")? {
                Maybe::Known(text) => {
                    let version = parse_version(text.as_deref())?;
                    let prior = plan.prior.get::<Option<FlowerVersion>>("flower_version")?;
                    if prior != Maybe::Known(Some(version)) || plan.has_changes() {
                        plan.set("flower_version", version);
                    }
                }
                Maybe::Unknown => plan.set_unknown("flower_version"),
            }
        }
        skew::speaks_with_superlink(plan)?;
        if plan.is_create() {
            return Ok(());
        }
        let status = plan.prior.get::<Option<Status>>("status")?;
        if matches!(status, Maybe::Known(Some(Status::Changed))) {
            plan.set_unknown("status");
            if !plan.planned.is_set("key") {
                plan.set_unknown("node_id");
            }
        }
        if matches!(status, Maybe::Known(Some(Status::Stopped))) {
            plan.set_unknown("status");
            plan.set_unknown("node_id");
        } else if plan.has_changes() && is_same_node(plan) {
            let kept = plan.prior.value("node_id").clone();
            if !kept.is_null() {
                plan.planned.set("node_id", kept);
            }
        }
        Ok(())
    }

    async fn create(
        call: Call<Configured>,
        mut planned: Model,
        _: Tree,
        slot: Slot<Model>,
    ) -> Result<()> {
        let object = object(&planned.name);
        let runtime = call.provider.runtime.as_ref();
        let requirements = planned.requirements.as_deref();
        processes::can_run(runtime, &object, version(&planned)?, requirements).await?;
        let place = lifecycle::begin(&call, &object, Self::TYPE).await?;
        planned.id.set(planned.name.to_string());
        planned.place.set(place);
        let ended = bring_up(&call, &mut planned, &slot, Operation::Create).await;
        let made = planned.status.get().is_some().then_some(&planned);
        lifecycle::end(&call, &object, made, &slot, remains(&planned), ended).await
    }

    async fn read(call: Call<Configured>, mut state: Model) -> Result<Option<Model>> {
        let object = object(&state.name);
        if !place::is_within_reach(&call, &object, &mut state.place).await? {
            return Ok(Some(state));
        }
        let observed = call.provider.runtime.observe(&object, &[]).await;
        let observed =
            observed.map_err(|error| failed(format!("{object} could not be looked at"), &error))?;
        let Some(observed) = observed else {
            return Ok(None);
        };
        let status = failure::status(&call, &object, &observed, state.wait);
        state.status.set(status);
        if state.node_id.get().is_none() && status == Status::Running {
            state.node_id = told(&call, &object, &state).await.into();
        }
        Ok(Some(state))
    }

    async fn update(
        call: Call<Configured>,
        prior: Model,
        mut planned: Model,
        _: Tree,
        slot: Slot<Model>,
    ) -> Result<()> {
        let runtime = call.provider.runtime.as_ref();
        place::check(runtime, &object(&planned.name), &mut planned.place).await?;
        // Another key is another node, which must be let in at once; and so is none.
        let entry = |model: &Model| model.key.as_ref().map(|key| key.key.clone());
        let same_node = planned.key.is_some() && entry(&planned) == entry(&prior);
        if planned.node_id.get().is_none() && same_node {
            planned.node_id = prior.node_id;
        }
        bring_up(&call, &mut planned, &slot, Operation::Update).await?;
        slot.put(&planned);
        let settled = memory::settle(runtime, &object(&planned.name), &planned).await;
        settled.map_err(|error| failed("The SuperNode changed, but not its record", &error).into())
    }

    async fn delete(call: Call<Configured>, mut state: Model) -> Result<()> {
        let object = object(&state.name);
        place::check(call.provider.runtime.as_ref(), &object, &mut state.place).await?;
        let timeouts = state.timeouts.as_ref();
        let removed = lifecycle::remove(&call, &object, timeouts, remains(&state)).await;
        removed.map_err(|error| failed(format!("{object} was not removed"), &error).into())
    }

    async fn import(call: Call<Configured>, id: String) -> Result<Model> {
        memory::recall(call.provider.runtime.as_ref(), Kind::Supernode, &id).await
    }
}

/// Whether the SuperLink knows it by the same number afterwards: a registered key keeps it, and so does
/// a process that goes on. Without a key, one that is started anew is another node.
fn is_same_node(plan: &Plan) -> bool {
    if plan.planned.is_set("key") {
        return !plan.changes("key") && !plan.changes("superlink.address");
    }
    let Value::Map(planned) = &plan.planned.0 else {
        return false;
    };
    let goes_on = |name: &str| ["timeouts", "wait", "node_id"].contains(&name);
    let mut names = planned.keys().map(String::as_str);
    // A status that is not as it should be has it started anew.
    names.all(|name| goes_on(name) || !plan.changes(name) || (name == "status" && runs(plan)))
}

/// Whether it ran when it was looked at.
fn runs(plan: &Plan) -> bool {
    let status = plan.prior.get::<Option<Status>>("status");
    matches!(status, Ok(Maybe::Known(Some(Status::Running))))
}

/// Starts the SuperNode and waits until the SuperLink has let it in.
async fn bring_up(
    call: &Call<Configured>,
    model: &mut Model,
    slot: &Slot<Model>,
    operation: Operation,
) -> Result<()> {
    let runtime = call.provider.runtime.as_ref();
    let object = object(&model.name);
    let what = format!("{object} did not join {}", model.superlink.address);
    let version = version(model)?;
    let row = release::row(version)?;
    let fixed = model.local.as_ref().and_then(|local| local.port);
    let layout = runtime
        .layout(LayoutRequest {
            object: &object,
            ports: &[Port::Runtime],
            fixed: fixed.map(|port| (Port::Runtime, port)),
            exposure: None,
            until: Instant::now(),
        })
        .await
        .map_err(|error| failed(what.as_str(), &error).on("local"))?;
    let workload = workload(model, version, &layout)?;
    let kept = model.node_id.clone();
    model.flower_version.set(version);
    model.status.set(Status::Stopped);
    if matches!(operation, Operation::Create) {
        slot.put(model);
    }
    // One that was let in before is known there: a refusal will pass.
    let patience = if kept.get().is_some() {
        FORGOTTEN
    } else {
        Duration::ZERO
    };
    let coming = BringUp {
        call,
        object: &object,
        process: "supernode",
        what: &what,
        operation,
        limit: operation.limit(model.timeouts.as_ref(), START),
        begun: Instant::now(),
    };
    let id = coming
        .within(async {
            if model.wait {
                let news = match (announces(row, model.log_level), kept.get()) {
                    (false, _) => News::Never,
                    (true, None) => News::Surely,
                    (true, Some(_)) => News::Perhaps,
                };
                return join(&coming, &workload, news, patience).await;
            }
            let started = runtime.start(&workload, &call.stop).await;
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

/// Its own release, or its SuperLink's.
fn version(model: &Model) -> Result<FlowerVersion> {
    match model.flower_version.get() {
        Some(version) => Ok(*version),
        None => parse_version(model.superlink.flower_version.as_deref()),
    }
}

/// Whether a SuperNode writes its number into its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    Surely,
    /// It did once, and the line may be gone.
    Perhaps,
    Never,
}

/// Whether the release tells the number, at a level that is logged.
fn announces(row: &VersionRow, level: Option<LogLevel>) -> bool {
    let quiet = matches!(level, Some(LogLevel::Warning | LogLevel::Error));
    row.announces_node && !quiet
}

/// Starts the processes and follows the log until the SuperNode was let in; its number then, where
/// it is told.
async fn join(
    coming: &BringUp<'_>,
    workload: &Workload,
    news: News,
    patience: Duration,
) -> Result<Option<String>> {
    let BringUp {
        call, object, what, ..
    } = *coming;
    let runtime = call.provider.runtime.as_ref();
    let explain = |error| Diagnostics::from(failed(what, &error));
    let until = Instant::now() + patience;
    loop {
        let started = runtime.start(workload, &call.stop).await;
        started.map_err(|error| failure::not_started(what, &error))?;
        let failure = tokio::select! {
            failure = runtime.watch_failure(object, coming.patience(&workload.pod)) => failure,
            id = async {
                runtime.ready(object).await?;
                let told = runtime.wait_log(object, coming.process, &node_id);
                // One that was refused ends, or has not got so far, within this time.
                let time = match news {
                    News::Surely => return told.await.map(Some),
                    News::Perhaps => TOLD,
                    News::Never => SETTLED,
                };
                tokio::time::timeout(time, told).await.ok().transpose()
            } => return id.map_err(explain),
        };
        let exit = FlowerExit::in_log(&failure.log.join("\n"));
        let may_pass = exit.is_some_and(|exit| exit.code == REFUSED);
        if !may_pass || Instant::now() + AGAIN > until {
            return Err(failure::report(what, &failure).into());
        }
        tracing::info!(object = %object, "refused, trying again");
        tokio::time::sleep(AGAIN).await;
    }
}

/// The number of a SuperNode that was not awaited, once its log tells it.
async fn told(call: &Call<Configured>, object: &ObjectRef, state: &Model) -> Option<String> {
    let row = row_of(*state.flower_version.get()?).ok()?;
    if state.wait || !announces(row, state.log_level) {
        return None;
    }
    let runtime = &call.provider.runtime;
    let line = runtime.wait_log(object, "supernode", &node_id);
    tokio::time::timeout(GLANCE, line).await.ok()?.ok()
}

/// The number in the line that a SuperNode writes once it was let in.
fn node_id(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("SuperNode ID:")?;
    let id = rest.trim();
    (!id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit())).then(|| id.to_owned())
}

/// It has no secrets of its own: its key is another object.
fn remains(model: &Model) -> Remains<'static> {
    Remains {
        secrets: &[],
        keep_logs: model.local.as_ref().and_then(|local| local.keep_logs),
    }
}
