//! Notes about work that must not be done twice, each with the provider that wrote it.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::super::{JournalEntry, RuntimeError};
use super::process::Identity;
use super::{LocalRuntime, files};

#[derive(Serialize, Deserialize)]
struct Note {
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
        let note = Note {
            owner: Identity::own(),
            note: note.clone(),
        };
        let bytes = serde_json::to_vec(&note).unwrap_or_default();
        files::write(&self.note_path(key), &bytes)
    }

    pub(super) fn load_notes(&self, prefix: &str) -> Result<Vec<JournalEntry>, RuntimeError> {
        let Ok(entries) = fs::read_dir(self.data_dir.join("journal")) else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(key) = name
                .strip_suffix(".json")
                .filter(|key| key.starts_with(prefix))
            else {
                continue;
            };
            let Some(bytes) = files::read(&entry.path())? else {
                continue;
            };
            if let Ok(Note { owner, note }) = serde_json::from_slice(&bytes) {
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
