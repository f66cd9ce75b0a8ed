//! Ports, addresses and connections of objects.

use std::collections::BTreeMap;

use async_trait::async_trait;
use tokio::time::Instant;

use super::{Exposure, Managed, ObjectRef, Port, RuntimeError};
use crate::pod_address::PodAddress;

/// The inputs of a layout.
#[derive(Debug, Clone, Copy)]
pub struct LayoutRequest<'a> {
    pub object: &'a Managed,
    pub ports: &'a [Port],
    /// A port with a fixed number, if the runtime chooses ports.
    pub fixed: Option<(Port, u16)>,
    /// How SuperNodes reach the object, for the address that they use.
    pub exposure: Option<&'a Exposure>,
    /// The deadline for an address.
    pub until: Instant,
}

/// The addresses and paths of an object, as its processes see them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// The address to which servers bind.
    pub bind_host: String,
    /// The address to which a Fleet API with its own port binds.
    pub fleet_bind_host: String,
    pub ports: BTreeMap<Port, u16>,
    /// The `host:port` to which SuperNodes connect, if it differs from the listening address.
    pub fleet_address: Option<String>,
    /// The address of the Control API through the runtime, if it listens only inside its pod.
    pub control: Option<PodAddress>,
    /// The names and addresses of the object, for its certificate.
    pub dns_names: Vec<String>,
    pub ip_addresses: Vec<String>,
    /// The ports of the health services, if something uses them.
    pub health: Option<HealthPorts>,
    /// The folder of [`Workload::files`](super::Workload::files).
    pub files: String,
    /// A folder for data that outlives the processes.
    pub state: String,
    /// A folder in which Flower may write.
    pub home: String,
    /// The folder in which ServerApps may leave files, if the object has one.
    pub artifacts: String,
}

/// The ports of the gRPC health services of an object's processes, on all addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthPorts {
    /// The port of the SuperLink or SuperNode.
    pub main: u16,
    /// The port of the SuperExec beside it.
    pub superexec: u16,
}

/// A connection to a port of an object.
pub trait Connection: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}

impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Connection for T {}

/// The listening addresses of objects, and connections to them.
#[async_trait]
pub trait Network: Send + Sync {
    /// Assigns the addresses and paths of an object. Ports are chosen once; `fixed` ones must be
    /// free.
    async fn layout(&self, request: LayoutRequest<'_>) -> Result<Layout, RuntimeError>;

    /// Connects to a port of a process that listens only inside its pod. In runtimes without pods,
    /// the address of every port can be reached directly.
    async fn connect(&self, _: &PodAddress, _: u16) -> Result<Box<dyn Connection>, RuntimeError> {
        Err(RuntimeError::NoPods)
    }

    /// The current address to which SuperNodes connect, for an object with this exposure: a third
    /// party may assign it. `None` if there is no such party, or the address is not known.
    async fn fleet_address(
        &self,
        _: &ObjectRef,
        _: &Exposure,
    ) -> Result<Option<String>, RuntimeError> {
        Ok(None)
    }
}
