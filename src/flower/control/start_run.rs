//! A run to submit.

use std::fmt;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::wire;
use crate::flower::run_config::{ConfigValue, RunConfig};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flower::control::run::config;

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
}
