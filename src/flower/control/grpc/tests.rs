//! The gRPC transport against servers on loopback that fail on demand. The contract tests use a
//! real SuperLink.

use std::sync::Mutex;

use futures_util::StreamExt;
use h2::Reason;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::super::dial::Tcp;
use super::*;

const SOON: Duration = Duration::from_secs(5);
const MESSAGE: &[u8] = b"\0\0\0\0\x02ab";

/// How a response ends.
#[derive(Clone)]
enum End {
    Status(&'static str),
    Trailers(Vec<(&'static str, Vec<u8>)>),
    Nothing,
    Reset(Reason),
    Cut,
    Hang,
}

#[derive(Clone)]
struct Reply {
    http: u16,
    kind: &'static str,
    data: Vec<u8>,
    end: End,
}

fn reply(data: &[u8], end: End) -> Reply {
    Reply {
        http: 200,
        kind: "application/grpc",
        data: data.to_vec(),
        end,
    }
}

fn fine() -> Reply {
    reply(MESSAGE, End::Status("0"))
}

fn no_method() -> Reply {
    reply(b"", End::Status("12"))
}

type Script = dyn Fn(&str, usize) -> Reply + Send + Sync;

struct Server {
    port: u16,
    calls: Arc<Mutex<Vec<String>>>,
    /// The token that each call sent.
    logins: Arc<Mutex<Vec<Option<String>>>>,
    connections: Arc<Mutex<usize>>,
}

impl Server {
    /// Answers each call with the result of the script; its input is the name of the call and the
    /// number of earlier calls.
    async fn with(script: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            calls: Arc::default(),
            logins: Arc::default(),
            connections: Arc::default(),
        };
        let (script, calls): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&server.calls));
        let logins = Arc::clone(&server.logins);
        let connections = Arc::clone(&server.connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *connections.lock().unwrap() += 1;
                let (script, calls) = (Arc::clone(&script), Arc::clone(&calls));
                tokio::spawn(serve(stream, script, calls, Arc::clone(&logins)));
            }
        });
        server
    }

    fn transport(&self) -> Grpc {
        transport(self.port)
    }

    fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

fn transport(port: u16) -> Grpc {
    let endpoint = ControlEndpoint::parse(&format!("grpc://127.0.0.1:{port}"), None).unwrap();
    Grpc::new(&endpoint, Arc::new(Tcp::to(&endpoint)))
}

async fn serve(
    stream: tokio::net::TcpStream,
    script: Arc<Script>,
    calls: Arc<Mutex<Vec<String>>>,
    logins: Arc<Mutex<Vec<Option<String>>>>,
) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    let mut open = Vec::new();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let path = request.uri().path().trim_start_matches("/flwr.proto.");
        let before = calls.lock().unwrap().len();
        calls.lock().unwrap().push(path.to_owned());
        let login = request.headers().get("flwr-oidc-access-token");
        let login = login.map(|token| token.to_str().unwrap().to_owned());
        logins.lock().unwrap().push(login);
        let reply = script(path, before);
        if reply.data.is_empty() && matches!(reply.end, End::Hang) {
            open.push((respond, None));
            continue;
        }
        if reply.data.is_empty() && matches!(reply.end, End::Cut) {
            return;
        }
        if let (true, End::Reset(reason)) = (reply.data.is_empty(), &reply.end) {
            respond.send_reset(*reason);
            continue;
        }
        let head = http::Response::builder()
            .status(reply.http)
            .header("content-type", reply.kind);
        let mut body = respond
            .send_response(head.body(()).unwrap(), false)
            .unwrap();
        body.send_data(reply.data.into(), false).unwrap();
        let mut trailers = http::HeaderMap::new();
        match reply.end {
            End::Status(code) => {
                trailers.insert("grpc-status", code.parse().unwrap());
                body.send_trailers(trailers).unwrap();
            }
            End::Trailers(all) => {
                for (name, value) in all {
                    if let Ok(value) = http::HeaderValue::from_bytes(&value) {
                        trailers.insert(name, value);
                    }
                }
                body.send_trailers(trailers).unwrap();
            }
            End::Nothing => body.send_data(Bytes::new(), true).unwrap(),
            End::Reset(reason) => {
                // After the data was sent.
                let sent = std::future::poll_fn(|cx| connection.poll_closed(cx));
                let _ = tokio::time::timeout(Duration::from_millis(50), sent).await;
                body.send_reset(reason);
            }
            End::Cut => {
                let sent = std::future::poll_fn(|cx| connection.poll_closed(cx));
                let _ = tokio::time::timeout(Duration::from_millis(50), sent).await;
                return;
            }
            End::Hang => open.push((respond, Some(body))),
        }
    }
}

