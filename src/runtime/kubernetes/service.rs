//! The Service before a SuperLink, and what it is reached by.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Event, Service};
use kube::api::ListParams;
use serde_json::Value as Json;

use super::api::{Api, named};
use super::error::ClusterError;
use super::failure::{latest, words};

/// How long its events are asked for once its time is over.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How many of them are told.
const EVENTS: usize = 3;

impl Api {
    pub(super) async fn apply_service(
        &self,
        name: &str,
        manifest: &Json,
    ) -> Result<Service, ClusterError> {
        self.apply_ours(name, name, manifest).await
    }

    /// Waits until a load balancer has an address: a name or an IP.
    pub(super) async fn load_balancer(
        &self,
        name: &str,
        until: Instant,
    ) -> Result<String, ClusterError> {
        let begun = Instant::now();
        let given = self.until(name, |service: Option<&Service>| {
            let status = service?.status.as_ref()?.load_balancer.as_ref()?;
            let ingress = status.ingress.as_ref()?.first()?;
            ingress.hostname.clone().or_else(|| ingress.ip.clone())
        });
        if let Ok(given) = tokio::time::timeout_at(until.into(), given).await {
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
        // They only add to what is told.
        let mut events = match events {
            Ok(Ok(events)) => events.items,
            Ok(Err(_)) | Err(_) => Vec::new(),
        };
        events.sort_by_key(latest);
        let said = events.iter().rev().take(EVENTS).rev();
        said.map(|event| words(event).to_owned()).collect()
    }
}

/// The port on every node that a Service was given.
pub(super) fn node_port(service: &Service) -> Option<u16> {
    let ports = service.spec.as_ref()?.ports.as_ref()?;
    u16::try_from(ports.first()?.node_port?).ok()
}
