//! Listens, announces the address to the host, and serves until the host ends the process.
//!
//! Ctrl-C also sends SIGINT to this process, in the middle of work whose result must still get into
//! the state. The provider ignores the signal; Terraform stops it with its own call. If Terraform
//! is killed, running operations are stopped, and the process ends after them.

use std::convert::Infallible;
use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status, Streaming};

use super::handshake::{self, HandshakeError, Host};
use super::log;
use super::proto::plugin::{
    ConnInfo, Empty, StdioData, grpc_broker_server, grpc_controller_server, grpc_stdio_server,
};
use super::proto::provider_server;
use super::provider::Provider;
use super::service::Service;
use super::tls::{Identity, TlsError};
use crate::masking;

/// How the process was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// By Terraform, as a plugin.
    Plugin,
    /// By a developer with `--debug`: prints how to attach, and ends on Ctrl-C.
    Debug,
}

/// Why serving failed.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("cannot listen for connections: {0}")]
    Listen(std::io::Error),
    #[error("the connection to Terraform failed: {0}")]
    Transport(#[from] tonic::transport::Error),
}

/// The same limit as in Terraform.
const LARGEST_MESSAGE: usize = 256 << 20;
/// How often to check whether the host is alive.
const HOST_CHECK: Duration = Duration::from_secs(2);
/// How long running operations may take to end after the host has died.
const LAST_WORK: Duration = Duration::from_mins(1);

/// Serves `provider`, which Terraform calls `name` (`registry…/namespace/type`), until it is
/// stopped.
pub async fn serve<P: Provider>(provider: P, name: &str, mode: Mode) -> Result<(), ServeError> {
    let kind = name.rsplit('/').next().unwrap_or(name);
    log::start(kind);
    let host = match mode {
        Mode::Plugin => Host::from_environment()?,
        Mode::Debug => Host::default(),
    };
    let identity = match &host.client_certificate {
        Some(pem) => Some(Identity::for_client(pem)?),
        None => None,
    };
    let listener = Listener::bind(&host, kind)
        .await
        .map_err(ServeError::Listen)?;
    let announced = identity
        .as_ref()
        .map(|identity| identity.announced.as_str());
    let (network, address) = (listener.network(), listener.address());
    match mode {
        Mode::Plugin => print_line(&handshake::line(network, &address, announced)),
        Mode::Debug => print_line(&format!(
            "Provider started. Set this variable where you run Terraform; press Ctrl-C to stop:\n\n\t{}",
            handshake::reattach(name, network, &address)
        )),
    }
    let stop = CancellationToken::new();
    let end = CancellationToken::new();
    watch_signals(mode, end.clone());
    if mode == Mode::Plugin {
        watch_host(stop.clone(), end.clone());
    }
    let acceptor = identity.map(|identity| TlsAcceptor::from(identity.config));
    let calls = TaskTracker::new();
    let controller = Controller { end: end.clone() };
    let service = provider_server::ProviderServer::new(Service::new(provider, stop, calls.clone()))
        .max_decoding_message_size(LARGEST_MESSAGE)
        .max_encoding_message_size(LARGEST_MESSAGE);
    tonic::transport::Server::builder()
        .add_service(service)
        .add_service(grpc_controller_server::GrpcControllerServer::new(
            controller,
        ))
        .add_service(grpc_broker_server::GrpcBrokerServer::new(SideChannels))
        .add_service(grpc_stdio_server::GrpcStdioServer::new(SideChannels))
        .serve_with_incoming_shutdown(incoming(listener, acceptor), async move {
            end.cancelled().await;
        })
        .await?;
    // Without a host nobody receives the responses, but operations still clean up when they are
    // stopped.
    calls.close();
    let _ = tokio::time::timeout(LAST_WORK, calls.wait()).await;
    masking::forget();
    Ok(())
}

/// Writes the only line that goes to standard output.
fn print_line(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

fn watch_signals(mode: Mode, end: CancellationToken) {
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            if mode == Mode::Debug {
                end.cancel();
                return;
            }
        }
    });
}

/// A killed host sends no request, but its child processes get another parent.
#[cfg(unix)]
fn watch_host(stop: CancellationToken, end: CancellationToken) {
    let host = std::os::unix::process::parent_id();
    tokio::spawn(async move {
        while std::os::unix::process::parent_id() == host {
            tokio::time::sleep(HOST_CHECK).await;
        }
        stop.cancel();
        end.cancel();
        tokio::time::sleep(LAST_WORK + HOST_CHECK).await;
        std::process::exit(1);
    });
}

#[cfg(not(unix))]
fn watch_host(_stop: CancellationToken, _end: CancellationToken) {}

/// A listener: a Unix socket in its own folder, or a local TCP port.
enum Listener {
    #[cfg(unix)]
    Unix {
        listener: tokio::net::UnixListener,
        path: std::path::PathBuf,
        /// Deleted with its content when serving ends.
        _dir: tempfile::TempDir,
    },
    Tcp(TcpListener, std::net::SocketAddr),
}

