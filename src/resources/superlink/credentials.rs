//! The certificate of a SuperLink, its authority and its own key: their names in the vault, and how
//! they are created if they are missing or can no longer be used.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

use super::model::Model;
use crate::at;
use crate::flower::version::{NodeAuth, VersionRow};
use crate::masking;
use crate::pki::{Authority, AuthorityAlgorithm, NodeKey, NodeKeyAlgorithm, ServerNames, inspect};
use crate::resources::release;
use crate::resources::report;
use crate::runtime::{Layout, Managed, ObjectName, Runtime, SecretEntries};
use crate::tfplugin::GoDuration;
use crate::tfplugin::diagnostic::Result;

/// Ten years: authorities outlive the certificates that they sign.
pub(super) const AUTHORITY_VALIDITY: std::time::Duration =
    std::time::Duration::from_hours(3650 * 24);
const VALIDITY: std::time::Duration = std::time::Duration::from_hours(365 * 24);
const RENEW_BEFORE: std::time::Duration = std::time::Duration::from_hours(30 * 24);

pub(super) const CA: &str = "ca.crt";
pub(super) const CERTIFICATE: &str = "server.crt";
pub(super) const KEY: &str = "server.key";
/// The SuperLink's own key pair, for releases before 1.15.
pub(super) const OWN_KEY: &str = "superlink.key";
pub(super) const OWN_PUBLIC_KEY: &str = "superlink.pub";

pub(super) fn tls_secret(name: &ObjectName) -> String {
    format!("superlink-{name}-tls")
}

pub(super) fn authority_secret(name: &ObjectName) -> String {
    format!("superlink-{name}-ca")
}

pub(super) fn own_key_secret(name: &ObjectName) -> String {
    format!("superlink-{name}-key")
}

/// All secrets that the vault may hold for the SuperLink.
pub(super) fn secrets(name: &ObjectName) -> [String; 3] {
    [
        tls_secret(name),
        authority_secret(name),
        own_key_secret(name),
    ]
}

/// The names and addresses of the certificate.
pub(super) fn names(model: &Model, layout: &Layout) -> Result<ServerNames> {
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

/// How long a certificate is valid.
pub(super) fn validity(set: Option<&GoDuration>) -> std::time::Duration {
    set.map_or(VALIDITY, GoDuration::get)
}

/// Whether the certificate that ends at `not_after` is due for renewal. By default, a certificate
/// with a short validity is due in its last third.
pub(super) fn is_due(
    not_after: &str,
    validity: std::time::Duration,
    renew_before: Option<&GoDuration>,
    now: OffsetDateTime,
) -> bool {
    let before = renew_before.map_or_else(|| RENEW_BEFORE.min(validity / 3), GoDuration::get);
    OffsetDateTime::parse(not_after, &Rfc3339).is_ok_and(|end| now + before >= end)
}

/// Creates the certificate unless there is a usable one, and sets its end date.
pub(super) async fn ensure_certificate(
    runtime: &dyn Runtime,
    managed: &Managed,
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
            .secret(managed.object(), &tls)
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
    let authority = authority(runtime, managed, model, now).await?;
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
    runtime
        .put_secret(managed, &tls, &entries)
        .await
        .map_err(problem)?;
    model.certificate_not_after = issued.not_after.format(&Rfc3339).ok().into();
    Ok(Some(ca))
}

/// The authority of this SuperLink; a renewal of the certificate keeps it.
async fn authority(
    runtime: &dyn Runtime,
    managed: &Managed,
    model: &Model,
    now: OffsetDateTime,
) -> Result<Authority> {
    let problem = |error| report::error("The authority could not be stored", &error);
    let name = authority_secret(&model.name);
    let found = runtime
        .secret(managed.object(), &name)
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
        .put_secret(managed, &name, &entries)
        .await
        .map_err(problem)?;
    Ok(authority)
}

pub(super) fn needs_own_key(model: &Model, row: &VersionRow) -> bool {
    model.supernodes.is_some() && matches!(row.node_auth, NodeAuth::KeyList { own_key: true, .. })
}

/// Creates the SuperLink's own key pair unless it exists or the release needs none.
pub(super) async fn ensure_own_key(
    runtime: &dyn Runtime,
    managed: &Managed,
    model: &Model,
) -> Result<()> {
    if !needs_own_key(model, release::row(model.flower_version)?) {
        return Ok(());
    }
    let name = own_key_secret(&model.name);
    let problem = |error| report::error("The SuperLink's key could not be stored", &error);
    if let Some(found) = runtime
        .secret(managed.object(), &name)
        .await
        .map_err(problem)?
    {
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
    let kept = runtime.put_secret(managed, &name, &entries).await;
    kept.map_err(|error| problem(error).into())
}
