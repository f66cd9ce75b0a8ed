//! Random configurations through the life of a resource: a configuration that a plan accepts is
//! created, changed to another one, planned again without changes, and removed.

use futures_util::StreamExt as _;
use serde_json::Value as Json;

use super::host::{Ended, Host};
use super::{AT_ONCE, Federation, left};
use crate::at;
use crate::generated_tests::{as_terraform_sends, shapes};
use crate::generator::{Random, fitting};
use crate::resources::Configured;
use crate::resources::app_run::{self, AppRun};
use crate::resources::planning::tree;
use crate::resources::superlink::Superlink;
use crate::resources::supernode::{self, Supernode};
use crate::resources::supernode_key::SupernodeKey;
use crate::runtime::memory::Break;
use crate::tfplugin::Resource;
use crate::tfplugin::value::Value;

/// How many lives to test for each resource, with two configurations each.
const LIVES: usize = 100;
/// How many of the 2 × 100 configurations a plan must accept: 500 in all.
const KEYS: usize = 120;
const SUPERLINKS: usize = 120;
const SUPERNODES: usize = 120;
const RUNS: usize = 150;

/// The result of all lives.
#[derive(Default)]
struct Outcome {
    applied: usize,
    wrong: Vec<String>,
}

/// Sets the values of a configuration that come from other resources, and removes waits that
/// nothing would end.
type Connect = fn(&Federation, &Host, &mut Value);

/// A random configuration, as Terraform sends it.
fn by_chance<R: Resource<Provider = Configured>>(random: &mut Random, percent: usize) -> Json {
    let shapes = shapes(&R::schema().attributes);
    let config = fitting(random, &shapes, percent);
    as_terraform_sends(&shapes, &config.values).unwrap()
}

/// Applies a configuration and plans it again. `false` if a plan refuses it.
async fn is_applied<R: Resource<Provider = Configured>>(
    host: &mut Host,
    config: &Value,
) -> Result<bool, String> {
    host.restart(Break::Never);
    if !host.is_planned::<R>(config).await {
        return Ok(false);
    }
    match host.apply::<R>(config).await {
        Ok(()) => {}
        Err(Ended::Badly(found)) => return Err(format!("planned, and not applied: {found}")),
        Err(Ended::Killed) => return Err("killed".to_owned()),
    }
    match host.differences::<R>(config).await {
        None => Ok(true),
        Some(found) => Err(format!("the second plan is not empty: {found}")),
    }
}

/// Applies two configurations one after the other, and destroys the result. Returns how many of
/// them a plan accepted.
async fn one_life<R: Resource<Provider = Configured>>(
    configurations: [Json; 2],
    connect: Connect,
) -> Result<usize, String> {
    let federation = Federation::new();
    let mut host = Host::new();
    federation.apply_servers(&mut host).await?;
    let mut applied = 0;
    for sent in configurations {
        let mut config = tree::<R>(sent.clone()).0;
        connect(&federation, &host, &mut config);
        let done = is_applied::<R>(&mut host, &config).await;
        let done = done.map_err(|found| format!("{found}\n{sent}"))?;
        applied += usize::from(done);
    }
    let destroyed = host.destroy::<R>().await;
    destroyed.map_err(|ended| format!("destroy: {ended:?}"))?;
    left(&federation, &mut host).await.map_or(Ok(applied), Err)
}

async fn lives<R: Resource<Provider = Configured>>(
    random: &mut Random,
    connect: Connect,
) -> Outcome {
    let mut outcome = Outcome::default();
    let configurations: Vec<_> = (0..LIVES)
        .map(|number| {
            let percent = [0, 5, 20, 50][number % 4];
            [(); 2].map(|()| by_chance::<R>(random, percent))
        })
        .collect();
    let lives = configurations.into_iter();
    let lives = lives.map(|configurations| one_life::<R>(configurations, connect));
    let mut lives = futures_util::stream::iter(lives).buffer_unordered(AT_ONCE);
    while let Some(life) = lives.next().await {
        match life {
            Ok(applied) => outcome.applied += applied,
            Err(found) => outcome.wrong.push(found),
        }
    }
    outcome
}

/// The lives of one kind of resource. How many of its configurations a plan must accept depends on
/// the kind.
async fn all_live<R: Resource<Provider = Configured>>(at_least: usize, connect: Connect) {
    let outcome = lives::<R>(&mut Random::new(), connect).await;
    let shown = outcome.wrong.iter().take(12).cloned().collect::<Vec<_>>();
    assert!(
        outcome.wrong.is_empty(),
        "{} of {LIVES}:\n{}",
        outcome.wrong.len(),
        shown.join("\n\n")
    );
    let applied = outcome.applied;
    assert!(applied >= at_least, "only {applied} applied");
}

#[tokio::test(start_paused = true)]
async fn what_a_plan_accepts_of_a_key_is_created_changed_and_removed() {
    all_live::<SupernodeKey>(KEYS, |_, _, config| {
        config.set("name", "other".into());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_a_plan_accepts_of_a_superlink_is_created_changed_and_removed() {
    all_live::<Superlink>(SUPERLINKS, |_, _, config| {
        config.set("name", "other".into());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_a_plan_accepts_of_a_supernode_is_created_changed_and_removed() {
    all_live::<Supernode>(SUPERNODES, |federation, host, config| {
        let connected = federation.supernode(host);
        for path in [
            at!(supernode::Model, name),
            at!(supernode::Model, superlink),
            at!(supernode::Model, control),
            at!(supernode::Model, key),
        ] {
            config.set_at(path, connected.at(path).clone());
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_a_plan_accepts_of_a_run_is_created_changed_and_removed() {
    all_live::<AppRun>(RUNS, |federation, host, config| {
        let connected = federation.run(host);
        for path in [
            at!(app_run::Model, source),
            at!(app_run::Model, run_config),
            at!(app_run::Model, control),
        ] {
            config.set_at(path, connected.at(path).clone());
        }
        config.set_at(at!(app_run::Model, wait), Value::Null);
        // The SuperLinks in memory keep no files.
        config.set_at(at!(app_run::Model, artifacts), Value::Null);
    })
    .await;
}
