//! Runs: what the provider submits, and what the SuperLink reports about them.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::wire;
use crate::flower::run_config::{ConfigValue, RunConfig};

/// The federation that 1.24 and 1.25 need to start a run.
pub(super) const EARLY_FEDERATION: &str = "default";

/// The ID of a run. It is random and mostly too large for an exact JSON number: write it as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(pub u64);

impl TryFrom<String> for RunId {
    type Error = NotARunId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A text that is not a run ID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a run ID is a number: `flower_app_run.NAME.run_id`, or one that `flwr list` shows")]
pub struct NotARunId;

impl FromStr for RunId {
    type Err = NotARunId;

    /// Accepts only the canonical form: no sign, no leading zero.
    fn from_str(text: &str) -> Result<Self, NotARunId> {
        let id = text.parse().map(Self).map_err(|_| NotARunId)?;
        if id.to_string() == text {
            Ok(id)
        } else {
            Err(NotARunId)
        }
    }
}

/// Whether this is the federation of an open-source SuperLink, in which a run without a federation
/// starts.
pub fn is_default_federation(name: &str) -> bool {
    ["", "@none/default", EARLY_FEDERATION].contains(&name)
}

/// A run to submit.
#[derive(Clone, PartialEq)]
pub struct StartRun {
    fab: Bytes,
    fab_hash: String,
    /// Values that override those of the app; their keys must exist in the app.
    pub overrides: RunConfig,
    /// The federation; empty for the default.
    pub federation: String,
}

impl StartRun {
    /// A run of this app bundle.
    pub fn new(fab: Bytes, overrides: RunConfig, federation: impl Into<String>) -> Self {
        Self {
            fab_hash: hex::encode(Sha256::digest(&fab)),
            fab,
            overrides,
            federation: federation.into(),
        }
    }

    /// SHA-256 of the bundle, as the SuperLink computes it.
    pub fn fab_hash(&self) -> &str {
        &self.fab_hash
    }

    /// The size of the bundle.
    pub fn fab_len(&self) -> usize {
        self.fab.len()
    }

    pub(super) fn to_wire(&self) -> wire::StartRunRequest {
        wire::StartRunRequest {
            fab: Some(wire::Fab {
                hash_str: self.fab_hash.clone(),
                content: self.fab.clone(),
            }),
            override_config: self
                .overrides
                .iter()
                .map(|(key, value)| (key.clone(), scalar(value)))
                .collect(),
            federation: self.federation.clone(),
        }
    }
}

/// Values of a run configuration can be confidential, so only the keys are shown.
impl fmt::Debug for StartRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartRun")
            .field("fab_hash", &self.fab_hash)
            .field("overrides", &self.overrides.keys().collect::<Vec<_>>())
            .field("federation", &self.federation)
            .finish_non_exhaustive()
    }
}

/// The status of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunStatus {
    /// Waiting for a SuperExec.
    Pending,
    /// A SuperExec has started to prepare it.
    Starting,
    /// The `ServerApp` is running.
    Running,
    /// Ended; [`SubStatus`] has the result.
    Finished,
    /// A status of a newer release.
    Unknown(String),
}

impl RunStatus {
    /// Flower's name of the status.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pending => "pending",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Unknown(word) => word,
        }
    }
}

impl From<&str> for RunStatus {
    fn from(word: &str) -> Self {
        match word {
            "pending" => Self::Pending,
            "starting" => Self::Starting,
            "running" => Self::Running,
            "finished" => Self::Finished,
            other => Self::Unknown(other.to_owned()),
        }
    }
}

/// The result of a finished run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubStatus {
    /// Not finished yet.
    None,
    /// Completed without an error.
    Completed,
    /// Ended with an error.
    Failed,
    /// Stopped by a user.
    Stopped,
    /// A sub-status of a newer release.
    Unknown(String),
}

impl SubStatus {
    /// Flower's name of the result; empty for a run that has not ended.
    pub fn as_str(&self) -> &str {
        match self {
            Self::None => "",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Unknown(word) => word,
        }
    }
}

impl From<&str> for SubStatus {
    fn from(word: &str) -> Self {
        match word {
            "" => Self::None,
            "completed" => Self::Completed,
            "failed" => Self::Failed,
            "stopped" => Self::Stopped,
            other => Self::Unknown(other.to_owned()),
        }
    }
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
}

impl Run {
    /// Whether the run has ended, so that nothing of it changes any more.
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

fn scalar(value: &ConfigValue) -> wire::Scalar {
    use wire::scalar::Scalar as S;
    wire::Scalar {
        scalar: Some(match value {
            ConfigValue::Bool(v) => S::Bool(*v),
            ConfigValue::Int(v) => S::Sint64(*v),
            ConfigValue::Float(v) => S::Double(*v),
            ConfigValue::Str(v) => S::String(v.clone()),
        }),
    }
}

/// Flower itself writes only bool, sint64, double and string. Values of another type, from another
/// client, are kept readable and never equal a value that the provider submitted.
fn config(map: HashMap<String, wire::Scalar>) -> RunConfig {
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
    fn a_run_number_keeps_all_its_digits_as_text() {
        let id: RunId = "18446744073709551615".parse().unwrap();
        assert_eq!(id, RunId(u64::MAX));
        assert_eq!(id.to_string(), "18446744073709551615");
        assert!("-1".parse::<RunId>().is_err());
    }

    #[test]
    fn a_status_of_the_future_keeps_its_word() {
        assert_eq!(
            RunStatus::from("queued"),
            RunStatus::Unknown("queued".to_owned())
        );
        for word in ["pending", "starting", "running", "finished", "queued"] {
            assert_eq!(RunStatus::from(word).as_str(), word);
        }
        for word in ["", "completed", "failed", "stopped", "merged"] {
            assert_eq!(SubStatus::from(word).as_str(), word);
        }
    }

    #[test]
    fn what_is_submitted_comes_back_with_the_same_types() {
        let overrides: RunConfig = [
            ("a".to_owned(), ConfigValue::Int(-7)),
            ("b".to_owned(), ConfigValue::Float(1.0)),
            ("c".to_owned(), ConfigValue::Bool(false)),
            ("d".to_owned(), ConfigValue::Str("x".to_owned())),
        ]
        .into();
        let start = StartRun::new(Bytes::from_static(b"fab"), overrides.clone(), "");
        let wire = start.to_wire();
        assert_eq!(config(wire.override_config), overrides);
        assert_eq!(
            wire.fab.unwrap().hash_str,
            "c2242e2c12190babaf9f9488fb7bb1bb37182a94cda68699af53ed35160d3933"
        );
    }

    #[test]
    fn neither_bundle_nor_values_show_in_debug_output() {
        let overrides = [("token".to_owned(), ConfigValue::Str("hush".to_owned()))].into();
        let start = StartRun::new(Bytes::from_static(b"fab-bytes"), overrides, "");
        let shown = format!("{start:?}");
        assert!(shown.contains("token") && !shown.contains("hush") && !shown.contains("fab-bytes"));
    }

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
