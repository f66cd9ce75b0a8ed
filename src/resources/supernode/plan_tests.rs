use serde_json::{Value as Json, json};

use super::*;
use crate::resources::planning::plan;

fn state(status: &str) -> Json {
    json!({
        "name": "a", "id": "a", "place": "somewhere", "isolation": "subprocess", "wait": true,
        "flower_version": "1.42.0", "status": status, "node_id": "7",
        "superlink": { "address": "127.0.0.1:8000", "superlink_id": "x" },
        "key": { "name": "supernode-key-a", "key": "private-key-1" },
    })
}

fn config(rest: Json) -> Json {
    let mut config = json!({
        "name": "a",
        "flower_version": "1.42.0",
        "superlink": { "address": "127.0.0.1:8000", "superlink_id": "x" },
        "key": { "name": "supernode-key-a", "key": "private-key-1" },
    });
    for (name, value) in rest.as_object().unwrap() {
        config[name] = value.clone();
    }
    config
}

#[tokio::test]
async fn a_plan_says_that_a_supernode_restarts() {
    let told = ["The SuperNode restarts"];
    for (change, expected) in [
        (json!({}), &[][..]),
        (json!({ "env": { "A": "b" } }), &told),
        (json!({ "log_level": "DEBUG" }), &told),
        (json!({ "timeouts": { "create": "1m" } }), &[]),
        (json!({ "wait": false }), &[]),
        // Terraform itself reports this replacement.
        (json!({ "name": "b" }), &[]),
    ] {
        let planned = plan::<Supernode>(Some(&state("running")), config(change.clone())).await;
        assert_eq!(planned.errors, "", "{change}");
        assert_eq!(planned.warned(), expected, "{change}");
        let stopped = plan::<Supernode>(Some(&state("stopped")), config(change.clone())).await;
        assert!(stopped.warned().is_empty(), "{change}: nothing runs there");
    }
}

#[tokio::test]
async fn a_superlink_with_the_same_id_knows_the_key_wherever_it_is() {
    for (superlink, kept) in [
        (
            json!({ "address": "127.0.0.1:9000", "superlink_id": "x" }),
            true,
        ),
        (
            json!({ "address": "127.0.0.1:8000", "superlink_id": "y" }),
            false,
        ),
        (json!({ "address": "127.0.0.1:8000" }), true),
        (json!({ "address": "127.0.0.1:9000" }), false),
    ] {
        let change = config(json!({ "superlink": superlink, "log_level": "DEBUG" }));
        let planned = plan::<Supernode>(Some(&state("running")), change).await;
        assert_eq!(planned.errors, "", "{superlink}");
        assert_eq!(planned.text("node_id") == Some("7"), kept, "{superlink}");
    }
}
