//! An API server that is busy: a proxy in front of the real one turns away the first requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use crate::access::account::Cluster;
use crate::tenant::{Tenant, wait};
use crate::workspace::Workspace;

/// How the first connections are answered, one after the other.
const BUSY: [&str; 3] = [
    "429 Too Many Requests\r\nretry-after: 1",
    "503 Service Unavailable",
    "504 Gateway Timeout",
];

/// Passes connections on to the API server, after it was busy for a while; its port.
fn proxy(cluster: &Cluster, turned_away: Arc<AtomicUsize>) -> u16 {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(cluster.ca.as_bytes()).unwrap())
        .unwrap();
    let chain = vec![CertificateDer::from_pem_slice(cluster.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(cluster.key.as_bytes()).unwrap();
    let config =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let address = cluster.host.trim_start_matches("https://").to_owned();
    let listener = wait(TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        wait(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let number = turned_away.fetch_add(1, Ordering::SeqCst);
                let (connector, address) = (connector.clone(), address.clone());
                tokio::spawn(async move {
                    if let Some(answer) = BUSY.get(number) {
                        let mut head = [0; 16 * 1024];
                        let _ = client.read(&mut head).await;
                        let answer = format!(
                            "HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                        );
                        let _ = client.write_all(answer.as_bytes()).await;
                        return;
                    }
                    let server = TcpStream::connect(&address).await.unwrap();
                    let host = address.split(':').next().unwrap().to_owned();
                    let name = ServerName::try_from(host).unwrap();
                    let mut server = connector.connect(name, server).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
    });
    port
}

#[test]
fn an_api_server_that_is_busy_is_asked_again() {
    let tenant = Tenant::a();
    let connections = Arc::new(AtomicUsize::new(0));
    let port = proxy(&Cluster::of(&tenant), Arc::clone(&connections));
    let it = Workspace::new(&format!(
        "provider \"flower\" {{\n  kubernetes = {{\n    host = \"http://127.0.0.1:{port}\"\n    namespace = {:?}\n  }}\n}}\nresource \"flower_supernode_key\" \"a\" {{\n  name = \"a\"\n}}\n",
        tenant.namespace
    ));
    it.apply().succeeded();
    assert!(
        connections.load(Ordering::SeqCst) > BUSY.len(),
        "the API server was never reached"
    );
    it.plan_is_empty();
    it.run(&["destroy", "-auto-approve", "-no-color"])
        .succeeded();
    tenant.nothing_left();
}
