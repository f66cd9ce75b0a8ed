//! Listens, says so to the host, and serves until the host asks us to end.
//!
//! A SIGINT that the user meant for Terraform reaches us too, in the middle of work whose outcome
//! must still get into the state: it is ignored, and the host tells us to stop in its own way. When
//! the host dies without a word, work in hand is told to stop and the process ends after it.

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
    /// By a developer with `--debug`: prints how to attach and ends on Ctrl-C.
    Debug,
}

/// Why serving could not start or ended badly.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("no place to listen: {0}")]
    Listen(std::io::Error),
    #[error("the connection to Terraform failed: {0}")]
    Transport(#[from] tonic::transport::Error),
}

/// The same limit as Terraform's own.
const LARGEST_MESSAGE: usize = 256 << 20;
/// How often we look whether the host still lives.
const HOST_CHECK: Duration = Duration::from_secs(2);
/// How long work in hand may take to end when the host is gone.
const LAST_WORK: Duration = Duration::from_mins(1);

/// Serves `provider`, known to Terraform as `name` (`registry…/namespace/type`), until told to end.
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
        Mode::Plugin => say(&handshake::line(network, &address, announced)),
        Mode::Debug => say(&format!(
            "Provider started. Set this where you run Terraform, and end with Ctrl-C:\n\n\t{}",
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
    // Without a host nobody hears the answers, but what is told to stop still tidies up.
    calls.close();
    let _ = tokio::time::timeout(LAST_WORK, calls.wait()).await;
    masking::forget();
    Ok(())
}

/// The only thing that is ever written to standard output.
fn say(line: &str) {
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

/// A host that was killed sends nothing more. Its children then have another parent.
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

/// Where we listen: a unix socket in a folder of our own, or a local TCP port.
enum Listener {
    #[cfg(unix)]
    Unix {
        listener: tokio::net::UnixListener,
        path: std::path::PathBuf,
        /// Removed with what is in it when serving ends.
        _dir: tempfile::TempDir,
    },
    Tcp(TcpListener, std::net::SocketAddr),
}

impl Listener {
    /// A unix socket; TCP where there are none, and where the temporary folder's path is too long
    /// for one.
    async fn bind(host: &Host, kind: &str) -> std::io::Result<Self> {
        #[cfg(unix)]
        match Self::bind_socket(host, kind) {
            // Without certificates, a port would be open to every user of the machine.
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
        // Whatever the umask is: who reaches the socket speaks with us where there is no TLS.
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

/// One connection, in the form in which tonic takes it.
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

/// Connections as they come; each TLS handshake on its own, so that a silent peer blocks nobody.
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

/// Ends the process when the host says so.
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

/// The broker and stdio streams that a host opens and Terraform never uses: open and silent.
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
