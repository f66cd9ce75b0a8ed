//! A run to submit.

use std::fmt;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::run::Run;
use super::wire;
use crate::flower::app_source::hub::HubApp;
use crate::flower::run_config::{ConfigValue, RunConfig};

/// A run to submit.
#[derive(Clone, PartialEq)]
pub struct StartRun {
    app: SubmittedApp,
    /// Values that override those of the app; their keys must exist in the app.
    pub overrides: RunConfig,
    /// The federation; empty for the default.
    pub federation: String,
    /// How SuperNodes are simulated, on a SuperLink that simulates them. Only for releases that
    /// take it with a run.
    pub simulation: Option<SimulationConfig>,
}

/// How SuperNodes are simulated. Flower has a default for what is missing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SimulationConfig {
    pub num_supernodes: u32,
    /// For the ClientApp of one SuperNode.
    pub client_resources_num_cpus: Option<u32>,
    pub client_resources_num_gpus: Option<f32>,
}

#[derive(Clone, PartialEq)]
enum SubmittedApp {
    Bundle {
        content: Bytes,
        hash: String,
    },
    /// The SuperLink fetches the bundle, and only then creates the run.
    Hub(HubApp),
}

impl StartRun {
    /// A run of this app bundle.
    pub fn new(fab: Bytes, overrides: RunConfig, federation: impl Into<String>) -> Self {
        Self {
            app: SubmittedApp::Bundle {
                hash: hex::encode(Sha256::digest(&fab)),
                content: fab,
            },
            overrides,
            federation: federation.into(),
            simulation: None,
        }
    }

    /// A run of an app that the SuperLink fetches from Flower Hub.
    pub fn of_hub(app: HubApp, overrides: RunConfig, federation: impl Into<String>) -> Self {
        Self {
            app: SubmittedApp::Hub(app),
            overrides,
            federation: federation.into(),
            simulation: None,
        }
    }

    /// The same on a SuperLink that simulates SuperNodes.
    #[must_use]
    pub fn simulated(self, simulation: Option<SimulationConfig>) -> Self {
        Self { simulation, ..self }
    }

    /// SHA-256 of the bundle, as the SuperLink computes it; `None` for an app of Flower Hub.
    pub fn fab_hash(&self) -> Option<&str> {
        match &self.app {
            SubmittedApp::Bundle { hash, .. } => Some(hash),
            SubmittedApp::Hub(_) => None,
        }
    }

    /// The size of the bundle; `None` for an app of Flower Hub.
    pub fn fab_len(&self) -> Option<usize> {
        match &self.app {
            SubmittedApp::Bundle { content, .. } => Some(content.len()),
            SubmittedApp::Hub(_) => None,
        }
    }

    /// Whether the SuperLink fetches the app before it creates the run, which can take minutes.
    pub const fn is_fetched(&self) -> bool {
        matches!(self.app, SubmittedApp::Hub(_))
    }

    /// Whether the run is one of this app, as far as a SuperLink shows: a bundle is known by its
    /// hash, an app of Flower Hub only by its name and version.
    pub(super) fn is_app_of(&self, run: &Run) -> bool {
        match &self.app {
            SubmittedApp::Bundle { hash, .. } => run.fab_hash == *hash,
            SubmittedApp::Hub(app) => {
                run.app_id == app.id()
                    && app
                        .version()
                        .is_none_or(|version| run.app_version == version)
            }
        }
    }

    /// Equal for submissions whose runs look alike.
    pub(super) fn app_key(&self) -> &str {
        match &self.app {
            SubmittedApp::Bundle { hash, .. } => hash,
            SubmittedApp::Hub(app) => app.id(),
        }
    }

    pub(super) fn to_wire(&self) -> wire::StartRunRequest {
        let (fab, app_spec) = match &self.app {
            SubmittedApp::Bundle { content, hash } => {
                let fab = wire::Fab {
                    hash_str: hash.clone(),
                    content: content.clone(),
                };
                (Some(fab), String::new())
            }
            SubmittedApp::Hub(app) => (None, app.to_string()),
        };
        wire::StartRunRequest {
            fab,
            app_spec,
            override_config: self
                .overrides
                .iter()
                .map(|(key, value)| (key.clone(), scalar(value)))
                .collect(),
            override_federation_config: self.simulation.map(|simulation| wire::SimulationConfig {
                num_supernodes: Some(simulation.num_supernodes),
                client_resources_num_cpus: simulation.client_resources_num_cpus,
                client_resources_num_gpus: simulation.client_resources_num_gpus,
            }),
            federation: self.federation.clone(),
        }
    }
}

/// Values of a run configuration can be confidential, so only the keys are shown.
impl fmt::Debug for StartRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartRun")
            .field("app", &self.app_key())
            .field("overrides", &self.overrides.keys().collect::<Vec<_>>())
            .field("federation", &self.federation)
            .field("simulation", &self.simulation)
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
    fn an_app_of_flower_hub_is_sent_as_its_name_without_a_bundle() {
        let app: HubApp = "@a/b==1.2.3".parse().unwrap();
        let start = StartRun::of_hub(app, RunConfig::new(), "@none/default");
        let wire = start.to_wire();
        assert_eq!((wire.fab, wire.app_spec.as_str()), (None, "@a/b==1.2.3"));
        assert_eq!(wire.federation, "@none/default");
        assert_eq!((start.fab_hash(), start.fab_len()), (None, None));
        let bundle = StartRun::new(Bytes::from_static(b"fab"), RunConfig::new(), "");
        assert_eq!(bundle.to_wire().app_spec, "");
    }

    #[test]
    fn a_simulation_has_flowers_numbers_and_leaves_defaults_to_flower() {
        use prost::Message as _;
        let simulated = |simulation| {
            let start = StartRun::new(Bytes::new(), RunConfig::new(), "f").simulated(simulation);
            let wire = wire::StartRunRequest {
                fab: None,
                ..start.to_wire()
            };
            hex::encode(wire.encode_to_vec())
        };
        assert_eq!(simulated(None), "2a0166");
        let mut simulation = SimulationConfig {
            num_supernodes: 10,
            client_resources_num_cpus: None,
            client_resources_num_gpus: None,
        };
        assert_eq!(simulated(Some(simulation)), "1a02080a2a0166");
        simulation.client_resources_num_cpus = Some(3);
        simulation.client_resources_num_gpus = Some(0.5);
        assert_eq!(simulated(Some(simulation)), "1a09080a10031d0000003f2a0166");
    }

    #[test]
    fn neither_bundle_nor_values_show_in_debug_output() {
        let overrides = [("token".to_owned(), ConfigValue::Str("hush".to_owned()))].into();
        let start = StartRun::new(Bytes::from_static(b"fab-bytes"), overrides, "");
        let shown = format!("{start:?}");
        assert!(shown.contains("token") && !shown.contains("hush") && !shown.contains("fab-bytes"));
    }
}
