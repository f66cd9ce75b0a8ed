//! An API server that is busy, or behind a faulty network: a proxy in front of the real one refuses
//! requests, drops replies, and ends or interrupts streams.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::access::account::Cluster;
use crate::tenant::{Tenant, wait};
use crate::workspace::Workspace;

/// The behaviour of the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It works.
    Open,
    /// It refuses the first requests of each method.
    Busy,
    /// It accepts requests but never replies.
    BlackHole,
    /// It accepts the first watches but drops their events.
    Silent,
    /// It ends every watch at once.
    Short,
    /// It interrupts the first watches, and the lists after them.
    Cut,
}

/// How many watches the proxy disturbs: two of the Deployment, one of pods and one of events.
const SPOILT: usize = 4;

/// The replies to the first requests of a method, in order.
const BUSY: [&str; 5] = [
    "429 Too Many Requests\r\nretry-after: 1",
    "500 Internal Server Error",
    "502 Bad Gateway",
    "503 Service Unavailable",
    "504 Gateway Timeout",
];

/// The requests without their headers.
pub type Requests = Arc<Mutex<Vec<String>>>;

fn watches(requests: &Requests) -> usize {
    let requests = requests.lock().unwrap();
    requests.iter().filter(|one| is_watch(one)).count()
}

fn method(request: &str) -> &str {
    request.split(' ').next().unwrap()
}

fn is_watch(request: &str) -> bool {
    request.contains("watch=true")
}

/// Forwards requests to the API server as `way` says; returns its port. `None` if the credentials
/// of the test cannot be forwarded.
pub fn proxy(tenant: &Tenant, way: Way) -> Option<(u16, Requests)> {
    let cluster = Cluster::of(tenant)?;
    let connector = connector(&cluster);
    let address = cluster.host.trim_start_matches("https://").to_owned();
    let listener = wait(TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    let requests = Requests::default();
    let seen = Arc::clone(&requests);
    std::thread::spawn(move || {
        wait(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (connector, address) = (connector.clone(), address.clone());
                let seen = Arc::clone(&seen);
                tokio::spawn(async move {
                    let _ = Box::pin(pass(client, &connector, &address, way, &seen)).await;
                });
            }
        });
    });
    Some((port, requests))
}

