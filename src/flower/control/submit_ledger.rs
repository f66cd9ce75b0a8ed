//! The record of the runs that the submissions of one process have claimed.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::run_id::RunId;

/// The record of the submissions of one process to one SuperLink.
#[derive(Debug, Default)]
pub(super) struct SubmitLedger {
    taken: Mutex<HashSet<RunId>>,
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl SubmitLedger {
    /// Submissions of the same app wait for each other: two at once could claim each other's run.
    pub(super) fn turn(&self, app: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(app.to_owned()).or_default())
    }

    pub(super) fn claim(&self, id: RunId) -> bool {
        self.taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id)
    }

    pub(super) fn is_claimed(&self, id: RunId) -> bool {
        self.taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&id)
    }
}
