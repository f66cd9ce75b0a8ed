//! Secrets of objects: the only place where a private key is kept.

use std::collections::BTreeMap;

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::{Managed, ObjectRef, RuntimeError};

/// The entries of a secret. Never shown, wiped when dropped.
pub type SecretEntries = BTreeMap<String, Zeroizing<String>>;

/// The vault of a runtime.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// Keeps a secret, in place of one of the same name.
    async fn put_secret(
        &self,
        owner: &Managed,
        name: &str,
        entries: &SecretEntries,
    ) -> Result<(), RuntimeError>;

    /// A secret of the object.
    async fn secret(
        &self,
        owner: &ObjectRef,
        name: &str,
    ) -> Result<Option<SecretEntries>, RuntimeError>;

    /// Gives a secret of the object the labels that objects have now, where the runtime has labels.
    async fn relabel_secret(&self, _: &ObjectRef, _: &str) -> Result<(), RuntimeError> {
        Ok(())
    }
}
