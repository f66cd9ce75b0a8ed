//! Finds processes that still run after `destroy`.
//!
//! A process of the local runtime has its data folder in its command line, in its environment, or
//! as its working folder; other processes do not.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use crate::Result;

/// How long a process may take to end.
const GRACE: Duration = Duration::from_secs(5);
const STEP: Duration = Duration::from_millis(250);

/// Fails and lists the processes if processes of this data folder still run.
pub fn none_remain(data_folder: &Path) -> Result<()> {
    let proc = Path::new("/proc");
    if !proc.join("self").exists() {
        println!(
            "This system has no /proc, so the quickstart cannot check whether processes remain."
        );
        return Ok(());
    }
    let mut waited = Duration::ZERO;
    loop {
        let left = processes_of(proc, data_folder)?;
        if left.is_empty() {
            return Ok(());
        }
        if waited >= GRACE {
            return Err(format!(
                "these processes still run after the destroy; this is a bug in the provider:\n  {}",
                left.join("\n  ")
            )
            .into());
        }
        sleep(STEP);
        waited += STEP;
    }
}

fn processes_of(proc: &Path, data_folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(proc)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if pid != std::process::id() && belongs(&entry.path(), data_folder) {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            found.push(format!("{pid} {}", line.trim_end()));
        }
    }
    Ok(found)
}

/// A process that ends during the check has no data, and does not belong.
fn belongs(process: &Path, data_folder: &Path) -> bool {
    let path = data_folder.as_os_str().as_bytes();
    let mentions = |file: &str| {
        fs::read(process.join(file)).is_ok_and(|text| {
            text.windows(path.len())
                .enumerate()
                // The whole folder name, not the beginning of a longer one.
                .any(|(at, part)| {
                    part == path
                        && text
                            .get(at + path.len())
                            .is_none_or(|next| !next.is_ascii_alphanumeric())
                })
        })
    };
    fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(data_folder))
        || mentions("cmdline")
        || mentions("environ")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn finds_a_process_by_its_folder_and_not_after_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new("sleep")
            .arg("60")
            .env("SOME_HOME", folder.path())
            .spawn()
            .unwrap();
        // A process that has just started has no environment yet.
        let found = (0..100)
            .map(|_| {
                sleep(Duration::from_millis(10));
                processes_of(Path::new("/proc"), folder.path()).unwrap()
            })
            .find(|found| !found.is_empty())
            .unwrap_or_default();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("sleep 60"), "{found:?}");
        assert!(none_remain(folder.path()).is_ok());
    }

    #[test]
    fn a_longer_folder_name_is_not_ours() {
        let proc = tempfile::tempdir().unwrap();
        let process = proc.path().join("4000000");
        fs::create_dir(&process).unwrap();
        fs::write(process.join("cmdline"), "superlink\0--db=/w/.flower2/x\0").unwrap();
        let found = |folder: &str| processes_of(proc.path(), Path::new(folder)).unwrap();
        assert!(found("/w/.flower").is_empty());
        assert_eq!(found("/w/.flower2").len(), 1);
    }
}
