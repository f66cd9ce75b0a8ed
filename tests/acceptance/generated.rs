//! A plan that succeeds can be applied, and the next plan is empty: many random configurations in
//! one. The unit tests plan far more of them; this test applies them.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use crate::generator::{Configuration, Form, Random, Shape, fitting};
use crate::workspace::Workspace;

const KEYS: usize = 36;
const FEDERATIONS: usize = 4;

/// Attributes that depend on more than the configuration: installable packages, free ports, and
/// what the federation needs to start.
const ELSEWHERE: [&str; 9] = [
    "flower_version",
    "requirements",
    "local",
    "supernodes",
    "insecure",
    "timeouts",
    "control",
    "key",
    "wait",
];

/// The attributes that a configuration may set, from the schema that Terraform prints.
fn shapes(attributes: &Map<String, Json>) -> Vec<Shape> {
    let settable = attributes
        .iter()
        .filter(|(_, one)| one["required"] == true || one["optional"] == true);
    settable
        .map(|(name, one)| Shape {
            name: name.clone(),
            is_required: one["required"] == true,
            form: form(one),
        })
        .collect()
}

fn form(attribute: &Json) -> Form {
    if let Some(nested) = attribute["nested_type"].as_object() {
        let inner = shapes(nested["attributes"].as_object().unwrap());
        return match nested["nesting_mode"].as_str() {
            Some("list") => Form::List(inner),
            Some("map") => Form::Map(inner),
            _ => Form::Object(inner),
        };
    }
    match &attribute["type"] {
        Json::String(ty) if ty == "bool" => Form::Bool,
        Json::String(ty) if ty == "number" => Form::Number,
        Json::String(ty) if ty == "string" => Form::Text,
        Json::String(ty) if ty == "dynamic" => Form::Dynamic,
        ty if *ty == json!(["list", "string"]) => Form::Texts,
        ty if *ty == json!(["map", "string"]) => Form::TextMap,
        _ => Form::Other,
    }
}

/// Escapes a text so that Terraform does not evaluate it as a template.
fn literal(value: Json) -> Json {
    match value {
        Json::String(text) => json!(text.replace("${", "$${").replace("%{", "%%{")),
        Json::Array(items) => items.into_iter().map(literal).collect(),
        Json::Object(entries) => {
            let entries = entries.into_iter();
            Json::Object(entries.map(|(key, one)| (key, literal(one))).collect())
        }
        other => other,
    }
}

/// The configurations of one type of resource that depend on nothing else.
struct Kind {
    shapes: Vec<Shape>,
}

impl Kind {
    fn of(schema: &Json, kind: &str) -> Self {
        let schemas = schema["provider_schemas"].as_object().unwrap();
        let flower = schemas.iter().find(|(name, _)| name.ends_with("/flower"));
        let attributes = &flower.unwrap().1["resource_schemas"][kind]["block"]["attributes"];
        let mut shapes = shapes(attributes.as_object().unwrap());
        shapes.retain(|shape| !ELSEWHERE.contains(&shape.name.as_str()));
        shapes.retain(|shape| !["name", "superlink"].contains(&shape.name.as_str()));
        Self { shapes }
    }

    fn one(&self, random: &mut Random, name: &str) -> Json {
        let Configuration { values, .. } = fitting(random, &self.shapes, 20);
        let mut values = literal(values);
        values["name"] = json!(name);
        values
    }
}