async fn asked(reply: Reply) -> Result<Bytes, ControlError> {
    let server = Server::with(move |_, _| reply.clone()).await;
    let transport = server.transport();
    transport.unary(Call::StartRun, Bytes::new(), SOON).await
}

#[tokio::test]
async fn one_connection_carries_all_calls() {
    let server = Server::with(|_, _| fine()).await;
    let transport = server.transport();
    for _ in 0..20 {
        transport.health(SOON).await.unwrap();
    }
    let message = Bytes::from_static(b"request");
    let reply = transport.unary(Call::StartRun, message, SOON).await;
    assert_eq!(reply.unwrap(), "ab");
    assert_eq!(*server.connections.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_broken_connection_is_made_again() {
    let server = Server::with(|_, before| match before {
        1 => reply(b"", End::Cut),
        _ => fine(),
    })
    .await;
    let transport = server.transport();
    transport.health(SOON).await.unwrap();
    let error = transport.health(SOON).await.unwrap_err();
    assert!(matches!(error, ControlError::LostReply { .. }), "{error:?}");
    transport.health(SOON).await.unwrap();
    assert_eq!(*server.connections.lock().unwrap(), 2);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_a_lost_reply() {
    for end in [
        End::Nothing,
        End::Cut,
        End::Reset(Reason::INTERNAL_ERROR),
        End::Status("14"),
    ] {
        for data in [b"", &MESSAGE[..6], MESSAGE] {
            let error = asked(reply(data, end.clone())).await.unwrap_err();
            let is_lost = matches!(error, ControlError::LostReply { .. });
            assert!(is_lost && !error.never_sent(), "{error:?}");
        }
    }
    let error = asked(reply(&MESSAGE[..6], End::Status("0"))).await;
    assert!(matches!(error, Err(ControlError::LostReply { .. })));
    let proxy = Reply {
        http: 502,
        kind: "text/html",
        ..reply(b"<html>", End::Nothing)
    };
    assert!(asked(proxy).await.unwrap_err().outcome_unknown());
}

#[tokio::test]
async fn a_request_that_was_not_looked_at_may_be_sent_again() {
    let server = Server::with(|_, _| reply(b"", End::Reset(Reason::REFUSED_STREAM))).await;
    let error = server.transport().health(SOON).await.unwrap_err();
    assert!(error.never_sent(), "{error:?}");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let nobody = transport(port);
    let error = nobody.unary(Call::StartRun, Bytes::new(), SOON).await;
    assert!(error.unwrap_err().never_sent());
}

#[tokio::test]
async fn strangers_are_asked_nothing() {
    for (said, remedy) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "http or https"),
        (&[21, 3, 3, 0, 2, 2, 10, 0, 0], "grpcs"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not speak gRPC"),
        (b"", "without a response"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut asked = [0; 1000];
                let _ = stream.read(&mut asked).await;
                let _ = stream.write_all(said).await;
            }
        });
        let stranger = transport(port);
        let error = stranger.unary(Call::StartRun, Bytes::new(), SOON).await;
        let error = error.unwrap_err();
        assert!(error.to_string().contains(remedy), "{error}");
        assert!(!error.outcome_unknown(), "{error:?}");
    }
}

#[tokio::test]
async fn a_server_that_never_answers_meets_the_deadline() {
    let server = Server::with(|_, before| match before {
        0 => reply(b"", End::Hang),
        _ => fine(),
    })
    .await;
    let transport = server.transport();
    let short = Duration::from_millis(200);
    let error = transport.unary(Call::StartRun, Bytes::new(), short).await;
    assert!(matches!(error, Err(ControlError::Timeout { .. })));
    transport.health(SOON).await.unwrap();
    assert_eq!(*server.connections.lock().unwrap(), 2);
}

