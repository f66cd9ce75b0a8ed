//! `[bans]` of `deny.toml`: banned crates, wildcard versions, and duplicate crates.
//!
//! As in cargo-deny, a crate that only tests use may occur in two versions.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::section;

/// The parts of the file that are needed here.
pub struct Bans {
    denied: BTreeSet<String>,
    /// `crate@version`; the file contains a reason for each.
    skipped: BTreeSet<String>,
}

impl Bans {
    pub fn of(policy: &str) -> Self {
        let crates = |list: &str| {
            section(policy, "[bans]")
                .skip_while(|line| *line != list)
                .take_while(|line| *line != "]")
                .filter_map(|line| line.split_once("crate = \"")?.1.split('"').next())
                .map(str::to_owned)
                .collect()
        };
        Self {
            denied: crates("deny = ["),
            skipped: crates("skip = ["),
        }
    }

    /// All packages in the graph of `metadata` that the file does not allow.
    pub fn found(&self, metadata: &Value) -> Vec<String> {
        let mut found = Vec::new();
        let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let used = used(metadata);
        for package in array(&metadata["packages"]) {
            let (name, version) = (text(&package["name"]), text(&package["version"]));
            if self.denied.contains(name) {
                found.push(format!("{name} {version}: it is banned"));
            }
            for needed in array(&package["dependencies"]) {
                if needed["req"] == "*" && needed["kind"] != "dev" {
                    let needed = text(&needed["name"]);
                    found.push(format!(
                        "{name} {version}: it accepts any version of {needed}"
                    ));
                }
            }
            let skipped = self.skipped.contains(&format!("{name}@{version}"));
            if used.contains(text(&package["id"])) && !skipped {
                versions.entry(name).or_default().insert(version);
            }
        }
        for (name, versions) in versions.iter().filter(|(_, versions)| versions.len() > 1) {
            let versions: Vec<&str> = versions.iter().copied().collect();
            found.push(format!(
                "{name}: it has {} versions ({}); unify them, or skip one with a reason",
                versions.len(),
                versions.join(", ")
            ));
        }
        found
    }
}

/// The packages that are not used by tests only.
fn used(metadata: &Value) -> BTreeSet<&str> {
    let resolved = metadata.pointer("/resolve/nodes").unwrap_or(&Value::Null);
    let nodes: BTreeMap<&str, &Value> = array(resolved)
        .map(|node| (text(&node["id"]), node))
        .collect();
    let mut used = BTreeSet::new();
    let mut next: Vec<&str> = array(&metadata["workspace_members"]).map(text).collect();
    while let Some(id) = next.pop() {
        if !used.insert(id) {
            continue;
        }
        let needs = nodes.get(id).map_or(&Value::Null, |node| &node["deps"]);
        let linked = array(needs)
            .filter(|needed| array(&needed["dep_kinds"]).any(|how| how["kind"] != "dev"));
        next.extend(linked.map(|needed| text(&needed["pkg"])));
    }
    used
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const POLICY: &str = r#"
[bans]
deny = [
    { crate = "openssl" }, # as in life
]
skip = [
    { crate = "old@1.0.0", reason = "someone needs it" },
]
[licenses]
deny = [
    { crate = "no-ban" },
]
"#;

    fn package(name: &str, version: &str, needs: &Value) -> Value {
        let id = format!("{name} {version}");
        json!({ "id": id, "name": name, "version": version, "dependencies": needs })
    }

    fn needs(id: &str, kind: Option<&str>) -> Value {
        json!({ "pkg": id, "dep_kinds": [{ "kind": kind }] })
    }

    #[test]
    fn what_is_denied_unnamed_or_there_twice_is_found() {
        let any = json!([{ "name": "twice", "req": "*", "kind": null }]);
        let metadata = json!({
            "packages": [
                package("ours", "0.1.0", &any),
                package("openssl", "3.0.0", &json!([])),
                package("no-ban", "1.0.0", &json!([])),
                package("old", "1.0.0", &json!([])),
                package("old", "2.0.0", &json!([])),
                package("twice", "1.0.0", &json!([])),
                package("twice", "2.0.0", &json!([])),
                package("tested", "1.0.0", &json!([])),
                package("tested", "2.0.0", &json!([])),
            ],
            "workspace_members": ["ours 0.1.0"],
            "resolve": { "nodes": [{ "id": "ours 0.1.0", "deps": [
                needs("old 1.0.0", None),
                needs("old 2.0.0", Some("build")),
                needs("twice 1.0.0", None),
                needs("twice 2.0.0", Some("build")),
                needs("tested 1.0.0", None),
                needs("tested 2.0.0", Some("dev")),
            ] }] },
        });
        assert_eq!(
            Bans::of(POLICY).found(&metadata),
            [
                "ours 0.1.0: it accepts any version of twice",
                "openssl 3.0.0: it is banned",
                "twice: it has 2 versions (1.0.0, 2.0.0); unify them, or skip one with a reason",
            ]
        );
    }

    #[test]
    fn reads_the_repositorys_own_policy() {
        let policy = include_str!("../../../deny.toml");
        let bans = Bans::of(policy);
        assert!(bans.denied.contains("native-tls"));
        assert!(bans.skipped.iter().all(|one| one.contains('@')));
        let listed = section(policy, "[bans]").filter(|line| line.contains("crate = "));
        for line in listed.filter(|line| line.contains('@')) {
            assert!(line.contains("reason = \""), "{line}");
        }
    }
}
