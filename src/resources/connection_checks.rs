//! Checks hand-written `superlink`, `control` and `key` values in the plan. Otherwise a wrong value
//! appears only as a process that tries to connect for ever.

use super::Configured;
use super::addresses::{self, PortRule};
use super::connection_attributes::{ControlInput, is_in_cluster};
use super::release;
use super::report;
use super::simulation;
use super::supernode::Model as Supernode;
use super::supernode_key::{is_key_secret, is_private_entry};
use crate::at;
use crate::flower::control::{ControlEndpoint, EndpointError};
use crate::flower::version::{self, FlowerVersion};
use crate::pki::inspect_bundle;
use crate::runtime::{is_dns_subdomain, is_entry_name};
use crate::tfplugin::Plan;
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::schema::{Maybe, ModelPath, Tree, refused};

/// The text at `path`, if it is set and known.
fn text<M>(config: &Tree<M>, path: ModelPath<M>) -> Option<String> {
    match config.get::<Option<String>>(path) {
        Ok(Maybe::Known(text)) => text,
        _ => None,
    }
}

/// Checks the address of a SuperLink's Fleet API.
pub(super) fn fleet(config: &Tree<Supernode>) -> Diagnostics {
    let mut found = Diagnostics::default();
    if let Some(address) = text(config, at!(Supernode, superlink.address)) {
        let at = at!(Supernode, superlink.address);
        found.absorb(addresses::check(&address, PortRule::Needed, at.path()));
    }
    if let Some(pem) = text(config, at!(Supernode, superlink.ca_certificate)) {
        let at = at!(Supernode, superlink.ca_certificate);
        if let Err(error) = inspect_bundle(&pem) {
            found.push(report::error("This is not a CA certificate", &error).at(at));
        }
        let insecure = config.get::<Option<bool>>(at!(Supernode, superlink.insecure));
        if matches!(insecure, Ok(Maybe::Known(Some(true)))) {
            found.push(
                Diagnostic::error("`ca_certificate` needs TLS")
                    .detail(
                        "`superlink.insecure` turns TLS off, so the SuperNode checks no \
                         certificate.",
                    )
                    .detail("Remove `insecure` or `ca_certificate`.")
                    .at(at),
            );
        }
    }
    if let Some(version) = text(config, at!(Supernode, superlink.flower_version)) {
        found.absorb(fleet_release(Some(&version)).map(drop));
    }
    found
}

/// The release of a SuperLink; the newest if it is not set.
pub(super) fn fleet_release(text: Option<&str>) -> Result<FlowerVersion> {
    let at = at!(Supernode, superlink.flower_version);
    let Some(text) = text else {
        return Ok(version::DEFAULT);
    };
    let parsed: FlowerVersion = text
        .parse()
        .map_err(|error| report::error("This is not a Flower version", &error).at(at))?;
    release::row_at(parsed, at)?;
    Ok(parsed)
}

/// Checks the connection to a SuperLink's Control API in the attribute `control`.
pub(crate) fn control<M>(config: &Tree<M>, control: ModelPath<M>) -> Diagnostics {
    let authority = control.then(at!(ControlInput, ca_certificate));
    let token_file = control.then(at!(ControlInput, token_file));
    let at_url = control.then(at!(ControlInput, url));
    let mut found = simulation::validate(config, control.then(at!(ControlInput, simulation)));
    let Some(url) = text(config, at_url) else {
        return found;
    };
    let ca = config.get::<Option<String>>(authority);
    let is_known = matches!(ca, Ok(Maybe::Known(_)));
    let ca = text(config, authority);
    let endpoint = match ControlEndpoint::parse(&url, ca.as_deref()) {
        Ok(endpoint) => endpoint,
        Err(error) => {
            let at = match error {
                EndpointError::AuthorityWithoutTls | EndpointError::Authority { .. } => authority,
                _ => at_url,
            };
            found.push(report::error("This SuperLink cannot be reached", &error).at(at));
            return found;
        }
    };
    if is_known && config.is_set(token_file) && !endpoint.keeps_secrets() {
        let error = EndpointError::TokenWithoutTls;
        found.push(report::error("This SuperLink cannot be reached", &error).at(token_file));
    }
    found
}

/// An error of the plan for a SuperLink in a cluster if the provider has no cluster.
pub(super) fn leads_somewhere<M>(
    provider: Option<&Configured>,
    plan: &Plan<M>,
    control: ModelPath<M>,
) -> Result<()> {
    let at_url = control.then(at!(ControlInput, url));
    let Maybe::Known(Some(url)) = plan.config.get::<Option<String>>(at_url)? else {
        return Ok(());
    };
    if !is_in_cluster(&url) || provider.is_none_or(|provider| provider.runtime.has_pods()) {
        return Ok(());
    }
    Err(
        Diagnostic::error("The SuperLink is in a cluster, and the provider is not")
            .detail(format!(
                "{url} is a pod in the provider's cluster, but this provider configuration has no \
             cluster."
            ))
            .detail("Put `kubernetes = { … }` into the provider block.")
            .at(at_url)
            .into(),
    )
}

