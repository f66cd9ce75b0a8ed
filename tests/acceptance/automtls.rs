//! Only the host that started the provider may call it.

#[path = "../../benches/host/anyone.rs"]
mod anyone;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio_rustls::TlsConnector;

use anyone::Anyone;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A provider that was started for one host.
struct Provider {
    process: Child,
    address: String,
    announced: String,
}

impl Provider {
    fn start(host_certificate: &str) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_terraform-provider-flower"))
            .env(
                "TF_PLUGIN_MAGIC_COOKIE",
                "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2",
            )
            .env("PLUGIN_PROTOCOL_VERSIONS", "5,6")
            .env("PLUGIN_CLIENT_CERT", host_certificate)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let parts: Vec<_> = line.trim().split('|').collect();
        assert_eq!(&parts[..3], ["1", "6", "unix"], "{line}");
        Self {
            address: parts[3].to_owned(),
            announced: parts[5].to_owned(),
            process,
        }
    }

    /// Whether it accepts an HTTP/2 connection with this client certificate.
    async fn serves(&self, shown: Option<Arc<CertifiedKey>>) -> bool {
        let mut config = ClientConfig::builder_with_provider(crypto())
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone))
            .with_client_cert_resolver(Arc::new(Shows(shown)));
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = UnixStream::connect(&self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connected = TlsConnector::from(Arc::new(config)).connect(name, stream);
        let Ok(mut stream) = connected.await else {
            return false;
        };
        let mut head = [0; 9];
        stream.write_all(PREFACE).await.is_ok()
            && stream.read_exact(&mut head).await.is_ok()
            && head[3] == 4
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn crypto() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A certificate as PEM, and the TLS identity of the owner of `key`.
fn certified(certificate: &rcgen::Certificate, key: &rcgen::KeyPair) -> Arc<CertifiedKey> {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let key = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
    Arc::new(CertifiedKey::new(vec![certificate.der().clone()], key))
}

#[tokio::test]
async fn only_the_host_itself_is_served() {
    let made = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (host, other) = (made(), made());
    let provider = Provider::start(&host.cert.pem());
    assert!(!provider.announced.is_empty(), "no certificate announced");
    assert!(
        !provider.announced.contains('='),
        "Terraform reads it without padding"
    );

    let the_host = certified(&host.cert, &host.signing_key);
    let foreign = certified(&other.cert, &other.signing_key);
    let stolen = certified(&host.cert, &other.signing_key);
    assert!(provider.serves(Some(Arc::clone(&the_host))).await);
    assert!(!provider.serves(None).await, "no certificate");
    assert!(!provider.serves(Some(foreign)).await, "another's");
    assert!(!provider.serves(Some(stolen)).await, "without its key");
    assert!(provider.serves(Some(the_host)).await, "still there");
}

#[derive(Debug)]
struct Shows(Option<Arc<CertifiedKey>>);

impl ResolvesClientCert for Shows {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.clone()
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}
