use serde_json::{Value as Json, json};

use super::super::Superlink;
use crate::resources::planning::plan;

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
