//! The names of objects in the cluster. Names of parts contain a dot, which a user's name cannot
//! contain: so the name of an object is never that of another object's part.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::super::pod::PART_OF;
pub(super) use super::super::pod::{COMPONENT, INSTANCE, MANAGED_BY, MANAGER};
use super::super::{Kind, ObjectRef};

/// The name that the user gave the object.
pub(super) const NAME: &str = "terraform-provider-flower/name";
/// Set once the object is settled, that is, in a state.
pub(super) const SETTLED: &str = "terraform-provider-flower/settled";
/// The holder of the lease, until the object is settled.
pub(super) const HOLDER: &str = "terraform-provider-flower/holder";
/// Set before the first change of a settled object, until all changes are settled.
pub(super) const CHANGING: &str = "terraform-provider-flower/changing";
/// The heartbeat: the holder changes it every few seconds.
pub(super) const RENEWED: &str = "terraform-provider-flower/renewed";
/// Changes if a file of the pod or a Secret named by the user changes, so that the pod is replaced.
pub(super) const FILES_HASH: &str = "terraform-provider-flower/files-sha256";
/// The versions of the Secrets named by the user, by name.
pub(super) const SECRETS: &str = "terraform-provider-flower/secret-versions";
/// Changes if the creation of a pod must be retried.
pub(super) const AGAIN: &str = "terraform-provider-flower/tried-again-at";

/// `superlink`, `supernode` or `supernode-key`.
pub(super) const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Superlink => "superlink",
        Kind::Supernode => "supernode",
        Kind::SupernodeKey => "supernode-key",
    }
}

/// The name of every part that an object has only one of, and the value of the label that
/// identifies the object: a label has at most 63 characters, and a Service's name no dot.
pub(super) fn of(object: &ObjectRef) -> String {
    match object.kind {
        Kind::Superlink | Kind::Supernode => format!("{}-{}", kind(object.kind), object.name),
        // With a hyphen, a SuperNode "key-a" would have the same name as the key "a".
        Kind::SupernodeKey => format!("node-key.{}", object.name),
    }
}

/// The ConfigMap with the public files of the pod.
pub(super) fn files(name: &str) -> String {
    format!("{name}.files")
}

/// The Secret with the data that only the pod may read.
pub(super) fn private(name: &str) -> String {
    format!("{name}.private")
}

/// The entry for the value of a variable. The name of a variable may be invalid as the name of an
/// entry.
pub(super) fn variable(name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.len() <= 200 && name.bytes().all(is_plain) {
        format!("env.{name}")
    } else {
        format!("env-sha256.{}", hex::encode(Sha256::digest(name)))
    }
}

/// The entry for a file.
pub(super) fn private_file(name: &str) -> String {
    format!("file.{name}")
}

/// The ConfigMap of a note.
pub(super) fn note(key: &str) -> String {
    format!("flower-note.{key}")
}

/// The labels that select the pods of an object.
pub(super) fn selector(object: &ObjectRef) -> BTreeMap<String, String> {
    [
        (MANAGED_BY, MANAGER),
        (COMPONENT, kind(object.kind)),
        (INSTANCE, &of(object)),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

/// The labels of all parts of an object; ours override the user's.
pub(super) fn labels(
    object: &ObjectRef,
    further: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut labels = further.clone();
    labels.insert(PART_OF.to_owned(), "flower".to_owned());
    labels.insert(NAME.to_owned(), object.name.to_string());
    labels.extend(selector(object));
    labels
}

/// The component of notes.
pub(super) const NOTES: &str = "note";

/// The labels of the note `name`; ours override the user's.
pub(super) fn note_labels(
    name: &str,
    further: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let ours = [(MANAGED_BY, MANAGER), (COMPONENT, NOTES), (INSTANCE, name)];
    let mut labels = further.clone();
    labels.extend(ours.map(|(key, value)| (key.to_owned(), value.to_owned())));
    labels
}

/// Whether these are the labels of a part of the object `name`, or of the note `name`.
pub(super) fn are_of(labels: &BTreeMap<String, String>, name: &str) -> bool {
    let is = |label: &str, value: &str| labels.get(label).is_some_and(|one| one == value);
    is(MANAGED_BY, MANAGER) && is(INSTANCE, name)
}

/// A label selector for the object `name`.
pub(super) fn query(name: &str) -> String {
    format!("{MANAGED_BY}={MANAGER},{INSTANCE}={name}")
}

/// The DNS name of a Service within its cluster.
pub(super) fn inside(name: &str, namespace: &str) -> String {
    format!("{name}.{namespace}.svc")
}

/// All DNS names of a Service within its cluster.
pub(super) fn service_names(name: &str, namespace: &str) -> Vec<String> {
    vec![
        name.to_owned(),
        format!("{name}.{namespace}"),
        inside(name, namespace),
        format!("{name}.{namespace}.svc.cluster.local"),
    ]
}

/// The host and the `host:port` of a user's text with the form `host` or `host:port`.
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

    const KINDS: [Kind; 3] = [Kind::Superlink, Kind::Supernode, Kind::SupernodeKey];

    fn object(kind: Kind, name: &str) -> ObjectRef {
        ObjectRef {
            kind,
            name: name.parse().unwrap(),
        }
    }

    #[test]
    fn no_two_objects_share_a_name() {
        let mut seen = BTreeMap::new();
        for kind in KINDS {
            for name in ["a", "a-files", "key-a", "a-tls", "a-ca", "a-key", "files"] {
                let object = object(kind, name);
                let own = of(&object);
                for config_map in [files(&own), private(&own), own] {
                    let other = seen.insert(config_map.clone(), object.clone());
                    assert_eq!(other, None, "{config_map} is also of {object}");
                }
            }
        }
    }

    #[test]
    fn a_service_is_found_by_every_form_of_its_name() {
        assert_eq!(
            service_names("superlink-a", "fl"),
            [
                "superlink-a",
                "superlink-a.fl",
                "superlink-a.fl.svc",
                "superlink-a.fl.svc.cluster.local"
            ]
        );
    }

    #[test]
    fn the_longest_names_are_valid() {
        let longest = "x".repeat(53);
        for kind in KINDS {
            let object = object(kind, &longest);
            for (label, value) in labels(&object, &BTreeMap::new()) {
                assert!(value.len() <= 63, "{label}: {value}");
                let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
                assert!(value.chars().all(inner), "{label}: {value}");
            }
            let name = of(&object);
            let has_service = kind != Kind::SupernodeKey;
            assert!(
                !has_service || (name.len() <= 63 && !name.contains('.')),
                "{name}"
            );
        }
    }

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
