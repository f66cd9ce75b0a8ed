//! Ports, addresses and connections of objects.

use std::collections::BTreeMap;
use std::time::Instant;

use async_trait::async_trait;

use super::{Exposure, Managed, ObjectRef, Port, RuntimeError};
use crate::pod_address::PodAddress;

/// What an object's places depend on.
#[derive(Debug, Clone, Copy)]
pub struct LayoutRequest<'a> {
    pub object: &'a Managed,
    pub ports: &'a [Port],
    /// A port that must be this one, where ports are chosen.
    pub fixed: Option<(Port, u16)>,
    /// How SuperNodes reach it, for what they dial.
    pub exposure: Option<&'a Exposure>,
    /// Until when an address may be waited for.
    pub until: Instant,
}

/// Where the parts of an object are, as its processes see them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// The address that servers bind.
    pub bind_host: String,
    /// The address that a Fleet API with a port of its own binds.
    pub fleet_bind_host: String,
    pub ports: BTreeMap<Port, u16>,
    /// `host:port` that SuperNodes dial, when that is not where the server listens.
    pub fleet_address: Option<String>,
    /// Where the Control API is reached through the runtime, when it listens for its pod alone.
    pub control: Option<PodAddress>,
    /// Names and addresses by which it is dialled, for its certificate.
    pub dns_names: Vec<String>,
    pub ip_addresses: Vec<String>,
    /// Where health services listen, if somebody asks them.
    pub health: Option<HealthPorts>,
    /// The folder of [`Workload::files`](super::Workload::files).
    pub files: String,
    /// A folder that outlives the processes.
    pub state: String,
    /// A folder that Flower may fill.
    pub home: String,
}

/// The ports of the gRPC health services of an object's processes, on all addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthPorts {
    /// Of the SuperLink or SuperNode.
    pub main: u16,
    /// Of the SuperExec beside it.
    pub superexec: u16,
}

/// A connection to a port of an object.
pub trait Connection: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}

impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Connection for T {}

/// Where objects listen, and how they are reached.
#[async_trait]
pub trait Network: Send + Sync {
    /// Where the parts of an object are. Ports are chosen once; `fixed` ones must be free.
    async fn layout(&self, request: LayoutRequest<'_>) -> Result<Layout, RuntimeError>;

    /// Connects to a port on which a process of an object listens for its pod alone. Without pods every
    /// port is reached where it listens.
    async fn connect(&self, _: &PodAddress, _: u16) -> Result<Box<dyn Connection>, RuntimeError> {
        Err(RuntimeError::NoPods)
    }

    /// What SuperNodes dial to reach an object that is exposed so, as it is now: somebody else may give
    /// out that address. `None` where nobody does, or where it is not known.
    async fn fleet_address(
        &self,
        _: &ObjectRef,
        _: &Exposure,
    ) -> Result<Option<String>, RuntimeError> {
        Ok(None)
    }
}
