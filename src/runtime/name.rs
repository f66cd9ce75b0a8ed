//! The names of objects in a runtime.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The kind of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Superlink,
    Supernode,
    SupernodeKey,
}

/// A name that every runtime can use: a DNS label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName(String);

/// The error for a text that is not a valid name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a name has 1 to 53 lower-case letters, digits and hyphens, and starts and ends with a letter \
     or digit"
)]
pub struct NameError;

/// An object of a runtime.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectRef {
    pub kind: Kind,
    pub name: ObjectName,
}

/// The purpose of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Port {
    /// A SuperLink's API.
    Api,
    /// A SuperLink's Fleet API, if it has its own port.
    Fleet,
    /// A SuperLink's API for its apps, if it has its own port.
    Apps,
    /// A SuperNode's own API, for its apps.
    Runtime,
}

impl Kind {
    /// The name of the folder, or of the label, for objects of this kind.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Superlink => "superlinks",
            Self::Supernode => "supernodes",
            Self::SupernodeKey => "supernode-keys",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Superlink => "SuperLink",
            Self::Supernode => "SuperNode",
            Self::SupernodeKey => "SuperNode key",
        })
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Api => "API",
            Self::Fleet => "Fleet API",
            Self::Apps => "API for apps",
            Self::Runtime => "Runtime API",
        })
    }
}

impl ObjectName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text is a DNS label of at most `longest` characters: lower-case letters, digits and
/// hyphens, without a hyphen at the start or the end.
pub fn is_dns_label(text: &str, longest: usize) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let edge_is_plain = !text.starts_with('-') && !text.ends_with('-');
    (1..=longest).contains(&text.len()) && text.bytes().all(inner) && edge_is_plain
}

/// Whether this is a valid name of a Kubernetes object: DNS labels, separated by dots.
pub fn is_dns_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(|label| is_dns_label(label, 253))
}

/// Whether this is a valid name of a secret's entry in every runtime.
pub fn is_entry_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=253).contains(&text.len())
        && text.bytes().all(inner)
        && text != "."
        && !text.starts_with("..")
}

impl FromStr for ObjectName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if is_dns_label(text, 53) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError)
        }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.kind, self.name.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_within_a_cluster_and_a_secret_lead_nowhere_else() {
        for text in ["a", "a.b-1", &"x".repeat(253)] {
            assert!(is_dns_subdomain(text) && is_entry_name(text), "{text}");
        }
        for text in ["", "a/b", "..", "../a", "a b", "ä", "a\0", &"x".repeat(254)] {
            assert!(!is_dns_subdomain(text) && !is_entry_name(text), "{text}");
        }
        assert!(is_entry_name("private-key-Ab_1") && !is_dns_subdomain("a_b"));
    }

    #[test]
    fn names_are_dns_labels() {
        for text in ["a", "site-1", "0", &"x".repeat(53)] {
            assert!(text.parse::<ObjectName>().is_ok(), "{text}");
        }
        for text in [
            "",
            "-a",
            "a-",
            "A",
            "a_b",
            "../x",
            "a.b",
            "ä",
            &"x".repeat(54),
        ] {
            assert!(text.parse::<ObjectName>().is_err(), "{text}");
        }
    }
}
