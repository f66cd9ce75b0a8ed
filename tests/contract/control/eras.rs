//! The releases with gRPC, each with its own real SuperLink: the client behaves as with the newest
//! release, as far as they support it.

mod lost;
mod old;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use terraform_provider_flower::flower::control::{
    ControlClient, ControlEndpoint, ControlError, Deadlines, Dial, Duplex, NewNode, NodeStatus,
    RunId, RunStatus, StartRun, SubStatus, TlsReason,
};
use terraform_provider_flower::flower::run_config::ConfigValue;
use terraform_provider_flower::flower::version::FlowerVersion;
use terraform_provider_flower::pki::{Authority, AuthorityAlgorithm};
use time::{Duration, OffsetDateTime};

use super::rig::{finished, node_key, overrides, unused_port, wait, whole_log};
use old::{Old, app};

/// All operations of a client.
async fn everything(version: &str) {
    let superlink = Old::plain(version);
    let client = superlink.healthy().await;
    runs(&client, superlink.version).await;
    nodes(&client, &superlink).await;
    federations(&client, superlink.version).await;
    strangers(&superlink).await;
}

async fn runs(client: &ControlClient, version: FlowerVersion) {
    let before = client.list_runs().await.unwrap();
    assert!(before.complete);
    assert!(before.server_now.unwrap().moment().is_some());

    let start = StartRun::new(app("print('done')"), overrides(), "");
    let id = client.start_run(&start).await.unwrap();
    let mut logs = client.stream_logs(id, 0.0).await.unwrap();
    let text = whole_log(&mut logs).await;
    let run = finished(client, id).await;
    assert_eq!(run.sub_status, SubStatus::Completed, "{run:?}\n{text}");
    for line in [
        "config lr 2.0",
        "config name 'zwei Wörter'",
        "config rounds -3",
        "done",
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
    assert_eq!(Some(run.fab_hash.as_str()), start.fab_hash());
    assert_eq!(run.override_config, start.overrides);
    let times = [
        &run.pending_at,
        &run.starting_at,
        &run.running_at,
        &run.finished_at,
    ];
    assert!(
        times
            .iter()
            .all(|time| time.as_ref().unwrap().moment().is_some())
    );
    let federation = match version.release() {
        (1, ..=23) => "",
        (1, 24 | 25) => "default",
        _ => "@none/default",
    };
    assert_eq!(run.federation, federation);
    let mut rest = client.stream_logs(id, logs.resume_from()).await.unwrap();
    assert!(rest.next().await.is_none());

    let long = StartRun::new(app("time.sleep(600)"), BTreeMap::new(), "");
    let id = client.start_run(&long).await.unwrap();
    wait("the run to run", async || {
        (client.run(id).await.unwrap().status == RunStatus::Running).then_some(())
    })
    .await;
    let tail = wait("its first lines", async || {
        let tail = client.log_tail(id, 100).await.unwrap().join("\n");
        tail.contains("config rounds 1").then_some(tail)
    })
    .await;
    assert!(tail.contains("config name 'none'"), "{tail}");
    stop(client, version, id).await;

    let listing = client.list_runs().await.unwrap();
    assert_eq!(listing.runs.len(), before.runs.len() + 2);
    assert!(listing.complete);
    refusals(client, version).await;
}

async fn stop(client: &ControlClient, version: FlowerVersion, id: RunId) {
    let stopped = client.stop_run(id).await;
    if version.release() < (1, 14) {
        let is_unsupported = matches!(stopped, Err(ControlError::Unsupported { .. }));
        assert!(is_unsupported, "{stopped:?}");
        return;
    }
    stopped.unwrap();
    assert_eq!(finished(client, id).await.sub_status, SubStatus::Stopped);
    let again = client.stop_run(id).await.unwrap_err();
    let is_over = matches!(again, ControlError::AlreadyFinished(_));
    assert!(is_over, "{again:?}");
}

async fn refusals(client: &ControlClient, version: FlowerVersion) {
    let unknown = RunId(42);
    let mut errors = vec![
        client.run(unknown).await.unwrap_err(),
        client.stream_logs(unknown, 0.0).await.err().unwrap(),
    ];
    if version.release() >= (1, 14) {
        errors.push(client.stop_run(unknown).await.unwrap_err());
    }
    for error in errors {
        assert!(matches!(error, ControlError::NotFound(_)), "{error:?}");
    }
    let no_zip = StartRun::new(Bytes::from_static(b"no zip"), BTreeMap::new(), "");
    let error = client.start_run(&no_zip).await.unwrap_err();
    assert!(matches!(error, ControlError::Refused(_)), "{error:?}");
    if version.release() >= (1, 24) {
        let elsewhere = StartRun::new(app("pass"), BTreeMap::new(), "@none/elsewhere");
        let error = client.start_run(&elsewhere).await.unwrap_err();
        let is_missing = matches!(error, ControlError::FederationMissing(_));
        assert!(is_missing, "{error:?}");
    }
    if version.release() >= (1, 27) {
        let typo = [("typo".to_owned(), ConfigValue::Int(1))].into();
        let error = client
            .start_run(&StartRun::new(app("pass"), typo, ""))
            .await;
        let is_invalid = matches!(error, Err(ControlError::ConfigInvalid(_)));
        assert!(is_invalid, "{error:?}");
    }
}

async fn nodes(client: &ControlClient, superlink: &Old) {
    let new = NewNode {
        public_key: node_key(&superlink.dir.path().join("site")),
        name: None,
        location: None,
    };
    if superlink.version.release() < (1, 23) {
        for error in [
            client.register_node(&new).await.unwrap_err(),
            client.list_nodes().await.unwrap_err(),
        ] {
            assert!(
                matches!(error, ControlError::Unsupported { .. }),
                "{error:?}"
            );
        }
        return;
    }
    let before = client.list_nodes().await.unwrap().len();
    let id = client.register_node(&new).await.unwrap();
    let again = client.register_node(&new).await.unwrap_err();
    assert!(matches!(again, ControlError::KeyInUse(_)), "{again:?}");
    let nodes = client.list_nodes().await.unwrap();
    assert_eq!(nodes.len(), before + 1);
    let node = nodes.iter().find(|node| node.id == id).unwrap();
    assert_eq!(node.status, NodeStatus::Registered);
    assert_eq!(node.public_key, new.public_key);
    assert!(node.registered_at.as_ref().unwrap().moment().is_some());
    client.unregister_node(id).await.unwrap();
    let twice = client.unregister_node(id).await.unwrap_err();
    assert!(matches!(twice, ControlError::NotFound(_)), "{twice:?}");
    let no_key = NewNode {
        public_key: "ecdsa-sha2-nistp384 AAAA site".to_owned(),
        ..new
    };
    let error = client.register_node(&no_key).await.unwrap_err();
    assert!(matches!(error, ControlError::KeyInvalid(_)), "{error:?}");
}

async fn federations(client: &ControlClient, version: FlowerVersion) {
    let found = client.list_federations().await;
    if version.release() < (1, 24) {
        let is_unsupported = matches!(found, Err(ControlError::Unsupported { .. }));
        assert!(is_unsupported, "{found:?}");
        return;
    }
    let found = found.unwrap();
    let [federation] = found.as_slice() else {
        panic!("{found:?}");
    };
    let is_early = version.release() < (1, 26);
    let id = if is_early { "default" } else { "@none/default" };
    assert_eq!(federation.id, id);
    assert_eq!(federation.description.is_empty(), is_early, "{found:?}");
    assert!(!federation.is_archived);
}

/// Ports with another server or no server.
async fn strangers(superlink: &Old) {
    let fleet = superlink.client_at(superlink.fleet);
    for error in [
        fleet.health().await.unwrap_err(),
        fleet.list_nodes().await.unwrap_err(),
    ] {
        assert!(matches!(error, ControlError::Protocol { .. }), "{error:?}");
    }
    let nobody = superlink.client_at(unused_port());
    let error = nobody.health().await.unwrap_err();
    assert!(error.never_sent(), "{error:?}");
    let url = format!("http://127.0.0.1:{}", superlink.port);
    let http = ControlClient::connect(&ControlEndpoint::parse(&url, None).unwrap());
    let error = http.health().await.unwrap_err();
    assert!(matches!(error, ControlError::Protocol { .. }), "{error:?}");
}

/// Connects to a SuperLink as a port-forward does, whatever its address is.
struct Forward(u16);

#[async_trait::async_trait]
impl Dial for Forward {
    async fn dial(&self) -> std::io::Result<Box<dyn Duplex>> {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", self.0)).await?;
        Ok(Box::new(stream))
    }
}

#[tokio::test]
async fn a_pod_of_which_no_release_is_given_is_found_to_speak_grpc() {
    for superlink in [
        Old::plain("1.29.0"),
        Old::with_tls("1.29.0", &["localhost"]),
    ] {
        superlink.healthy().await;
        let endpoint = ControlEndpoint::parse("kube://fl/main", superlink.ca.as_deref()).unwrap();
        let client = ControlClient::connect_over(
            &endpoint,
            Arc::new(Forward(superlink.port)),
            Deadlines::default(),
        );
        client.health().await.unwrap();
        let start = StartRun::new(app("pass"), BTreeMap::new(), "");
        let id = client.start_run(&start).await.unwrap();
        assert_eq!(finished(&client, id).await.sub_status, SubStatus::Completed);
    }
}

/// The releases in an environment variable, such as `FLOWER_ERAS=1.13.1,1.22.0`: each uses 200 MB
/// on disk.
#[tokio::test]
async fn flower_of_the_environment_is_spoken_to() {
    let versions = std::env::var("FLOWER_ERAS").unwrap_or_default();
    for version in versions.split(',').filter(|version| !version.is_empty()) {
        everything(version).await;
        eprintln!("{version}: ok");
    }
}

#[tokio::test]
async fn flower_1_15_is_spoken_to() {
    everything("1.15.2").await;
}

#[tokio::test]
async fn flower_1_20_is_spoken_to() {
    everything("1.20.0").await;
}

#[tokio::test]
async fn flower_1_23_is_spoken_to() {
    everything("1.23.0").await;
}

#[tokio::test]
async fn flower_1_25_is_spoken_to() {
    everything("1.25.0").await;
}

#[tokio::test]
async fn flower_1_26_is_spoken_to() {
    everything("1.26.1").await;
}

#[tokio::test]
async fn flower_1_29_is_spoken_to() {
    everything("1.29.0").await;
}

#[tokio::test]
async fn flower_1_36_is_spoken_to() {
    everything("1.36.0").await;
}

#[tokio::test]
async fn trust_over_grpc_is_exactly_what_was_given() {
    let superlink = Old::with_tls("1.29.0", &[]);
    let client = superlink.healthy().await;
    let start = StartRun::new(app("pass"), BTreeMap::new(), "");
    let id = client.start_run(&start).await.unwrap();
    assert_eq!(finished(&client, id).await.sub_status, SubStatus::Completed);

    let now = OffsetDateTime::now_utc();
    let other = Authority::generate("b", AuthorityAlgorithm::default(), Duration::DAY, now);
    let (port, other) = (superlink.port, other.unwrap());
    let ask = async |url: String, ca: Option<&str>| {
        let endpoint = ControlEndpoint::parse(&url, ca).unwrap();
        ControlClient::connect(&endpoint)
            .health()
            .await
            .unwrap_err()
    };
    let url = format!("grpcs://127.0.0.1:{port}");
    let error = ask(url, Some(other.certificate_pem())).await;
    let reason = |error: &ControlError| match error {
        ControlError::Tls { reason, .. } => Some(reason.clone()),
        _ => None,
    };
    assert_eq!(reason(&error), Some(TlsReason::WrongAuthority), "{error:?}");
    let error = ask(format!("grpcs://localhost:{port}"), superlink.ca.as_deref()).await;
    let is_name = matches!(reason(&error), Some(TlsReason::NameMismatch { .. }));
    assert!(is_name, "{error:?}");
    let error = ask(format!("grpc://127.0.0.1:{port}"), None).await;
    assert!(!error.outcome_unknown(), "{error:?}");
}

#[tokio::test]
async fn grpcs_to_a_superlink_without_tls_says_so() {
    let superlink = Old::plain("1.29.0");
    superlink.healthy().await;
    let now = OffsetDateTime::now_utc();
    let ca = Authority::generate("a", AuthorityAlgorithm::default(), Duration::DAY, now).unwrap();
    let url = format!("grpcs://127.0.0.1:{}", superlink.port);
    let endpoint = ControlEndpoint::parse(&url, Some(ca.certificate_pem())).unwrap();
    let error = ControlClient::connect(&endpoint)
        .health()
        .await
        .unwrap_err();
    assert!(matches!(error, ControlError::Tls { .. }), "{error:?}");
}
