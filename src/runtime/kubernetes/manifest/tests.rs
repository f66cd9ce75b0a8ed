//! The complete manifests of each kind of workload, checked before a cluster gets them.

use super::*;
use crate::runtime::{
    Content, Duty, Health, Kind, PodSettings, Process, PullPolicy, PythonEnvironment, Resources,
    ServiceKind, TaintEffect, Toleration, TolerationOperator, Volume, VolumeSource,
};

fn context() -> Context<'static> {
    let object = ObjectRef {
        kind: Kind::Superlink,
        name: "main".parse().unwrap(),
    };
    Context {
        name: names::of(&object),
        labels: names::labels(&object, &[("team".to_owned(), "fl".to_owned())].into()),
        object,
        owner: json!({ "apiVersion": "v1", "kind": "ConfigMap", "name": "superlink-main", "uid": "u" }),
        image_prefix: "mirror.example.org/",
    }
}

fn workload() -> Workload {
    let process = |name: &'static str, duty, health, args: &[&str]| Process {
        name,
        duty,
        runs_apps: duty == Duty::Apps,
        image: format!("flwr/{name}:1.42.0"),
        health: Some(Health::Service(health)),
        program: format!("flower-{name}"),
        args: args.iter().map(|&arg| arg.to_owned()).collect(),
        env: [("FLWR_HOME".to_owned(), "/flower/home".to_owned())].into(),
        private_env: BTreeMap::new(),
        keeps: None,
    };
    let secret = |key: &str| Content::Secret {
        name: "superlink-main-tls".to_owned(),
        key: key.to_owned(),
    };
    Workload {
        python: PythonEnvironment {
            flower_version: "1.42.0".to_owned(),
            oldest: (3, 11),
            newest: None,
            requirements: Vec::new(),
            simulation: false,
        },
        processes: vec![
            process(
                "superlink",
                Duty::Main,
                8081,
                &[
                    "--ssl-certfile",
                    "/flower/files/server.crt",
                    "--ssl-keyfile",
                    "/flower/files/server.key",
                    "--ssl-ca-certfile",
                    "/flower/files/ca.crt",
                    "--database",
                    "/flower/state/state.db",
                    "--health-server-address",
                    "0.0.0.0:8081",
                ],
            ),
            process(
                "superexec",
                Duty::Apps,
                8082,
                &[
                    "--root-certificates",
                    "/flower/files/ca.crt",
                    "--health-server-address",
                    "0.0.0.0:8082",
                ],
            ),
        ],
        files: ["server.crt", "server.key", "ca.crt"]
            .map(|name| (name.to_owned(), secret(name)))
            .into(),
        pod: PodSettings::default(),
        exposure: Some(Exposure {
            kind: ServiceKind::ClusterIp,
            node_port: None,
            hostname: None,
            annotations: BTreeMap::new(),
            allow_from: None,
            shared_port: true,
            tls: true,
        }),
        storage: Some(Storage {
            size: "1Gi".to_owned(),
            file: "state.db",
            storage_class: None,
        }),
        artifacts: false,
    }
}

/// Apps and the file service get the folder of the artifacts, and nothing else of the volume.
#[test]
fn artifacts_are_served_from_a_part_of_the_volume() {
    let (context, mut workload) = (context(), workload());
    let plain = deployment(&context, &workload, "hash");
    workload.artifacts = true;
    let deployed = deployment(&context, &workload, "hash");
    let pod = &deployed["spec"]["template"]["spec"];
    let containers = pod["containers"].as_array().unwrap();
    let mounts = |name: &str| {
        let container = containers.iter().find(|one| one["name"] == name).unwrap();
        let mounts = container["volumeMounts"].as_array().unwrap();
        let of_state = mounts.iter().filter(|one| one["name"] == "state");
        of_state.cloned().collect::<Vec<_>>()
    };
    let part = |read_only: bool| {
        json!({
            "name": "state", "mountPath": "/flower/artifacts", "subPath": "artifacts",
            "readOnly": read_only,
        })
    };
    assert_eq!(mounts("superexec"), [part(false)]);
    assert_eq!(mounts("artifacts"), [part(true)]);
    assert_eq!(
        mounts("superlink"),
        [json!({ "name": "state", "mountPath": "/flower/state" })]
    );
    let service = containers.last().unwrap();
    assert_eq!(service["image"], "mirror.example.org/flwr/superlink:1.42.0");
    assert!(service.get("env").is_none() && service.get("envFrom").is_none());
    assert_eq!(service["securityContext"]["readOnlyRootFilesystem"], true);
    // A SuperLink without artifacts has the pod that it had before.
    workload.artifacts = false;
    assert_eq!(deployment(&context, &workload, "hash"), plain);
}

