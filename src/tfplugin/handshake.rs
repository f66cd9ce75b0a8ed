//! The handshake with a go-plugin host: reads its environment variables, and builds the one line
//! for standard output.

use std::env;

/// The major version of Terraform's protocol.
const PROTOCOL: &str = "6";
/// The version of go-plugin's own protocol.
const CORE_PROTOCOL: &str = "1";
const COOKIE_KEY: &str = "TF_PLUGIN_MAGIC_COOKIE";
const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/// The settings of the host.
#[derive(Debug, Clone, Default)]
pub(super) struct Host {
    /// The only certificate that may connect to us, as PEM; `None` if AutoMTLS is off.
    pub client_certificate: Option<String>,
    /// The folder for the Unix socket.
    pub socket_dir: Option<String>,
    /// The TCP ports that we may use if Unix sockets are not available.
    pub ports: (u16, u16),
}

/// Why the handshake failed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum HandshakeError {
    #[error(
        "This binary is a plugin. These are not meant to be executed directly.\n\
         Please execute the program that consumes these plugins, which will\n\
         load any plugins automatically"
    )]
    NotAPlugin,
    #[error(
        "this provider needs Terraform's plugin protocol {PROTOCOL}, but the host offers only {0}: \
                 use Terraform 1.0 or newer"
    )]
    Protocol(String),
}

impl Host {
    pub(super) fn from_environment() -> Result<Self, HandshakeError> {
        let text = |key: &str| env::var(key).ok().filter(|text| !text.is_empty());
        if text(COOKIE_KEY).as_deref() != Some(COOKIE) {
            return Err(HandshakeError::NotAPlugin);
        }
        if let Some(offered) = text("PLUGIN_PROTOCOL_VERSIONS")
            && !offered.split(',').any(|one| one.trim() == PROTOCOL)
        {
            return Err(HandshakeError::Protocol(offered));
        }
        let port = |key: &str, otherwise: u16| {
            text(key)
                .and_then(|port| port.parse().ok())
                .unwrap_or(otherwise)
        };
        Ok(Self {
            client_certificate: text("PLUGIN_CLIENT_CERT"),
            socket_dir: text("PLUGIN_UNIX_SOCKET_DIR"),
            ports: (
                port("PLUGIN_MIN_PORT", 10_000),
                port("PLUGIN_MAX_PORT", 25_000),
            ),
        })
    }
}

/// The line that tells the host our address and our certificate.
pub(super) fn line(network: &str, address: &str, certificate: Option<&str>) -> String {
    let certificate = certificate.unwrap_or_default();
    format!("{CORE_PROTOCOL}|{PROTOCOL}|{network}|{address}|grpc|{certificate}")
}

/// The value of `TF_REATTACH_PROVIDERS`, with which Terraform uses a running provider.
pub(super) fn reattach(name: &str, network: &str, address: &str) -> String {
    let config = serde_json::json!({
        name: {
            "Protocol": "grpc",
            "ProtocolVersion": 6,
            "Pid": std::process::id(),
            "Test": true,
            "Addr": { "Network": network, "String": address },
        }
    });
    format!("TF_REATTACH_PROVIDERS='{config}'")
}
