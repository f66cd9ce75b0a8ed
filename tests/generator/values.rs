//! Valid and invalid values of attributes: values that have caused bugs before, and similar ones.

#![allow(clippy::too_many_lines, reason = "one table of all attributes")]

use serde_json::{Value as Json, json};

const P256: &str = include_str!("../../src/pki/testdata/p256.public.openssh");
const P384: &str = include_str!("../../src/pki/testdata/p384.public.pem");
const RSA: &str = include_str!("../../src/pki/testdata/rsa.public.openssh");
const PRIVATE: &str = include_str!("../../src/pki/testdata/p384.openssh");
const OTHER_PRIVATE: &str = include_str!("../../src/pki/testdata/rsa.openssh");
const CA: &str = include_str!("../../src/pki/testdata/ca-p384.crt");

/// The valid and the invalid values of an attribute.
pub struct Pool {
    pub good: Vec<Json>,
    pub bad: Vec<Json>,
}

fn texts(good: &[&str], bad: &[&str]) -> Pool {
    let json = |all: &[&str]| all.iter().map(|text| json!(text)).collect();
    Pool {
        good: json(good),
        bad: json(bad),
    }
}

fn any(good: Json, bad: Json) -> Pool {
    let list = |all: Json| all.as_array().cloned().unwrap();
    Pool {
        good: list(good),
        bad: list(bad),
    }
}

/// An argument, or a variable with its value, with which a process cannot be started.
fn huge() -> String {
    "x".repeat(128 * 1024)
}

/// Names of objects in a cluster.
fn name() -> Pool {
    let long = "x".repeat(254);
    texts(
        &["a", "a.b-1"],
        &["", " ", "A", "a_b", "a b", "a/b", "ä", "a\n", "../a", &long],
    )
}

fn image() -> Pool {
    texts(
        &[
            "python:3.12",
            "registry.example.org:5000/a/b@sha256:0000000000000000000000000000000000000000000000000000000000000000",
        ],
        &["", " ", "A/b", "a b", "a:b:c", "https://a/b", "a\n"],
    )
}

fn duration() -> Pool {
    texts(
        &["90s", "1h30m", "15m"],
        &[
            "",
            "0",
            "0s",
            "-1s",
            "1",
            "1d",
            "1e400h",
            "1e9h",
            "99999999999h",
            "1h 30m",
            "nan",
            "infh",
        ],
    )
}

fn certificate() -> Pool {
    let two = format!("{CA}{CA}");
    texts(
        &[CA, &two],
        &[
            "",
            "x",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            PRIVATE,
        ],
    )
}

fn labels() -> Pool {
    any(
        json!([{}, { "team": "a" }, { "example.org/a": "" }]),
        json!([{ "": "a" }, { "a b": "a" }, { "a": "two words" }, { "a": "x".repeat(64) }, { "x".repeat(64): "a" }]),
    )
}

fn resources() -> Pool {
    any(
        json!([{}, { "cpu": "500m" }, { "memory": "1.5Gi", "ephemeral-storage": "2e9" }]),
        json!([{ "cpu": "" }, { "cpu": "-1" }, { "cpu": "1e400" }, { "gpu": "1" }, { "": "1" }, { "cpu": "9e30" }]),
    )
}

fn config() -> (Vec<Json>, Vec<Json>) {
    (
        vec![
            json!({}),
            json!({ "partition-id": 0, "data": { "path": "/d a", "on": true }, "lr": 0.1 }),
            json!({ "a": { "b": { "c": "\u{0}'\"$(x) 🌸" } }, "a.d": -3 }),
        ],
        vec![
            json!({ "a": null }),
            json!({ "a": { "b": null } }),
            json!({ "a": [1] }),
            json!({ "a": {} }),
            json!({ "a": { "b": 1 }, "a.b": 2 }),
            json!("a"),
            json!(1),
            json!([1]),
        ],
    )
}