#[test]
fn a_superlink_behind_its_gateway() {
    let (context, workload) = (context(), workload());
    let all = json!([
        deployment(&context, &workload, "hash"),
        service(&context, workload.exposure.as_ref().unwrap()),
        claim(&context, workload.storage.as_ref().unwrap()),
        network_policy(&context, &workload),
    ]);
    insta::assert_json_snapshot!(all);
    insta::assert_snapshot!(public_files(&workload).remove("nginx.conf").unwrap());
}

#[test]
fn the_fleet_api_can_be_kept_to_networks() {
    let mut workload = workload();
    workload.exposure.as_mut().unwrap().allow_from = Some(vec!["10.0.0.0/8".to_owned()]);
    let policy = network_policy(&context(), &workload);
    assert_eq!(
        policy["spec"]["ingress"],
        json!([{
            "ports": [{ "protocol": "TCP", "port": 9092 }],
            "from": [{ "ipBlock": { "cidr": "10.0.0.0/8" } }],
        }])
    );
}

#[test]
fn an_empty_list_of_networks_lets_in_nobody() {
    let mut workload = workload();
    workload.exposure.as_mut().unwrap().allow_from = Some(Vec::new());
    let policy = network_policy(&context(), &workload);
    assert_eq!(policy["spec"]["ingress"], json!([]));
    assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress"]));
}

#[test]
fn apps_never_see_the_key_of_the_server_beside_them() {
    let deployment = deployment(&context(), &workload(), "hash");
    let volumes = deployment["spec"]["template"]["spec"]["volumes"]
        .as_array()
        .unwrap();
    let files = volumes
        .iter()
        .find(|one| one["name"] == "superexec-files")
        .unwrap();
    assert!(!files.to_string().contains("server.key"), "{files}");
    let containers = &deployment["spec"]["template"]["spec"]["containers"];
    let mounts = containers[1]["volumeMounts"].to_string();
    assert!(
        !mounts.contains("superlink-files") && !mounts.contains("/flower/state"),
        "{mounts}"
    );
}

#[test]
fn an_image_is_that_of_a_duty_and_not_of_a_name() {
    let mut workload = workload();
    // As before Flower 1.21.
    let apps = &mut workload.processes[1];
    (apps.name, apps.health) = ("serverapp", None);
    workload.processes[0].health = Some(Health::Open(9092));
    workload.pod.images = [(Duty::Apps, "own/apps:1".to_owned())].into();
    let deployment = deployment(&context(), &workload, "hash");
    let container = |at: usize| &deployment["spec"]["template"]["spec"]["containers"][at];
    let (link, apps) = (container(0), container(1));
    assert_eq!(link["image"], "mirror.example.org/flwr/superlink:1.42.0");
    // A slow start is not a hang.
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        assert_eq!(link[probe]["tcpSocket"]["port"], 9092);
    }
    assert_eq!(
        (&apps["name"], &apps["image"]),
        (&json!("serverapp"), &json!("own/apps:1"))
    );
    assert!(apps["readinessProbe"].is_null(), "{apps}");
}

#[test]
fn a_quota_can_be_told_of_every_container() {
    let mut workload = workload();
    let limits = |value: &str| Resources {
        requests: BTreeMap::new(),
        limits: [("cpu".to_owned(), value.to_owned())].into(),
    };
    workload.pod.resources = limits("1");
    workload.pod.server_resources = Some(limits("2"));
    workload.pod.gateway_resources = Some(limits("3"));
    let deployment = deployment(&context(), &workload, "hash");
    let containers = &deployment["spec"]["template"]["spec"]["containers"];
    let limit = |at: usize| &containers[at]["resources"];
    for (at, limits) in [(0, "2"), (1, "1"), (2, "3")] {
        let expected = json!({ "requests": {}, "limits": { "cpu": limits } });
        assert_eq!(*limit(at), expected, "{}", containers[at]["name"]);
    }
}

