//! From a SuperLink's model to the processes, files and secrets that make it.

use std::collections::BTreeMap;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

use super::{Model, nodes, storage};
use crate::at;
use crate::flower::launch::{
    Database, KeyPair, NodeKeys, ProcessEnvironment, ServerTls, SuperLinkSettings,
    superlink_processes,
};
use crate::flower::version::{AppPlane, ControlPlane, FleetPlane, NodeAuth, VersionRow, row_of};
use crate::masking;
use crate::pki::{Authority, AuthorityAlgorithm, NodeKey, NodeKeyAlgorithm, ServerNames, inspect};
use crate::resources::connection_attributes::{ControlOutput, FleetOutput};
use crate::resources::pod;
use crate::resources::processes::{any_address, launch, processes, python};
use crate::resources::release;
use crate::resources::report;
use crate::resources::service;
use crate::runtime::{
    Content, Exposure, Kind, Layout, ObjectName, ObjectRef, Part, Port, Runtime, SecretEntries,
    Storage, Workload,
};
use crate::tfplugin::GoDuration;
use crate::tfplugin::diagnostic::Result;

/// Ten years: authorities outlive the certificates that they sign.
pub(super) const AUTHORITY_VALIDITY: std::time::Duration =
    std::time::Duration::from_hours(3650 * 24);
const VALIDITY: std::time::Duration = std::time::Duration::from_hours(365 * 24);
const RENEW_BEFORE: std::time::Duration = std::time::Duration::from_hours(30 * 24);

const DATABASE: &str = "state.db";
const CA: &str = "ca.crt";
const CERTIFICATE: &str = "server.crt";
const KEY: &str = "server.key";
/// The public keys that may connect, for releases that read them from a file.
const KEY_LIST: &str = "supernodes.csv";
/// The SuperLink's own key pair, for releases before 1.15.
const OWN_KEY: &str = "superlink.key";
const OWN_PUBLIC_KEY: &str = "superlink.pub";

pub(super) fn object(name: &ObjectName) -> ObjectRef {
    ObjectRef {
        kind: Kind::Superlink,
        name: name.clone(),
    }
}

pub(super) fn tls_secret(name: &ObjectName) -> String {
    format!("superlink-{name}-tls")
}

pub(super) fn authority_secret(name: &ObjectName) -> String {
    format!("superlink-{name}-ca")
}

fn own_key_secret(name: &ObjectName) -> String {
    format!("superlink-{name}-key")
}

/// All that the vault may hold for it.
pub(super) fn secrets(name: &ObjectName) -> [String; 3] {
    [
        tls_secret(name),
        authority_secret(name),
        own_key_secret(name),
    ]
}

/// What it does not do without, beside its processes.
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

/// How long a certificate is good for.
pub(super) fn validity(set: Option<&GoDuration>) -> std::time::Duration {
    set.map_or(VALIDITY, GoDuration::get)
}

/// Whether the certificate that ends at `not_after` must be renewed by now. By default that is so in
/// the last third of a short life.
pub(super) fn is_due(
    not_after: &str,
    validity: std::time::Duration,
    renew_before: Option<&GoDuration>,
    now: OffsetDateTime,
) -> bool {
    let before = renew_before.map_or_else(|| RENEW_BEFORE.min(validity / 3), GoDuration::get);
    OffsetDateTime::parse(not_after, &Rfc3339).is_ok_and(|end| now + before >= end)
}

/// Makes the certificate unless there is one that will do; sets when it ends.
pub(super) async fn ensure_certificate(
    runtime: &dyn Runtime,
    model: &mut Model,
    layout: &Layout,
    reissue: bool,
) -> Result<Option<String>> {
    if model.insecure {
        model.certificate_not_after = None.into();
        return Ok(None);
    }
    let problem = |error| report::error("The certificate could not be stored", &error);
    let tls = tls_secret(&model.name);
    let names = names(model, layout)?;
    if !reissue
        && let Some(found) = runtime
            .secret(&object(&model.name), &tls)
            .await
            .map_err(problem)?
        && let (Some(ca), Some(certificate)) = (found.get(CA), found.get(CERTIFICATE))
        && let Ok(info) = inspect(certificate)
        && names.dns().iter().all(|name| info.dns_names.contains(name))
        && names.ips().iter().all(|ip| info.ip_addresses.contains(ip))
    {
        model.certificate_not_after = info.not_after.format(&Rfc3339).ok().into();
        return Ok(Some(ca.to_string()));
    }
    let now = OffsetDateTime::now_utc();
    let authority = authority(runtime, model, now).await?;
    let validity = validity(model.tls.as_ref().and_then(|tls| tls.validity.as_ref()));
    let issued = authority
        .issue_server(
            &names,
            time::Duration::seconds(i64::try_from(validity.as_secs()).unwrap_or(i64::MAX)),
            now,
        )
        .map_err(|error| {
            report::error("The certificate could not be created", &error).at(at!(Model, tls))
        })?;
    masking::hide(&issued.private_key_pem);
    let ca = authority.certificate_pem().to_owned();
    let entries: SecretEntries = [
        (CA.to_owned(), Zeroizing::new(ca.clone())),
        (
            CERTIFICATE.to_owned(),
            Zeroizing::new(issued.certificate_pem),
        ),
        (KEY.to_owned(), issued.private_key_pem),
    ]
    .into();
    let owner = object(&model.name);
    runtime
        .put_secret(&owner, &tls, &entries)
        .await
        .map_err(problem)?;
    model.certificate_not_after = issued.not_after.format(&Rfc3339).ok().into();
    Ok(Some(ca))
}

