//! Every text that a user can write, with texts that nobody should: an error at that attribute or a
//! plan, never a crash, and nothing is made.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use crate::workspace::Workspace;

const GARBAGE: [&str; 8] = [
    "",
    " ",
    "\u{1}\u{7}\u{1b}[31m",
    "line\nline\r\n\ttab",
    "'\"`;|&$(false)\\",
    "../../../../../../etc/passwd",
    "\u{202e}\u{fffd}😀é\u{301}",
    "--help",
];

const PUBLIC_KEY: &str = include_str!("../../src/pki/testdata/p256.public.openssh");

/// A resource of each type with nothing but what it needs.
fn minimal(kind: &str) -> Json {
    match kind {
        "flower_supernode" => {
            json!({ "name": "x", "superlink": { "address": "127.0.0.1:1", "insecure": true } })
        }
        "flower_app_run" => {
            json!({ "control": { "url": "http://127.0.0.1:9" }, "source": { "path": "app" } })
        }
        _ => json!({ "name": "x" }),
    }
}

/// The places for a text within these attributes, as paths of keys.
fn places(attributes: &Map<String, Json>) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (name, attribute) in attributes {
        if attribute["required"] != true && attribute["optional"] != true {
            continue;
        }
        let below: Vec<Vec<String>> = if let Some(nested) = attribute["nested_type"].as_object() {
            places(nested["attributes"].as_object().unwrap())
        } else {
            match &attribute["type"] {
                Json::String(ty) if ty == "string" => vec![vec![]],
                Json::String(ty) if ty == "dynamic" => vec![vec![]],
                ty if *ty == json!(["list", "string"]) => vec![vec![]],
                ty if *ty == json!(["map", "string"]) => vec![vec![]],
                _ => vec![],
            }
        };
        for mut path in below {
            path.insert(0, name.clone());
            found.push(path);
        }
    }
    found
}

/// An attribute's value with `text` at `path` within it, and whatever else must be there.
fn value(attribute: &Json, path: &[String], text: &str) -> Json {
    let Some(nested) = attribute["nested_type"].as_object() else {
        return match &attribute["type"] {
            Json::String(ty) if ty == "string" => json!(text),
            Json::Array(ty) if ty[0] == "list" => json!([text]),
            _ => json!({ "key": text }),
        };
    };
    let inner = nested["attributes"].as_object().unwrap();
    let mut object = json!({});
    for (name, attribute) in inner {
        if attribute["required"] == true {
            object[name] = sample(name, attribute);
        }
    }
    if let Some((first, rest)) = path.split_first() {
        object[first] = value(&inner[first], rest, text);
    }
    match nested["nesting_mode"].as_str() {
        Some("map") => json!({ "key": object }),
        Some("list") => json!([object]),
        _ => object,
    }
}

/// What a nested object cannot be without.
fn sample(name: &str, attribute: &Json) -> Json {
    let text = match name {
        "public_key" => PUBLIC_KEY.trim(),
        "url" => "http://127.0.0.1:9",
        "address" => "127.0.0.1:1",
        "size" => "1Gi",
        "path" => "app",
        _ => "x",
    };
    value(attribute, &[], text)
}

#[test]
fn garbage_in_any_text_is_a_message_or_a_plan() {
    let it = Workspace::new("provider \"flower\" {}\n");
    it.app();
    let schema = it
        .command(&["providers", "schema", "-json"])
        .output()
        .unwrap();
    let schema: Json = serde_json::from_slice(&schema.stdout).unwrap();
    let all = schema["provider_schemas"].as_object().unwrap();
    let flower = all
        .iter()
        .find(|(name, _)| name.ends_with("/flower"))
        .unwrap();
    let mut wanted = Vec::new();
    for (kind, schema) in flower.1["resource_schemas"].as_object().unwrap() {
        let attributes = schema["block"]["attributes"].as_object().unwrap();
        for path in places(attributes) {
            for (number, garbage) in GARBAGE.iter().enumerate() {
                let mut values = minimal(kind);
                let first = &path[0];
                values[first] = value(&attributes[first], &path[1..], garbage);
                let name = format!("{}_{number}", path.join("_"));
                wanted.push((kind.clone(), name, values));
            }
        }
    }
    assert!(wanted.len() > 200, "only {} texts were found", wanted.len());

    // Terraform stops planning at the first step that found errors: what was refused is left out of
    // the next round, until everything was either refused or planned.
    let mut refused = BTreeSet::new();
    loop {
        let mut resources = json!({});
        for (kind, name, values) in &wanted {
            if !refused.contains(&format!("{kind}.{name}")) {
                resources[kind][name] = values.clone();
            }
        }
        it.file(
            "more.tf.json",
            &json!({ "resource": resources }).to_string(),
        );
        let plan = it.command(&["plan", "-json"]).output().unwrap();
        let said = String::from_utf8_lossy(&plan.stdout).into_owned();
        for bad in ["bug of its own", "panicked", "did not respond", "crash"] {
            assert!(!said.contains(bad), "{bad:?} in:\n{said}");
        }
        if plan.status.success() {
            break;
        }
        let before = refused.len();
        for line in said.lines() {
            let line: Json = serde_json::from_str(line).unwrap();
            let diagnostic = &line["diagnostic"];
            if diagnostic["severity"] != "error" {
                continue;
            }
            let address = diagnostic["address"].as_str();
            let address = address.unwrap_or_else(|| panic!("an error without a place: {line}"));
            assert!(
                diagnostic["detail"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "no explanation: {line}"
            );
            refused.insert(address.to_owned());
        }
        assert!(refused.len() > before, "nothing new was refused:\n{said}");
    }
    for name in ["name", "flower_version"] {
        let address = format!("flower_superlink.{name}_4");
        assert!(refused.contains(&address), "{address} was planned");
    }
    it.nothing_left();
}
