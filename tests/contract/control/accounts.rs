//! A SuperLink with accounts, as far as open-source Flower supports them: a real SuperLink behind a
//! proxy that requires the right token.

use std::time::Duration;

use terraform_provider_flower::flower::control::{ControlClient, ControlEndpoint, ControlError};
use terraform_provider_flower::flower::launch::Isolation;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::rig::SuperLink;

const REFUSAL: &str = "{\"code\":36,\"detail\":\"Authentication failed\"}";

/// Forwards requests with the token `right`, and refuses others as Flower does.
async fn guard(upstream: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = vec![0; 64 * 1024];
                let read = client.read(&mut head).await.unwrap_or(0);
                head.truncate(read);
                let text = String::from_utf8_lossy(&head).to_lowercase();
                if text.contains("authorization: bearer right\r\n") {
                    let mut server = TcpStream::connect(("127.0.0.1", upstream)).await.unwrap();
                    server.write_all(&head).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                } else {
                    let answer = format!(
                        "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\nwww-authenticate: Bearer\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{REFUSAL}",
                        REFUSAL.len()
                    );
                    let _ = client.write_all(answer.as_bytes()).await;
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn a_token_opens_a_superlink_with_accounts() {
    let mut link = SuperLink::plain(Isolation::Process);
    link.launch();
    link.healthy().await;
    let port = guard(link.endpoint().port()).await;
    let url = format!("http://127.0.0.1:{port}");
    let endpoint = || ControlEndpoint::parse(&url, None).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let with = |token: &str| {
        let path = dir.path().join(token);
        std::fs::write(&path, token).unwrap();
        ControlClient::connect(&endpoint().with_token_file(&path).unwrap())
    };
    let client = with("right");
    assert!(client.list_runs().await.unwrap().runs.is_empty());
    // A token that another program renews is used at once, whether it is valid or not.
    std::fs::write(dir.path().join("right"), "expired").unwrap();
    // The proxy checks the first request of a connection; an idle connection is closed by now.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let error = client.list_runs().await.unwrap_err();
    assert!(
        matches!(error, ControlError::Unauthenticated(_)),
        "{error:?}"
    );
    std::fs::write(dir.path().join("right"), "right\n").unwrap();
    assert!(client.list_runs().await.unwrap().runs.is_empty());
    for refused in [ControlClient::connect(&endpoint()), with("wrong")] {
        let error = refused.list_runs().await.unwrap_err();
        assert!(
            matches!(error, ControlError::Unauthenticated(_)),
            "{error:?}"
        );
        assert!(!error.to_string().contains("wrong"));
    }
}