fn connector(cluster: &Cluster) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(cluster.ca.as_bytes()).unwrap())
        .unwrap();
    let chain = vec![CertificateDer::from_pem_slice(cluster.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(cluster.key.as_bytes()).unwrap();
    let config =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .unwrap();
    TlsConnector::from(Arc::new(config))
}

/// The head of a request or a response.
pub async fn head_of(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(head)
}

/// Handles one request.
async fn pass(
    mut client: TcpStream,
    connector: &TlsConnector,
    address: &str,
    way: Way,
    seen: &Requests,
) -> std::io::Result<()> {
    let head = String::from_utf8(head_of(&mut client).await?).unwrap();
    let request = head.lines().next().unwrap().to_owned();
    let (number, alike, watches) = {
        let mut seen = seen.lock().unwrap();
        let watches = seen.iter().filter(|one| is_watch(one)).count();
        let alike = seen.iter().filter(|one| method(one) == method(&request));
        let alike = alike.count();
        seen.push(request.clone());
        (seen.len() - 1, alike, watches)
    };
    let is_watch = is_watch(&request);
    match way {
        Way::Busy => {
            if let Some(answer) = BUSY.get(alike) {
                let answer =
                    format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                return client.write_all(answer.as_bytes()).await;
            }
        }
        Way::BlackHole => return std::future::pending().await,
        Way::Short if is_watch => {
            let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            return client.write_all(answer.as_bytes()).await;
        }
        Way::Cut
            if is_watch && watches < SPOILT
                || (1..=SPOILT).contains(&watches)
                    && request.contains("/deployments?")
                    && number % 2 == 0 =>
        {
            return Ok(());
        }
        Way::Open | Way::Silent | Way::Short | Way::Cut => {}
    }
    let server = TcpStream::connect(address).await?;
    let host = address.split(':').next().unwrap().to_owned();
    let name = ServerName::try_from(host).unwrap();
    let mut server: TlsStream<TcpStream> = connector.connect(name, server).await?;
    // One request per connection, so that each is seen.
    let head = if head.to_lowercase().contains("\r\nconnection:") {
        head
    } else {
        head.replacen("\r\n", "\r\nconnection: close\r\n", 1)
    };
    server.write_all(head.as_bytes()).await?;
    if way == Way::Silent && is_watch && watches < SPOILT {
        let head = head_of(&mut server).await?;
        client.write_all(&head).await?;
        return std::future::pending().await;
    }
    tokio::io::copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

pub fn provider(tenant: &Tenant, port: u16) -> String {
    let prefix = std::env::var("FLOWER_TEST_IMAGE_PREFIX").unwrap_or_default();
    format!(
        "provider \"flower\" {{\n  kubernetes = {{\n    host = \"http://127.0.0.1:{port}\"\n    namespace = {:?}\n    image_prefix = {prefix:?}\n  }}\n}}\n",
        tenant.namespace
    )
}

/// Starts a SuperLink through this proxy; returns the duration and the number of watches.
fn comes_up(way: Way) -> Option<(Duration, usize)> {
    let tenant = Tenant::a();
    let (port, requests) = proxy(&tenant, way)?;
    let it = Workspace::new(&format!(
        "{}resource \"flower_superlink\" \"main\" {{\n  name = \"main\"\n}}\n",
        provider(&tenant, port)
    ));
    let begun = Instant::now();
    it.apply().succeeded();
    let took = begun.elapsed();
    let watches = watches(&requests);
    eprintln!("{way:?}: {watches} watches in {:.1} s", took.as_secs_f32());
    tenant.destroyed(&it);
    Some((took, watches))
}

#[test]
fn an_api_server_that_is_busy_is_asked_again() {
    let tenant = Tenant::a();
    let Some((port, requests)) = proxy(&tenant, Way::Busy) else {
        return;
    };
    let it = Workspace::new(&format!(
        "{}resource \"flower_supernode_key\" \"a\" {{\n  name = \"a\"\n}}\n",
        provider(&tenant, port)
    ));
    it.apply().succeeded();
    it.plan_is_empty();
    tenant.destroyed(&it);
    let requests = requests.lock().unwrap();
    for verb in ["GET", "POST", "PATCH", "DELETE"] {
        let asked = requests.iter().filter(|one| method(one) == verb).count();
        assert!(asked > BUSY.len(), "{verb} was asked {asked} times");
    }
}

#[test]
fn an_api_server_that_does_not_answer_is_named() {
    let tenant = Tenant::a();
    let Some((port, requests)) = proxy(&tenant, Way::BlackHole) else {
        return;
    };
    let it = Workspace::new(&format!(
        "{}resource \"flower_supernode_key\" \"a\" {{\n  name = \"a\"\n}}\n",
        provider(&tenant, port)
    ));
    let begun = Instant::now();
    it.apply().failed_with(&[
        &format!("http://127.0.0.1:{port}/ did not answer within"),
        "it was asked to GET /api",
        "Check the address, and that no firewall",
    ]);
    let took = begun.elapsed();
    let asked = requests.lock().unwrap().len();
    eprintln!("BlackHole: {asked} requests in {:.1} s", took.as_secs_f32());
    assert!(took < Duration::from_secs(90), "that took {took:?}");
}

#[test]
fn a_watch_that_falls_silent_is_begun_again() {
    let Some((took, _)) = comes_up(Way::Silent) else {
        return;
    };
    let expected = Duration::from_mins(1)..Duration::from_mins(2);
    assert!(expected.contains(&took), "that took {took:?}");
}

#[test]
fn watches_that_end_at_once_are_not_begun_without_a_pause() {
    let Some((took, watches)) = comes_up(Way::Short) else {
        return;
    };
    assert!(watches < 50, "{watches} watches in {took:?}");
}

#[test]
fn watches_and_lists_that_are_cut_do_not_fail_an_apply() {
    let Some((_, watches)) = comes_up(Way::Cut) else {
        return;
    };
    assert!(watches > SPOILT, "{watches} watches");
}
