//! Runs, as the SuperLink tells of them.

use std::collections::{BTreeMap, HashMap};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::run_id::RunId;
use super::run_status::{RunStatus, SubStatus};
use super::wire;
use crate::flower::run_config::{ConfigValue, RunConfig};

/// The name without which 1.24 and 1.25 start no run.
pub(super) const EARLY_FEDERATION: &str = "default";

/// Whether a run is in the federation of an open-source SuperLink, in which runs start that name none.
pub fn is_default_federation(name: &str) -> bool {
    ["", "@none/default", EARLY_FEDERATION].contains(&name)
}

/// A time as the SuperLink wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timestamp(String);

impl Timestamp {
    /// `None` for the empty text, which is Flower's "not yet".
    pub(crate) fn parse(text: String) -> Option<Self> {
        (!text.is_empty()).then_some(Self(text))
    }

    /// The text, RFC 3339 with the SuperLink's clock.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The moment it stands for.
    pub fn moment(&self) -> Option<OffsetDateTime> {
        OffsetDateTime::parse(&self.0, &Rfc3339).ok()
    }
}

/// A run as the SuperLink knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// How far it is.
    pub status: RunStatus,
    /// How it ended.
    pub sub_status: SubStatus,
    /// Flower's words about the end, mostly empty.
    pub details: String,
    /// SHA-256 of the app bundle.
    pub fab_hash: String,
    /// `publisher/name` of the app.
    pub app_id: String,
    /// Version of the app.
    pub app_version: String,
    /// The values given when it was submitted.
    pub override_config: RunConfig,
    /// The federation it runs in.
    pub federation: String,
    /// When it was submitted.
    pub pending_at: Option<Timestamp>,
    /// When it was picked up.
    pub starting_at: Option<Timestamp>,
    /// When its `ServerApp` started.
    pub running_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

impl Run {
    /// True once nothing about it will change.
    pub fn is_finished(&self) -> bool {
        self.status == RunStatus::Finished
    }

    pub(super) fn from_wire(run: wire::Run) -> Self {
        let status = run.status.unwrap_or_default();
        Self {
            id: RunId(run.run_id),
            status: status.status.as_str().into(),
            sub_status: status.sub_status.as_str().into(),
            details: status.details,
            fab_hash: run.fab_hash,
            app_id: run.fab_id,
            app_version: run.fab_version,
            override_config: config(run.override_config),
            federation: run.federation,
            pending_at: Timestamp::parse(run.pending_at),
            starting_at: Timestamp::parse(run.starting_at),
            running_at: Timestamp::parse(run.running_at),
            finished_at: Timestamp::parse(run.finished_at),
        }
    }
}

/// Runs as one answer or several told of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunListing {
    /// The runs by number.
    pub runs: HashMap<RunId, Run>,
    /// The SuperLink's clock when it answered.
    pub server_now: Option<Timestamp>,
    /// True if there are no others.
    pub complete: bool,
}

/// Flower itself writes bool, sint64, double and string only. What another client may have put there
/// is kept readable, and can never equal something we submitted by accident of type.
pub(super) fn config(map: HashMap<String, wire::Scalar>) -> RunConfig {
    use wire::scalar::Scalar as S;
    map.into_iter()
        .filter_map(|(key, value)| {
            let value = match value.scalar? {
                S::Bool(v) => ConfigValue::Bool(v),
                S::Sint64(v) => ConfigValue::Int(v),
                S::Uint64(v) => i64::try_from(v)
                    .map_or_else(|_| ConfigValue::Str(v.to_string()), ConfigValue::Int),
                S::Double(v) => ConfigValue::Float(v),
                S::String(v) => ConfigValue::Str(v),
                S::Bytes(v) => ConfigValue::Str(hex::encode(v)),
            };
            Some((key, value))
        })
        .collect::<BTreeMap<_, _>>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flowers_times_are_read() {
        let time = Timestamp::parse("2026-11-24T10:00:00.123456+00:00".to_owned()).unwrap();
        assert_eq!(time.moment().unwrap().unix_timestamp(), 1_795_514_400);
        assert_eq!(Timestamp::parse(String::new()), None);
        assert_eq!(Timestamp::parse("soon".to_owned()).unwrap().moment(), None);
    }

    #[test]
    fn the_default_federation_has_a_name_of_its_own_in_every_era() {
        for name in ["", "default", "@none/default"] {
            assert!(is_default_federation(name), "{name:?}");
        }
        assert!(!is_default_federation("@clinics/default"));
    }
}
