use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::super::{Model, Superlink, workload};
use super::*;
use crate::resources::planning::plan;
use crate::resources::recorded_configuration;
use crate::runtime::{PodSettings, Workload};
use crate::tfplugin::schema::{Attribute, Kind, Nesting, Presence, Schema};

/// For each attribute of the table, a value that differs from none.
fn sample(attribute: &str) -> Json {
    match attribute {
        "name" => json!("b"),
        "flower_version" => json!("1.42.0"),
        "allow_state_loss" | "insecure" | "local.keep_logs" => json!(true),
        "persistence.enabled" | "kubernetes.network_policy" => json!(false),
        "on_active_runs" => json!("fail"),
        "isolation" => json!("process"),
        "log_level" => json!("DEBUG"),
        "artifacts" => json!({ "enabled": true }),
        "tls" => json!({ "dns_names": ["a.example.org"] }),
        "supernodes" => json!({}),
        "simulation" => json!({ "num_supernodes": 2 }),
        "persistence.size" => json!("2Gi"),
        "service.service_type" => json!("LoadBalancer"),
        "service.node_port" => json!(30001),
        "local.port" => json!(8123),
        "requirements"
        | "kubernetes.image_pull_secrets"
        | "kubernetes.env_from_secrets"
        | "kubernetes.server_env_from_secrets" => json!(["a"]),
        "service.allow_from" => json!(["10.0.0.0/8"]),
        "extra_args" => json!(["--log-file", "/l"]),
        "env"
        | "service.annotations"
        | "kubernetes.node_selector"
        | "kubernetes.labels"
        | "kubernetes.annotations" => json!({ "a": "b" }),
        "kubernetes.image_pull_policy" => json!("Never"),
        "kubernetes.resources" | "kubernetes.server_resources" | "kubernetes.gateway_resources" => {
            json!({ "limits": { "cpu": "1" } })
        }
        "kubernetes.tolerations" => json!([{ "key": "a" }]),
        "kubernetes.affinity" => {
            json!({ "type": ["object", { "a": "string" }], "value": { "a": "b" } })
        }
        "kubernetes.volumes" => json!({ "a": { "mount_path": "/a", "claim": "c" } }),
        "kubernetes.scheduling_timeout" | "kubernetes.start_timeout" => json!("1m"),
        "timeouts" => json!({ "update": "1m" }),
        _ => json!("x"),
    }
}

fn settings(attribute: &str, value: Json) -> Map<String, Json> {
    let mut settings = Map::new();
    settings.insert("name".to_owned(), json!("a"));
    match attribute.split_once('.') {
        Some(("persistence", "enabled")) => {
            settings.insert("persistence".to_owned(), json!({ "enabled": value }));
        }
        Some(("persistence", inner)) => {
            let persistence = json!({ "enabled": true, inner: value });
            settings.insert("persistence".to_owned(), persistence);
        }
        Some((outer, inner)) => {
            settings.insert(outer.to_owned(), json!({ inner: value }));
        }
        None => {
            settings.insert(attribute.to_owned(), value);
        }
    }
    settings
}

fn state(mut settings: Map<String, Json>) -> Json {
    for (name, value) in [
        ("flower_version", json!("1.42.0")),
        ("allow_state_loss", json!(false)),
        ("isolation", json!("subprocess")),
        ("insecure", json!(false)),
        ("certificate_not_after", json!("2999-01-01T00:00:00Z")),
        ("status", json!("running")),
        ("nodes", json!({})),
    ] {
        settings.entry(name.to_owned()).or_insert(value);
    }
    Json::Object(settings)
}

fn sketch(settings: Map<String, Json>) -> Workload {
    let model: Model = recorded_configuration::read(&state(settings)).unwrap();
    workload::sketch(&model).unwrap()
}

/// Whether the processes differ, and whether the pod differs.
fn differ(before: &Workload, after: &Workload) -> (bool, bool) {
    let of_no_pod = |pod: &PodSettings| PodSettings {
        network_policy: true,
        scheduling_timeout: None,
        ..pod.clone()
    };
    let runs = before.processes != after.processes
        || before.python != after.python
        || before.files != after.files;
    (runs, of_no_pod(&before.pod) != of_no_pod(&after.pod))
}

fn settable(attributes: &[Attribute], within: &str, found: &mut BTreeSet<String>) {
    for attribute in attributes {
        if attribute.presence == Presence::Computed {
            continue;
        }
        let path = format!("{within}{}", attribute.name);
        match &attribute.kind {
            Kind::Nested(Nesting::Single, inner)
                if !EFFECTS.iter().any(|row| row.0.to_string() == path) =>
            {
                settable(inner, &format!("{path}."), found);
            }
            _ => drop(found.insert(path)),
        }
    }
}

