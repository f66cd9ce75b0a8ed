//! Notes about work that must not be done twice, which outlive the provider that wrote them.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::RuntimeError;

/// A note about work that must not be done twice, with the data known when it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    pub key: String,
    pub note: serde_json::Value,
    /// Whether the provider that wrote it is alive.
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

    /// The notes whose keys start with `prefix`. Those of dead providers become ours.
    async fn notes(&self, prefix: &str) -> Result<Vec<JournalEntry>, RuntimeError>;

    /// The content of the notes whose keys start with `prefix`, by key; their owners do not change.
    async fn read_notes(
        &self,
        prefix: &str,
    ) -> Result<BTreeMap<String, serde_json::Value>, RuntimeError>;

    async fn drop_note(&self, key: &str) -> Result<(), RuntimeError>;
}
