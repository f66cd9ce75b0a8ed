use std::sync::{Arc, Mutex};

use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::super::super::Claim;
use super::super::access::{Access, Credentials, Host};
use super::super::lease::Holder;
use super::*;

/// The record on the API server, and the number of requests to create it.
#[derive(Default)]
struct Kept {
    record: Option<Json>,
    posts: usize,
    /// How many of these requests conflict with someone else's change of the quota.
    clashes: usize,
}

/// The method and the body.
async fn request(stream: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let (mut verb, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        if verb.is_none() {
            verb = line.split(' ').next().map(str::to_owned);
        }
        let line = line.trim().to_lowercase();
        if let Some(number) = line.strip_prefix("content-length:") {
            length = number.trim().parse().ok()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((verb?, body))
}

impl Kept {
    /// The first request to create the record succeeds, and its reply is lost.
    fn answer(&mut self, verb: &str, body: &[u8]) -> (u16, Json) {
        let status = |code: u16, reason: &str| {
            let words = json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": reason, "reason": reason, "code": code,
            });
            (code, words)
        };
        match (verb, &self.record) {
            ("POST", None) if self.posts < self.clashes => {
                self.posts += 1;
                status(409, "Conflict")
            }
            ("POST", None) => {
                let mut record: Json = serde_json::from_slice(body).unwrap();
                record["metadata"]["uid"] = "1".into();
                self.record = Some(record);
                self.posts += 1;
                status(504, "Timeout")
            }
            ("POST", Some(_)) => {
                self.posts += 1;
                status(409, "AlreadyExists")
            }
            (_, Some(record)) => (200, record.clone()),
            (_, None) => status(404, "NotFound"),
        }
    }
}

async fn serve(listener: TcpListener, kept: Arc<Mutex<Kept>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let mut stream = BufReader::new(stream);
        let Some((verb, body)) = request(&mut stream).await else {
            continue;
        };
        let (code, answer) = kept.lock().unwrap().answer(&verb, &body);
        let answer = answer.to_string();
        let head = format!(
            "HTTP/1.1 {code} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            answer.len()
        );
        let _ = stream.write_all((head + &answer).as_bytes()).await;
        let _ = stream.flush().await;
    }
}

/// An API server, and the access to it.
async fn api_server(kept: Kept) -> (Arc<Mutex<Kept>>, Access) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = format!("http://{}", listener.local_addr().unwrap());
    let kept = Arc::new(Mutex::new(kept));
    tokio::spawn(serve(listener, Arc::clone(&kept)));
    let access = Access {
        credentials: Credentials::Host(Box::new(Host {
            url: host.parse().unwrap(),
            ca_certificate: None,
            token: None,
            token_file: None,
            client_certificate: None,
            client_key: None,
            exec: None,
        })),
        namespace: "a".parse().ok(),
        proxy_url: None,
        tls_server_name: None,
    };
    (kept, access)
}

fn runtime(access: &Access, labels: BTreeMap<String, String>) -> KubernetesRuntime {
    KubernetesRuntime::new(access.clone(), labels, String::new())
}

fn key() -> ObjectRef {
    ObjectRef {
        kind: Kind::SupernodeKey,
        name: "a".parse().unwrap(),
    }
}

#[tokio::test]
async fn a_record_is_made_with_all_labels_once_its_quota_is_counted() {
    let (kept, access) = api_server(Kept {
        clashes: 3,
        ..Kept::default()
    })
    .await;
    let labels = [("team".to_owned(), "fl".to_owned())].into();
    let stop = CancellationToken::new();
    let claim = runtime(&access, labels).claim_record(&key(), &stop).await;
    assert_eq!(claim.unwrap(), Claim::New);
    let kept = kept.lock().unwrap();
    let record = kept.record.as_ref().unwrap();
    assert_eq!(record["metadata"]["labels"]["team"], "fl");
}

#[test]
fn labels_that_the_provider_has_no_more_go() {
    let made_with = json!({ "labels": { "team": "a", "gone": "b" }, "image_prefix": "" });
    let now = [("team", "c"), ("ours", "d")];
    let now = now.map(|(label, value)| (label.to_owned(), value.to_owned()));
    assert_eq!(
        relabelled(Some(&made_with), now.into()),
        json!({ "team": "c", "gone": null, "ours": "d" })
    );
    assert_eq!(relabelled(None, BTreeMap::new()), json!({}));
    let now = json!({ "labels": { "team": "a" }, "image_prefix": "" });
    assert_eq!(
        other_settings(&made_with, &now),
        ["`labels` of the provider has changed since the last apply"]
    );
    assert!(other_settings(&now, &now).is_empty());
}

#[tokio::test]
async fn a_record_whose_answer_was_lost_is_our_own() {
    let (kept, access) = api_server(Kept::default()).await;
    let ours = runtime(&access, BTreeMap::new());
    let stop = CancellationToken::new();
    let claim = ours.claim_record(&key(), &stop).await.unwrap();
    assert_eq!(claim, Claim::New);
    assert_eq!(kept.lock().unwrap().posts, 2, "it was not sent again");

    // For every other client it is the record of another apply.
    let record = kept.lock().unwrap().record.clone().unwrap();
    let record: ConfigMap = serde_json::from_value(record).unwrap();
    assert_eq!(ours.leases.holder(&record), Holder::Us);
    let other = runtime(&access, BTreeMap::new()).leases.holder(&record);
    assert!(matches!(other, Holder::Another { .. }), "{other:?}");
}
