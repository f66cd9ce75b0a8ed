//! Checks how SuperNodes reach a SuperLink, before its Service is created.

use super::addresses::{self, PortRule};
use super::report;
use super::superlink::Model as Superlink;
use crate::at;
use crate::runtime::{RuntimeError, ServiceKind};
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::path::Path;
use crate::tfplugin::schema::{Maybe, Tree, refused};
use crate::tfplugin::value::Value;

/// Checks the known settings of the Service.
pub(super) fn validate(config: &Tree<Superlink>) -> Diagnostics {
    let mut found = Diagnostics::default();
    found.absorb(is_reachable(config));
    let hostname = at!(Superlink, service.hostname);
    if let Some(text) = config.value(hostname).as_str() {
        found.absorb(addresses::check(text, PortRule::Optional, hostname.path()));
    }
    found.absorb(node_port(config));
    if let Value::List(networks) = config.value(at!(Superlink, service.allow_from)) {
        for (index, one) in networks.iter().enumerate() {
            if let Some(text) = one.as_str() {
                found.absorb(network(
                    text,
                    &at!(Superlink, service.allow_from).index(index),
                ));
            }
        }
    }
    found
}

/// An error if SuperNodes would have no address to connect to.
fn is_reachable(config: &Tree<Superlink>) -> Result<()> {
    let kind = config.get::<Option<ServiceKind>>(at!(Superlink, service.service_type));
    let is_node_port = matches!(kind, Ok(Maybe::Known(Some(ServiceKind::NodePort))));
    if !is_node_port || config.is_set(at!(Superlink, service.hostname)) {
        return Ok(());
    }
    Err(report::error(
        "SuperNodes could not reach the SuperLink",
        &RuntimeError::NoHostname,
    )
    .at(at!(Superlink, service.hostname))
    .into())
}

fn node_port(config: &Tree<Superlink>) -> Result<()> {
    let path = at!(Superlink, service.node_port);
    let Ok(Maybe::Known(Some(port))) = config.get::<Option<u16>>(path) else {
        return Ok(());
    };
    if port == 0 {
        let why = "a port is a number from 1 to 65535, and most clusters take 30000 to 32767";
        return Err(refused("0", &why, &path.path()));
    }
    let kind = config.get::<Option<ServiceKind>>(at!(Superlink, service.service_type));
    if matches!(kind, Ok(Maybe::Known(None | Some(ServiceKind::ClusterIp)))) {
        return Err(Diagnostic::error("`node_port` needs another Service type")
            .detail(
                "`service_type` is `ClusterIP`, and such a Service has no port on Kubernetes \
                     nodes.",
            )
            .detail("Remove `node_port`, or set `service_type` to `NodePort` or `LoadBalancer`.")
            .at(path)
            .into());
    }
    Ok(())
}

/// An error unless a NetworkPolicy can contain this network.
fn network(text: &str, at: &Path) -> Result<()> {
    if is_network(text) {
        return Ok(());
    }
    let why = "a network is an address and the length of its prefix, such as `10.0.0.0/8`, `192.0.2.7/32` or \
               `2001:db8::/32`";
    Err(refused(text, &why, at))
}

fn is_network(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else {
        return false;
    };
    let most = match address.parse() {
        Ok(std::net::IpAddr::V4(_)) => 32,
        Ok(std::net::IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    let plain = length.bytes().all(|byte| byte.is_ascii_digit())
        && (length == "0" || !length.starts_with('0'));
    plain && length.parse::<u8>().is_ok_and(|length| length <= most)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::resources::planning::tree;
    use crate::resources::superlink;

    fn wrong(service: Json) -> String {
        let found = validate(&tree::<superlink::Superlink>(json!({ "service": service })));
        let paths = found
            .iter()
            .map(|one| one.path.as_ref().unwrap().to_string());
        paths.collect::<Vec<_>>().join(" ").replace("service.", "")
    }

    #[test]
    fn a_port_on_every_node_needs_the_name_of_one() {
        let node_port =
            |hostname: Json| json!({ "service_type": "NodePort", "hostname": hostname });
        assert_eq!(wrong(node_port(Json::Null)), "hostname");
        assert_eq!(wrong(node_port(json!("node.example.org"))), "");
    }

    #[test]
    fn a_port_on_every_node_needs_a_service_that_has_one() {
        for (service, expected) in [
            (json!({ "node_port": 30000 }), "node_port"),
            (
                json!({ "service_type": "ClusterIP", "node_port": 30000 }),
                "node_port",
            ),
            (
                json!({ "service_type": "LoadBalancer", "node_port": 30000 }),
                "",
            ),
            (
                json!({ "service_type": "LoadBalancer", "node_port": 0 }),
                "node_port",
            ),
        ] {
            let shown = service.to_string();
            assert_eq!(wrong(service), expected, "{shown}");
        }
    }

    #[test]
    fn what_is_dialled_and_who_may_dial_are_addresses() {
        assert_eq!(
            wrong(json!({
                "hostname": "https://fl.example.org",
                "allow_from": ["10.0.0.0/8", "10.0.0.0", "10.0.0.0/33", "x/8", "::/0", "1.2.3.4/08", "a, b"],
            })),
            "hostname allow_from[1] allow_from[2] allow_from[3] allow_from[5] allow_from[6]"
        );
        assert_eq!(wrong(json!({ "hostname": "fl.example.org:443" })), "");
    }
}
