//! The HTTP transport against small servers on loopback with one fault each.

use proptest::prelude::*;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::super::dial::Tcp;
use super::*;
use crate::flower::tls::TlsReason;

const SOON: Duration = Duration::from_secs(5);

fn transport(endpoint: &ControlEndpoint) -> Http {
    Http::new(endpoint, Arc::new(Tcp::to(endpoint)))
}

/// Reads requests and answers each with these bytes, then closes the connection. Returns the port.
async fn server(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer).await;
            let _ = stream.write_all(answer).await;
        }
    });
    port
}

async fn asked(answer: &'static [u8]) -> Result<Bytes, ControlError> {
    let port = server(answer).await;
    let endpoint = ControlEndpoint::parse(&format!("http://127.0.0.1:{port}"), None).unwrap();
    transport(&endpoint)
        .unary(Call::StartRun, Bytes::new(), SOON)
        .await
}

async fn streamed(answer: &'static [u8]) -> Result<Vec<Result<Bytes, ControlError>>, ControlError> {
    let port = server(answer).await;
    let endpoint = ControlEndpoint::parse(&format!("http://127.0.0.1:{port}"), None).unwrap();
    let frames = transport(&endpoint)
        .stream(Call::StreamLogs, Bytes::new(), SOON)
        .await?;
    Ok(futures_util::StreamExt::collect(frames).await)
}

#[tokio::test]
async fn nobody_there_means_never_connected() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    for host in ["127.0.0.1", "name.invalid"] {
        let url = format!("http://{host}:{port}");
        let endpoint = ControlEndpoint::parse(&url, None).unwrap();
        let error = transport(&endpoint).health(SOON).await.unwrap_err();
        assert!(error.never_sent() && !error.outcome_unknown(), "{error:?}");
        let start = format!("cannot reach the SuperLink at {host}:{port}: ");
        assert!(error.to_string().starts_with(&start), "{error}");
    }
}

#[tokio::test]
async fn a_connection_cut_after_the_request_is_a_lost_reply() {
    let whole: [&[u8]; 3] = [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/protobuf\r\ncontent-length: 10\r\n\r\nabc",
        b"HTTP/1.1 200",
    ];
    for answer in whole {
        let error = asked(answer).await.unwrap_err();
        assert!(error.outcome_unknown() && !error.never_sent(), "{error:?}");
    }
}

#[tokio::test]
async fn strangers_are_recognized() {
    let strangers: [&[u8]; 3] = [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\nhi",
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
    ];
    for answer in strangers {
        let error = asked(answer).await.unwrap_err();
        assert!(matches!(error, ControlError::Protocol { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_server_that_never_answers_meets_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let endpoint = ControlEndpoint::parse(&format!("http://127.0.0.1:{port}"), None).unwrap();
    let error = transport(&endpoint)
        .unary(Call::StartRun, Bytes::new(), Duration::from_millis(200))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the SuperLink at 127.0.0.1:{port} did not start the run within 200ms")
    );
    assert!(error.outcome_unknown());
}

#[tokio::test]
async fn a_stream_ends_well_only_between_messages() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/flower-protobuf-stream\r\nconnection: close\r\n\r\n";
    for (body, expected) in [
        (&b"\0\0\0\x02ab\0\0\0\0"[..], "ok:2 ok:0"),
        (b"\0\0\0\x02ab\0\0\0\x05x", "ok:2 lost"),
        (b"\xFF\xFF\xFF\xFF", "odd"),
        (b"", ""),
    ] {
        let answer: &'static [u8] = [head.as_bytes(), body].concat().leak();
        let seen: Vec<String> = streamed(answer)
            .await
            .unwrap()
            .into_iter()
            .map(|frame| match frame {
                Ok(bytes) => format!("ok:{}", bytes.len()),
                Err(ControlError::LostReply { .. }) => "lost".to_owned(),
                Err(_) => "odd".to_owned(),
            })
            .collect();
        assert_eq!(seen.join(" "), expected);
    }
}

#[tokio::test]
async fn connections_are_kept_and_used_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let accepted = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    tokio::spawn({
        let accepted = Arc::clone(&accepted);
        async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                accepted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                tokio::spawn(async move {
                    let mut buffer = [0; 4096];
                    while stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {
                        let _ = stream
                            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                            .await;
                    }
                });
            }
        }
    });
    let endpoint = ControlEndpoint::parse(&format!("http://127.0.0.1:{port}"), None).unwrap();
    let transport = transport(&endpoint);
    for _ in 0..20 {
        transport.health(SOON).await.unwrap();
    }
    assert_eq!(accepted.load(std::sync::atomic::Ordering::Relaxed), 1);
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    Authority {
        issuer: Issuer::new(params, key),
        pem,
    }
}

