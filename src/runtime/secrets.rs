//! Secrets of objects: the only place where a private key is kept.

use std::collections::BTreeMap;

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::{Managed, ObjectRef, RuntimeError};

/// The entries of a secret. They are never printed, and are wiped when dropped.
pub type SecretEntries = BTreeMap<String, Zeroizing<String>>;

/// The secret store of a runtime.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// Stores a secret, and replaces one with the same name.
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

    /// Updates the labels of an object's secret to the current ones, if the runtime has labels.
    async fn relabel_secret(&self, _: &ObjectRef, _: &str) -> Result<(), RuntimeError> {
        Ok(())
    }
}
