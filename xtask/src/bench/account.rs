//! Measures the resources that a plugin's process used, although Terraform started it.
//!
//! Terraform starts a script instead of the plugin, and the script runs this command. It starts the
//! real plugin with the same standard streams, waits for it, and appends one line to a file.
//! Terraform ends the plugin over its own connection, so this command need not forward anything.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use lexopt::Parser;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::Result;
use crate::process::quoted;

/// `xtask __account FILE -- PLUGIN [ARGUMENT…]`
pub const COMMAND: &str = "__account";

/// Runs the command.
pub fn run(mut arguments: Parser) -> Result<ExitCode> {
    let words: Vec<OsString> = arguments.raw_args()?.collect();
    let (file, plugin, rest) = match words.as_slice() {
        [file, dashes, plugin, rest @ ..] if dashes == "--" => (file, plugin, rest),
        _ => return Err(format!("usage: xtask {COMMAND} FILE -- PLUGIN [ARGUMENT…]").into()),
    };
    let status = Command::new(plugin).args(rest).status()?;
    // The plugin was the only child process, so the figures are its own.
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let microseconds =
        usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    // One write of a short line in append mode: lines of plugins that end at the same time do not
    // mix.
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)?
        .write_all(format!("{microseconds} {}\n", usage.max_rss()).as_bytes())?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Writes the script that Terraform starts instead of `plugin` and that appends to `file`.
pub fn write_wrapper(script: &Path, plugin: &Path, file: &Path) -> Result<()> {
    let word = |path: &Path| quoted(&path.to_string_lossy());
    let ourselves = std::env::current_exe()?;
    let line = format!(
        "#!/bin/sh\nexec {} {COMMAND} {} -- {} \"$@\"\n",
        word(&ourselves),
        word(file),
        word(plugin)
    );
    fs::write(script, line)?;
    fs::set_permissions(script, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// The resources that all plugin processes of one command used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    pub cpu_seconds: f64,
    /// Of the largest process.
    pub peak_kib: f64,
    pub processes: usize,
}

impl Usage {
    /// Reads a file of the wrapper script, and clears it.
    pub fn take(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file)
            .map_err(|e| format!("no plugin has recorded its usage: {e}"))?;
        fs::remove_file(file)?;
        text.lines().try_fold(Self::default(), Self::plus)
    }

    fn plus(self, line: &str) -> Result<Self> {
        let numbers = line
            .split_once(' ')
            .and_then(|(cpu, peak)| Some((cpu.parse::<f64>().ok()?, peak.parse::<f64>().ok()?)));
        let (microseconds, peak_kib) =
            numbers.ok_or_else(|| format!("{line:?} is not the usage of a plugin"))?;
        Ok(Self {
            cpu_seconds: self.cpu_seconds + microseconds / 1e6,
            peak_kib: self.peak_kib.max(peak_kib),
            processes: self.processes + 1,
        })
    }
}

/// The command line of [`run`], for tests.
#[cfg(test)]
fn command_line(file: &Path, plugin: &[&str]) -> Parser {
    let mut words: Vec<OsString> = vec![file.into(), "--".into()];
    words.extend(plugin.iter().map(Into::into));
    Parser::from_args(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_each_process_and_takes_the_largest() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("account");
        for _ in 0..2 {
            run(command_line(&file, &["sh", "-c", "exit 0"])).unwrap();
        }
        let usage = Usage::take(&file).unwrap();
        assert_eq!(usage.processes, 2);
        assert!(
            usage.peak_kib > 100.0 && usage.cpu_seconds < 10.0,
            "{usage:?}"
        );
        assert!(Usage::take(&file).is_err());
    }
}
