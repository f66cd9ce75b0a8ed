//! The Service of a SuperLink, and its address.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Event, Service};
use kube::api::ListParams;
use serde_json::Value as Json;
use tokio::time::Instant;

use super::super::{Exposure, ServiceKind};
use super::api::{Api, named};
use super::error::ClusterError;
use super::failure::{latest, words};
use super::names;
use super::ports::FLEET_PORT;

/// How long the request for events may take after the deadline.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// The maximum number of events in a message.
const EVENTS: usize = 3;

impl Api {
    pub(super) async fn apply_service(
        &self,
        name: &str,
        manifest: &Json,
    ) -> Result<Service, ClusterError> {
        self.apply_ours(name, name, manifest).await
    }

    /// Waits until a load balancer has an address.
    pub(super) async fn load_balancer(
        &self,
        name: &str,
        until: Instant,
    ) -> Result<Service, ClusterError> {
        let begun = Instant::now();
        let given = self.until(name, |service: Option<&Service>| {
            service.filter(|one| balancer(one).is_some()).cloned()
        });
        if let Ok(given) = tokio::time::timeout_at(until, given).await {
            return given;
        }
        Err(ClusterError::NoAddress {
            object: named::<Service>(name),
            namespace: self.namespace.clone(),
            seconds: begun.elapsed().as_secs(),
            said: self.said_of_service(name).await,
        })
    }

    async fn said_of_service(&self, name: &str) -> Vec<String> {
        let about = format!("involvedObject.kind=Service,involvedObject.name={name}");
        let about = ListParams::default().fields(&about);
        let events = self.all::<Event>();
        let events = tokio::time::timeout(LAST_WORDS, events.list(&about)).await;
        // The events only add details to the message.
        let mut events = match events {
            Ok(Ok(events)) => events.items,
            Ok(Err(_)) | Err(_) => Vec::new(),
        };
        events.sort_by_key(latest);
        let said = events.iter().rev().take(EVENTS).rev();
        said.map(|event| words(event).to_owned()).collect()
    }
}

/// The address of the Fleet API from outside the pod.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Dialled {
    /// The name or address, if it is not one of the Service's own names.
    pub host: Option<String>,
    /// With the port.
    pub address: String,
}

/// The address of a Service with this exposure, if it is already known. `inside` is its DNS name
/// within the cluster.
pub(super) fn dialled(service: &Service, exposure: &Exposure, inside: &str) -> Option<Dialled> {
    let port = match exposure.kind {
        ServiceKind::NodePort => node_port(service).unwrap_or(FLEET_PORT),
        ServiceKind::ClusterIp | ServiceKind::LoadBalancer => FLEET_PORT,
    };
    let given = match (&exposure.hostname, exposure.kind) {
        (Some(hostname), _) => hostname.clone(),
        (None, ServiceKind::ClusterIp) => {
            return Some(Dialled {
                host: None,
                address: format!("{inside}:{port}"),
            });
        }
        (None, ServiceKind::NodePort) => return None,
        (None, ServiceKind::LoadBalancer) => balancer(service)?,
    };
    let (host, address) = names::dialled(&given, port);
    Some(Dialled {
        host: Some(host),
        address,
    })
}

/// The name or address that a load balancer gave.
fn balancer(service: &Service) -> Option<String> {
    let status = service.status.as_ref()?.load_balancer.as_ref()?;
    let ingress = status.ingress.as_ref()?.first()?;
    ingress.hostname.clone().or_else(|| ingress.ip.clone())
}

/// The node port of a Service.
fn node_port(service: &Service) -> Option<u16> {
    let ports = service.spec.as_ref()?.ports.as_ref()?;
    u16::try_from(ports.first()?.node_port?).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn address(kind: ServiceKind, hostname: Option<&str>, service: &Json) -> Option<String> {
        let exposure = Exposure {
            kind,
            node_port: None,
            hostname: hostname.map(str::to_owned),
            annotations: BTreeMap::default(),
            allow_from: None,
            shared_port: true,
            tls: true,
        };
        let service = serde_json::from_value(service.clone()).unwrap();
        dialled(&service, &exposure, "a.ns.svc").map(|dialled| dialled.address)
    }

    #[test]
    fn what_is_dialled_is_what_the_service_gives_now() {
        use ServiceKind::{ClusterIp, LoadBalancer, NodePort};
        let given = |ingress: Json| json!({ "status": { "loadBalancer": { "ingress": ingress } } });
        let port = |port: u16| json!({ "spec": { "ports": [{ "port": 9092, "nodePort": port }] } });
        for (kind, hostname, service, expected) in [
            (ClusterIp, None, json!({}), Some("a.ns.svc:9092")),
            (ClusterIp, Some("h:1"), json!({}), Some("h:1")),
            (NodePort, None, port(30001), None),
            (NodePort, Some("h"), port(30001), Some("h:30001")),
            (NodePort, Some("h"), port(30002), Some("h:30002")),
            (LoadBalancer, None, json!({}), None),
            (
                LoadBalancer,
                None,
                given(json!([{ "ip": "192.0.2.1" }])),
                Some("192.0.2.1:9092"),
            ),
            (
                LoadBalancer,
                None,
                given(json!([{ "ip": "2001:db8::1" }])),
                Some("[2001:db8::1]:9092"),
            ),
            (
                LoadBalancer,
                None,
                given(json!([{ "hostname": "lb.example" }])),
                Some("lb.example:9092"),
            ),
            (
                LoadBalancer,
                Some("h"),
                given(json!([{ "ip": "192.0.2.1" }])),
                Some("h:9092"),
            ),
        ] {
            let found = address(kind, hostname, &service);
            assert_eq!(
                found.as_deref(),
                expected,
                "{kind:?} {hostname:?} {service}"
            );
        }
    }
}
