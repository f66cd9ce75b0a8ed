//! Programs that keep running after the command that starts them.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;

use super::cgroups;
use super::layout::{make_folder, write};

const POLL: Duration = Duration::from_millis(50);
/// Joins the group before the program starts, so that all its child processes are in it.
const JOIN: &str = r#"echo $$ > "$0/cgroup.procs" && exec "$@""#;

/// A program in the background with its own log.
pub struct Program {
    name: String,
    log: PathBuf,
    child: Child,
}

impl Program {
    /// Starts a command line without our environment: a proxy or log level of the caller would
    /// influence the tests.
    pub fn start(state: &Path, name: &str, command_line: &[impl AsRef<OsStr>]) -> Result<Self> {
        let log = state.join("logs").join(format!("{name}.log"));
        make_folder(&state.join("logs"))?;
        let out = File::create(&log).map_err(|e| format!("{}: {e}", log.display()))?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let child = Command::new("sh")
            .args(["-c", JOIN])
            .arg(cgroups::for_programs()?)
            .args(command_line)
            .env_clear()
            .env("PATH", path)
            .env("HOME", "/")
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .current_dir("/")
            // Ctrl-C in the terminal is for the command, not for the cluster.
            .process_group(0)
            .spawn()
            .map_err(|e| format!("{name} could not be started: {e}"))?;
        write(&state.join("programs").join(name), child.id().to_string())?;
        Ok(Self {
            name: name.to_owned(),
            log,
            child,
        })
    }

    /// The pid; the command line ends in the program through exec.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// An error with the end of the program's log, if it has ended.
    fn check(&mut self) -> Result<()> {
        let Some(status) = self.child.try_wait()? else {
            return Ok(());
        };
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines
            .get(lines.len().saturating_sub(15)..)
            .unwrap_or_default();
        Err(format!(
            "{} ended ({status}); the end of {}:\n  | {}",
            self.name,
            self.log.display(),
            tail.join("\n  | ")
        )
        .into())
    }
}

/// Waits until `ready` returns true, as long as all programs run.
pub fn wait_for(
    what: &str,
    limit: Duration,
    programs: &mut [Program],
    mut ready: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let started = Instant::now();
    while !ready()? {
        programs.iter_mut().try_for_each(Program::check)?;
        if started.elapsed() > limit {
            return Err(format!("{what} took longer than {} s", limit.as_secs()).into());
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}

/// All programs that were started, with their pids.
pub fn recorded(state: &Path) -> Vec<(String, i32)> {
    let mut found: Vec<_> = fs::read_dir(state.join("programs"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let pid = fs::read_to_string(entry.path()).ok()?.parse().ok()?;
            Some((entry.file_name().into_string().ok()?, pid))
        })
        .collect();
    found.sort();
    found
}
