//! What one resource hands to another: where a SuperLink is, and where a key is kept. Public
//! material only; a secret is named, never handed over.

use crate::flower::version::FlowerVersion;
use crate::model;
use crate::resources::local_path::LocalPath;
use crate::resources::superlink_id::SuperlinkId;
use crate::tfplugin::Plan;
use crate::tfplugin::diagnostic::Result;
use crate::tfplugin::schema::{Maybe, ModelPath, computed, optional, required};

model! {
    /// What SuperNodes need to dial a SuperLink.
    pub struct FleetOutput {
        /// `host:port` of the Fleet API.
        address: String = computed(),
        /// The authority, as PEM, that signed the SuperLink's certificate. Null with `insecure`.
        ca_certificate: Option<String> = computed(),
        /// Whether the SuperLink speaks without TLS.
        insecure: bool = computed(),
        /// The SuperLink's Flower release.
        flower_version: String = computed(),
        /// The id that the SuperLink was given when it was created. Null for one from before there
        /// were ids.
        superlink_id: Option<SuperlinkId> = computed(),
    }
}

model! {
    /// How to dial a SuperLink: pass `flower_superlink.NAME.fleet` whole, or write it by hand for
    /// a SuperLink that someone else runs.
    pub struct FleetInput {
        /// `host:port` of the Fleet API.
        address: String = required(),
        /// The authority, as PEM, that signed the SuperLink's certificate. Without it the
        /// machine's own authorities are trusted.
        ca_certificate: Option<String> = optional(),
        /// Speak without TLS. Only for a SuperLink that was started with `insecure`.
        insecure: Option<bool> = optional(),
        /// The SuperLink's Flower release, which the SuperNode then gets too.
        flower_version: Option<String> = optional(),
        /// The id of a SuperLink that this provider made: with it, another address leads to the same
        /// SuperLink. Without it, another address is another SuperLink.
        superlink_id: Option<SuperlinkId> = optional(),
    }
}

model! {
    /// How to reach a SuperLink's Control API, which starts runs and registers nodes.
    pub struct ControlOutput {
        /// `https://host:port`, or `grpcs://host:port` for a release before 1.37; `http://…` and
        /// `grpc://…` with `insecure`; `kube://namespace/name` for one in a cluster.
        url: String = computed(),
        /// The authority, as PEM, that signed the SuperLink's certificate. Null with `insecure`.
        ca_certificate: Option<String> = computed(),
        /// The SuperLink's Flower release.
        flower_version: String = computed(),
        /// The id that the SuperLink was given when it was created. Null for one from before there
        /// were ids.
        superlink_id: Option<SuperlinkId> = computed(),
    }
}

model! {
    /// How to reach a SuperLink's Control API: pass `flower_superlink.NAME.control` whole, or
    /// write it by hand for a SuperLink that someone else runs.
    pub struct ControlInput {
        /// `https://host:port` up from Flower 1.37, `grpcs://host:port` before, both with
        /// `ca_certificate`; `http://` and `grpc://` speak without TLS. `kube://namespace/name` is a
        /// SuperLink in the cluster of a provider with `kubernetes`, by the name of its Deployment;
        /// it has TLS where `ca_certificate` is given.
        url: String = required(),
        /// The authority, as PEM, that signed the SuperLink's certificate: the only one trusted, and
        /// needed for TLS.
        ca_certificate: Option<String> = optional(),
        /// The SuperLink's Flower release. Without it, what differs between releases is found out
        /// when the SuperLink is asked, and apps may be as large as in the newest release.
        flower_version: Option<FlowerVersion> = optional(),
        /// The id of a SuperLink that this provider made. A `flower_app_run` with another id is a run
        /// of another SuperLink, and so a new run; one with the same id stays the same run whatever
        /// else changes here. Without it, another host, port, namespace or name in `url` is another
        /// SuperLink.
        superlink_id: Option<SuperlinkId> = optional(),
        /// A file with the access token of an account, for a SuperLink with account
        /// authentication. It is read whenever the SuperLink is asked something, so that whatever
        /// renews it can do so, and its content is in no plan, state or log. It needs TLS. Without
        /// it the provider's `control_token` is used, where there is one.
        token_file: Option<LocalPath> = optional(),
    }
}

/// Whether the SuperLink that a plan names by the id at `path` is the one of its state; `None` where one of
/// them has none.
pub(crate) fn same_by_id(plan: &Plan, path: ModelPath) -> Result<Option<bool>> {
    let Maybe::Known(Some(before)) = plan.prior.get::<Option<SuperlinkId>>(path)? else {
        return Ok(None);
    };
    Ok(match plan.get::<Option<SuperlinkId>>(path)? {
        Maybe::Known(Some(now)) => Some(now == before),
        Maybe::Known(None) => None,
        // One that is not known yet is that of a SuperLink to come.
        Maybe::Unknown => Some(false),
    })
}

impl ControlInput {
    /// What the SuperLink is known by: its id, or where it is reached.
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
    /// Whether an input is of this SuperLink: by its id or, where one has none, by its URL.
    pub(crate) fn is_of(&self, input: &ControlInput) -> bool {
        let same = SuperlinkId::same(self.superlink_id.as_ref(), input.superlink_id.as_ref());
        same.unwrap_or_else(|| self.url == input.url)
    }
}

impl FleetOutput {
    /// Whether an input is of this SuperLink: by its id or, where one has none, by its address.
    pub(crate) fn is_of(&self, input: &FleetInput) -> bool {
        let same = SuperlinkId::same(self.superlink_id.as_ref(), input.superlink_id.as_ref());
        same.unwrap_or_else(|| self.address == input.address)
    }
}

/// Whether a URL leads into a pod.
pub(crate) fn is_in_cluster(url: &str) -> bool {
    url.starts_with("kube://")
}

impl From<ControlOutput> for ControlInput {
    fn from(output: ControlOutput) -> Self {
        Self {
            url: output.url,
            ca_certificate: output.ca_certificate,
            flower_version: output.flower_version.parse().ok(),
            superlink_id: output.superlink_id,
            token_file: None,
        }
    }
}

model! {
    /// Where a runtime's vault keeps a private key.
    pub struct SecretOutput {
        /// The secret's name.
        name: String = computed(),
        /// The entry within it; another one after each rotation.
        key: String = computed(),
    }
}

model! {
    /// Where the runtime's vault keeps the private key: pass `flower_supernode_key.NAME.secret`
    /// whole.
    pub struct SecretInput {
        /// The secret's name.
        name: String = required(),
        /// The entry within it.
        key: String = required(),
    }
}
