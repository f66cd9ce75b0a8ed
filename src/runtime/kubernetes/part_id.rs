//! The identity of a part of an object: its kind and its name. Records and messages contain it.

use std::fmt;
use std::str::FromStr;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A kind of part that the provider watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PartKind {
    ConfigMap,
    Deployment,
    NetworkPolicy,
    PersistentVolumeClaim,
    Service,
}

impl PartKind {
    const ALL: [Self; 5] = [
        Self::ConfigMap,
        Self::Deployment,
        Self::NetworkPolicy,
        Self::PersistentVolumeClaim,
        Self::Service,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Deployment => "Deployment",
            Self::NetworkPolicy => "NetworkPolicy",
            Self::PersistentVolumeClaim => "PersistentVolumeClaim",
            Self::Service => "Service",
        }
    }
}

/// The API types of these kinds.
pub(super) trait Watched {
    const KIND: PartKind;
}

macro_rules! watched {
    ($($ty:ident),* $(,)?) => { $(
        impl Watched for $ty {
            const KIND: PartKind = PartKind::$ty;
        }
    )* };
}

watched!(
    ConfigMap,
    Deployment,
    NetworkPolicy,
    PersistentVolumeClaim,
    Service,
);

/// One part of an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PartId {
    kind: PartKind,
    name: String,
}

impl PartId {
    pub(super) fn of<K: Watched>(name: &str) -> Self {
        Self {
            kind: K::KIND,
            name: name.to_owned(),
        }
    }
}

/// The form in messages.
impl fmt::Display for PartId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.kind.as_str(), self.name)
    }
}

impl Serialize for PartId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{}/{}", self.kind.as_str(), self.name))
    }
}

/// The error for a text that is not a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not the kind of a part")]
pub(super) struct NoPart;

impl FromStr for PartId {
    type Err = NoPart;

    /// Reads `Deployment/main` and the form of older records, `Deployment "main"`.
    fn from_str(text: &str) -> Result<Self, NoPart> {
        let older = || Some((text.split_once(' ')?.0, text.split('"').nth(1)?));
        let (kind, name) = text.split_once('/').or_else(older).ok_or(NoPart)?;
        let kind = PartKind::ALL.into_iter().find(|one| one.as_str() == kind);
        Ok(Self {
            kind: kind.ok_or(NoPart)?,
            name: name.to_owned(),
        })
    }
}

impl<'de> Deserialize<'de> for PartId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_record_of_before_is_read_and_today_s_written() {
        let part = PartId::of::<Deployment>("superlink-main");
        assert_eq!(part.to_string(), "Deployment \"superlink-main\"");
        let older = r#"{"Deployment \"superlink-main\"":1,"Service \"superlink-main\"":2}"#;
        let read: BTreeMap<PartId, u8> = serde_json::from_str(older).unwrap();
        assert_eq!(read.get(&part), Some(&1));
        let written = serde_json::to_string(&read).unwrap();
        assert_eq!(
            written,
            r#"{"Deployment/superlink-main":1,"Service/superlink-main":2}"#
        );
        let again: BTreeMap<PartId, u8> = serde_json::from_str(&written).unwrap();
        assert_eq!(again, read);
        for wrong in ["", "Pod/x", "Deployment", "Pod \"x\""] {
            assert_eq!(wrong.parse::<PartId>(), Err(NoPart), "{wrong}");
        }
    }
}
