//! Keys and certificates: pure functions over bytes and time.
//!
//! Flower authenticates SuperNodes by an EC key and the SuperLink by a TLS certificate. This module
//! makes, reads and checks both. It opens no file and asks no clock: callers pass the bytes and the
//! time, so that every result can be tested. The only thing taken from outside is the operating
//! system's randomness.

mod authority;
mod inspect;
mod key_text;
mod node_key;
mod node_key_error;
mod node_public_key;
mod openssh;
mod server_names;

pub use authority::{Authority, AuthorityAlgorithm, AuthorityError, ServerCertificate};
pub use inspect::{CertificateInfo, InspectError, inspect, inspect_bundle};
pub use node_key::NodeKey;
pub use node_key_error::NodeKeyError;
pub use node_public_key::{NodeKeyAlgorithm, NodePublicKey};
pub use server_names::{ServerNameError, ServerNames};
