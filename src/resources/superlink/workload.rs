//! Builds a SuperLink's processes, files and secrets from its model.

use std::collections::BTreeMap;

use super::credentials::{
    CA, CERTIFICATE, KEY, OWN_KEY, OWN_PUBLIC_KEY, authority_secret, names, needs_own_key,
    own_key_secret, tls_secret,
};
use super::model::Model;
use super::{nodes, storage};
use crate::at;
use crate::flower::launch::{
    Database, KeyPair, NodeKeys, ProcessEnvironment, ServerTls, SuperLinkSettings,
    superlink_processes,
};
use crate::flower::version::{AppPlane, ControlPlane, FleetPlane, NodeAuth, VersionRow, row_of};
use crate::resources::connection_attributes::{ControlOutput, FleetOutput};
use crate::resources::pod;
use crate::resources::processes::{any_address, launch, processes, python};
use crate::resources::release;
use crate::resources::service;
use crate::runtime::{
    Content, Exposure, Kind, Layout, ObjectName, ObjectRef, Part, Port, PythonEnvironment, Storage,
    Workload,
};
use crate::tfplugin::diagnostic::Result;

const DATABASE: &str = "state.db";
/// The public keys that may connect, for releases that read them from a file.
const KEY_LIST: &str = "supernodes.csv";
pub(super) fn object(name: &ObjectName) -> ObjectRef {
    ObjectRef {
        kind: Kind::Superlink,
        name: name.clone(),
    }
}

