//! A SuperLink with accounts, as far as open-source Flower supports them: behind a proxy that
//! requires the right token.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use crate::workspace::Workspace;

const TOKEN: &str = "account-token-7f3a91";

/// A proxy that forwards to `upstream` only requests with the token; returns its port.
fn guard(upstream: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let upstream = upstream.clone();
            thread::spawn(move || pass(client, &upstream));
        }
    });
    port
}

fn pass(mut client: TcpStream, upstream: &str) {
    let mut head = vec![0; 64 * 1024];
    let read = client.read(&mut head).unwrap_or(0);
    head.truncate(read);
    let text = String::from_utf8_lossy(&head).to_lowercase();
    if !text.contains(&format!("authorization: bearer {TOKEN}\r\n")) {
        let refusal = "{\"code\":36,\"detail\":\"Authentication failed\"}";
        let _ = write!(
            client,
            "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{refusal}",
            refusal.len()
        );
        return;
    }
    let mut server = TcpStream::connect(upstream).unwrap();
    server.write_all(&head).unwrap();
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let _ = std::io::copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Both);
}

const SUPERLINK: &str = r#"
resource "flower_superlink" "main" {
  name     = "main"
  insecure = true
}
"#;

fn with_run(token: &str, port: u16) -> String {
    format!(
        r#"
variable "token" {{
  default   = "{token}"
  ephemeral = true
}}
provider "flower" {{
  control_token = var.token
}}
{SUPERLINK}
resource "flower_app_run" "r" {{
  control    = {{ url = "http://127.0.0.1:{port}" }}
  source     = {{ path = "${{path.module}}/app" }}
  run_config = {{ fail-in = "never" }}
  wait       = {{ until = "submitted" }}
  depends_on = [flower_superlink.main]
}}
"#
    )
}

#[test]
fn a_token_in_the_provider_opens_a_superlink_with_accounts_and_is_written_nowhere() {
    let it = Workspace::new(&format!("provider \"flower\" {{}}\n{SUPERLINK}"));
    it.app();
    it.apply().succeeded();
    let url = it.state("flower_superlink.main")["control"]["url"].clone();
    let port = guard(url.as_str().unwrap().replace("http://", ""));

    it.configure(&with_run("account-token-wrong", port));
    it.apply()
        .failed_with(&["The run was not submitted", "control_token"]);
    it.configure(&with_run("not one token", port));
    it.plan()
        .failed_with(&["The token for SuperLinks cannot be used", "control_token"]);

    it.configure(&with_run(TOKEN, port));
    it.apply().succeeded();
    it.plan_is_empty();
    assert!(
        !it.written().contains("account-token"),
        "a token is written"
    );
    // Reads and stops need the token, too.
    it.destroy();
}