#[tokio::test]
async fn the_service_is_found_and_found_again_after_an_upgrade() {
    let server = Server::with(|path, before| match (path.split('/').next(), before) {
        (Some("Exec"), ..3) | (Some("Control"), 3..) => fine(),
        _ => no_method(),
    })
    .await;
    let transport = server.transport();
    for _ in 0..3 {
        transport.health(SOON).await.unwrap();
    }
    let calls = server.calls();
    let calls: Vec<_> = calls.iter().map(String::as_str).collect();
    let (old, new) = ("Exec/ListRuns", "Control/ListRuns");
    assert_eq!(calls, [new, old, old, old, new]);
}

#[tokio::test]
async fn a_call_that_a_release_lacks_is_not_a_wrong_port() {
    let server = Server::with(|path, _| match path {
        "Exec/ListRuns" => fine(),
        _ => no_method(),
    })
    .await;
    for (call, since) in [
        (Call::StopRun, "1.14.0"),
        (Call::RegisterNode, "1.23.0"),
        (Call::ListFederations, "1.24.0"),
    ] {
        let error = server.transport().unary(call, Bytes::new(), SOON).await;
        let error = error.unwrap_err();
        let ControlError::Unsupported { since: found, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!(found.to_string(), since);
        assert!(error.remedy().unwrap().contains(since));
    }
    let other_port = Server::with(|_, _| no_method()).await;
    for call in [Call::RegisterNode, Call::StartRun, Call::StreamLogs] {
        let error = other_port.transport().unary(call, Bytes::new(), SOON).await;
        assert!(matches!(error, Err(ControlError::Protocol { .. })));
    }
}

#[tokio::test]
async fn a_release_that_fails_over_a_call_that_it_lacks_is_too_old() {
    let failed = || {
        let message = b"Error in service handler!".to_vec();
        let status = vec![("grpc-status", b"2".to_vec()), ("grpc-message", message)];
        reply(b"", End::Trailers(status))
    };
    let server = Server::with(move |path, _| match path {
        "Control/ListRuns" => fine(),
        "Control/ListFederations" | "Control/StartRun" => failed(),
        _ => no_method(),
    })
    .await;
    let ask = async |call| server.transport().unary(call, Bytes::new(), SOON).await;
    let lacking = ask(Call::ListFederations).await.unwrap_err();
    assert!(
        matches!(lacking, ControlError::Unsupported { .. }),
        "{lacking:?}"
    );
    // Every release has this one, so it is a refusal.
    let refused = ask(Call::StartRun).await.unwrap_err();
    assert!(matches!(refused, ControlError::Refused(_)), "{refused:?}");
}

#[tokio::test]
async fn a_log_is_found_after_an_upgrade_as_well() {
    let server = Server::with(|path, before| match (path.split('/').next(), before) {
        (Some("Exec"), ..2) | (Some("Control"), 2..) => fine(),
        _ => no_method(),
    })
    .await;
    let transport = server.transport();
    transport.health(SOON).await.unwrap();
    for _ in 0..2 {
        let frames = transport.stream(Call::StreamLogs, Bytes::new(), SOON).await;
        let seen: Vec<_> = frames.unwrap().collect().await;
        assert!(matches!(seen.as_slice(), [Ok(message)] if message == "ab"));
    }
    let calls = server.calls();
    let streams: Vec<_> = calls[2..].iter().map(String::as_str).collect();
    let (old, new) = ("Exec/StreamLogs", "Control/StreamLogs");
    assert_eq!(streams, [old, new, new]);
}

#[tokio::test]
async fn every_call_says_whose_it_is() {
    let server = Server::with(|_, _| fine()).await;
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    std::fs::write(&token, "secret").unwrap();
    let url = format!("grpc://127.0.0.1:{}", server.port);
    let endpoint = ControlEndpoint::parse(&url, None).unwrap();
    let endpoint = endpoint.with_token_file(&token).unwrap();
    let transport = Grpc::new(&endpoint, Arc::new(Tcp::to(&endpoint)));
    transport.health(SOON).await.unwrap();
    // As another program renews it.
    std::fs::write(&token, "renewed").unwrap();
    let unary = transport.unary(Call::StartRun, Bytes::new(), SOON).await;
    unary.unwrap();
    let frames = transport.stream(Call::StreamLogs, Bytes::new(), SOON).await;
    assert_eq!(frames.unwrap().count().await, 1);
    server.transport().health(SOON).await.unwrap();
    let logins = server.logins.lock().unwrap().clone();
    let logins: Vec<_> = logins.iter().map(Option::as_deref).collect();
    let renewed = Some("renewed");
    assert_eq!(logins, [Some("secret"), renewed, renewed, None]);
}

async fn streamed(service: &'static str, end: End) -> String {
    let log = [MESSAGE, MESSAGE].concat();
    let server = Server::with(move |path, _| match path {
        path if !path.starts_with(service) => no_method(),
        path if path.ends_with("StreamLogs") => reply(&log, end.clone()),
        _ => fine(),
    })
    .await;
    let transport = server.transport();
    let frames = transport.stream(Call::StreamLogs, Bytes::new(), SOON).await;
    let seen: Vec<_> = frames
        .unwrap()
        .map(|item| match item {
            Ok(message) => String::from_utf8(message.to_vec()).unwrap(),
            Err(ControlError::LostReply { .. }) => "lost".to_owned(),
            Err(error) => error.to_string(),
        })
        .collect()
        .await;
    seen.join(" ")
}

#[tokio::test]
async fn a_log_ends_as_its_release_ends_it() {
    assert_eq!(streamed("Control", End::Status("0")).await, "ab ab");
    assert_eq!(streamed("Control", End::Status("1")).await, "ab ab lost");
    assert_eq!(streamed("Control", End::Cut).await, "ab ab lost");
    assert_eq!(streamed("Control", End::Nothing).await, "ab ab lost");
    assert_eq!(streamed("Exec", End::Status("1")).await, "ab ab");
    let reset = End::Reset(Reason::CANCEL);
    assert_eq!(streamed("Exec", reset.clone()).await, "ab ab");
    assert_eq!(streamed("Control", reset).await, "ab ab lost");
}

#[tokio::test]
async fn a_log_without_a_line_is_open_and_a_refused_one_is_not() {
    let server = Server::with(|path, before| match (path, before) {
        ("Control/StreamLogs", 1) => reply(b"", End::Hang),
        ("Control/StreamLogs", _) => reply(b"", End::Status("5")),
        _ => fine(),
    })
    .await;
    let transport = server.transport();
    let open = async || transport.stream(Call::StreamLogs, Bytes::new(), SOON).await;
    let mut frames = open().await.unwrap();
    let silent = tokio::time::timeout(Duration::from_millis(50), frames.next()).await;
    assert!(silent.is_err());
    assert!(matches!(
        open().await.err(),
        Some(ControlError::NotFound(_))
    ));
}

#[tokio::test]
async fn what_is_not_grpc_is_refused() {
    let long = reply(&[0, 0xFF, 0xFF, 0xFF, 0xFF], End::Hang);
    let compressed = reply(&[1, 0, 0, 0, 0], End::Status("0"));
    let twice = reply(&[MESSAGE, MESSAGE].concat(), End::Status("0"));
    let nothing = reply(b"", End::Status("0"));
    let html = Reply {
        kind: "text/html",
        ..fine()
    };
    let error = asked(html).await.unwrap_err();
    assert!(matches!(error, ControlError::Protocol { .. }), "{error:?}");
    // A server that began a gRPC response may have started the run.
    for odd in [long, compressed, twice, nothing] {
        let error = asked(odd).await.unwrap_err();
        assert!(error.outcome_unknown(), "{error:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn noise_is_an_error_and_nothing_worse(
        data in prop::collection::vec(any::<u8>(), 0..40),
        code in prop::collection::vec(any::<u8>(), 0..3),
        text in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let trailers = vec![
            ("grpc-status", code.clone()),
            ("grpc-message", text.clone()),
            ("grpc-status-details-bin", text),
        ];
        let answer = runtime.block_on(asked(reply(&data, End::Trailers(trailers))));
        prop_assert!(answer.is_err() || code == b"0");
    }
}
