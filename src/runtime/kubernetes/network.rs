//! Ports, Services and port-forwards of pods.

use async_trait::async_trait;

use super::super::{
    Connection, Exposure, Layout, LayoutRequest, Network, ObjectRef, RuntimeError, ServiceKind,
};
use super::ports::port_number;
use super::{
    ANY, ARTIFACTS, FILES, HEALTH, HOME, KubernetesRuntime, LOOPBACK, STATE, forward, manifest,
    names, service,
};
use crate::pod_address::PodAddress;

#[async_trait]
impl Network for KubernetesRuntime {
    async fn layout(&self, request: LayoutRequest<'_>) -> Result<Layout, RuntimeError> {
        let object = request.object.object();
        let api = self.api().await?;
        let name = names::of(object);
        let begun = self.begin_change(api, object, &name).await?;
        let mut layout = Layout {
            bind_host: LOOPBACK.to_owned(),
            fleet_bind_host: ANY.to_owned(),
            ports: request
                .ports
                .iter()
                .map(|port| (*port, port_number(*port)))
                .collect(),
            fleet_address: None,
            control: None,
            dns_names: vec!["localhost".to_owned()],
            ip_addresses: vec![LOOPBACK.to_owned()],
            files: FILES.to_owned(),
            state: STATE.to_owned(),
            home: HOME.to_owned(),
            artifacts: ARTIFACTS.to_owned(),
            health: Some(HEALTH),
        };
        let Some(exposure) = request.exposure else {
            return Ok(layout);
        };
        layout.control = Some(PodAddress::new(api.namespace.clone(), name.clone()));
        let names = names::service_names(&name, &api.namespace);
        layout.dns_names.extend(names);
        let context = self.context(object).await?;
        let manifest = manifest::service(&context, exposure);
        let mut service = match api.apply_service(&name, &manifest).await {
            Ok(service) => service,
            Err(error) => {
                // A request without a reply may have been applied.
                if begun && !error.may_pass() {
                    self.take_back_change(api, object, &name).await?;
                }
                return Err(error.into());
            }
        };
        if exposure.kind == ServiceKind::LoadBalancer {
            // Even if a hostname is set, no SuperNode can connect before the load balancer has an
            // address.
            service = api.load_balancer(&name, request.until).await?;
        }
        let inside = names::inside(&name, &api.namespace);
        let dialled = service::dialled(&service, exposure, &inside);
        let dialled = dialled.ok_or(RuntimeError::NoHostname)?;
        if let Some(host) = dialled.host {
            if host.parse::<std::net::IpAddr>().is_ok() {
                layout.ip_addresses.push(host);
            } else {
                layout.dns_names.push(host);
            }
        }
        layout.fleet_address = Some(dialled.address);
        Ok(layout)
    }

    async fn connect(
        &self,
        pod: &PodAddress,
        port: u16,
    ) -> Result<Box<dyn Connection>, RuntimeError> {
        let api = self.api().await?;
        Ok(forward::connect(api, pod, port).await?)
    }

    async fn fleet_address(
        &self,
        object: &ObjectRef,
        exposure: &Exposure,
    ) -> Result<Option<String>, RuntimeError> {
        let name = names::of(object);
        let api = self.api().await?;
        let listing = self.listings.get(api).await?;
        let inside = names::inside(&name, &api.namespace);
        let service = listing.services.get(&name);
        let dialled = service.and_then(|service| service::dialled(service, exposure, &inside));
        Ok(dialled.map(|dialled| dialled.address))
    }
}
