//! A lost reply of a SuperLink with gRPC.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use terraform_provider_flower::flower::control::{
    ControlClient, ControlEndpoint, ControlError, RunId, StartRun, Submission, SubmitError,
    Submitted, submit,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::old::{Old, app};

/// The time that a SuperLink needs to execute a request.
const WORK: Duration = Duration::from_secs(1);

/// Forwards to a SuperLink; on demand, it drops one reply and closes the connection.
struct Proxy {
    port: u16,
    cut: Arc<AtomicBool>,
}

impl Proxy {
    async fn to(upstream: u16) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let cut = Arc::new(AtomicBool::new(false));
        tokio::spawn({
            let cut = Arc::clone(&cut);
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    tokio::spawn(forward(client, upstream, Arc::clone(&cut)));
                }
            }
        });
        Self { port, cut }
    }

    fn client(&self) -> ControlClient {
        let url = format!("grpc://127.0.0.1:{}", self.port);
        ControlClient::connect(&ControlEndpoint::parse(&url, None).unwrap())
    }
}

async fn forward(mut client: tokio::net::TcpStream, upstream: u16, cut: Arc<AtomicBool>) {
    let server = tokio::net::TcpStream::connect(("127.0.0.1", upstream)).await;
    let mut server = server.unwrap();
    let (mut request, mut reply) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut ends = None;
    loop {
        tokio::select! {
            read = client.read(&mut request) => {
                let Ok(n @ 1..) = read else { return };
                if server.write_all(&request[..n]).await.is_err() { return; }
                if cut.swap(false, Ordering::SeqCst) {
                    ends = Some(tokio::time::Instant::now() + WORK);
                }
            }
            read = server.read(&mut reply) => {
                let Ok(n @ 1..) = read else { return };
                if ends.is_none() && client.write_all(&reply[..n]).await.is_err() { return; }
            }
            () = tokio::time::sleep_until(ends.unwrap_or_else(far)), if ends.is_some() => return,
        }
    }
}

fn far() -> tokio::time::Instant {
    tokio::time::Instant::now() + Duration::from_hours(1)
}

fn submission(start: &StartRun) -> Submission {
    Submission {
        start: start.clone(),
        since: SystemTime::now(),
        known: BTreeSet::new(),
    }
}

async fn adopted(version: &str, federation: &str) {
    let superlink = Old::plain(version);
    let direct = superlink.healthy().await;
    let ids = async || -> BTreeSet<RunId> {
        direct.list_runs().await.unwrap().runs.into_keys().collect()
    };
    let start = StartRun::new(app("time.sleep(600)"), BTreeMap::new(), federation);
    direct.start_run(&start).await.unwrap();

    let proxy = Proxy::to(superlink.port).await;
    let client = proxy.client();
    client.health().await.unwrap();
    proxy.cut.store(true, Ordering::SeqCst);
    let error = client.start_run(&start).await.unwrap_err();
    assert!(matches!(error, ControlError::LostReply { .. }), "{error:?}");
    let others = ids().await;
    assert_eq!(others.len(), 2, "the SuperLink did start it");

    tokio::time::sleep(WORK).await;
    let mine = submission(&start);
    client.health().await.unwrap();
    proxy.cut.store(true, Ordering::SeqCst);
    let submitted = submit(&client, &mine).await.unwrap();
    assert_eq!(ids().await.len(), 3, "one more, and only one");
    assert!(matches!(submitted, Submitted::Adopted(id) if !others.contains(&id)));

    tokio::time::sleep(WORK).await;
    let mine = submission(&start);
    direct.start_run(&start).await.unwrap();
    client.health().await.unwrap();
    proxy.cut.store(true, Ordering::SeqCst);
    let error = submit(&client, &mine).await.unwrap_err();
    let is_open = matches!(&error, SubmitError::Ambiguous { ids, .. } if ids.len() == 2);
    assert!(is_open, "{error:?}");
}

#[tokio::test]
async fn a_run_of_1_20_whose_reply_was_cut_is_adopted() {
    adopted("1.20.0", "").await;
}

#[tokio::test]
async fn a_run_of_1_25_whose_reply_was_cut_is_adopted() {
    // Without a federation, the lost reply would be a refusal.
    adopted("1.25.0", "default").await;
}
