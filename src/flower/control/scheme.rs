//! The schemes of Control API addresses, and their protocols.

/// The default port of a Control API with gRPC.
const GRPC_PORT: u16 = 9093;

/// The protocol at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP, since Flower 1.37.
    Http,
    /// gRPC, up to Flower 1.36.
    Grpc,
    /// Unknown: the first call detects it.
    Either,
}

/// A scheme: the protocol, and whether it uses TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
    Grpc,
    Grpcs,
}

impl Scheme {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let all = [Self::Http, Self::Https, Self::Grpc, Self::Grpcs];
        all.into_iter().find(|scheme| scheme.as_str() == text)
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Grpc => "grpc",
            Self::Grpcs => "grpcs",
        }
    }

    pub(super) const fn protocol(self) -> Protocol {
        match self {
            Self::Http | Self::Https => Protocol::Http,
            Self::Grpc | Self::Grpcs => Protocol::Grpc,
        }
    }

    pub(super) const fn has_tls(self) -> bool {
        matches!(self, Self::Https | Self::Grpcs)
    }

    pub(super) const fn of(protocol: Protocol, has_tls: bool) -> Self {
        match (protocol, has_tls) {
            (Protocol::Grpc, false) => Self::Grpc,
            (Protocol::Grpc, true) => Self::Grpcs,
            (Protocol::Http | Protocol::Either, false) => Self::Http,
            (Protocol::Http | Protocol::Either, true) => Self::Https,
        }
    }

    pub(super) const fn usual_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
            Self::Grpc | Self::Grpcs => GRPC_PORT,
        }
    }
}
