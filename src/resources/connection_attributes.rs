//! The outputs that connect resources: how to reach a SuperLink, and where a key is kept. They
//! contain only public values; a secret is passed by its name.

use crate::flower::version::FlowerVersion;
use crate::model;
use crate::pod_address::PodAddress;
use crate::resources::local_path::LocalPath;
use crate::resources::simulation::{Simulation, SimulationOutput};
use crate::resources::superlink_id::SuperlinkId;
use crate::tfplugin::Plan;
use crate::tfplugin::diagnostic::Result;
use crate::tfplugin::schema::{Maybe, ModelPath, computed, optional, required};

model! {
    /// What SuperNodes need to connect to a SuperLink.
    pub struct FleetOutput {
        /// The address of the Fleet API, `host:port`.
        address: String = computed(),
        /// The CA certificate (PEM) that signed the SuperLink's certificate. Null with `insecure`.
        ca_certificate: Option<String> = computed(),
        /// Whether the SuperLink runs without TLS.
        insecure: bool = computed(),
        /// The Flower version of the SuperLink.
        flower_version: String = computed(),
        /// The ID that the SuperLink got at creation. Null for a SuperLink that was created before
        /// the provider had these IDs.
        superlink_id: Option<SuperlinkId> = computed(),
    }
}

model! {
    /// How to connect to a SuperLink. Pass the whole `flower_superlink.NAME.fleet`, or write the
    /// object yourself for a SuperLink that someone else operates.
    pub struct FleetInput {
        /// The address of the Fleet API, `host:port`.
        address: String = required(),
        /// The CA certificate (PEM) that signed the SuperLink's certificate. By default the
        /// SuperNode trusts the certificate authorities of the machine.
        ca_certificate: Option<String> = optional(),
        /// Whether to connect without TLS. Use it only for a SuperLink with `insecure`.
        insecure: Option<bool> = optional(),
        /// The Flower version of the SuperLink, which is the default version of the SuperNode.
        flower_version: Option<String> = optional(),
        /// The ID of a SuperLink that this provider created. With the same ID, a changed address
        /// still means the same SuperLink. Without an ID, a changed address means another
        /// SuperLink.
        superlink_id: Option<SuperlinkId> = optional(),
    }
}

model! {
    /// How to reach a SuperLink's Control API, which starts runs and registers SuperNodes.
    pub struct ControlOutput {
        /// The address of the Control API. Flower 1.37 or later: `https://host:port`; older
        /// versions: `grpcs://host:port`. With `insecure`: `http://…` and `grpc://…`. For a
        /// SuperLink in a cluster: `kube://namespace/name`.
        url: String = computed(),
        /// The CA certificate (PEM) that signed the SuperLink's certificate. Null with `insecure`.
        ca_certificate: Option<String> = computed(),
        /// The Flower version of the SuperLink.
        flower_version: String = computed(),
        /// The ID that the SuperLink got at creation. Null for a SuperLink that was created before
        /// the provider had these IDs.
        superlink_id: Option<SuperlinkId> = computed(),
        /// The `simulation` of the SuperLink, for its runs.
        simulation: Option<SimulationOutput> = computed(),
    }
}

