use std::sync::{Arc, Mutex};

use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::super::access::{Access, Credentials};
use super::*;

/// The record as the API server has it, and how many requests to make it there were.
#[derive(Default)]
struct Kept {
    record: Option<Json>,
    posts: usize,
}

/// The verb, and the body.
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
    /// The first request to make it is done, and its answer is lost on the way.
    fn answer(&mut self, verb: &str, body: &[u8]) -> (u16, Json) {
        let status = |code: u16, reason: &str| {
            let words = json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": reason, "reason": reason, "code": code,
            });
            (code, words)
        };
        match (verb, &self.record) {
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

#[tokio::test]
async fn a_record_whose_answer_was_lost_is_our_own() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = format!("http://{}", listener.local_addr().unwrap());
    let kept = Arc::new(Mutex::new(Kept::default()));
    let serving = tokio::spawn(serve(listener, Arc::clone(&kept)));
    let access = Access {
        credentials: Credentials::Host {
            host,
            ca_certificate: None,
            token: None,
            token_file: None,
            client_certificate: None,
            client_key: None,
            exec: None,
        },
        namespace: Some("a".to_owned()),
        proxy_url: None,
        tls_server_name: None,
    };
    let runtime = || KubernetesRuntime::new(access.clone(), BTreeMap::new(), String::new());
    let object = ObjectRef {
        kind: Kind::SupernodeKey,
        name: "a".parse().unwrap(),
    };
    let stop = CancellationToken::new();
    let ours = runtime();
    let claim = ours.claim_record(&object, &stop).await.unwrap();
    assert_eq!(claim, Claim::New);
    assert_eq!(kept.lock().unwrap().posts, 2, "it was not sent again");

    // For everybody else it is the record of another apply.
    let record = kept.lock().unwrap().record.clone().unwrap();
    let record: ConfigMap = serde_json::from_value(record).unwrap();
    assert_eq!(ours.holds.standing(&record), Holder::Us);
    let other = runtime().holds.standing(&record);
    assert!(matches!(other, Holder::Another { .. }), "{other:?}");
    serving.abort();
}
