//! A faulty network between the client and the SuperLink: a proxy that drops replies, and a server
//! that stops and starts again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use terraform_provider_flower::flower::control::{
    ControlClient, ControlEndpoint, ControlError, RunId, StartRun, Submission, SubmitError,
    Submitted, submit,
};
use terraform_provider_flower::flower::launch::Isolation;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::rig::{SuperLink, app, overrides, quick, wait};

/// Forwards to a SuperLink; while `cut` is above zero, it drops the reply to a StartRun and closes
/// the connection.
struct Proxy {
    port: u16,
    cut: Arc<AtomicUsize>,
    refuse: Arc<AtomicBool>,
}

impl Proxy {
    async fn to(upstream: u16) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            cut: Arc::default(),
            refuse: Arc::default(),
        };
        let (cut, refuse) = (Arc::clone(&proxy.cut), Arc::clone(&proxy.refuse));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if !refuse.load(Ordering::SeqCst) {
                    tokio::spawn(forward(client, upstream, Arc::clone(&cut)));
                }
            }
        });
        proxy
    }

    fn client(&self) -> ControlClient {
        let url = format!("http://127.0.0.1:{}", self.port);
        ControlClient::connect(&ControlEndpoint::parse(&url, None).unwrap())
    }
}

async fn forward(mut client: tokio::net::TcpStream, upstream: u16, cut: Arc<AtomicUsize>) {
    let mut server = tokio::net::TcpStream::connect(("127.0.0.1", upstream))
        .await
        .unwrap();
    let (mut request, mut reply) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut starts_run = false;
    loop {
        tokio::select! {
            read = client.read(&mut request) => {
                let Ok(n @ 1..) = read else { return };
                let head = b"POST /v1/control/start-run";
                if request[..n].starts_with(b"POST ") || request[..n].starts_with(b"GET ") {
                    starts_run = request[..n].starts_with(head);
                }
                if server.write_all(&request[..n]).await.is_err() { return; }
            }
            read = server.read(&mut reply) => {
                let Ok(n @ 1..) = read else { return };
                let swallow = |left: usize| left.checked_sub(1);
                if starts_run && cut.fetch_update(Ordering::SeqCst, Ordering::SeqCst, swallow).is_ok() {
                    return;
                }
                if client.write_all(&reply[..n]).await.is_err() { return; }
            }
        }
    }
}

fn submission(start: StartRun) -> Submission {
    Submission {
        start,
        since: SystemTime::now(),
        known: BTreeSet::new(),
    }
}

#[tokio::test]
async fn a_run_whose_reply_was_cut_is_adopted_and_exists_once() {
    let superlink = SuperLink::plain(Isolation::Process);
    let direct = superlink.healthy().await;
    // An earlier submission of the same app with the same configuration: it must not match.
    let start = StartRun::new(app("time.sleep(600)"), overrides(), "");
    let earlier = direct.start_run(&start).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;

    let proxy = Proxy::to(superlink.settings.port).await;
    let client = proxy.client();
    client.health().await.unwrap();
    proxy.cut.store(1, Ordering::SeqCst);
    let error = client.start_run(&start).await.unwrap_err();
    assert!(matches!(error, ControlError::LostReply { .. }), "{error:?}");
    let lost: BTreeSet<RunId> = direct.list_runs().await.unwrap().runs.into_keys().collect();
    assert_eq!(lost.len(), 2, "the SuperLink did start it");

    tokio::time::sleep(Duration::from_secs(1)).await;
    proxy.cut.store(1, Ordering::SeqCst);
    let submitted = submit(&client, &submission(start.clone())).await.unwrap();
    let all: BTreeSet<RunId> = direct.list_runs().await.unwrap().runs.into_keys().collect();
    assert_eq!(all.len(), 3, "one more, and only one");
    assert!(matches!(submitted, Submitted::Adopted(id) if !lost.contains(&id) && id != earlier));

    // Two runs that match: one of them was submitted by another client after our start time.
    let mine = submission(start.clone());
    direct.start_run(&start).await.unwrap();
    proxy.cut.store(1, Ordering::SeqCst);
    let error = submit(&client, &mine).await.unwrap_err();
    assert!(
        matches!(&error, SubmitError::Ambiguous { ids, .. } if ids.len() == 2),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_superlink_that_restarts_is_read_again_without_notice() {
    let mut superlink = SuperLink::plain(Isolation::Process);
    let client = superlink.healthy().await;
    let id = client
        .start_run(&StartRun::new(app("pass"), BTreeMap::new(), ""))
        .await
        .unwrap();
    superlink.processes.clear();
    let error = client.run(id).await.unwrap_err();
    assert!(error.never_sent(), "{error:?}");
    superlink.launch();
    wait("the SuperLink to be back", async || {
        client.run(id).await.ok()
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_dropped_before_any_answer_is_a_lost_reply() {
    let proxy = Proxy::to(1).await;
    proxy.refuse.store(true, Ordering::SeqCst);
    let error = proxy.client().start_run(&quick()).await.unwrap_err();
    assert!(error.outcome_unknown(), "{error:?}");
}
