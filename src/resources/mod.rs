//! The resources, all with the same structure: `model` is the schema, `mod` implements the life of
//! one object, and the other files of a folder are named for what they do. Resources depend on
//! Terraform and the domain; the domain depends on neither.

mod addresses;
pub mod app_run;
mod choices;
mod config_values;
pub(crate) mod connection_attributes;
pub(crate) mod connection_checks;
pub(crate) mod control_access;
mod exposure;
mod failure;
mod journal;
pub(crate) mod labels;
mod launched;
mod lifecycle;
pub(crate) mod local_path;
mod operation;
mod place;
#[cfg(test)]
pub(crate) mod planning;
pub(crate) mod pod;
mod process_checks;
mod processes;
mod quantity;
mod recorded_configuration;
mod release;
pub(crate) mod report;
mod requirements;
mod service;
mod sha256;
pub(crate) mod simulation;
pub mod superlink;
mod superlink_id;
pub mod supernode;
pub mod supernode_key;
mod timeouts;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::OnceCell;

use crate::flower::control::{
    AccountToken, ControlClient, ControlEndpoint, ControlPool, Deadlines, Dial, Duplex,
    EndpointError, Protocol, SharedReads,
};
use crate::flower::version::{ControlPlane, row_of};
use crate::pod_address::PodAddress;
use crate::runtime::{ErrorKind, Runtime};
use app_run::{Downloads, RecentBundles, Repositories, RunsSeen};
use connection_attributes::ControlInput;
use journal::SUBMISSIONS;
use requirements::PlannedRequirements;
use supernode::RecentlyRemoved;

/// Creates the client of a SuperLink in a test.
#[cfg(test)]
type Answers = dyn Fn(&ControlEndpoint) -> ControlClient + Send + Sync;

/// The provider's configuration after its checks: the runtime where objects live, and one client
/// for each SuperLink.
pub struct Configured {
    pub runtime: Arc<dyn Runtime>,
    controls: ControlPool,
    /// The account token for SuperLinks whose `control` has no token file.
    token: Option<AccountToken>,
    recently_removed: RecentlyRemoved,
    runs_seen: RunsSeen,
    downloads: Downloads,
    repositories: Repositories,
    recent_bundles: RecentBundles,
    planned_requirements: PlannedRequirements,
    /// Shared by a refresh of many runs.
    notes: OnceCell<BTreeMap<String, serde_json::Value>>,
    /// Answers instead of every SuperLink.
    #[cfg(test)]
    answers: Option<Arc<Answers>>,
}

impl Configured {
    pub fn new(runtime: Arc<dyn Runtime>) -> Self {
        Self {
            runtime,
            controls: ControlPool::default(),
            token: None,
            recently_removed: RecentlyRemoved::default(),
            runs_seen: RunsSeen::default(),
            downloads: Downloads::default(),
            repositories: Repositories::default(),
            recent_bundles: RecentBundles::default(),
            planned_requirements: PlannedRequirements::default(),
            notes: OnceCell::new(),
            #[cfg(test)]
            answers: None,
        }
    }

    /// The same, with a token for SuperLinks that use accounts.
    #[must_use]
    pub fn with_token(self, token: Option<AccountToken>) -> Self {
        Self { token, ..self }
    }

    /// The notes of submissions that earlier applies left, read once. A journal that cannot be read
    /// counts as empty, because these notes are not essential here.
    async fn earlier_notes(&self) -> &BTreeMap<String, serde_json::Value> {
        let list = || async {
            let notes = self.runtime.read_notes(SUBMISSIONS).await;
            notes.unwrap_or_else(|error| {
                tracing::warn!("the notes of submissions could not be read: {error}");
                BTreeMap::new()
            })
        };
        self.notes.get_or_init(list).await
    }

    /// The same, with answers instead of every SuperLink.
    #[cfg(test)]
    pub(crate) fn answered_by(
        self,
        answers: impl Fn(&ControlEndpoint) -> ControlClient + Send + Sync + 'static,
    ) -> Self {
        let answers = Some(Arc::new(answers) as Arc<Answers>);
        Self { answers, ..self }
    }

    /// The client of the SuperLink at this address; no request is sent yet.
    pub fn control(&self, input: &ControlInput) -> Result<Arc<SharedReads>, EndpointError> {
        let endpoint = self.endpoint(input)?;
        #[cfg(test)]
        if let Some(answers) = &self.answers {
            return Ok(self
                .controls
                .get_or_connect(&endpoint, || answers(&endpoint)));
        }
        Ok(self
            .controls
            .get_or_connect(&endpoint, || match endpoint.pod() {
                None => ControlClient::connect(&endpoint),
                Some(pod) => {
                    let dial = ThroughRuntime {
                        runtime: Arc::clone(&self.runtime),
                        pod: pod.clone(),
                        port: endpoint.port(),
                    };
                    ControlClient::connect_over(&endpoint, Arc::new(dial), Deadlines::default())
                }
            }))
    }

    fn endpoint(&self, input: &ControlInput) -> Result<ControlEndpoint, EndpointError> {
        let version = input.flower_version;
        let row = version.and_then(|version| row_of(version).ok());
        let mut endpoint = ControlEndpoint::parse(&input.url, input.ca_certificate.as_deref())?;
        endpoint = match (&input.token_file, &self.token) {
            (Some(file), _) => endpoint.with_token_file(&file.from(Path::new("")))?,
            (None, Some(token)) => endpoint.with_token(token),
            (None, None) => endpoint,
        };
        if let Some(row) = row {
            endpoint = endpoint.speaking(match row.control {
                ControlPlane::Http => Protocol::Http,
                ControlPlane::Grpc { .. } => Protocol::Grpc,
            });
        }
        Ok(endpoint)
    }
}

/// Connects to a port that only the runtime can reach.
struct ThroughRuntime {
    runtime: Arc<dyn Runtime>,
    pod: PodAddress,
    port: u16,
}

#[async_trait]
impl Dial for ThroughRuntime {
    async fn dial(&self) -> io::Result<Box<dyn Duplex>> {
        let opened = self.runtime.connect(&self.pod, self.port).await;
        match opened {
            Ok(connection) => Ok(Box::new(connection)),
            Err(error) if error.kind() == ErrorKind::Refused => Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                error.to_string(),
            )),
            Err(error) => Err(io::Error::other(error.to_string())),
        }
    }

    /// Each connection needs its own port-forward, and calls are short, so they share one. The
    /// second connection is for when a call hangs.
    fn at_once(&self) -> usize {
        2
    }
}
