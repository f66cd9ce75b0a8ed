//! Keys and certificates: pure functions over bytes and time.
//!
//! A SuperNode authenticates with an EC key, a SuperLink with a TLS certificate. This module
//! creates, reads and checks both. It opens no file and reads no clock: callers pass bytes and
//! time, so every result can be tested. Its only other input is the randomness of the operating
//! system.

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