#[test]
fn every_attribute_has_one_row() {
    let mut expected = BTreeSet::new();
    settable(&Schema::of::<Model>().attributes, "", &mut expected);
    let rows: BTreeSet<_> = EFFECTS.iter().map(|row| row.0.to_string()).collect();
    assert_eq!(rows, expected);
    assert_eq!(rows.len(), EFFECTS.len(), "a row is there twice");
}

#[tokio::test]
async fn the_table_says_what_the_code_does() {
    for (attribute, effect) in EFFECTS {
        let attribute = &*attribute.to_string();
        let after = settings(attribute, sample(attribute));
        let before = match attribute {
            "flower_version" => settings(attribute, json!("1.41.0")),
            _ => settings("name", json!("a")),
        };
        let planned = plan::<Superlink>(
            Some(&state(before.clone())),
            Json::Object({
                let mut config = after.clone();
                config
                    .entry("flower_version")
                    .or_insert_with(|| json!("1.42.0"));
                config
            }),
        )
        .await;
        assert_eq!(planned.errors, "", "{attribute}");
        let (runs, pod) = differ(&sketch(before), &sketch(after));
        let renews = planned.is_unknown("certificate_not_after");
        let replaces = !planned.replaces.is_empty();
        // The sketch has fixed ports, so the port counts as a change of the processes.
        let runs = runs || attribute == "local.port";
        let expected = match (replaces, runs, pod, renews) {
            (true, ..) => Effect::Replacement,
            (_, true, ..) if attribute == "supernodes" => Effect::AllowList,
            (_, true, ..) if attribute == "simulation" => Effect::Simulation,
            (_, true, ..) => Effect::Restart,
            (_, _, true, _) => Effect::Pod,
            (_, _, _, true) => Effect::Certificate,
            _ => Effect::InPlace,
        };
        assert_eq!(*effect, expected, "{attribute}");
    }
}

fn causes(before: &Json, after: &Json, has_pods: bool) -> Vec<String> {
    let tree = |state: &Json| {
        let model: Model = recorded_configuration::read(state).unwrap();
        Tree::new(crate::tfplugin::schema::Attr::encode(&model))
    };
    let causes = restarts(&tree(before), &tree(after), has_pods).unwrap();
    causes.iter().map(Cause::words).collect()
}

#[test]
fn a_restart_is_told_with_its_cause_where_there_is_one() {
    let plain = state(settings("name", json!("a")));
    let with = |attribute: &str| state(settings(attribute, sample(attribute)));
    let none = Vec::<String>::new();
    assert_eq!(
        causes(&plain, &with("log_level"), false),
        ["a change of `log_level`"]
    );
    assert_eq!(causes(&plain, &with("kubernetes.image"), false), none);
    assert_eq!(
        causes(&plain, &with("kubernetes.image"), true),
        ["a change of `kubernetes.image`"]
    );
    assert_eq!(causes(&plain, &with("local.port"), true), none);
    assert_eq!(causes(&plain, &with("service.allow_from"), true), none);
    assert_eq!(
        causes(&plain, &with("supernodes"), false),
        ["a change of `supernodes`"]
    );
    // The SuperLink only knows that there is a simulation; its runs bring the numbers.
    assert_eq!(
        causes(&plain, &with("simulation"), false),
        ["a change of `simulation`"]
    );
    let larger = json!({ "num_supernodes": 3 });
    let larger = state(settings("simulation", larger));
    assert_eq!(causes(&with("simulation"), &larger, false), none);
    // A missing and an empty map are equal.
    assert_eq!(
        causes(&plain, &state(settings("env", json!({}))), false),
        none
    );
    // The SuperLink keeps a port that is no longer set, and the runtime `local` has no Service.
    assert_eq!(causes(&with("local.port"), &plain, false), none);
    let service = "service.service_type";
    assert_eq!(causes(&plain, &with(service), false), none);
    assert_eq!(
        causes(&plain, &with(service), true),
        ["a change of `service.service_type`"]
    );
    let mut due = plain.clone();
    due["certificate_not_after"] = Json::Null;
    assert_eq!(
        causes(&plain, &due, false),
        ["the renewal of its certificate"]
    );
    let mut drifted = plain.clone();
    drifted["status"] = json!("changed");
    assert_eq!(
        causes(&drifted, &plain, false),
        ["changes outside of this configuration"]
    );
}
