//! The schema of `flower_supernode_key`.

use crate::model;
use crate::pki::NodeKeyAlgorithm;
use crate::resources::handover::SecretOutput;
use crate::runtime::ObjectName;
use crate::tfplugin::schema::{Computed, WriteOnly, computed, defaulted, optional, required};

/// What Flower itself makes.
pub(super) const ALGORITHM: NodeKeyAlgorithm = NodeKeyAlgorithm::EcdsaP384;

model! {
    /// The key by which a SuperNode proves to a SuperLink who it is.
    ///
    /// The private key is made by the provider, or brought along write-only, and lives in the
    /// runtime's vault: it is never in a state, a plan or a log. The public key goes into the
    /// SuperLink's `supernodes`, the `secret` into the SuperNode's `key`.
    pub struct Model {
        /// Its name: 1 to 53 lower-case letters, digits and hyphens.
        name: ObjectName = required().replace("the key is kept under this name").identity(),
        /// `ECDSA-P256`, `ECDSA-P384` (the default) or `ECDSA-P521`: the curves that Flower takes.
        /// A change makes a new key.
        algorithm: NodeKeyAlgorithm = defaulted(ALGORITHM),
        /// Any text; a change of it makes a new key. The SuperLink then registers the new key, and
        /// the SuperNode is restarted with it.
        rotation: Option<String> = optional(),
        /// A private key of one's own: unencrypted, elliptic curve, in OpenSSH, PKCS#8 or SEC1
        /// form. Needs `private_key_wo_version`.
        private_key_wo: WriteOnly<String> = optional(),
        /// Raised with each new `private_key_wo`, which is not stored and so cannot be compared.
        private_key_wo_version: Option<i64> = optional(),
        /// The name.
        id: Computed<String> = computed().keep(),
        /// Where it lives: the machine and the folder, or the UID of the cluster and the
        /// namespace. A provider that leads elsewhere is no reason to make it anew: for another
        /// cluster it is an error, for another machine a plan warns and an apply of changes fails.
        place: Computed<String> = computed().optional_identity(),
        /// The public key in OpenSSH form, for `supernodes` of a `flower_superlink`.
        public_key: Computed<String> = computed().keep(),
        /// The public key as PEM (SPKI).
        public_key_pem: Computed<String> = computed().keep(),
        /// `SHA256:…`, as `ssh-keygen -l` prints it.
        fingerprint: Computed<String> = computed().keep(),
        /// Where the vault keeps the private key, for `key` of a `flower_supernode`.
        secret: Computed<SecretOutput> = computed().keep(),
    }
}
