//! The schema of `flower_supernode_key`.

use crate::pki::NodeKeyAlgorithm;
use crate::resources::connection_attributes::SecretOutput;
use crate::resources::recorded_configuration::Recorded;
use crate::runtime::{Kind, ObjectName};
use crate::tfplugin::schema::{
    Computed, ModelPath, WriteOnly, computed, defaulted, optional, required,
};
use crate::{at, model};

/// The algorithm that Flower itself uses for new keys.
pub(super) const ALGORITHM: NodeKeyAlgorithm = NodeKeyAlgorithm::EcdsaP384;

model! {
    /// The key pair with which a SuperNode authenticates to a SuperLink.
    ///
    /// The provider generates the private key, or you set it with a write-only argument. The
    /// private key is stored only in the vault of the runtime, never in a state, a plan or a log.
    /// Use `public_key` in `supernodes` of the SuperLink, and `secret` as `key` of the SuperNode.
    pub struct Model {
        /// The name: 1 to 53 lower-case letters, digits and hyphens.
        name: ObjectName = required().replace("the key is kept under this name").identity(),
        /// The curve of the key. Allowed values: `ECDSA-P256`, `ECDSA-P521` and `ECDSA-P384`
        /// (default). A change creates a new key.
        algorithm: NodeKeyAlgorithm = defaulted(ALGORITHM),
        /// Any text. A change creates a new key: the apply registers it at the SuperLink and
        /// restarts the SuperNode with it.
        rotation: Option<String> = optional(),
        /// Your own private key: unencrypted, elliptic curve, in OpenSSH, PKCS#8 or SEC1 format.
        /// Needs `private_key_wo_version`.
        private_key_wo: WriteOnly<String> = optional(),
        /// A number that you increase with each new `private_key_wo`. Terraform does not store
        /// `private_key_wo`, so the provider cannot compare it.
        private_key_wo_version: Option<i64> = optional(),
        /// The name.
        id: Computed<String> = computed().keep(),
        /// The location of the object: the machine and the folder, or the UID of the cluster and
        /// the namespace. If the provider configuration now points to a different place, the
        /// provider does not recreate the object. If it points to another cluster, `plan` fails. If
        /// it points to another machine or folder, `plan` prints a warning, and an `apply` that
        /// would change the object fails.
        place: Computed<String> = computed().optional_identity(),
        /// The public key in OpenSSH format, for `supernodes` of a `flower_superlink`.
        public_key: Computed<String> = computed().keep(),
        /// The public key in PEM format (SPKI).
        public_key_pem: Computed<String> = computed().keep(),
        /// The fingerprint, `SHA256:…`, as `ssh-keygen -l` prints it.
        fingerprint: Computed<String> = computed().keep(),
        /// Where the vault stores the private key: the value for `key` of a `flower_supernode`.
        secret: Computed<SecretOutput> = computed().keep(),
    }
}

impl Recorded for Model {
    const KIND: Kind = Kind::SupernodeKey;
    const NAME: ModelPath<Self> = at!(Model, name);
    const PLACE: ModelPath<Self> = at!(Model, place);
}