/// A TLS server with a certificate of this authority that sends no response.
async fn tls_server(authority: &Authority, params: CertificateParams) -> u16 {
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &authority.issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(certificate.der().to_vec())],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer).await;
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                .await;
        }
    });
    port
}

async fn shaken(port: u16, ca: &str) -> Result<(), ControlError> {
    let url = format!("https://127.0.0.1:{port}");
    let endpoint = ControlEndpoint::parse(&url, Some(ca)).unwrap();
    transport(&endpoint).health(SOON).await
}

fn reason(result: Result<(), ControlError>) -> TlsReason {
    match result {
        Err(ControlError::Tls { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn tls_is_trusted_with_the_right_authority_only() {
    let (right, wrong) = (authority(), authority());
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let port = tls_server(&right, params).await;
    shaken(port, &right.pem).await.unwrap();
    shaken(port, &format!("{}{}", wrong.pem, right.pem))
        .await
        .unwrap();
    assert_eq!(
        reason(shaken(port, &wrong.pem).await),
        TlsReason::WrongAuthority
    );
}

#[tokio::test]
async fn a_certificate_for_another_name_or_time_says_so() {
    let authority = authority();
    let params = CertificateParams::new(vec!["superlink.example".to_owned()]).unwrap();
    let port = tls_server(&authority, params).await;
    let found = reason(shaken(port, &authority.pem).await);
    assert!(
        matches!(&found, TlsReason::NameMismatch { detail } if detail.contains("superlink.example")),
        "{found:?}"
    );

    let year = |year| rcgen::date_time_ymd(year, 1, 1);
    for (from, to) in [(2001, 2002), (2901, 2902)] {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (year(from), year(to));
        let port = tls_server(&authority, params).await;
        let found = reason(shaken(port, &authority.pem).await);
        match from {
            2001 => assert!(matches!(found, TlsReason::Expired { .. }), "{found:?}"),
            _ => assert!(matches!(found, TlsReason::NotYetValid { .. }), "{found:?}"),
        }
    }
}

#[tokio::test]
async fn a_server_without_tls_says_so_and_nothing_was_sent() {
    let port = server(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let error = shaken(port, &authority().pem).await.unwrap_err();
    assert!(error.never_sent());
    assert_eq!(
        error.to_string(),
        format!(
            "the provider does not trust the SuperLink at 127.0.0.1:{port}: it does not use TLS"
        )
    );
}

#[tokio::test]
async fn a_tls_server_asked_without_tls_is_no_quiet_failure() {
    let authority = authority();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let port = tls_server(&authority, params).await;
    let endpoint = ControlEndpoint::parse(&format!("http://127.0.0.1:{port}"), None).unwrap();
    let error = transport(&endpoint).health(SOON).await.unwrap_err();
    assert!(matches!(error, ControlError::Protocol { .. }), "{error:?}");
    assert!(error.remedy().unwrap().contains("scheme"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn noise_is_an_error_or_what_was_sent_and_nothing_worse(
        noise in prop::collection::vec(any::<u8>(), 0..200),
        status in prop::sample::select(&[200_u16, 404, 500][..]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let raw: &'static [u8] = noise.clone().leak();
            assert!(asked(raw).await.is_err());
            for kind in [UNARY, STREAM] {
                let head = format!(
                    "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n"
                );
                let answer: &'static [u8] = [head.as_bytes(), noise.as_slice()].concat().leak();
                let unary = asked(answer).await;
                assert_eq!(unary.is_ok(), status == 200 && kind == UNARY);
                assert!(unary.is_err() || unary.unwrap() == noise);
                let frames = streamed(answer).await;
                assert_eq!(frames.is_ok(), status == 200 && kind == STREAM);
                let sent: usize = frames.unwrap_or_default().iter().flatten().map(Bytes::len).sum();
                assert!(sent <= noise.len());
            }
        });
    }
}