/// Checks the reference to a private key.
pub(super) fn secret(config: &Tree<Supernode>) -> Diagnostics {
    let mut found = Diagnostics::default();
    let pass = "pass `flower_supernode_key.NAME.secret` whole";
    if let Some(name) = text(config, at!(Supernode, key.name))
        && !(is_dns_subdomain(&name) && is_key_secret(&name))
    {
        let why = format!("it is not the secret of a flower_supernode_key; {pass}");
        found.extend(refused(&name, &why, &at!(Supernode, key.name).path()));
    }
    if let Some(entry) = text(config, at!(Supernode, key.key))
        && !(is_entry_name(&entry) && is_private_entry(&entry))
    {
        let why = format!("it is not the private key of a flower_supernode_key; {pass}");
        found.extend(refused(&entry, &why, &at!(Supernode, key.key).path()));
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::resources::planning::tree;
    use crate::resources::supernode;

    const CA: &str = include_str!("../pki/testdata/ca-p384.crt");

    fn at(found: &Diagnostics) -> Vec<String> {
        found
            .iter()
            .map(|one| one.path.as_ref().unwrap().to_string())
            .collect()
    }

    fn config(json: Json) -> Tree<Supernode> {
        tree::<supernode::Supernode>(json)
    }

    #[test]
    fn a_superlink_is_dialled_by_what_can_be_dialled() {
        for (superlink, expected) in [
            (json!({ "address": "a:1" }), ""),
            (json!({ "address": "a:1", "ca_certificate": CA }), ""),
            (json!({ "address": "https://a:1" }), "superlink.address"),
            (
                json!({ "address": "a:1", "ca_certificate": "x" }),
                "superlink.ca_certificate",
            ),
            (
                json!({ "address": "a:1", "ca_certificate": CA, "insecure": true }),
                "superlink.ca_certificate",
            ),
            (
                json!({ "address": "a:1", "flower_version": "2.0.0" }),
                "superlink.flower_version",
            ),
            (
                json!({ "address": "a:1", "flower_version": "latest" }),
                "superlink.flower_version",
            ),
        ] {
            let found = fleet(&config(json!({ "superlink": superlink })));
            assert_eq!(at(&found).join(" "), expected, "{superlink}");
        }
    }

    #[test]
    fn a_control_api_is_reached_by_a_url_and_an_authority() {
        for (control_, expected) in [
            (json!({ "url": "http://a:1" }), ""),
            (json!({ "url": "https://a:1", "ca_certificate": CA }), ""),
            // The authorities of this machine.
            (json!({ "url": "https://a:1" }), ""),
            (
                json!({ "url": "http://a:1", "ca_certificate": CA }),
                "control.ca_certificate",
            ),
            (json!({ "url": "a:1" }), "control.url"),
            (json!({ "url": "http://a:0" }), "control.url"),
            (json!({ "url": "http://a:1/b" }), "control.url"),
            (
                json!({ "url": "http://a:1", "token_file": "x" }),
                "control.token_file",
            ),
            (
                json!({ "url": "http://127.0.0.1:1", "token_file": "x" }),
                "",
            ),
        ] {
            let found = control(
                &config(json!({ "control": control_ })),
                at!(Supernode, control),
            );
            assert_eq!(at(&found).join(" "), expected, "{control_}");
        }
    }

    #[test]
    fn a_key_is_where_a_vault_can_have_it() {
        for (key, expected) in [
            (
                json!({ "name": "supernode-key-a", "key": "private-key-Ab1" }),
                "",
            ),
            (
                json!({ "name": "../a", "key": "private-key-Ab1" }),
                "key.name",
            ),
            (json!({ "name": "", "key": "private-key-Ab1" }), "key.name"),
            (
                json!({ "name": "supernode-key-a", "key": "../k" }),
                "key.key",
            ),
            (json!({ "name": "supernode-key-a", "key": "" }), "key.key"),
            // The keys of an authority and a server are in the same vault.
            (
                json!({ "name": "superlink-a-ca", "key": "ca.key" }),
                "key.name key.key",
            ),
            (
                json!({ "name": "superlink-a-tls", "key": "private-key-Ab1" }),
                "key.name",
            ),
            (json!({ "name": "A b", "key": "k\n" }), "key.name key.key"),
        ] {
            let found = secret(&config(json!({ "key": key })));
            assert_eq!(at(&found).join(" "), expected, "{key}");
        }
    }
}