/// The values of the attribute at this path; `None` for most bools and texts.
pub fn pool(place: &str) -> Option<Pool> {
    let last = place.rsplit('.').next().unwrap_or(place);
    let long = "x".repeat(54);
    Some(match place {
        "name" => texts(
            &["a", "site-1", "x0"],
            &[
                "", " ", "A", "a_b", "-a", "a-", "a b", "a.b", "ä", "a\n", "../a", "a\u{0}", &long,
            ],
        ),
        "flower_version" | "control.flower_version" | "superlink.flower_version" => texts(
            &["1.42.0", "1.36.0", "1.23.0", "1.14.0"],
            &[
                "",
                "1.42",
                "latest",
                "v1.42.0",
                "1.42.0\n",
                "99999999999.0.0",
                "1.042.0",
                "-1.0.0",
            ],
        ),
        "isolation" => texts(&["subprocess", "process"], &["", "Process", "process "]),
        "log_level" => texts(
            &["DEBUG", "INFO", "WARNING", "ERROR"],
            &["", "info", "TRACE"],
        ),
        "algorithm" => texts(
            &["ECDSA-P256", "ECDSA-P384", "ECDSA-P521"],
            &["", "RSA", "ecdsa-p256"],
        ),
        "private_key_wo" => {
            let two = format!("{PRIVATE}\n{PRIVATE}");
            let cut: String = PRIVATE.chars().take(200).collect();
            texts(&[PRIVATE], &["", "x", P256, OTHER_PRIVATE, &two, &cut])
        }
        "private_key_wo_version" => any(json!([1, 2]), json!(["a", 1.5, 1e30])),
        "simulation" => any(
            json!([{ "num_supernodes": 1 }, { "num_supernodes": 10_000, "client_resources_num_cpus": 1, "client_resources_num_gpus": 0.1 }]),
            json!([{ "num_supernodes": 0 }, { "num_supernodes": 10_001 }, { "num_supernodes": 1.5 }, { "num_supernodes": -1 },
                   { "num_supernodes": 1, "client_resources_num_cpus": 0 }, { "num_supernodes": 1, "client_resources_num_cpus": 0.5 },
                   { "num_supernodes": 1, "client_resources_num_gpus": -0.1 }, { "num_supernodes": 1, "client_resources_num_gpus": 1e30 }]),
        ),
        "supernodes" => {
            let key = |text: &str| json!({ "a": { "public_key": text } });
            Pool {
                good: vec![
                    json!({}),
                    key(P256),
                    json!({ "a b": { "public_key": P384.trim(), "location": "47.37, -8.54" } }),
                ],
                bad: vec![
                    key(""),
                    key("x"),
                    key(RSA),
                    key(PRIVATE),
                    key(&format!("{}\n{P256}", P256.trim())),
                    key(&format!("{P384}{P384}")),
                    json!({ "a": { "public_key": P256 }, "b": { "public_key": P256.trim() } }),
                    json!({ "": { "public_key": P256 } }),
                    json!({ "a\n": { "public_key": P256 } }),
                    json!({ "a": { "public_key": P256, "location": "91,0" } }),
                    json!({ "a": { "public_key": P256, "location": "Zurich" } }),
                    json!({ "a": { "public_key": P256, "location": "NaN,0" } }),
                ],
            }
        }
        "tls.dns_names" => any(
            json!([
                [],
                ["fl.example.org"],
                ["*.fl.example.org", "LOCALHOST", "localhost"]
            ]),
            json!([
                [""],
                ["a b"],
                ["größe"],
                ["https://a"],
                ["a:1"],
                ["x".repeat(64)],
                ["10.0.0.1"],
                ["a\n"],
                ["a", "*"]
            ]),
        ),
        "tls.ip_addresses" => any(
            json!([[], ["10.0.0.1"], ["::1", "::1"]]),
            json!([
                [""],
                ["10.0.0.0/8"],
                ["a"],
                ["256.0.0.1"],
                ["fe80::1%eth0"],
                ["10.0.0.1 "]
            ]),
        ),
        "tls.validity" => texts(
            &["8760h", "87600h", "2h"],
            &[
                "",
                "0",
                "1s",
                "59m",
                "87601h",
                "1e400h",
                "-1h",
                "9999999999999h",
            ],
        ),
        "tls.renew_before" => texts(&["1h", "90s", "0"], &["", "1", "-1h", "1e400h", "8760000h"]),
        "persistence.size" => texts(
            &["1Gi", "500M", "1.5e9"],
            &["", "0", "-1Gi", "1 Gi", "1GB", "1e400", "500m", "16Ei"],
        ),
        "persistence.storage_class" => texts(&["", "fast"], &[" ", "A", "a/b"]),
        "requirements" => any(
            json!([
                [],
                ["numpy>=2"],
                ["./a-1.whl", "a @ https://example.org/a.whl"]
            ]),
            json!([
                [""],
                [" "],
                ["-r x.txt"],
                ["--help"],
                ["a\nb"],
                ["a\u{0}"],
                ["numpy", ""],
                ["x".repeat(5000)]
            ]),
        ),
        "env" => any(
            json!([{}, { "A": "" }, { "A_1": "$(HOME) \n'\"", "b.c-d": "x" }, { "A": "x".repeat(100_000) }]),
            json!([{ "": "x" }, { "A=B": "x" }, { "A B": "x" }, { "1A": "x" }, { "HOME": "x" }, { "FLWR_HOME": "x" }, { "A": "x\u{0}" }, { "A": huge() }]),
        ),
        "extra_args" => any(
            json!([[], ["--log-file=a b"]]),
            json!([
                [""],
                ["a"],
                ["--"],
                ["-"],
                ["--help"],
                ["-h"],
                ["--isolation", "process"],
                ["--iso=process"],
                ["--log-file a"],
                ["--log-file", "a\u{0}"],
                ["--log-file", huge()]
            ]),
        ),
        "on_active_runs" => texts(&["restart", "wait", "fail"], &["", "Restart", "ignore"]),
        "service.service_type" => texts(
            &["ClusterIP", "LoadBalancer"],
            &["", "clusterip", "ExternalName"],
        ),
        "service.node_port" => any(json!([null]), json!([0, -1, 65536, 1.5, "a"])),
        "service.hostname" => texts(
            &[
                "fl.example.org",
                "fl.example.org:443",
                "10.0.0.1",
                "[2001:db8::1]:1",
                "2001:db8::1",
            ],
            &[
                "",
                " ",
                "a b",
                "https://a",
                "a:0",
                "a:65536",
                "a:1:2",
                "a/b",
                "0.0.0.0",
                "*.a",
                "größe",
            ],
        ),
        "service.allow_from" => any(
            json!([["10.0.0.0/8"], ["192.0.2.7/32", "2001:db8::/32"]]),
            json!([
                [""],
                ["10.0.0.0"],
                ["10.0.0.0/33"],
                ["a/8"],
                ["10.0.0.0/8, 10.1.0.0/16"],
                ["10.0.0.0/08"]
            ]),
        ),
        "service.annotations" | "kubernetes.annotations" => any(
            json!([{}, { "example.org/a": "{\n" }]),
            json!([{ "": "x" }, { "a b": "x" }, { "terraform-provider-flower/a": "x" }, { "a": "x".repeat(300_000) }]),
        ),
        "kubernetes.image" | "kubernetes.superexec_image" | "kubernetes.gateway_image" => image(),
        "kubernetes.image_pull_policy" => {
            texts(&["Always", "Never", "IfNotPresent"], &["", "always"])
        }
        "kubernetes.image_pull_secrets"
        | "kubernetes.env_from_secrets"
        | "kubernetes.server_env_from_secrets" => any(
            json!([[], ["a"], ["a", "b.c"]]),
            json!([[""], ["A"], ["a b"], ["a", "../b"], ["a\n"]]),
        ),
        "kubernetes.node_selector" | "kubernetes.labels" => {
            let mut labels = labels();
            if last == "labels" {
                labels
                    .bad
                    .push(json!({ "app.kubernetes.io/managed-by": "me" }));
                labels
                    .bad
                    .push(json!({ "terraform-provider-flower/name": "me" }));
            }
            labels
        }
        "kubernetes.resources.requests"
        | "kubernetes.resources.limits"
        | "kubernetes.server_resources.requests"
        | "kubernetes.server_resources.limits"
        | "kubernetes.gateway_resources.requests"
        | "kubernetes.gateway_resources.limits" => resources(),
        "kubernetes.tolerations" => any(
            json!([[], [{ "operator": "Exists" }], [{ "key": "a/b", "value": "c", "effect": "NoExecute", "toleration_seconds": 5 }]]),
            json!([[{}], [{ "key": "a b" }], [{ "key": "a", "operator": "Exists", "value": "b" }], [{ "key": "a", "operator": "in" }],
                   [{ "key": "a", "effect": "NoExec" }], [{ "key": "a", "toleration_seconds": 5 }], [{ "key": "a", "toleration_seconds": 1.5, "effect": "NoExecute" }]]),
        ),
        "kubernetes.affinity" => any(
            json!([{}, { "podAntiAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [{ "weight": 1, "podAffinityTerm": { "topologyKey": "zone" } }] } }]),
            json!(["a", 1, [1], { "nodeAffinity": "x" }, { "node_affinity": { "a": 1 } }, { "nodeAffinity": { "required": [1] } }]),
        ),
        "kubernetes.priority_class" | "kubernetes.runtime_class" | "kubernetes.service_account" => {
            name()
        }
        "kubernetes.volumes" => {
            let volume = |name: &str, more: Json| {
                let mut volume = json!({ "mount_path": "/data", "claim": "a" });
                for (key, value) in more.as_object().unwrap() {
                    volume[key] = value.clone();
                }
                json!({ name: volume })
            };
            Pool {
                good: vec![
                    json!({}),
                    volume("data", json!({ "read_only": true })),
                    json!({ "a": { "mount_path": "/a", "empty_dir": { "size_limit": "1Gi" } }, "b": { "mount_path": "/b", "ephemeral": { "size": "1Gi", "storage_class": "" } } }),
                    json!({ "a": { "mount_path": "/a", "secret": "s" }, "b": { "mount_path": "/b", "config_map": "c" } }),
                ],
                bad: vec![
                    volume("Data", json!({})),
                    volume("", json!({})),
                    volume("a", json!({ "mount_path": "data" })),
                    volume("a", json!({ "mount_path": "/" })),
                    volume("a", json!({ "mount_path": "/a:b" })),
                    volume("a", json!({ "mount_path": "/a/../flower/state" })),
                    volume("a", json!({ "mount_path": "/a//b" })),
                    volume("a", json!({ "mount_path": "/tmp/" })),
                    volume("a", json!({ "mount_path": "/a\n" })),
                    volume("a", json!({ "claim": null })),
                    volume("a", json!({ "claim": "A" })),
                    volume("a", json!({ "claim": "" })),
                    volume("a", json!({ "secret": "b" })),
                    volume(
                        "a",
                        json!({ "claim": null, "empty_dir": { "size_limit": "1GB" } }),
                    ),
                    volume("a", json!({ "claim": null, "ephemeral": { "size": "0" } })),
                    json!({ "a": { "mount_path": "/a", "claim": "a" }, "b": { "mount_path": "/a/", "claim": "b" } }),
                ],
            }
        }
        "local.port" => any(json!([9001, 65535]), json!([0, -1, 65536, 1.5, "a"])),
        "superlink.address" => texts(
            &[
                "fl.example.org:9092",
                "10.0.0.1:1",
                "[::1]:65535",
                "localhost:9092",
            ],
            &[
                "",
                " ",
                "a",
                "a:",
                ":1",
                "a:0",
                "a:65536",
                "a:1:2",
                "https://a:1",
                "a:1/b",
                "a b:1",
                "a\n:1",
                "0.0.0.0:1",
                "*.a:1",
                "256.1.1.1:1",
            ],
        ),
        "superlink.ca_certificate" => certificate(),
        "key" => any(
            json!([{ "name": "supernode-key-a", "key": "private-key-Ab1" }]),
            json!([{ "name": "", "key": "a" }, { "name": "../a", "key": "a" }, { "name": "a", "key": "" }, { "name": "a", "key": "../a" }, { "name": "a\n", "key": "a" }]),
        ),
        "control" => any(
            json!([{ "url": "http://127.0.0.1:1" }, { "url": "https://a:1" }, { "url": "https://a:1", "ca_certificate": CA, "flower_version": "1.42.0" }, { "url": "kube://a/b" }, { "url": "http://[::1]:1", "token_file": "x" }, { "url": "https://a:1", "simulation": { "num_supernodes": 3 } }]),
            json!([{ "url": "" }, { "url": "a:1" }, { "url": "ftp://a:1" }, { "url": "http://a:1/b" }, { "url": "http://a:0" }, { "url": "http://a:65536" }, { "url": "http://a@b:1" },
                   { "url": "http://a:1", "ca_certificate": CA }, { "url": "https://a:1", "ca_certificate": "x" }, { "url": "kube://a" },
                   { "url": "http://a:1", "token_file": "x" }, { "url": "http://a:1", "flower_version": "latest" }, { "url": "http://a:1\n" }, { "url": "http://a:1", "simulation": { "num_supernodes": 0 } }]),
        ),
        "node_config" => {
            let (good, mut bad) = config();
            bad.extend([
                json!({ "data path": 1 }),
                json!({ "": 1 }),
                json!({ "größe": 1 }),
                json!({ "a..b": 1 }),
                json!({ "a": 1, "a.b": 2 }),
                json!({ "a": { "": 1 } }),
                json!({ "a": huge() }),
                json!({ "a": "ä".repeat(30_000) }),
            ]);
            Pool { good, bad }
        }
        "run_config" => {
            let (_, mut bad) = config();
            bad.push(json!({ "no-such-key": 1 }));
            bad.push(json!({ "lr": "high" }));
            Pool {
                good: vec![
                    json!({}),
                    json!({ "lr": 1 }),
                    json!({ "num-server-rounds": 5, "fail-in": "x" }),
                ],
                bad,
            }
        }
        "source" => {
            const APP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart/app");
            any(
                json!([{ "path": APP }, { "inline": { "server": "app = 1\n", "client": "app = 1\n" } }]),
                json!([
                    {},
                    { "path": APP, "inline": { "files": {} } },
                    { "path": APP, "hub": "@a/b" },
                    { "hub": "" },
                    { "hub": "a/b" },
                    { "hub": "@a/b==1" },
                    { "path": "" },
                    { "path": " " },
                    { "path": "/no/such/folder" },
                    { "path": "a\u{0}" },
                    { "archive": { "path": "Cargo.toml" } },
                    { "archive": { "path": "a", "sha256": "1" } },
                    { "fab": { "path": "Cargo.toml" } },
                    { "inline": {} },
                    { "inline": { "files": { "a": "" } } },
                ]),
            )
        }
        "federation" => texts(&["@none/default", "default"], &[]),
        "on_failure" => texts(&["error", "record"], &["", "ignore"]),
        "on_client_failure" => texts(&["error", "warn", "ignore"], &["", "record"]),
        "wait.on_stall" => texts(&["error", "warn"], &["", "stop"]),
        "report" => any(
            json!([{ "path": "target/generated/page.html" }, { "markdown": "target/generated/page.md" }]),
            json!([{}]),
        ),
        "report.path" | "report.markdown" => texts(
            &["target/generated/page.html"],
            &["", "a\n", "/", "/proc/version/page.html"],
        ),
        "artifacts.download_to" => texts(
            &["target/generated/model"],
            &["", "a\n", "src", "/proc/version/model"],
        ),
        "artifacts.max_bytes" => any(json!([1, 1024]), json!([0, -1, 1.5, "a"])),
        "on_missing" => texts(&["keep", "recreate"], &["", "ignore"]),
        "wait.until" => texts(&["completed", "running", "submitted"], &["", "finished"]),
        "wait.nodes" => any(
            json!([[], ["1"], ["18446744073709551615"]]),
            json!([[""], ["a"], ["-1"], ["18446744073709551616"], ["1.5"]]),
        ),
        "wait.min_nodes" | "log_lines" | "last" => any(
            json!([0, 1, 20]),
            json!([-1, 1.5, 4_294_967_296_u64, "a", 1e30]),
        ),
        "wait.nodes_timeout" | "wait.stall_timeout" => {
            texts(&["30m", "0"], &["", "1", "-1s", "1e400h"])
        }
        "since" | "until" => texts(
            &[
                "2026-11-24T10:00:00Z",
                "1970-01-01T00:00:00+01:00",
                "2026-02-28T23:59:59.123456-11:30",
            ],
            &[
                "",
                " ",
                "yesterday",
                "-24h",
                "2026-11-24",
                "10:00:00",
                "2026-11-24T10:00:00",
                "2026-11-24T10:00Z",
                "2026-02-30T10:00:00Z",
                "2026-11-24T25:00:00Z",
                "2026-11-24T10:00:00Z\n",
                "1795514400",
            ],
        ),
        "status" => any(json!([null]), json!(["", "Running", "a"])),
        "run_id" => texts(
            &["1", "18446744073709551615"],
            &["", "a", "-1", "18446744073709551616"],
        ),
        _ => match last {
            "create" | "update" | "delete" | "scheduling_timeout" | "start_timeout" => duration(),
            _ => return None,
        },
    })
}