#[test]
fn every_setting_of_a_pod_is_carried() {
    let mut workload = workload();
    let map = |key: &str, value: &str| [(key.to_owned(), value.to_owned())].into();
    let volume = |name: &str, source| Volume {
        name: name.to_owned(),
        mount_path: format!("/{name}"),
        read_only: true,
        source,
    };
    workload.exposure = None;
    workload.storage = None;
    workload.pod = PodSettings {
        images: [(Duty::Main, "own/image:1".to_owned())].into(),
        pull_policy: Some(PullPolicy::Always),
        pull_secrets: vec!["registry".to_owned()],
        resources: Resources {
            requests: map("cpu", "1"),
            limits: map("nvidia.com/gpu", "1"),
        },
        server_resources: Some(Resources {
            requests: map("memory", "1Gi"),
            limits: map("cpu", "2"),
        }),
        gateway_resources: None,
        node_selector: map("disk", "ssd"),
        tolerations: vec![Toleration {
            key: Some("gpu".to_owned()),
            operator: Some(TolerationOperator::Exists),
            effect: Some(TaintEffect::NoSchedule),
            ..Toleration::default()
        }],
        affinity: Some(json!({ "podAntiAffinity": {} })),
        priority_class: Some("high".to_owned()),
        runtime_class: Some("gvisor".to_owned()),
        service_account: Some("trainer".to_owned()),
        env_from_secrets: vec!["credentials".to_owned()],
        server_env_from_secrets: vec!["licence".to_owned()],
        volumes: vec![
            volume("data", VolumeSource::Claim("cohort".to_owned())),
            volume("secret", VolumeSource::Secret("s".to_owned())),
            volume("map", VolumeSource::ConfigMap("c".to_owned())),
            volume("scratch", VolumeSource::Empty(Some("1Gi".to_owned()))),
            volume(
                "claim",
                VolumeSource::Ephemeral {
                    size: "2Gi".to_owned(),
                    storage_class: None,
                },
            ),
        ],
        labels: map("cost-centre", "7"),
        annotations: map("note", "x"),
        network_policy: true,
        scheduling_timeout: None,
        start_timeout: Some(std::time::Duration::from_mins(1)),
    };
    insta::assert_json_snapshot!(deployment(&context(), &workload, "hash"));
}

#[test]
fn what_may_be_secret_is_in_a_secret_and_in_no_pod() {
    let mut workload = workload();
    let file = "/flower/files/node-config.toml";
    for process in &mut workload.processes {
        process.args.push(file.to_owned());
        let variables = [("KEY", "canary-a"), ("odd name", "canary-b")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        process.private_env = variables.into();
    }
    let content = Content::Private("canary-c".to_owned());
    workload
        .files
        .insert("node-config.toml".to_owned(), content);
    let shown = [
        deployment(&context(), &workload, "hash").to_string(),
        json!(public_files(&workload)).to_string(),
    ];
    for shown in &shown {
        assert!(!shown.contains("canary"), "{shown}");
    }
    let entries = private_entries(&workload);
    let odd = names::variable("odd name");
    assert!(odd.starts_with("env-sha256."));
    for (entry, text) in [
        ("env.KEY", "canary-a"),
        (&odd, "canary-b"),
        ("file.node-config.toml", "canary-c"),
    ] {
        assert_eq!(entries.get(entry).map(|one| one.as_str()), Some(text));
        assert!(shown.iter().any(|shown| shown.contains(entry)), "{entry}");
    }
    assert_eq!(entries.len(), 3);
}

#[test]
fn the_server_and_apps_have_secrets_of_their_own() {
    let mut workload = workload();
    workload.pod.env_from_secrets = vec!["data".to_owned(), "both".to_owned()];
    workload.pod.server_env_from_secrets = vec!["licence".to_owned(), "both".to_owned()];
    let secrets = |workload: &Workload, position: usize| -> Vec<String> {
        let deployment = deployment(&context(), workload, "hash");
        let container = &deployment["spec"]["template"]["spec"]["containers"][position];
        let all = container["envFrom"].as_array().unwrap().iter();
        all.map(|one| one["secretRef"]["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(secrets(&workload, 0), ["licence", "both"]);
    assert_eq!(secrets(&workload, 1), ["data", "both"]);
    workload.processes.truncate(1);
    workload.processes[0].runs_apps = true;
    assert_eq!(secrets(&workload, 0), ["data", "both", "licence"]);
}