/// The authority of this SuperLink, which stays the same when certificates are renewed.
async fn authority(runtime: &dyn Runtime, model: &Model, now: OffsetDateTime) -> Result<Authority> {
    let problem = |error| report::error("The authority could not be stored", &error);
    let name = authority_secret(&model.name);
    let found = runtime
        .secret(&object(&model.name), &name)
        .await
        .map_err(problem)?;
    if let Some(found) = found
        && let (Some(certificate), Some(key)) = (found.get(CA), found.get("ca.key"))
    {
        masking::hide(key);
        return Authority::load(certificate, key)
            .map_err(|error| report::error("The SuperLink's authority is damaged", &error).into());
    }
    let common_name = format!("Flower SuperLink {}", model.name.as_str());
    let common_name: String = common_name.chars().take(64).collect();
    let authority = Authority::generate(
        &common_name,
        AuthorityAlgorithm::default(),
        AUTHORITY_VALIDITY.try_into().unwrap_or(time::Duration::MAX),
        now,
    )
    .map_err(|error| report::error("The authority could not be created", &error))?;
    masking::hide(authority.private_key_pem());
    let entries: SecretEntries = [
        (
            CA.to_owned(),
            Zeroizing::new(authority.certificate_pem().to_owned()),
        ),
        ("ca.key".to_owned(), authority.private_key_pem().clone()),
    ]
    .into();
    runtime
        .put_secret(&object(&model.name), &name, &entries)
        .await
        .map_err(problem)?;
    Ok(authority)
}

fn needs_own_key(model: &Model, row: &VersionRow) -> bool {
    model.supernodes.is_some() && matches!(row.node_auth, NodeAuth::KeyList { own_key: true, .. })
}

/// Makes the SuperLink's own key pair unless there is one or its release needs none.
pub(super) async fn ensure_own_key(runtime: &dyn Runtime, model: &Model) -> Result<()> {
    if !needs_own_key(model, release::row(model.flower_version)?) {
        return Ok(());
    }
    let name = own_key_secret(&model.name);
    let problem = |error| report::error("The SuperLink's key could not be stored", &error);
    let owner = object(&model.name);
    if let Some(found) = runtime.secret(&owner, &name).await.map_err(problem)? {
        if let Some(private) = found.get(OWN_KEY) {
            masking::hide(private);
        }
        return Ok(());
    }
    let made = NodeKey::generate(NodeKeyAlgorithm::EcdsaP384)
        .and_then(|key| Ok((key.private_openssh()?, key.public_openssh()?)));
    let (private, public) =
        made.map_err(|error| report::error("The SuperLink's key could not be created", &error))?;
    masking::hide(&private);
    let entries: SecretEntries = [
        (OWN_KEY.to_owned(), private),
        (OWN_PUBLIC_KEY.to_owned(), Zeroizing::new(public)),
    ]
    .into();
    let kept = runtime.put_secret(&owner, &name, &entries).await;
    kept.map_err(|error| problem(error).into())
}

/// What would run, wherever that is: whether it can be started so is seen without a place for it.
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

/// The names and addresses of the certificate.
fn names(model: &Model, layout: &Layout) -> Result<ServerNames> {
    let settings = model.tls.as_ref();
    let dns = settings.and_then(|tls| tls.dns_names.as_ref());
    let ips = settings.and_then(|tls| tls.ip_addresses.as_ref());
    let own = |list: Option<&Vec<String>>| list.cloned().unwrap_or_default();
    ServerNames::new(
        own(dns).iter().chain(&layout.dns_names).map(String::as_str),
        own(ips)
            .iter()
            .chain(&layout.ip_addresses)
            .map(String::as_str),
    )
    .map_err(|error| {
        report::error("The certificate cannot have this name", &error)
            .at(at!(Model, tls))
            .into()
    })
}

/// What runs, and where.
pub(super) fn workload(model: &Model, layout: &Layout) -> Result<Workload> {
    let row = release::row(model.flower_version)?;
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
    let settings = SuperLinkSettings {
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
        health_address: layout.health.map(|ports| any_address(ports.main)),
        superexec_health_address: layout.health.map(|ports| any_address(ports.superexec)),
        environment: ProcessEnvironment {
            flwr_home: layout.home.clone(),
            log_level: model.log_level,
            variables: model.env.clone().unwrap_or_default(),
        },
        extra_args: model.extra_args.clone().unwrap_or_default(),
    };
    let launched = superlink_processes(row, &settings).map_err(|error| launch(&error))?;
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
        object: object(&model.name),
        python: python(model.flower_version, row, model.requirements.as_deref()),
        processes: processes(launched, model.flower_version, row, layout),
        files,
        pod: pod::settings(model.kubernetes.as_ref(), at!(Model, kubernetes))?,
        exposure: Some(exposure(model)?),
        storage: persistent(model).then(|| {
            let settings = model.persistence.as_ref();
            Storage {
                file: DATABASE,
                size: settings
                    .and_then(|one| one.size.clone())
                    .unwrap_or_else(|| storage::DEFAULT.to_owned()),
                storage_class: settings.and_then(|one| one.storage_class.clone()),
            }
        }),
    })
}

/// How SuperNodes reach it.
pub(super) fn exposure(model: &Model) -> Result<Exposure> {
    let row = release::row(model.flower_version)?;
    Ok(service::exposure(
        model.service.as_ref(),
        row.fleet == FleetPlane::HttpSamePort,
        !model.insecure,
    ))
}

/// The addresses that others get.
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
        url: layout
            .control_url
            .clone()
            .unwrap_or_else(|| format!("{scheme}://{}:{api}", layout.bind_host)),
        ca_certificate: ca.map(str::to_owned),
        flower_version,
        superlink_id: model.superlink_id.get().cloned(),
    };
    (fleet, control)
}
