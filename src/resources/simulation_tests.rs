use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use super::*;
use crate::resources::planning::{Planned, checked, plan, tree};
use crate::resources::superlink::Superlink as Resource;

/// The errors of the checks and of the plan of a new SuperLink, one per line.
async fn refusals(rest: Json) -> String {
    let mut config = json!({ "name": "a" });
    for (name, value) in rest.as_object().unwrap() {
        config[name] = value.clone();
    }
    let (found, _) = checked::<Resource>(&Value::Null, &tree::<Resource>(config)).await;
    let errors = found.iter().filter(|one| one.is_error());
    let errors = errors.map(|one| {
        let at = one.path.as_ref().map(ToString::to_string);
        format!(
            "{}: {}\n{}",
            at.unwrap_or_default(),
            one.summary,
            one.detail
        )
    });
    errors.collect::<Vec<_>>().join("\n")
}

async fn planned(rest: Json) -> Planned<Superlink> {
    let planned = plan::<Resource>(None, rest).await;
    assert_eq!(planned.errors, "");
    planned
}

#[tokio::test]
async fn what_flower_cannot_simulate_is_refused_at_its_attribute() {
    let simulation = json!({ "num_supernodes": 2 });
    let refused = [
        json!({ "simulation": { "num_supernodes": 0 } }),
        json!({ "simulation": { "num_supernodes": 10_001 } }),
        json!({ "simulation": { "num_supernodes": 2, "client_resources_num_cpus": 0 } }),
        json!({ "simulation": { "num_supernodes": 2, "client_resources_num_gpus": -0.5 } }),
        json!({ "simulation": simulation, "flower_version": "1.27.0" }),
        json!({ "simulation": simulation, "supernodes": {} }),
        json!({ "extra_args": ["--simulation"] }),
    ];
    let mut shown = String::new();
    for config in refused {
        let found = refusals(config.clone()).await;
        writeln!(shown, "== {config}\n{found}").unwrap();
    }
    insta::assert_snapshot!(shown);
    for accepted in [
        json!({ "simulation": simulation, "flower_version": "1.28.0" }),
        json!({ "simulation": { "num_supernodes": 10_000, "client_resources_num_cpus": 1, "client_resources_num_gpus": 0.25 } }),
        json!({ "simulation": simulation, "isolation": "process", "insecure": true }),
    ] {
        assert_eq!(refusals(accepted.clone()).await, "", "{accepted}");
    }
    // A choice between both by a variable, as `terraform validate` sends it.
    let mut choice = tree::<Resource>(json!({ "name": "a" }));
    choice.set(at!(Superlink, simulation), Value::UNKNOWN);
    choice.set(at!(Superlink, supernodes), Value::UNKNOWN);
    let (found, _) = checked::<Resource>(&Value::Null, &choice).await;
    assert!(!found.has_errors(), "{found:?}");
}

#[tokio::test]
async fn control_tells_the_simulation_before_the_superlink_exists() {
    let simulation = json!({ "num_supernodes": 3, "client_resources_num_gpus": 0.1 });
    let with = planned(json!({ "name": "a", "simulation": simulation })).await;
    let of = |planned: &Planned<Superlink>, path| planned.tree.value(path).clone();
    assert_eq!(
        of(&with, at!(Superlink, control.simulation)),
        of(&with, at!(Superlink, simulation))
    );
    let without = planned(json!({ "name": "a" })).await;
    assert!(of(&without, at!(Superlink, control.simulation)).is_null());
}

#[test]
fn a_share_of_a_gpu_is_the_nearest_number_that_flower_takes() {
    let simulation = Simulation {
        num_supernodes: 3,
        client_resources_num_cpus: None,
        client_resources_num_gpus: Number::parse("0.1"),
    };
    assert_eq!(simulation.config().client_resources_num_gpus, Some(0.1));
}

#[test]
fn pods_run_no_simulation() {
    let refused = is_without(true).unwrap_err();
    assert!(is_without(false).is_ok());
    let refused = refused.iter().next().unwrap();
    insta::assert_snapshot!(format!("{}\n\n{}", refused.summary, refused.detail));
}
