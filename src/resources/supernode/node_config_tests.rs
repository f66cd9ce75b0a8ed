use serde_json::{Value as Json, json};

use crate::resources::app_run::AppRun;
use crate::resources::planning::{UNKNOWN, checked, tree};
use crate::resources::supernode::Supernode;
use crate::tfplugin::diagnostic::Diagnostics;
use crate::tfplugin::value::Value;

/// What a plan reports about a `node_config` while the SuperLink and the key do not exist yet.
async fn planned(ty: Json, value: Json) -> Diagnostics {
    let config = json!({
        "name": "n1",
        "superlink": { "address": UNKNOWN, "ca_certificate": UNKNOWN, "insecure": false },
        "key": { "name": UNKNOWN, "key": UNKNOWN },
        "node_config": { "type": ty, "value": value },
    });
    checked::<Supernode>(&Value::Null, &tree::<Supernode>(config))
        .await
        .0
}

fn errors(found: &Diagnostics) -> Vec<(String, String)> {
    let errors = found.iter().filter(|one| one.is_error());
    errors
        .map(|one| {
            let path = one.path.as_ref().unwrap().to_string();
            (path, one.detail.clone())
        })
        .collect()
}

#[tokio::test]
async fn what_flower_cannot_carry_is_an_error_of_the_plan_at_node_config() {
    let of = |key: &str| json!(["object", { key: "string" }]);
    let long = "x".repeat(128 * 1024);
    for (ty, value, words) in [
        (
            of("data path"),
            json!({ "data path": "/x" }),
            "\"data path\"",
        ),
        (of(""), json!({ "": "/x" }), "\"\""),
        (of("größe"), json!({ "größe": "1" }), "\"größe\""),
        (
            json!(["object", { "a": "number", "a.b": "number" }]),
            json!({ "a": 1, "a.b": 2 }),
            "is inside the key \"a\"",
        ),
        (of("a"), json!({ "a": long }), "the limit is 131071"),
        (of("a"), json!({ "a": null }), "It is null"),
    ] {
        let found = errors(&planned(ty, value).await);
        let [(path, detail)] = found.as_slice() else {
            panic!("{words}: {found:?}");
        };
        assert!(path.starts_with("node_config"), "{path}");
        assert!(detail.contains(words), "{detail}");
    }
    let fine = planned(of("a"), json!({ "a": "x" })).await;
    assert_eq!(errors(&fine), []);
}

#[tokio::test]
async fn a_key_that_is_given_twice_is_an_error_of_the_plan_that_names_it() {
    let ty = json!(["object", { "data": ["object", { "path": "string" }], "data.path": "string" }]);
    let value = json!({ "data": { "path": "/a" }, "data.path": "/b" });
    let found = planned(ty.clone(), value.clone()).await;
    assert_eq!(errors(&found)[0].0, "node_config[\"data.path\"]");
    let run = json!({
        "control": { "url": UNKNOWN },
        "source": { "path": "app" },
        "run_config": { "type": ty, "value": value },
    });
    let (found, _) = checked::<AppRun>(&Value::Null, &tree::<AppRun>(run)).await;
    let named = found.iter().map(|one| one.summary.as_str());
    assert_eq!(
        named.collect::<Vec<_>>(),
        ["The key \"data.path\" is given twice"]
    );
    assert_eq!(errors(&found)[0].0, "run_config[\"data.path\"]");
}
