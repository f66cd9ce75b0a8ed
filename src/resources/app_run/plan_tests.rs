use serde_json::{Value as Json, json};

use super::AppRun;
use crate::resources::planning::{Planned, UNKNOWN, plan};

const APP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart/app");

/// Plans a finished run whose SuperLink goes from one URL to another.
async fn move_from(before: &str, after: &str) -> Planned {
    let config = |url: &str, version: &str| {
        json!({
            "source": { "path": APP },
            "control": { "url": url, "ca_certificate": "CA", "flower_version": version },
        })
    };
    let created = plan::<AppRun>(None, config(before, "1.36.0")).await;
    assert_eq!(created.errors, "");
    let mut prior: Json = config(before, "1.36.0");
    for (name, value) in [
        ("fab_hash", json!(created.text("fab_hash").unwrap())),
        ("on_failure", json!("error")),
        ("on_missing", json!("keep")),
        ("stop_on_destroy", json!(true)),
        ("log_lines", json!(20)),
        ("id", json!("x#1")),
        ("run_id", json!("1")),
        ("status", json!("finished")),
    ] {
        prior[name] = value;
    }
    plan::<AppRun>(Some(&prior), config(after, "1.42.0")).await
}

#[tokio::test]
async fn a_run_is_made_anew_in_another_place_and_never_for_a_change_of_its_own() {
    for (before, after, replaced) in [
        ("https://h:8000", "https://h:8000", false),
        ("grpcs://h:8000", "https://h:8000", false),
        ("https://h:8000", UNKNOWN, true),
        ("https://127.0.0.1:8000", UNKNOWN, false),
        ("https://127.0.0.1:8000", "https://127.0.0.1:8001", false),
        ("https://127.0.0.1:8000", "https://h:8001", true),
        ("kube://a/superlink-x", UNKNOWN, false),
        ("kube://a/superlink-x", "kube://a/superlink-x", false),
        ("https://h:8000", "https://g:8000", true),
        ("kube://a/superlink-x", "kube://a/superlink-y", true),
    ] {
        let planned = move_from(before, after).await;
        assert_eq!(planned.errors, "");
        let expected: &[&str] = if replaced { &["control.url"] } else { &[] };
        assert_eq!(planned.replaces, expected, "{before} to {after}");
        assert_eq!(planned.text("run_id"), Some("1"));
        assert_eq!(planned.text("status"), Some("finished"));
    }
}
