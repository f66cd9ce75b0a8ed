//! What things are called in the cluster.

use std::collections::BTreeMap;

use super::super::{Kind, ObjectRef};

/// The field manager, and the first part of annotations.
pub(super) const MANAGER: &str = "terraform-provider-flower";
/// Marks what is ours.
pub(super) const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
const PART_OF: &str = "app.kubernetes.io/part-of";
/// Which kind of object it belongs to.
pub(super) const COMPONENT: &str = "app.kubernetes.io/component";
/// Which object it belongs to.
pub(super) const INSTANCE: &str = "app.kubernetes.io/instance";
/// Set once an object is in a state.
pub(super) const SETTLED: &str = "terraform-provider-flower/settled";
/// Changes when a file of the pod does, so that the pod is replaced.
pub(super) const FILES_HASH: &str = "terraform-provider-flower/files-sha256";
/// Changes when anything of the Deployment's manifest does.
pub(super) const MANIFEST_HASH: &str = "terraform-provider-flower/manifest-sha256";
/// Changes when a pod is to be tried again.
pub(super) const AGAIN: &str = "terraform-provider-flower/tried-again-at";

/// `superlink`, `supernode` or `supernode-key`.
pub(super) const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Superlink => "superlink",
        Kind::Supernode => "supernode",
        Kind::SupernodeKey => "supernode-key",
    }
}

/// The name of everything that an object has one of.
pub(super) fn of(object: &ObjectRef) -> String {
    format!("{}-{}", kind(object.kind), object.name)
}

/// The ConfigMap of its pod's public files.
pub(super) fn files(name: &str) -> String {
    format!("{name}-files")
}

/// What tells the pods of an object from all others.
pub(super) fn selector(object: &ObjectRef) -> BTreeMap<String, String> {
    [
        (MANAGED_BY, MANAGER),
        (COMPONENT, kind(object.kind)),
        (INSTANCE, &of(object)),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

/// The labels of all parts of an object; ours win over the user's.
pub(super) fn labels(
    object: &ObjectRef,
    further: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut labels = further.clone();
    labels.insert(PART_OF.to_owned(), "flower".to_owned());
    labels.extend(selector(object));
    labels
}

/// A label selector for the object of this name.
pub(super) fn query(name: &str) -> String {
    format!("{MANAGED_BY}={MANAGER},{INSTANCE}={name}")
}

/// All names by which a Service is found within its cluster; the third is the one to hand out.
pub(super) fn service_names(name: &str, namespace: &str) -> Vec<String> {
    vec![
        name.to_owned(),
        format!("{name}.{namespace}"),
        format!("{name}.{namespace}.svc"),
        format!("{name}.{namespace}.svc.cluster.local"),
    ]
}

/// The host and the `host:port` of what a user wrote as `host` or `host:port`.
pub(super) fn dialled(given: &str, port: u16) -> (String, String) {
    let bare = given
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(given);
    if bare.parse::<std::net::Ipv6Addr>().is_ok() {
        return (bare.to_owned(), format!("[{bare}]:{port}"));
    }
    match given.rsplit_once(':') {
        Some((host, own)) if own.parse::<u16>().is_ok() => {
            (host.trim_matches(['[', ']']).to_owned(), given.to_owned())
        }
        _ => (given.to_owned(), format!("{given}:{port}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostname_may_bring_its_own_port() {
        let pair = |host: &str, address: &str| (host.to_owned(), address.to_owned());
        assert_eq!(
            dialled("fl.example.org", 9092),
            pair("fl.example.org", "fl.example.org:9092")
        );
        assert_eq!(
            dialled("fl.example.org:443", 9092),
            pair("fl.example.org", "fl.example.org:443")
        );
        assert_eq!(
            dialled("10.0.0.1", 30092),
            pair("10.0.0.1", "10.0.0.1:30092")
        );
        assert_eq!(dialled("::1", 9092), pair("::1", "[::1]:9092"));
        assert_eq!(dialled("[::1]:7", 9092), pair("::1", "[::1]:7"));
        assert_eq!(
            dialled("[2001:db8::1]", 9092),
            pair("2001:db8::1", "[2001:db8::1]:9092")
        );
    }
}
