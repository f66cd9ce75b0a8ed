use serde_json::{Value as Json, json};

use super::super::Superlink;
use super::*;
use crate::pki::{NodeKey, NodeKeyAlgorithm};
use crate::resources::planning::{Planned, UNKNOWN, plan};

#[tokio::test]
async fn an_open_list_behind_a_service_that_is_reached_from_outside_is_told() {
    let open = "Any SuperNode may join this SuperLink from outside the cluster";
    for (kind, supernodes, told) in [
        ("LoadBalancer", Json::Null, true),
        ("NodePort", Json::Null, true),
        ("ClusterIP", Json::Null, false),
        ("LoadBalancer", json!({}), false),
    ] {
        let config = json!({
            "name": "a",
            "supernodes": supernodes,
            "service": { "service_type": kind, "hostname": "h" },
        });
        let planned = plan::<Superlink>(None, config).await;
        assert_eq!(planned.errors, "");
        let expected: &[&str] = if told { &[open] } else { &[] };
        assert_eq!(planned.warned(), expected, "{kind} {supernodes}");
    }
}

/// Two keys, in OpenSSH form.
fn two() -> [String; 2] {
    [(); 2].map(|()| {
        let key = NodeKey::generate(NodeKeyAlgorithm::EcdsaP256).unwrap();
        key.public_openssh().unwrap()
    })
}

fn state(supernodes: &Json, nodes: &Json) -> Json {
    json!({
        "name": "a", "flower_version": "1.42.0", "allow_state_loss": false,
        "isolation": "subprocess", "insecure": false, "id": "a",
        "certificate_not_after": "2999-01-01T00:00:00Z", "status": "running",
        "supernodes": supernodes, "nodes": nodes,
    })
}

async fn change(prior: &Json, supernodes: &Json, rest: Json) -> Planned<Model> {
    let mut config = json!({
        "name": "a", "flower_version": "1.42.0", "supernodes": supernodes,
    });
    for (name, value) in rest.as_object().unwrap() {
        config[name] = value.clone();
    }
    plan::<Superlink>(Some(prior), config).await
}

fn entry(key: &str) -> Json {
    json!({ "public_key": key })
}

#[tokio::test]
async fn a_key_that_burns_is_told_and_one_that_moves_is_not() {
    let [a, b] = two();
    let both = json!({ "a": entry(&a), "b": entry(&b) });
    let prior = state(&both, &json!({ "a": "1", "b": "2" }));
    let of_b = "The old key of \"b\" will be refused for good";
    for (after, told) in [
        (both.clone(), None),
        (json!({ "a": entry(&a) }), Some(of_b)),
        (json!({ "a": entry(&a), "b": entry(UNKNOWN) }), Some(of_b)),
        (json!({ "a": entry(&a), "c": entry(&b) }), None),
        (
            json!({}),
            Some("The old keys of \"a\", \"b\" will be refused for good"),
        ),
        (Json::Null, None),
    ] {
        let planned = change(&prior, &after, json!({ "kubernetes": {} })).await;
        let warned = planned.warned();
        let burnt = warned.iter().copied().find(|one| one.contains("for good"));
        assert_eq!(burnt, told, "{after}");
        if told.is_some() {
            let note = planned
                .notes
                .iter()
                .find(|one| one.summary == told.unwrap());
            assert!(note.unwrap().detail.contains("`rotation`"));
        }
    }
    // Without a database, or in another SuperLink, no registration is permanent.
    let memory = json!({ "persistence": { "enabled": false } });
    let mut forgetful = prior.clone();
    forgetful["persistence"] = memory["persistence"].clone();
    let planned = change(&forgetful, &json!({}), memory).await;
    assert!(!planned.warned().concat().contains("for good"));
    let planned = change(&prior, &json!({}), json!({ "name": "other" })).await;
    assert!(!planned.warned().concat().contains("for good"));
}

#[tokio::test]
async fn nodes_that_stay_keep_their_numbers_in_the_plan() {
    let [a, b] = two();
    let prior = state(
        &json!({ "a": entry(&a), "b": entry(&b) }),
        &json!({ "a": "1", "b": "2" }),
    );
    let both = json!({ "a": entry(&a), "b": entry(&b) });
    let planned = change(&prior, &both, json!({ "log_level": "DEBUG" })).await;
    assert_eq!(
        planned.tree.value(at!(Model, nodes)),
        &nodes(&[("a", "1"), ("b", "2")])
    );
    let more = json!({ "a": entry(&a), "x": entry(&b), "c": entry(UNKNOWN) });
    let planned = change(&prior, &more, json!({})).await;
    assert_eq!(planned.text("nodes.a"), Some("1"));
    assert_eq!(
        planned.text("nodes.x"),
        Some("2"),
        "another name, the same key"
    );
    assert!(planned.is_unknown("nodes.c"));
    assert_eq!(planned.text("nodes.b"), None);
    let planned = change(&prior, &Json::Null, json!({})).await;
    assert_eq!(
        planned.tree.value(at!(Model, nodes)),
        &nodes(&[("a", "1"), ("b", "2")])
    );
    // A key that was unregistered outside of Terraform is registered again.
    let lacks = state(&both, &json!({ "a": "1" }));
    let planned = change(&lacks, &both, json!({})).await;
    assert!(planned.is_unknown("nodes.b"));
    assert_eq!(planned.text("nodes.a"), Some("1"));
    // Without a database, all keys are registered again.
    let mut forgetful = prior.clone();
    forgetful["persistence"] = json!({ "enabled": false });
    let restart = json!({ "persistence": { "enabled": false }, "log_level": "DEBUG" });
    assert!(change(&forgetful, &both, restart).await.is_unknown("nodes"));
}

fn nodes(nodes: &[(&str, &str)]) -> Value {
    let nodes = nodes.iter();
    Value::Map(
        nodes
            .map(|(name, id)| ((*name).to_owned(), Value::from(*id)))
            .collect(),
    )
}

#[tokio::test]
async fn a_location_changes_with_its_key_alone() {
    let [a, b] = two();
    let placed =
        |key: &str, location: Json| json!({ "a": { "public_key": key, "location": location } });
    let prior = state(&placed(&a, json!("47.37,8.54")), &json!({ "a": "1" }));
    let refused = "The location of \"a\" cannot change";
    for (after, errors) in [
        (placed(&a, json!("47.37,8.54")), ""),
        (placed(&a, json!("47.370, 8.54")), ""),
        (placed(&a, json!("1.5,2.5")), refused),
        (placed(&a, Json::Null), refused),
        (placed(&b, json!("1.5,2.5")), ""),
    ] {
        let planned = change(&prior, &after, json!({})).await;
        assert_eq!(planned.errors, errors, "{after}");
    }
    // A key that is not registered yet is registered with the new location.
    let unregistered = state(&placed(&a, json!("47.37,8.54")), &json!({}));
    let after = placed(&a, json!("1.5,2.5"));
    assert_eq!(change(&unregistered, &after, json!({})).await.errors, "");
}

#[tokio::test]
async fn a_first_list_is_said_to_unregister_only_where_keys_are_registered() {
    let [a, _] = two();
    let list = json!({ "a": entry(&a) });
    let told = "Unlisted SuperNodes will be refused for good";
    for (version, expected) in [("1.42.0", true), ("1.22.0", false)] {
        let mut open = state(&Json::Null, &json!({}));
        open["flower_version"] = json!(version);
        let planned = change(&open, &list, json!({ "flower_version": version })).await;
        assert_eq!(planned.errors, "", "{version}");
        assert_eq!(planned.warned().contains(&told), expected, "{version}");
    }
}
