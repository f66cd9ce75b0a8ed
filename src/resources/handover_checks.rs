//! What a hand-written `superlink`, `control` or `key` cannot be: found when planned, since the one that
//! would find it later is a process that dials for ever.

use super::Configured;
use super::addresses::{self, PortRule};
use super::handover::is_in_cluster;
use super::release;
use super::report::failed;
use super::supernode_key::{is_key_secret, is_private_entry};
use crate::flower::control::{ControlEndpoint, EndpointError};
use crate::flower::version::{self, FlowerVersion};
use crate::pki::inspect_bundle;
use crate::runtime::{is_dns_subdomain, is_entry_name};
use crate::tfplugin::Plan;
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::path::Path;
use crate::tfplugin::schema::{Maybe, Tree, path, refused};

/// The text at `dotted`, where there is one and it is known.
fn text(config: &Tree, dotted: &str) -> Option<String> {
    match config.get::<Option<String>>(dotted) {
        Ok(Maybe::Known(text)) => text,
        _ => None,
    }
}

/// Checks how a SuperLink's Fleet API is dialled.
pub(super) fn fleet(config: &Tree) -> Diagnostics {
    let mut found = Diagnostics::default();
    if let Some(address) = text(config, "superlink.address") {
        let at = path("superlink.address");
        found.absorb(addresses::check(&address, PortRule::Needed, at));
    }
    if let Some(pem) = text(config, "superlink.ca_certificate") {
        let at = path("superlink.ca_certificate");
        if let Err(error) = inspect_bundle(&pem) {
            found.push(failed("This is not a CA certificate", &error).at(at.clone()));
        }
        let insecure = config.get::<Option<bool>>("superlink.insecure");
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
    if let Some(version) = text(config, "superlink.flower_version") {
        found.absorb(fleet_release(Some(&version)).map(drop));
    }
    found
}

/// The release of a SuperLink; the newest where it is not said.
pub(super) fn fleet_release(text: Option<&str>) -> Result<FlowerVersion> {
    let at = || path("superlink.flower_version");
    let Some(text) = text else {
        return Ok(version::DEFAULT);
    };
    let parsed: FlowerVersion = text
        .parse()
        .map_err(|error| failed("This is not a Flower version", &error).at(at()))?;
    release::row_at(parsed, at())?;
    Ok(parsed)
}

/// Checks how a SuperLink's Control API is reached.
pub(crate) fn control(config: &Tree) -> Diagnostics {
    let mut found = Diagnostics::default();
    let Some(url) = text(config, "control.url") else {
        return found;
    };
    let ca = config.get::<Option<String>>("control.ca_certificate");
    let is_known = matches!(ca, Ok(Maybe::Known(_)));
    let ca = text(config, "control.ca_certificate");
    let endpoint = match ControlEndpoint::parse(&url, ca.as_deref()) {
        Ok(endpoint) => endpoint,
        Err(EndpointError::NoAuthority) if !is_known => return found,
        Err(error) => {
            let name = match error {
                EndpointError::NoAuthority
                | EndpointError::AuthorityWithoutTls
                | EndpointError::Authority { .. } => "ca_certificate",
                _ => "url",
            };
            let at = Path::attribute("control").then(name);
            found.push(failed("This SuperLink cannot be reached", &error).at(at));
            return found;
        }
    };
    if is_known && config.is_set("control.token_file") && !endpoint.keeps_secrets() {
        let error = EndpointError::TokenWithoutTls;
        let at = path("control.token_file");
        found.push(failed("This SuperLink cannot be reached", &error).at(at));
    }
    found
}

/// An error of the plan for a SuperLink in a cluster where the provider has none.
pub(super) fn leads_somewhere(provider: Option<&Configured>, plan: &Plan) -> Result<()> {
    let Maybe::Known(Some(url)) = plan.config.get::<Option<String>>("control.url")? else {
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
            .at(path("control.url"))
            .into(),
    )
}

/// Checks where a private key is kept.
pub(super) fn secret(config: &Tree) -> Diagnostics {
    let mut found = Diagnostics::default();
    let pass = "pass `flower_supernode_key.NAME.secret` whole";
    if let Some(name) = text(config, "key.name")
        && !(is_dns_subdomain(&name) && is_key_secret(&name))
    {
        let why = format!("it is not the secret of a flower_supernode_key; {pass}");
        found.extend(refused(&name, &why, &path("key.name")));
    }
    if let Some(entry) = text(config, "key.key")
        && !(is_entry_name(&entry) && is_private_entry(&entry))
    {
        let why = format!("it is not the private key of a flower_supernode_key; {pass}");
        found.extend(refused(&entry, &why, &path("key.key")));
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::resources::planning::tree;
    use crate::resources::supernode::Supernode;

    const CA: &str = include_str!("../pki/testdata/ca-p384.crt");

    fn at(found: &Diagnostics) -> Vec<String> {
        found
            .iter()
            .map(|one| one.path.as_ref().unwrap().to_string())
            .collect()
    }

    fn config(json: Json) -> Tree {
        tree::<Supernode>(json)
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
            (json!({ "url": "https://a:1" }), "control.ca_certificate"),
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
            let found = control(&config(json!({ "control": control_ })));
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
            // The keys of an authority and of a server lie in the same vault.
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
