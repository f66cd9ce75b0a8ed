//! The resources, all of the same shape: `model` is the schema, `mod` the life of one object, and
//! what else a folder holds is named for what it does. Resources know Terraform and the domain;
//! the domain knows neither of them.

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
use app_run::RunsSeen;
use connection_attributes::ControlInput;
use journal::SUBMISSIONS;
use requirements::PlannedRequirements;
use supernode::RecentlyRemoved;

/// Makes the client of a SuperLink.
#[cfg(test)]
type Answers = dyn Fn(&ControlEndpoint) -> ControlClient + Send + Sync;

/// What the provider's configuration comes to: where objects live, and one client for each
/// SuperLink that is talked to.
pub struct Configured {
    pub runtime: Arc<dyn Runtime>,
    controls: ControlPool,
    /// For SuperLinks whose `control` has no file with one.
    token: Option<AccountToken>,
    recently_removed: RecentlyRemoved,
    runs_seen: RunsSeen,
    planned_requirements: PlannedRequirements,
    /// Shared by a refresh of many runs.
    notes: OnceCell<BTreeMap<String, serde_json::Value>>,
    /// What answers in the place of every SuperLink.
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
            planned_requirements: PlannedRequirements::default(),
            notes: OnceCell::new(),
            #[cfg(test)]
            answers: None,
        }
    }

    /// The same, with a token for SuperLinks that have accounts.
    #[must_use]
    pub fn with_token(self, token: Option<AccountToken>) -> Self {
        Self { token, ..self }
    }

    /// The notes of submissions that earlier applies left, listed once: they are looked for in passing,
    /// so that none is told apart from a journal that cannot be read.
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

    /// The same, with something that answers in the place of every SuperLink.
    #[cfg(test)]
    pub(crate) fn answered_by(
        self,
        answers: impl Fn(&ControlEndpoint) -> ControlClient + Send + Sync + 'static,
    ) -> Self {
        let answers = Some(Arc::new(answers) as Arc<Answers>);
        Self { answers, ..self }
    }

    /// The client of the SuperLink at this address; nothing is sent yet.
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

/// Reaches a port that only the runtime can reach.
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

    /// Each connection is a way of its own to open, and calls are short: they take turns on one. The
    /// second is there for when a call hangs.
    fn at_once(&self) -> usize {
        2
    }
}
