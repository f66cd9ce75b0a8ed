//! Runs, as the SuperLink reports them.

use std::collections::{BTreeMap, HashMap};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::run_id::RunId;
use super::run_status::{RunStatus, SubStatus};
use super::wire;
use crate::flower::run_config::{ConfigValue, RunConfig};

/// The federation that 1.24 and 1.25 need to start a run.
pub(super) const EARLY_FEDERATION: &str = "default";

/// Whether this is the federation of an open-source SuperLink, in which a run without a federation
/// starts.
pub fn is_default_federation(name: &str) -> bool {
    ["", "@none/default", EARLY_FEDERATION].contains(&name)
}

/// A time as the SuperLink wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timestamp(String);

impl Timestamp {
    /// `None` for the empty text, with which Flower says "not yet".
    pub(crate) fn parse(text: String) -> Option<Self> {
        (!text.is_empty()).then_some(Self(text))
    }

    /// The text: RFC 3339, from the SuperLink's clock.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The time as a value.
    pub fn moment(&self) -> Option<OffsetDateTime> {
        OffsetDateTime::parse(&self.0, &Rfc3339).ok()
    }
}

/// A run as the SuperLink reports it.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The run ID.
    pub id: RunId,
    /// The status.
    pub status: RunStatus,
    /// The result.
    pub sub_status: SubStatus,
    /// Flower's details about the end, mostly empty.
    pub details: String,
    /// The SHA-256 of the app bundle.
    pub fab_hash: String,
    /// The app as `publisher/name`.
    pub app_id: String,
    /// The version of the app.
    pub app_version: String,
    /// The overrides from the submission.
    pub override_config: RunConfig,
    /// The federation.
    pub federation: String,
    /// When it was submitted.
    pub pending_at: Option<Timestamp>,
    /// When a SuperExec started to prepare it.
    pub starting_at: Option<Timestamp>,
    /// When its `ServerApp` started.
    pub running_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// What its clients used so far; `None` up to 1.24, and before a client did anything.
    pub usage: Option<Usage>,
}

/// What the clients of a run used, as the SuperLink counts it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Usage {
    /// Bytes that the SuperLink sent to SuperNodes.
    pub bytes_sent: u64,
    /// Bytes that it received from them.
    pub bytes_received: u64,
    /// How long `ClientApp`s ran, in seconds, all together.
    pub clientapp_seconds: f64,
}

impl Run {
    /// Whether the run has ended, so that nothing of it changes any more.
    pub fn is_finished(&self) -> bool {
        self.status == RunStatus::Finished
    }

    pub(crate) fn from_wire(run: wire::Run) -> Self {
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
            usage: Some(Usage {
                bytes_sent: run.bytes_sent,
                bytes_received: run.bytes_recv,
                clientapp_seconds: run.clientapp_runtime,
            })
            .filter(|usage| *usage != Usage::default() && usage.clientapp_seconds.is_finite()),
        }
    }
}

/// Runs from one or more replies.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunListing {
    /// The runs by ID.
    pub runs: HashMap<RunId, Run>,
    /// The SuperLink's time of the reply.
    pub server_now: Option<Timestamp>,
    /// Whether these are all runs.
    pub complete: bool,
}

/// Flower itself writes only bool, sint64, double and string. Values of another type, from another
/// client, are kept readable and never equal a value that the provider submitted.
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