impl Listener {
    /// Listens on a Unix socket; on TCP if there are none, or if the path of the temporary folder
    /// is too long for one.
    async fn bind(host: &Host, kind: &str) -> std::io::Result<Self> {
        #[cfg(unix)]
        match Self::bind_socket(host, kind) {
            // Without certificates, every user of the machine could connect to the port.
            Err(error) if host.client_certificate.is_some() => {
                tracing::info!(%error, "no unix socket, listening on TCP");
            }
            bound => return bound,
        }
        Self::bind_port(host).await
    }

    #[cfg(unix)]
    fn bind_socket(host: &Host, kind: &str) -> std::io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        let prefix = format!("tf-{kind}-");
        builder.prefix(&prefix);
        // Set whatever the umask is: without TLS, access to the socket is access to the provider.
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let dir = match &host.socket_dir {
            Some(parent) => builder.tempdir_in(parent)?,
            None => builder.tempdir()?,
        };
        let path = dir.path().join("plugin.sock");
        let listener = tokio::net::UnixListener::bind(&path)?;
        Ok(Self::Unix {
            listener,
            path,
            _dir: dir,
        })
    }

    async fn bind_port(host: &Host) -> std::io::Result<Self> {
        let mut last = std::io::Error::other("no port to try");
        for port in host.ports.0..=host.ports.1 {
            match TcpListener::bind(("127.0.0.1", port)).await {
                Ok(listener) => {
                    let address = listener.local_addr()?;
                    return Ok(Self::Tcp(listener, address));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn network(&self) -> &'static str {
        match self {
            #[cfg(unix)]
            Self::Unix { .. } => "unix",
            Self::Tcp(..) => "tcp",
        }
    }

    fn address(&self) -> String {
        match self {
            #[cfg(unix)]
            Self::Unix { path, .. } => path.display().to_string(),
            Self::Tcp(_, address) => address.to_string(),
        }
    }

    async fn accept(&self) -> std::io::Result<Box<dyn Duplex>> {
        Ok(match self {
            #[cfg(unix)]
            Self::Unix { listener, .. } => Box::new(listener.accept().await?.0),
            Self::Tcp(listener, _) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
        })
    }
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection in the form that tonic expects.
struct Connection(Box<dyn Duplex>);

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// New connections; each TLS handshake is its own task, so that a silent client blocks nobody.
fn incoming(
    listener: Listener,
    acceptor: Option<TlsAcceptor>,
) -> impl Stream<Item = Result<Connection, Infallible>> {
    let (send, receive) = tokio::sync::mpsc::channel(8);
    tokio::spawn(async move {
        while let Some(accepted) = tokio::select! {
            accepted = listener.accept() => Some(accepted),
            () = send.closed() => None,
        } {
            let Ok(stream) = accepted else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let (send, acceptor) = (send.clone(), acceptor.clone());
            tokio::spawn(async move {
                let connection = match acceptor {
                    None => stream,
                    Some(acceptor) => match acceptor.accept(stream).await {
                        Ok(stream) => Box::new(stream) as Box<dyn Duplex>,
                        Err(refused) => {
                            tracing::warn!(%refused, "a connection was refused");
                            return;
                        }
                    },
                };
                let _ = send.send(Ok(Connection(connection))).await;
            });
        }
    });
    ReceiverStream::new(receive)
}

/// Ends the process when the host asks for it.
struct Controller {
    end: CancellationToken,
}

#[tonic::async_trait]
impl grpc_controller_server::GrpcController for Controller {
    async fn shutdown(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.end.cancel();
        Ok(Response::new(Empty {}))
    }
}

/// The broker and stdio streams: a host opens them, and Terraform never uses them.
struct SideChannels;

type Silent<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl grpc_broker_server::GrpcBroker for SideChannels {
    type StartStreamStream = Silent<ConnInfo>;

    async fn start_stream(
        &self,
        _: Request<Streaming<ConnInfo>>,
    ) -> Result<Response<Self::StartStreamStream>, Status> {
        Ok(Response::new(Box::pin(tokio_stream::pending())))
    }
}

#[tonic::async_trait]
impl grpc_stdio_server::GrpcStdio for SideChannels {
    type StreamStdioStream = Silent<StdioData>;

    async fn stream_stdio(
        &self,
        _: Request<Empty>,
    ) -> Result<Response<Self::StreamStdioStream>, Status> {
        Ok(Response::new(Box::pin(tokio_stream::pending())))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn the_folder_of_the_socket_is_for_its_owner_alone() {
        let parent = tempfile::tempdir().unwrap();
        let host = Host {
            socket_dir: Some(parent.path().display().to_string()),
            ..Host::default()
        };
        let listener = Listener::bind(&host, "flower").await.unwrap();
        let socket = std::path::PathBuf::from(listener.address());
        let folder = std::fs::metadata(socket.parent().unwrap()).unwrap();
        assert_eq!(folder.permissions().mode() & 0o7777, 0o700);
    }
}
