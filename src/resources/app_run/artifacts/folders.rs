//! The folders into which this process has seen downloads. Two runs in one folder would replace
//! each other's files with every apply.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::super::report_files::absolute;
use crate::flower::control::RunId;

/// The run of each folder.
#[derive(Debug, Default)]
pub(crate) struct Downloads(Mutex<BTreeMap<PathBuf, RunId>>);

impl Downloads {
    /// Notes the folder of a run; returns another run that has it.
    pub(super) fn note(&self, folder: &Path, run: RunId) -> Option<RunId> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let holder = *all.entry(absolute(folder)).or_insert(run);
        (holder != run).then_some(holder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_run_however_its_path_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let downloads = Downloads::default();
        let model = dir.path().join("model");
        assert_eq!(downloads.note(&model, RunId(1)), None);
        assert_eq!(downloads.note(&model, RunId(1)), None);
        let other = dir.path().join("./model/");
        assert_eq!(downloads.note(&other, RunId(2)), Some(RunId(1)));
        assert_eq!(downloads.note(&dir.path().join("b"), RunId(2)), None);
    }
}
