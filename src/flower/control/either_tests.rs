//! Servers on loopback that use one protocol, change it, or use neither.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::super::dial::Tcp;
use super::super::endpoint::Protocol;
use super::*;
use crate::flower::link::Duplex;

const SOON: Duration = Duration::from_secs(5);

/// The first bytes that a server sends on each connection.
#[derive(Default)]
struct Server {
    is_grpc: AtomicBool,
    connections: AtomicUsize,
    health: AtomicUsize,
}

impl Server {
    async fn start(self: &Arc<Self>) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Arc::clone(self);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                server.connections.fetch_add(1, Ordering::SeqCst);
                if server.is_grpc.load(Ordering::SeqCst) {
                    tokio::spawn(over_grpc(stream));
                } else {
                    tokio::spawn(over_http(stream, Arc::clone(&server)));
                }
            }
        });
        port
    }
}

async fn over_http(mut stream: TcpStream, server: Arc<Server>) {
    let mut request = [0; 4096];
    let read = stream.read(&mut request).await.unwrap_or_default();
    if request[..read].starts_with(b"GET /health ") {
        server.health.fetch_add(1, Ordering::SeqCst);
    }
    let _ = stream
        .write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/protobuf\r\ncontent-length: 4\r\n\
              connection: close\r\n\r\nhttp",
        )
        .await;
}

async fn over_grpc(stream: TcpStream) {
    let Ok(mut connection) = h2::server::handshake(stream).await else {
        return;
    };
    while let Some(Ok((_, mut respond))) = connection.accept().await {
        let head = http::Response::builder().header("content-type", "application/grpc");
        let mut body = respond
            .send_response(head.body(()).unwrap(), false)
            .unwrap();
        let message = Bytes::from_static(b"\0\0\0\0\x04grpc");
        body.send_data(message, false).unwrap();
        let mut trailers = http::HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        body.send_trailers(trailers).unwrap();
    }
}

fn either(port: u16) -> Either {
    let url = format!("http://127.0.0.1:{port}");
    let endpoint = ControlEndpoint::parse(&url, None).unwrap();
    Either::new(&endpoint, Arc::new(Tcp::to(&endpoint)))
}

async fn asked(transport: &Either) -> Result<Bytes, ControlError> {
    transport.unary(Call::ListRuns, Bytes::new(), SOON).await
}

#[tokio::test]
async fn what_is_spoken_is_found_out_once() {
    for (is_grpc, dialect, said) in [
        (false, Dialect::Http, "http"),
        (true, Dialect::Grpc, "grpc"),
    ] {
        let server = Arc::new(Server::default());
        server.is_grpc.store(is_grpc, Ordering::SeqCst);
        let transport = Arc::new(either(server.start().await));
        let calls: Vec<_> = (0..10)
            .map(|_| {
                let transport = Arc::clone(&transport);
                tokio::spawn(async move { asked(&transport).await })
            })
            .collect();
        for call in calls {
            assert_eq!(call.await.unwrap().unwrap(), said);
        }
        assert_eq!(transport.dialect(), dialect);
        if is_grpc {
            // One failed connection, and one for all other calls.
            assert_eq!(server.connections.load(Ordering::SeqCst), 2);
        } else {
            assert_eq!(server.health.load(Ordering::SeqCst), 1);
        }
    }
}

#[tokio::test]
async fn a_superlink_that_was_upgraded_is_found_out_again() {
    let server = Arc::new(Server::default());
    let transport = either(server.start().await);
    assert_eq!(asked(&transport).await.unwrap(), "http");
    server.is_grpc.store(true, Ordering::SeqCst);
    let error = asked(&transport).await.unwrap_err();
    assert!(matches!(error, ControlError::Protocol { .. }), "{error:?}");
    assert_eq!(asked(&transport).await.unwrap(), "grpc");
    assert_eq!(transport.dialect(), Dialect::Grpc);
}

#[tokio::test]
async fn what_speaks_neither_was_asked_nothing() {
    for said in [&b"SSH-2.0-OpenSSH_9.6\r\n"[..], b""] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut asked = [0; 1000];
                let _ = stream.read(&mut asked).await;
                let _ = stream.write_all(said).await;
            }
        });
        let transport = either(port);
        let error = transport.unary(Call::StartRun, Bytes::new(), SOON).await;
        let error = error.unwrap_err();
        assert!(!error.outcome_unknown(), "{error:?}");
        assert_eq!(transport.spoken(), None);
    }
}

struct Nobody;

#[async_trait]
impl Dial for Nobody {
    async fn dial(&self) -> std::io::Result<Box<dyn Duplex>> {
        Err(std::io::Error::other("no such pod"))
    }
}

#[tokio::test]
async fn a_pod_without_a_release_is_asked_both_ways() {
    let endpoint = ControlEndpoint::parse("kube://a/b", None).unwrap();
    assert_eq!(endpoint.protocol(), Protocol::Either);
    let transport = Either::new(&endpoint, Arc::new(Nobody));
    let error = asked(&transport).await.unwrap_err();
    assert!(error.never_sent(), "{error:?}");
    assert_eq!(
        error.to_string(),
        "cannot reach the SuperLink at kube://a/b: no such pod"
    );
}
