//! Notes about work that must not be done twice, which outlive the provider that wrote them.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::RuntimeError;

/// A note about work that must not be done twice, with what was known when it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    pub key: String,
    pub note: serde_json::Value,
    /// Whether the provider that wrote it still runs.
    pub owner_lives: bool,
}

/// Notes of submissions.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Writes or replaces a note about work at the Control API of this URL.
    async fn write_note(
        &self,
        key: &str,
        note: &serde_json::Value,
        control: &str,
    ) -> Result<(), RuntimeError>;

    /// The notes whose keys start with `prefix`.
    /// Those of providers that died are ours from then on.
    async fn notes(&self, prefix: &str) -> Result<Vec<JournalEntry>, RuntimeError>;

    /// What the notes whose keys start with `prefix` say, by key; whose they are stays as it is.
    async fn read_notes(
        &self,
        prefix: &str,
    ) -> Result<BTreeMap<String, serde_json::Value>, RuntimeError>;

    async fn drop_note(&self, key: &str) -> Result<(), RuntimeError>;
}
