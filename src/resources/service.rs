//! The Service in front of a SuperLink.

use std::collections::BTreeMap;

use super::labels;
use crate::runtime::{Exposure, ServiceKind};
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::schema::{Maybe, ModelPath, Tree, optional};
use crate::{at, choice_attribute, model};

model! {
    /// How SuperNodes reach the SuperLink in the runtime `kubernetes`; other runtimes ignore it.
    /// The Service exposes only the Fleet API: the Control API stays inside the pod.
    pub struct ServiceSettings {
        /// The type of the Service. Allowed values: `NodePort` (reachable on every Kubernetes
        /// node), `LoadBalancer` (the SuperLink gets an address from the cloud provider; the apply
        /// waits for this address, even if `hostname` is set), and `ClusterIP` (default; reachable
        /// only from within the cluster).
        service_type: Option<ServiceKind> = optional(),
        /// The port on every Kubernetes node, for a Service of type `NodePort` or `LoadBalancer`.
        /// By default the cluster chooses it.
        node_port: Option<u16> = optional(),
        /// The DNS name or IP address that SuperNodes connect to, if it is not the address of the
        /// Service. The provider adds it to the certificate and to `fleet.address`. Write
        /// `host:port` if the port differs too.
        hostname: Option<String> = optional(),
        /// The networks from which SuperNodes may connect, such as `10.0.0.0/8`. The NetworkPolicy
        /// refuses all other networks; an empty list refuses everyone. By default every network may
        /// connect. Use the source addresses that the pod sees. Some load balancers replace the
        /// client's address with their own.
        allow_from: Option<Vec<String>> = optional(),
        /// Annotations of the Service, which configure load balancers.
        annotations: Option<BTreeMap<String, String>> = optional(),
    }
}

choice_attribute!(ServiceKind {
    "ClusterIP" => Self::ClusterIp => Self::ClusterIp,
    "NodePort" => Self::NodePort => Self::NodePort,
    "LoadBalancer" => Self::LoadBalancer => Self::LoadBalancer,
});

/// Checks the known settings of the Service, except how SuperNodes reach it.
pub fn validate<M>(
    config: &Tree<M>,
    service: ModelPath<M>,
    network_policy: ModelPath<M>,
) -> Diagnostics {
    let mut found = Diagnostics::default();
    let annotations = service.then(at!(ServiceSettings, annotations));
    found.absorb(labels::of(config, annotations, labels::check_annotations));
    let allow_from = service.then(at!(ServiceSettings, allow_from));
    found.absorb(is_enforced(config, allow_from, network_policy));
    found
}

/// An error if nothing would enforce a list of networks.
fn is_enforced<M>(
    config: &Tree<M>,
    allow_from: ModelPath<M>,
    network_policy: ModelPath<M>,
) -> Result<()> {
    let policy = config.get::<Option<bool>>(network_policy);
    let is_off = matches!(policy, Ok(Maybe::Known(Some(false))));
    if !is_off || !config.is_set(allow_from) {
        return Ok(());
    }
    Err(
        Diagnostic::error("`service.allow_from` needs the NetworkPolicy")
            .detail(
                "Only the NetworkPolicy refuses other networks. With `kubernetes.network_policy = \
                 false` every network could connect.",
            )
            .detail("Remove `kubernetes.network_policy` or `service.allow_from`.")
            .at(allow_from)
            .into(),
    )
}

/// Whether clients outside the cluster can reach a Service with these settings.
pub fn is_open_to_outside<M>(config: &Tree<M>, service: ModelPath<M>) -> bool {
    let kind = config.get::<Option<ServiceKind>>(service.then(at!(ServiceSettings, service_type)));
    matches!(
        kind,
        Ok(Maybe::Known(Some(
            ServiceKind::NodePort | ServiceKind::LoadBalancer
        )))
    )
}

/// The settings of the Service that a runtime gets.
pub fn exposure(service: Option<&ServiceSettings>, shared_port: bool, tls: bool) -> Exposure {
    Exposure {
        kind: service
            .and_then(|one| one.service_type)
            .unwrap_or(ServiceKind::ClusterIp),
        node_port: service.and_then(|one| one.node_port),
        hostname: service.and_then(|one| one.hostname.clone()),
        annotations: service
            .and_then(|one| one.annotations.clone())
            .unwrap_or_default(),
        allow_from: service.and_then(|one| one.allow_from.clone()),
        shared_port,
        tls,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::resources::superlink::Model as Superlink;
    use crate::tfplugin::schema::Schema;
    use crate::tfplugin::value::from_json;

    #[test]
    fn a_list_of_networks_that_nothing_enforces_is_refused() {
        let ty = Schema::of::<Superlink>().ty();
        for (networks, policy, refused) in [
            (json!(["10.0.0.0/8"]), json!(false), true),
            (json!([]), json!(false), true),
            (Json::Null, json!(false), false),
            (json!(["10.0.0.0/8"]), json!(true), false),
            (json!([]), Json::Null, false),
        ] {
            let config = json!({
                "service": { "allow_from": networks },
                "kubernetes": { "network_policy": policy },
            });
            let config = Tree::new(from_json(&config, &ty).unwrap());
            let policy = at!(Superlink, kubernetes.network_policy);
            let found = validate(&config, at!(Superlink, service), policy);
            let paths: Vec<_> = found
                .iter()
                .map(|one| one.path.as_ref().unwrap().to_string())
                .collect();
            let expected: &[&str] = if refused {
                &["service.allow_from"]
            } else {
                &[]
            };
            assert_eq!(paths, expected, "{config:?}");
        }
    }
}