model! {
    /// How to reach a SuperLink's Control API. Pass the whole `flower_superlink.NAME.control`, or
    /// write the object yourself for a SuperLink that someone else operates.
    pub struct ControlInput {
        /// The address of the Control API. Flower 1.37 or later: `https://host:port`; older
        /// versions: `grpcs://host:port`. `http://` and `grpc://` connect without TLS. `kube://namespace/name` is a SuperLink in the cluster of a provider
        /// with `kubernetes`, by the name of its Deployment; it uses TLS if `ca_certificate` is
        /// set.
        url: String = required(),
        /// The CA certificate (PEM) that signed the SuperLink's certificate; the provider trusts no
        /// other authority then. Without it, `https://` and `grpcs://` trust the authorities of
        /// this machine, for a SuperLink behind a proxy with a public certificate.
        ca_certificate: Option<String> = optional(),
        /// The Flower version of the SuperLink. By default the provider detects the differences
        /// between versions when it connects, and allows apps as large as the newest version does.
        flower_version: Option<FlowerVersion> = optional(),
        /// The ID of a SuperLink that this provider created. Another ID in a `flower_app_run` means
        /// another SuperLink and replaces the run; with the same ID only another `simulation`
        /// replaces it. Without an ID, another host, port, namespace or name in `url` means another
        /// SuperLink.
        superlink_id: Option<SuperlinkId> = optional(),
        /// A file with the access token of an account, for a SuperLink with account authentication.
        /// The file is read again for every request, so another program can renew the token. The
        /// token is never written to plans, state or logs. It needs TLS. Default: the provider's
        /// `control_token`, if set.
        token_file: Option<LocalPath> = optional(),
        /// The simulation with which a `flower_app_run` is submitted; nothing else reads it. It must
        /// be the `simulation` of the SuperLink: one without simulation ignores it, and the run waits
        /// for real SuperNodes. By default Flower simulates 2 SuperNodes (10 before Flower 1.32) on a
        /// SuperLink with simulation. A change replaces the run.
        simulation: Option<Simulation> = optional(),
    }
}

/// Whether the SuperLink id at `path` in the plan is the id in the state; `None` if one of them is
/// missing.
pub(crate) fn same_by_id<M>(plan: &Plan<M>, path: ModelPath<M>) -> Result<Option<bool>> {
    let Maybe::Known(Some(before)) = plan.prior.get::<Option<SuperlinkId>>(path)? else {
        return Ok(None);
    };
    Ok(match plan.get::<Option<SuperlinkId>>(path)? {
        Maybe::Known(Some(now)) => Some(now == before),
        Maybe::Known(None) => None,
        // An id that is not known yet belongs to a SuperLink that does not exist yet.
        Maybe::Unknown => Some(false),
    })
}

impl ControlInput {
    /// The identity of the SuperLink: its id or, if it has none, its URL.
    pub(crate) fn superlink(&self) -> &str {
        self.superlink_id
            .as_ref()
            .map_or(&self.url, SuperlinkId::as_str)
    }

    /// Whether the SuperLink is reached through the runtime, which must then be the right one.
    pub(crate) fn is_in_cluster(&self) -> bool {
        is_in_cluster(&self.url)
    }
}

impl ControlOutput {
    /// Whether an input belongs to this SuperLink: by its id or, if one has none, by its URL.
    pub(crate) fn is_of(&self, input: &ControlInput) -> bool {
        let same = SuperlinkId::same(self.superlink_id.as_ref(), input.superlink_id.as_ref());
        same.unwrap_or_else(|| self.url == input.url)
    }
}

impl FleetOutput {
    /// Whether an input belongs to this SuperLink: by its id or, if one has none, by its address.
    pub(crate) fn is_of(&self, input: &FleetInput) -> bool {
        let same = SuperlinkId::same(self.superlink_id.as_ref(), input.superlink_id.as_ref());
        same.unwrap_or_else(|| self.address == input.address)
    }
}

/// Whether a URL points to a pod.
pub(crate) fn is_in_cluster(url: &str) -> bool {
    PodAddress::is_meant_by(url)
}

impl From<ControlOutput> for ControlInput {
    fn from(output: ControlOutput) -> Self {
        Self {
            url: output.url,
            ca_certificate: output.ca_certificate,
            flower_version: output.flower_version.parse().ok(),
            superlink_id: output.superlink_id,
            token_file: None,
            simulation: output.simulation.map(Into::into),
        }
    }
}

model! {
    /// Where the vault of the runtime stores a private key.
    pub struct SecretOutput {
        /// The name of the secret.
        name: String = computed(),
        /// The entry in the secret. It changes with each rotation.
        key: String = computed(),
    }
}

model! {
    /// Where the vault of the runtime stores the private key. Pass the whole
    /// `flower_supernode_key.NAME.secret`.
    pub struct SecretInput {
        /// The name of the secret.
        name: String = required(),
        /// The entry in the secret.
        key: String = required(),
    }
}
