//! A proxy in front of a cluster that requires a password.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use crate::retries::head_of;
use crate::tenant::wait;

pub const PASSWORD: &str = "let-me-through-7f3a";

/// Forwards CONNECT requests, as an HTTP proxy does.
pub struct Proxy {
    port: u16,
    passed: Arc<AtomicUsize>,
}

impl Proxy {
    pub fn start() -> Self {
        let listener = wait(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let passed = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&passed);
        std::thread::spawn(move || {
            wait(async move {
                while let Ok((client, _)) = listener.accept().await {
                    let counted = Arc::clone(&counted);
                    tokio::spawn(async move { pass(client, &counted).await });
                }
            });
        });
        Self { port, passed }
    }

    pub fn url(&self) -> String {
        format!("http://flower:{PASSWORD}@127.0.0.1:{}", self.port)
    }

    /// How many connections it has forwarded.
    pub fn passed(&self) -> usize {
        self.passed.load(Ordering::Relaxed)
    }
}

async fn pass(mut client: TcpStream, passed: &AtomicUsize) -> std::io::Result<()> {
    let head = String::from_utf8(head_of(&mut client).await?).unwrap();
    let login = base64::engine::general_purpose::STANDARD.encode(format!("flower:{PASSWORD}"));
    if !head.contains(&format!("Basic {login}\r\n")) {
        let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
        return client.write_all(refusal).await;
    }
    let mut words = head.split_whitespace();
    assert_eq!(words.next(), Some("CONNECT"), "{head}");
    let mut server = TcpStream::connect(words.next().unwrap()).await?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    passed.fetch_add(1, Ordering::Relaxed);
    tokio::io::copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}
