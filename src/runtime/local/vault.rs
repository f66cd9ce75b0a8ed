//! The vault: one file for each secret, readable only by its owner.

use std::collections::BTreeMap;
use std::path::PathBuf;

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::super::{Managed, ObjectRef, RuntimeError, SecretEntries, Secrets};
use super::LocalRuntime;

impl LocalRuntime {
    pub(super) fn secret_path(&self, name: &str) -> PathBuf {
        self.data_dir.join("vault").join(format!("{name}.json"))
    }

    pub(super) fn entry(&self, name: &str, key: &str) -> Result<Zeroizing<String>, RuntimeError> {
        let entries = self.read_secret(name)?.unwrap_or_default();
        entries
            .get(key)
            .cloned()
            .ok_or_else(|| RuntimeError::NoSecret(format!("secret {name:?}"), key.to_owned()))
    }

    pub(super) fn read_secret(&self, name: &str) -> Result<Option<SecretEntries>, RuntimeError> {
        let path = self.secret_path(name);
        let Some(bytes) = self.files().read(&path)?.map(Zeroizing::new) else {
            return Ok(None);
        };
        let entries: BTreeMap<String, String> =
            serde_json::from_slice(&bytes).map_err(|error| RuntimeError::Damaged {
                path,
                // The cause could quote the secret.
                cause: format!("not JSON at line {}", error.line()),
            })?;
        let wiped = entries
            .into_iter()
            .map(|(key, text)| (key, Zeroizing::new(text)));
        Ok(Some(wiped.collect()))
    }

    pub(super) fn write_secret(
        &self,
        name: &str,
        entries: &SecretEntries,
    ) -> Result<(), RuntimeError> {
        let plain: BTreeMap<&String, &str> = entries
            .iter()
            .map(|(key, text)| (key, text.as_str()))
            .collect();
        let path = self.secret_path(name);
        let bytes = serde_json::to_vec(&plain).map(Zeroizing::new);
        let bytes = bytes.map_err(|_| RuntimeError::Damaged {
            path: path.clone(),
            cause: "it cannot be written as JSON".to_owned(),
        })?;
        let _lock = self.lock()?;
        self.files().write(&path, &bytes)
    }
}

#[async_trait]
impl Secrets for LocalRuntime {
    async fn put_secret(
        &self,
        _: &Managed,
        name: &str,
        entries: &SecretEntries,
    ) -> Result<(), RuntimeError> {
        self.write_secret(name, entries)
    }

    async fn secret(
        &self,
        _: &ObjectRef,
        name: &str,
    ) -> Result<Option<SecretEntries>, RuntimeError> {
        self.read_secret(name)
    }
}
