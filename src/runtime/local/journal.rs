//! Notes about work that must not be done twice, each with the provider that wrote it. A note that
//! cannot be read is an error: if it were ignored, the work would be done again.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::super::{Journal, JournalEntry, RuntimeError};
use super::file_error::failed;
use super::process::Identity;
use super::{LocalRuntime, files};

#[derive(Serialize, Deserialize)]
struct Entry {
    format: u64,
    owner: Identity,
    note: serde_json::Value,
}

impl LocalRuntime {
    pub(super) fn note_path(&self, key: &str) -> PathBuf {
        self.data_dir.join("journal").join(format!("{key}.json"))
    }

    pub(super) fn save_note(
        &self,
        key: &str,
        note: &serde_json::Value,
    ) -> Result<(), RuntimeError> {
        let entry = Entry {
            format: files::FORMAT,
            owner: Identity::own(),
            note: note.clone(),
        };
        let _lock = self.lock()?;
        self.files().write_form(&self.note_path(key), &entry)
    }

    pub(super) fn load_notes(&self, prefix: &str) -> Result<Vec<JournalEntry>, RuntimeError> {
        let folder = self.data_dir.join("journal");
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed("read", &folder)(error)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed("read", &folder))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(key) = name
                .strip_suffix(".json")
                .filter(|key| key.starts_with(prefix))
            else {
                continue;
            };
            let read = self.files().read_form(&entry.path()).map_err(as_note)?;
            if let Some(Entry { owner, note, .. }) = read {
                found.push(JournalEntry {
                    key: key.to_owned(),
                    note,
                    owner_lives: owner.lives(),
                });
            }
        }
        Ok(found)
    }
}

/// A damaged note needs another remedy than a damaged record.
fn as_note(error: RuntimeError) -> RuntimeError {
    match error {
        RuntimeError::Damaged { path, cause } => RuntimeError::DamagedNote {
            note: path.display().to_string(),
            cause,
        },
        other => other,
    }
}

#[async_trait]
impl Journal for LocalRuntime {
    async fn write_note(
        &self,
        key: &str,
        note: &serde_json::Value,
        _: &str,
    ) -> Result<(), RuntimeError> {
        self.save_note(key, note)
    }

    async fn notes(&self, prefix: &str) -> Result<Vec<JournalEntry>, RuntimeError> {
        self.load_notes(prefix)
    }

    async fn read_notes(
        &self,
        prefix: &str,
    ) -> Result<BTreeMap<String, serde_json::Value>, RuntimeError> {
        let notes = self.load_notes(prefix)?.into_iter();
        Ok(notes.map(|entry| (entry.key, entry.note)).collect())
    }

    async fn drop_note(&self, key: &str) -> Result<(), RuntimeError> {
        self.files().remove(&self.note_path(key))?;
        self.tidy();
        Ok(())
    }
}