/// The parts that it needs besides its processes.
pub(super) fn parts(model: &Model) -> Vec<Part> {
    let tls = !model.insecure;
    let own_key = row_of(model.flower_version).is_ok_and(|row| needs_own_key(model, row));
    [
        Some(Part::Service),
        persistent(model).then_some(Part::Volume),
        tls.then(|| Part::Secret(tls_secret(&model.name))),
        tls.then(|| Part::Secret(authority_secret(&model.name))),
        own_key.then(|| Part::Secret(own_key_secret(&model.name))),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The ports that this release needs.
pub(super) fn ports(model: &Model) -> Result<Vec<Port>> {
    let row = release::row(model.flower_version)?;
    let fleet = (row.fleet == FleetPlane::GrpcOwnPort).then_some(Port::Fleet);
    let apps = (row.apps != AppPlane::HttpSamePort).then_some(Port::Apps);
    Ok([Some(Port::Api), fleet, apps]
        .into_iter()
        .flatten()
        .collect())
}

pub(super) fn persistent(model: &Model) -> bool {
    model.persistence.as_ref().is_none_or(|one| one.enabled)
}

/// Whether ServerApps get a folder for artifacts.
pub(super) fn has_artifacts(model: &Model) -> bool {
    model.artifacts.as_ref().is_some_and(|one| one.enabled)
}

/// The workload without a real layout: enough to check whether it can be started.
pub(super) fn sketch(model: &Model) -> Result<Workload> {
    let ports = ports(model)?.into_iter().map(|port| (port, 1));
    let layout = Layout {
        ports: ports.collect(),
        dns_names: vec!["localhost".to_owned()],
        ..Layout::default()
    };
    names(model, &layout)?;
    workload(model, &layout)
}

/// The workload in this layout.
pub(super) fn workload(model: &Model, layout: &Layout) -> Result<Workload> {
    let row = release::row(model.flower_version)?;
    let launched =
        superlink_processes(row, &settings(model, row, layout)).map_err(|error| launch(&error))?;
    let secret = |name: String, key: &str| {
        let content = Content::Secret {
            name,
            key: key.to_owned(),
        };
        (key.to_owned(), content)
    };
    let mut files = BTreeMap::new();
    if !model.insecure {
        files.extend([CA, CERTIFICATE, KEY].map(|key| secret(tls_secret(&model.name), key)));
    }
    if let (Some(list), NodeAuth::KeyList { .. }) = (&model.supernodes, row.node_auth) {
        files.insert(KEY_LIST.to_owned(), Content::Public(nodes::key_list(list)?));
    }
    if needs_own_key(model, row) {
        let own = [OWN_KEY, OWN_PUBLIC_KEY];
        files.extend(own.map(|key| secret(own_key_secret(&model.name), key)));
    }
    Ok(Workload {
        python: PythonEnvironment {
            simulation: model.simulation.is_some(),
            ..python(model.flower_version, row, model.requirements.as_deref())
        },
        processes: processes(launched, model.flower_version, row, layout),
        files,
        pod: pod::settings::settings(model.kubernetes.as_ref(), at!(Model, kubernetes))?,
        exposure: Some(exposure(model)?),
        storage: storage(model),
        artifacts: has_artifacts(model),
    })
}

/// The settings of the command lines.
fn settings(model: &Model, row: &VersionRow, layout: &Layout) -> SuperLinkSettings {
    let file = |name: &str| format!("{}/{name}", layout.files);
    let port = |which: Port| layout.ports.get(&which).copied();
    let tls = if model.insecure {
        ServerTls::Insecure
    } else {
        ServerTls::Files {
            certificate: file(CERTIFICATE),
            key: file(KEY),
            ca: file(CA),
        }
    };
    SuperLinkSettings {
        bind_host: layout.bind_host.clone(),
        port: port(Port::Api).unwrap_or_default(),
        fleet_bind_host: layout.fleet_bind_host.clone(),
        fleet_port: port(Port::Fleet),
        app_port: port(Port::Apps),
        tls,
        isolation: model.isolation,
        database: if persistent(model) {
            Database::File(format!("{}/{DATABASE}", layout.state))
        } else {
            Database::Memory
        },
        node_keys: match (&model.supernodes, row.node_auth) {
            (None, _) => NodeKeys::Open,
            (Some(_), NodeAuth::Registration) => NodeKeys::Registered,
            (Some(_), NodeAuth::KeyList { own_key, .. }) => NodeKeys::Listed {
                list: file(KEY_LIST),
                own: own_key.then(|| KeyPair {
                    private: file(OWN_KEY),
                    public: file(OWN_PUBLIC_KEY),
                }),
            },
        },
        simulation: model.simulation.is_some(),
        health_address: layout.health.map(|ports| any_address(ports.main)),
        superexec_health_address: layout.health.map(|ports| any_address(ports.superexec)),
        environment: ProcessEnvironment {
            flwr_home: layout.home.clone(),
            log_level: model.log_level,
            artifacts: has_artifacts(model).then(|| layout.artifacts.clone()),
            variables: model.env.clone().unwrap_or_default(),
        },
        extra_args: model.extra_args.clone().unwrap_or_default(),
    }
}

/// The volume of its database.
fn storage(model: &Model) -> Option<Storage> {
    let settings = model.persistence.as_ref();
    persistent(model).then(|| Storage {
        file: DATABASE,
        size: settings
            .and_then(|one| one.size.clone())
            .unwrap_or_else(|| storage::DEFAULT.to_owned()),
        storage_class: settings.and_then(|one| one.storage_class.clone()),
    })
}

/// How SuperNodes reach the SuperLink.
pub(super) fn exposure(model: &Model) -> Result<Exposure> {
    let row = release::row(model.flower_version)?;
    Ok(service::exposure(
        model.service.as_ref(),
        row.fleet == FleetPlane::HttpSamePort,
        !model.insecure,
    ))
}

/// The addresses that other resources get.
pub(super) fn addresses(
    model: &Model,
    layout: &Layout,
    ca: Option<&str>,
) -> (FleetOutput, ControlOutput) {
    let api = layout.ports.get(&Port::Api).copied().unwrap_or_default();
    let fleet = layout.ports.get(&Port::Fleet).copied().unwrap_or(api);
    let is_http = row_of(model.flower_version).is_ok_and(|row| row.control == ControlPlane::Http);
    let scheme = match (is_http, model.insecure) {
        (true, true) => "http",
        (true, false) => "https",
        (false, true) => "grpc",
        (false, false) => "grpcs",
    };
    let flower_version = model.flower_version.to_string();
    let fleet = FleetOutput {
        address: layout
            .fleet_address
            .clone()
            .unwrap_or_else(|| format!("{}:{fleet}", layout.bind_host)),
        ca_certificate: ca.map(str::to_owned),
        insecure: model.insecure,
        flower_version: flower_version.clone(),
        superlink_id: model.superlink_id.get().cloned(),
    };
    let control = ControlOutput {
        url: match &layout.control {
            Some(pod) => pod.to_string(),
            None => format!("{scheme}://{}:{api}", layout.bind_host),
        },
        ca_certificate: ca.map(str::to_owned),
        flower_version,
        superlink_id: model.superlink_id.get().cloned(),
        simulation: model.simulation.clone().map(Into::into),
    };
    (fleet, control)
}
