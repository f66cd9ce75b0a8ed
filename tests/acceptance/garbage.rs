//! Puts invalid texts into every text attribute: the result is an error that names the attribute,
//! or a plan, but never a crash, and nothing is created.

use std::collections::BTreeSet;
use std::fmt::Write as _;

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

/// How many blocks are in one configuration.
const AT_ONCE: usize = 200;

const PUBLIC_KEY: &str = include_str!("../../src/pki/testdata/p256.public.openssh");

/// A block with an invalid text in it.
struct Block {
    /// `provider`, `resource` or `data`.
    keyword: &'static str,
    kind: String,
    name: String,
    /// The path of the text.
    attribute: String,
    values: Map<String, Json>,
}

/// A configuration with each attribute on its own line, so that the line of a message identifies
/// the attribute.
#[derive(Default)]
struct Written {
    text: String,
    /// For each line: the number of the block, and the attribute.
    owners: Vec<Option<(usize, Option<String>)>>,
}

impl Written {
    fn new(blocks: &[&Block], left: impl Fn(usize) -> bool) -> Self {
        let mut it = Self::default();
        it.line("{\"locals\": {}", None);
        for keyword in ["provider", "resource", "data"] {
            let mut between = format!(",{keyword:?}: [");
            for (number, block) in blocks.iter().enumerate().filter(|(one, _)| left(*one)) {
                let (kind, name) = (&block.kind, &block.name);
                let (opened, closed) = match (block.keyword, keyword) {
                    // Terraform does not call a provider that no resource uses.
                    ("provider", "resource") => {
                        let user = json!({ "flower_supernode_key": {
                            name: { "name": "x", "provider": format!("{kind}.{name}") } } });
                        it.line(&format!("{between}{user}"), Some((number, None)));
                        between = String::from(",");
                        continue;
                    }
                    (own, _) if own != keyword => continue,
                    ("provider", _) => (format!("{{{kind:?}: {{\"alias\": {name:?}"), "}}"),
                    _ => (
                        format!("{{{kind:?}: {{{name:?}: {{\"provider\": \"flower\""),
                        "}}}",
                    ),
                };
                it.line(&format!("{between}{opened}"), Some((number, None)));
                for (attribute, value) in &block.values {
                    let owner = Some((number, Some(attribute.clone())));
                    it.line(&format!(",{attribute:?}: {value}"), owner);
                }
                it.line(closed, Some((number, None)));
                between = String::from(",");
            }
            // Terraform accepts no empty list of blocks.
            if between == "," {
                it.line("]", None);
            }
        }
        it.line("}", None);
        it
    }

    fn line(&mut self, text: &str, owner: Option<(usize, Option<String>)>) {
        writeln!(self.text, "{text}").unwrap();
        self.owners.push(owner);
    }

    /// The block of an error.
    #[track_caller]
    fn blamed(&self, line: &Json) -> (usize, &str) {
        let number = line["diagnostic"]["range"]["start"]["line"].as_u64();
        let owner =
            number.and_then(|one| self.owners.get(usize::try_from(one).ok()? - 1)?.as_ref());
        let (block, attribute) =
            owner.unwrap_or_else(|| panic!("an error without a place: {line}"));
        let attribute = attribute.as_deref();
        (
            *block,
            attribute.unwrap_or_else(|| panic!("an error that names no attribute: {line}")),
        )
    }
}

/// The required attributes of such a block.
fn minimal(kind: &str, attributes: &Map<String, Json>) -> Map<String, Json> {
    let mut values = required(attributes);
    if kind == "flower_supernode" {
        values["superlink"]["insecure"] = json!(true);
    }
    // It needs one of several attributes.
    if values.contains_key("source") {
        values["source"]["path"] = json!("app");
    }
    values
}

fn required(attributes: &Map<String, Json>) -> Map<String, Json> {
    let all = attributes.iter();
    all.filter(|(_, attribute)| attribute["required"] == true)
        .map(|(name, attribute)| (name.clone(), sample(name, attribute)))
        .collect()
}

/// The paths of all texts in these attributes.
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

