//! Connections through the API server to a port on the loopback of a pod. A port-forward over a
//! websocket can use each port only once, so each connection is a port-forward of its own. A client
//! that needs few of them must keep and share its connections.

use std::pin::Pin;
use std::task::{Context, Poll};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::Portforwarder;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use super::super::Connection;
use super::api::{Api, named};
use super::error::ClusterError;
use super::names;
use crate::pod_address::PodAddress;

/// Connects to `port` of the pod at this address.
pub(super) async fn connect(
    api: &Api,
    address: &PodAddress,
    port: u16,
) -> Result<Box<dyn Connection>, ClusterError> {
    let name = address.name();
    let api = api.within(address.namespace());
    // The pod is looked up for each connection: it may have been replaced, and connections are few.
    let pod = running(&api, name).await?.name_any();
    let mut forward =
        api.all::<Pod>()
            .portforward(&pod, &[port])
            .await
            .map_err(|error| match api.failed(error, &named::<Pod>(&pod)) {
                // The reply contains no message.
                ClusterError::Forbidden { .. } => ClusterError::Forbidden {
                    words: format!(
                        "a port-forward to {} needs the rights \"get\" and \"create\" for \
                         pods/portforward",
                        named::<Pod>(&pod)
                    ),
                },
                other => other,
            })?;
    let stream = forward.take_stream(port).ok_or(ClusterError::NoPod {
        object: name.to_owned(),
    })?;
    Ok(Box::new(Forwarded {
        stream,
        _forward: forward,
    }))
}

/// The newest pod of the object whose containers run.
pub(super) async fn running(api: &Api, name: &str) -> Result<Pod, ClusterError> {
    let pods = api.list::<Pod>(&names::query(name)).await?;
    let mut running: Vec<Pod> = pods
        .items
        .into_iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none())
        .filter(|pod| {
            let phase = pod
                .status
                .as_ref()
                .and_then(|status| status.phase.as_deref());
            phase == Some("Running")
        })
        .collect();
    running.sort_by_key(|pod| pod.metadata.creation_timestamp.clone());
    running.pop().ok_or(ClusterError::NoPod {
        object: name.to_owned(),
    })
}

struct Forwarded {
    stream: DuplexStream,
    /// The port-forward ends when this is dropped.
    _forward: Portforwarder,
}

impl AsyncRead for Forwarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Forwarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
