//! The first steps of Terraform after a plugin's handshake: connect and request the schema.
//!
//! `cargo xtask bench` measures this for all plugins. It is a separate program so that xtask, which
//! is built before everything else, does not need gRPC.

mod anyone;

use std::error::Error;
use std::future::poll_fn;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use p521::ecdsa::signature::Signer as _;
use p521::pkcs8::DecodePrivateKey as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
use rustls::{ClientConfig, SignatureAlgorithm, SignatureScheme};
use tokio::net::UnixStream;
use tokio_rustls::TlsConnector;

use anyone::Anyone;

const HELP: &str = "Usage: plugin-host SOCKET    prints microseconds from connecting to the schema";

/// Of the kind that Terraform makes for each plugin, and what the bench tells the plugin to expect.
const CERTIFICATE: &str = include_str!("../../src/tfplugin/testdata/host.p521.crt");
const KEY: &str = include_str!("../../src/pki/testdata/p521.pkcs8.pem");

const SCHEMA: &str = "http://localhost/tfplugin6.Provider/GetProviderSchema";

/// A message of no bytes, in gRPC's frame.
const EMPTY: Bytes = Bytes::from_static(&[0; 5]);

/// As large as Terraform's own, so that no answer waits for window updates.
const WINDOW: u32 = 16 << 20;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let asked = match std::env::args().nth(1) {
        Some(socket) => ask(&socket).await,
        None => Err(HELP.into()),
    };
    match asked {
        Ok(taken) => {
            #[expect(clippy::print_stdout, reason = "its answer")]
            {
                println!("{}", taken.as_micros());
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn ask(socket: &str) -> Result<Duration> {
    let connector = TlsConnector::from(Arc::new(tls()?));
    let name = ServerName::try_from("localhost")?;
    let began = Instant::now();
    let stream = UnixStream::connect(socket).await?;
    let stream = connector.connect(name, stream).await?;
    let (client, connection) = h2::client::Builder::new()
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .handshake(stream)
        .await?;
    tokio::spawn(connection);
    let request = http::Request::post(SCHEMA)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())?;
    let (answer, mut body) = client.ready().await?.send_request(request, false)?;
    body.send_data(EMPTY, true)?;
    let (head, mut body) = answer.await?.into_parts();
    let mut bytes = 0;
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        bytes += chunk.len();
        body.flow_control().release_capacity(chunk.len())?;
    }
    let trailers = poll_fn(|context| body.poll_trailers(context)).await?;
    let taken = began.elapsed();
    let status = trailers.as_ref().and_then(|t| t.get("grpc-status"));
    if status.is_none_or(|status| status != "0") || bytes <= EMPTY.len() {
        return Err(format!("no schema: {head:?}, {bytes} bytes, {trailers:?}").into());
    }
    Ok(taken)
}

fn tls() -> Result<ClientConfig> {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes())?;
    let key = p521::SecretKey::from_pkcs8_pem(KEY)?;
    let key = Key(p521::ecdsa::SigningKey::from_slice(&key.to_bytes())?);
    let identity = SingleCertAndKey::from(CertifiedKey::new(vec![certificate], Arc::new(key)));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_client_cert_resolver(Arc::new(identity));
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// Terraform's curve, which ring lacks.
#[derive(Clone)]
struct Key(p521::ecdsa::SigningKey);

impl std::fmt::Debug for Key {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("Key")
    }
}

impl SigningKey for Key {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered
            .contains(&self.scheme())
            .then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for Key {
    fn sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, rustls::Error> {
        let signature: p521::ecdsa::Signature = self.0.sign(message);
        Ok(signature.to_der().as_bytes().to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_NISTP521_SHA512
    }
}