/// The value of an attribute with `text` at `path`, and with everything that is required around it.
fn value(attribute: &Json, path: &[String], text: &str) -> Json {
    let Some(nested) = attribute["nested_type"].as_object() else {
        return match &attribute["type"] {
            Json::String(ty) if ty == "string" => json!(text),
            Json::Array(ty) if ty[0] == "list" => json!([text]),
            _ => json!({ "key": text }),
        };
    };
    let inner = nested["attributes"].as_object().unwrap();
    let mut object = Json::Object(required(inner));
    if let Some((first, rest)) = path.split_first() {
        object[first] = value(&inner[first], rest, text);
    }
    match nested["nesting_mode"].as_str() {
        Some("map") => json!({ "key": object }),
        Some("list") => json!([object]),
        _ => object,
    }
}

fn sample(name: &str, attribute: &Json) -> Json {
    let text = match name {
        "public_key" => PUBLIC_KEY.trim(),
        "url" => "http://127.0.0.1:9",
        "address" => "127.0.0.1:1",
        "size" => "1Gi",
        "path" => "app",
        "run_id" => "1",
        _ => "x",
    };
    value(attribute, &[], text)
}

/// Runs a command again, without the blocks that it refused, until it succeeds; returns the errors.
///
/// Terraform stops at the first step with errors, so one run does not show all of them.
fn refused(it: &Workspace, blocks: &[&Block], args: &[&str]) -> BTreeSet<usize> {
    let mut refused = BTreeSet::new();
    loop {
        let written = Written::new(blocks, |number| !refused.contains(&number));
        it.file("more.tf.json", &written.text);
        let output = it.command(args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        for bad in [
            "Internal error in the provider",
            "panicked",
            "did not respond",
            "crash",
        ] {
            assert!(!said.contains(bad), "{bad:?} in:\n{said}");
        }
        if output.status.success() {
            return refused;
        }
        let before = refused.len();
        for line in said.lines() {
            let line: Json = serde_json::from_str(line).unwrap();
            let diagnostic = &line["diagnostic"];
            if diagnostic["severity"] != "error" {
                continue;
            }
            let (number, attribute) = written.blamed(&line);
            let block = blocks[number];
            // A valid text fails later because no server has this address, or no object this name.
            let unanswered = block.keyword == "data" && attribute == "control"
                || block.kind == "flower_log" && attribute.starts_with("super");
            assert!(
                attribute == block.attribute || unanswered,
                "the text is in {}, the error at {attribute}: {line}",
                block.attribute
            );
            assert!(
                diagnostic["detail"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "no explanation: {line}"
            );
            refused.insert(number);
        }
        assert!(refused.len() > before, "nothing new was refused:\n{said}");
    }
}

fn names_cluster(attribute: &str) -> bool {
    ["host", "config_path", "config_context"].contains(&attribute)
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
        .unwrap()
        .1;
    let of = |schemas: &str| flower[schemas].as_object().unwrap().clone();
    let mut kinds = vec![("provider", "flower".to_owned(), flower["provider"].clone())];
    kinds.extend(
        of("resource_schemas")
            .into_iter()
            .map(|(kind, schema)| ("resource", kind, schema)),
    );
    kinds.extend(
        of("data_source_schemas")
            .into_iter()
            .map(|(kind, schema)| ("data", kind, schema)),
    );
    let mut blocks = Vec::new();
    for (keyword, kind, schema) in kinds {
        let attributes = schema["block"]["attributes"].as_object().unwrap();
        for path in places(attributes) {
            for (number, garbage) in GARBAGE.iter().enumerate() {
                let mut values = minimal(&kind, attributes);
                let first = &path[0];
                let mut written = value(&attributes[first], &path[1..], garbage);
                // Access to the cluster is checked first; the rest would not be checked.
                if first == "kubernetes" && keyword == "provider" && !names_cluster(&path[1]) {
                    written["host"] = json!("https://127.0.0.1:9");
                }
                // A log is of one object, and there is none.
                if kind == "flower_log" && first != "supernode" {
                    values.insert("superlink".to_owned(), json!("x"));
                }
                values.insert(first.clone(), written);
                blocks.push(Block {
                    keyword,
                    kind: kind.clone(),
                    name: format!("{}_{number}", path.join("_")),
                    attribute: first.clone(),
                    values,
                });
            }
        }
    }
    let mut all_refused = BTreeSet::new();
    // Each configuration of the provider is a process of its own in every plan.
    for (keyword, least) in [("provider", 100), ("resource", 200), ("data", 80)] {
        let of_keyword: Vec<_> = blocks.iter().filter(|one| one.keyword == keyword).collect();
        let found = of_keyword.len();
        assert!(
            found > least,
            "only {found} texts in {keyword} blocks were found"
        );
        // For each error, Terraform searches the whole file for the line.
        for blocks in of_keyword.chunks(AT_ONCE) {
            let refused = refused(&it, blocks, &["plan", "-json"]);
            let refused = refused.iter().map(|number| blocks[*number]);
            all_refused.extend(refused.map(|block| (block.kind.as_str(), block.name.as_str())));
        }
    }
    for (kind, name) in [
        ("flower", "kubernetes_config_context_4"),
        ("flower", "kubernetes_host_4"),
        ("flower", "kubernetes_namespace_4"),
        ("flower", "kubernetes_labels_4"),
        ("flower_superlink", "kubernetes_node_selector_4"),
        ("flower_superlink", "name_4"),
        ("flower_superlink", "flower_version_4"),
        ("flower_app", "source_path_4"),
    ] {
        assert!(
            all_refused.contains(&(kind, name)),
            "{kind} {name} was planned"
        );
    }
    it.nothing_left();
}

#[test]
fn settings_that_lead_into_no_cluster_are_named_by_the_plan_and_no_secret_with_them() {
    let it = Workspace::new("");
    let key = "-----BEGIN PRIVATE KEY-----\nhunter2\n!-----END PRIVATE KEY-----\n";
    let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let host = "https://127.0.0.1:1";
    let cases = [
        (
            json!({ "host": "10.0.0.1:6443" }),
            "host",
            "a URL with \"https://\"",
        ),
        (
            json!({ "host": host, "proxy_url": "http://flower:hunter2 @127.0.0.1:1" }),
            "proxy_url",
            "is not a URL",
        ),
        (
            json!({ "host": host, "proxy_url": "ftp://flower:hunter2@127.0.0.1:1" }),
            "proxy_url",
            "a URL with",
        ),
        (
            json!({ "host": host, "cluster_ca_certificate": "nothing" }),
            "cluster_ca_certificate",
            "contains no certificate",
        ),
        (
            json!({ "host": host, "client_certificate": certificate, "client_key": key }),
            "client_key",
            "PEM format is damaged",
        ),
        (
            json!({ "host": host, "client_key": key }),
            "client_key",
            "Set both",
        ),
        (
            json!({ "host": host, "token": "hunter2 x" }),
            "token",
            "one word",
        ),
        (
            json!({ "host": host, "tls_server_name": "a b" }),
            "tls_server_name",
            "neither a DNS name",
        ),
        (
            json!({ "host": host, "namespace": "Team A" }),
            "namespace",
            "lower-case",
        ),
        (
            json!({ "host": host, "labels": { "team": "two words" } }),
            "labels",
            "not a valid label value",
        ),
    ];
    for (settings, attribute, words) in cases {
        // Terraform quotes the line of an error, but not secrets in it.
        let variables = json!({
            "secret": { "default": settings[attribute], "sensitive": true },
        });
        let mut settings = settings.clone();
        settings[attribute] = json!("${var.secret}");
        let config = json!({
            "provider": { "flower": { "kubernetes": settings } },
            "resource": { "flower_supernode_key": { "a": { "name": "a" } } },
            "variable": variables,
        });
        let config = serde_json::to_string_pretty(&config).unwrap();
        it.file("more.tf.json", &config);
        let plan = it.plan();
        plan.says(&[&format!("kubernetes.{attribute}"), words]);
        assert!(!plan.text.contains("hunter2"), "{}", plan.text);
        assert!(!plan.ok);
    }
    it.nothing_left();
}
