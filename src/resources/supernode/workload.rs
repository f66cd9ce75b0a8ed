//! Builds a SuperNode's processes, files and secrets from its model.

use std::collections::BTreeMap;

use super::model::Model;
use crate::at;
use crate::flower::launch::{
    ClientTls, ProcessEnvironment, SuperNodeSettings, supernode_processes,
};
use crate::flower::node_config::node_config_toml;
use crate::flower::run_config::RunConfig;
use crate::flower::version::{FlowerVersion, NodeAuth, VersionRow};
use crate::resources::config_values::flatten;
use crate::resources::connection_attributes::FleetInput;
use crate::resources::pod;
use crate::resources::processes::{any_address, launch, processes, python};
use crate::resources::release;
use crate::resources::supernode_key::{is_key_secret, is_private_entry, public_entry};
use crate::runtime::{Content, Kind, Layout, ObjectName, ObjectRef, Port, Workload};
use crate::tfplugin::diagnostic::{Diagnostic, Result};
use crate::tfplugin::value::Value;

const KEY_FILE: &str = "node.key";
const PUBLIC_KEY_FILE: &str = "node.pub";
const CA_FILE: &str = "ca.crt";
const NODE_CONFIG_FILE: &str = "node-config.toml";

pub(super) fn object(name: &ObjectName) -> ObjectRef {
    ObjectRef {
        kind: Kind::Supernode,
        name: name.clone(),
    }
}

/// The configuration that ClientApps read, as far as it is known, or why Flower cannot use it.
pub(super) fn node_config(value: &Value) -> Result<RunConfig> {
    let flat = flatten(value, at!(Model, node_config))?;
    node_config_toml(&flat).map_err(|error| launch(&error.into()))?;
    Ok(flat)
}

/// The workload without a real layout: enough to check whether it can be started.
pub(super) fn sketch(model: &Model, version: FlowerVersion) -> Result<Workload> {
    let layout = Layout {
        ports: [(Port::Runtime, 1)].into(),
        ..Layout::default()
    };
    workload(model, version, &layout)
}

/// The workload in this layout.
pub(super) fn workload(model: &Model, version: FlowerVersion, layout: &Layout) -> Result<Workload> {
    let row = release::row(version)?;
    let file = |name: &str| format!("{}/{name}", layout.files);
    let FleetInput {
        address,
        ca_certificate,
        insecure,
        ..
    } = &model.superlink;
    let mut files = BTreeMap::new();
    let tls = if insecure.unwrap_or(false) {
        ClientTls::Insecure
    } else if let Some(ca) = ca_certificate {
        files.insert(CA_FILE.to_owned(), Content::Public(ca.clone()));
        ClientTls::Roots(file(CA_FILE))
    } else {
        ClientTls::SystemRoots
    };
    let keys = keys(model, row)?;
    let key_file = keys.private.is_some().then(|| file(KEY_FILE));
    let public_key_file = keys.public.is_some().then(|| file(PUBLIC_KEY_FILE));
    let names = [(KEY_FILE, keys.private), (PUBLIC_KEY_FILE, keys.public)];
    let contents = names.into_iter();
    files.extend(contents.filter_map(|(name, content)| Some((name.to_owned(), content?))));
    let node_config = match &model.node_config {
        Some(config) => node_config(&config.0)?,
        None => BTreeMap::new(),
    };
    let settings = SuperNodeSettings {
        superlink_address: address.clone(),
        tls,
        key_file,
        public_key_file,
        node_config,
        node_config_file: file(NODE_CONFIG_FILE),
        isolation: model.isolation,
        runtime_host: layout.bind_host.clone(),
        runtime_port: layout
            .ports
            .get(&Port::Runtime)
            .copied()
            .unwrap_or_default(),
        health_address: layout.health.map(|ports| any_address(ports.main)),
        superexec_health_address: layout.health.map(|ports| any_address(ports.superexec)),
        environment: ProcessEnvironment {
            flwr_home: layout.home.clone(),
            log_level: model.log_level,
            artifacts: None,
            variables: model.env.clone().unwrap_or_default(),
        },
        extra_args: model.extra_args.clone().unwrap_or_default(),
    };
    let launched = supernode_processes(row, &settings).map_err(|error| launch(&error))?;
    let node_config = node_config_toml(&settings.node_config);
    let node_config = node_config.map_err(|error| launch(&error.into()))?;
    if !node_config.is_empty() {
        files.insert(NODE_CONFIG_FILE.to_owned(), Content::Private(node_config));
    }
    Ok(Workload {
        python: python(version, row, model.requirements.as_deref()),
        processes: processes(launched, version, row, layout),
        files,
        pod: pod::settings::settings(model.kubernetes.as_ref(), at!(Model, kubernetes))?,
        exposure: None,
        storage: None,
        artifacts: false,
    })
}

/// The halves of its key that its release reads.
struct Keys {
    private: Option<Content>,
    public: Option<Content>,
}

fn keys(model: &Model, row: &VersionRow) -> Result<Keys> {
    let Some(secret) = &model.key else {
        return Ok(Keys {
            private: None,
            public: None,
        });
    };
    if !(is_key_secret(&secret.name) && is_private_entry(&secret.key)) {
        return Err(
            Diagnostic::error("`key` is not from a flower_supernode_key")
                .detail(format!(
                    "{:?} in the secret {:?} is not the key of a SuperNode.",
                    secret.key, secret.name
                ))
                .detail("Pass `flower_supernode_key.NAME.secret` whole.")
                .at(at!(Model, key))
                .into(),
        );
    }
    let content = |key: String| Content::Secret {
        name: secret.name.clone(),
        key,
    };
    let is_listed = matches!(row.node_auth, NodeAuth::KeyList { .. });
    Ok(Keys {
        private: Some(content(secret.key.clone())),
        public: is_listed.then(|| content(public_entry(&secret.key))),
    })
}

#[cfg(test)]
#[path = "node_config_tests.rs"]
mod tests;
