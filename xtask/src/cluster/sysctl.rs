//! Kernel settings that kubelets change for the whole machine.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;

use super::layout::write;

const CHANGED: [&str; 6] = [
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
];

/// Records their values, unless an earlier start did so and was not undone.
pub fn save(state: &Path) -> Result<()> {
    let file = record(state);
    if file.exists() {
        return Ok(());
    }
    let values: BTreeMap<&str, String> = CHANGED
        .iter()
        .filter_map(|&name| Some((name, fs::read_to_string(path(name)).ok()?)))
        .collect();
    write(&file, serde_json::to_string(&values)?)
}

/// Restores the recorded values.
pub fn restore(state: &Path) -> Result<()> {
    let Ok(text) = fs::read(record(state)) else {
        return Ok(());
    };
    let values: BTreeMap<String, String> = serde_json::from_slice(&text)?;
    for (name, value) in values {
        fs::write(path(&name), value).map_err(|e| format!("{name} cannot be restored: {e}"))?;
    }
    Ok(())
}

fn path(name: &str) -> PathBuf {
    Path::new("/proc/sys").join(name)
}

fn record(state: &Path) -> PathBuf {
    state.join("sysctl.json")
}