/// A SuperLink and a SuperNode, with keys, without keys, or without TLS.
fn federation(random: &mut Random, links: &Kind, nodes: &Kind, number: usize) -> (Json, Json) {
    let mut link = links.one(random, &format!("link-{number}"));
    let mut node = nodes.one(random, &format!("node-{number}"));
    // Only the program knows its flags, and no flag of a SuperNode can represent the others.
    node.as_object_mut().unwrap().remove("extra_args");
    node["superlink"] = json!(format!("${{flower_superlink.x{number}.fleet}}"));
    match random.below(3) {
        0 => {
            link["insecure"] = json!(true);
            link.as_object_mut().unwrap().remove("tls");
        }
        1 => {
            let key = format!("flower_supernode_key.x{number}");
            let public = format!("${{{key}.public_key}}");
            link["supernodes"] = json!({ "node": { "public_key": public } });
            node["key"] = json!(format!("${{{key}.secret}}"));
            node["control"] = json!(format!("${{flower_superlink.x{number}.control}}"));
        }
        _ => {}
    }
    (link, node)
}

#[test]
fn what_a_plan_accepts_is_applied_and_the_plan_after_it_is_empty() {
    let it = Workspace::new("provider \"flower\" {}\n");
    let shown = it.command(&["providers", "schema", "-json"]).output();
    let schema: Json = serde_json::from_slice(&shown.unwrap().stdout).unwrap();
    let kind = |name: &str| Kind::of(&schema, name);
    let (keys, links, nodes) = (
        kind("flower_supernode_key"),
        kind("flower_superlink"),
        kind("flower_supernode"),
    );
    let mut random = Random::new();
    let mut resources = json!({
        "flower_supernode_key": {}, "flower_superlink": {}, "flower_supernode": {},
    });
    for number in 0..KEYS {
        let mut key = keys.one(&mut random, &format!("key-{number}"));
        // Both are set together, and the given key has this curve.
        if key["private_key_wo"].is_null() != key["private_key_wo_version"].is_null() {
            key.as_object_mut().unwrap().remove("private_key_wo");
            key.as_object_mut()
                .unwrap()
                .remove("private_key_wo_version");
        }
        if !key["private_key_wo"].is_null() {
            key["algorithm"] = json!("ECDSA-P384");
        }
        resources["flower_supernode_key"][format!("x{number}")] = key;
    }
    for number in 0..FEDERATIONS {
        let (link, node) = federation(&mut random, &links, &nodes, number);
        resources["flower_superlink"][format!("x{number}")] = link;
        resources["flower_supernode"][format!("x{number}")] = node;
    }
    let config = serde_json::to_string_pretty(&json!({ "resource": resources })).unwrap();
    it.file("more.tf.json", &config);
    // A conflict with another attribute is an error of the plan, and is left out.
    let left_out = without_conflicts(&it, &mut resources);
    let made = KEYS + 2 * FEDERATIONS - left_out;
    assert!(made >= 40, "only {made} configurations are left");
    it.apply().succeeded();
    it.plan_is_empty();
    eprintln!("{made} configurations were applied");
    it.destroy();
}

/// Removes optional attributes that a plan refuses, and counts the refusals.
fn without_conflicts(it: &Workspace, resources: &mut Json) -> usize {
    let mut refused = BTreeSet::new();
    for _ in 0..4 {
        let output = it.command(&["plan", "-json"]).output().unwrap();
        if output.status.success() {
            return refused.len();
        }
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines = said.lines();
        let lines = lines.filter_map(|line| serde_json::from_str::<Json>(line).ok());
        for error in lines.filter(|line| line["@level"] == "error") {
            let address = error["diagnostic"]["address"].as_str().unwrap_or_default();
            eprintln!("{address} is refused: {}", error["diagnostic"]["summary"]);
            let Some((kind, name)) = address.split_once('.') else {
                panic!("an error without an address:\n{error}");
            };
            let needed = [
                "name",
                "superlink",
                "key",
                "control",
                "supernodes",
                "insecure",
            ];
            if let Some(one) = resources[kind][name].as_object_mut() {
                one.retain(|attribute, _| needed.contains(&attribute.as_str()));
            }
            refused.insert(address.to_owned());
        }
        let config = serde_json::to_string_pretty(&json!({ "resource": resources })).unwrap();
        it.file("more.tf.json", &config);
    }
    panic!("the plan refuses what has only what it needs");
}
