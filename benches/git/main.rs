//! Reads a repository once and prints what it cost: `git-read URL [REF] [SUBDIRECTORY]`.

use std::io::Write as _;
use std::time::Instant;

use terraform_provider_flower::flower::app_source::git::{
    GitAccess, GitError, GitRef, GitSource, GitUrl, Limits, Subdirectory,
};
use tokio_util::sync::CancellationToken;

fn main() -> std::process::ExitCode {
    let mut out = std::io::stdout();
    match run() {
        Ok(text) => {
            let _ = writeln!(out, "{text}");
            std::process::ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(out, "{error}\n{}", error.remedy());
            std::process::ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String, GitError> {
    let mut arguments = std::env::args().skip(1);
    let url = GitUrl::parse(&arguments.next().unwrap_or_default())?;
    let reference = GitRef::parse(arguments.next().as_deref())?;
    let subdirectory = Subdirectory::parse(&arguments.next().unwrap_or_default())?;
    let scratch = std::env::temp_dir().join("git-read-scratch");
    let source = GitSource::new(url, GitAccess::default(), Limits::default(), scratch)?;
    let begun = Instant::now();
    let (commit, contents) = source.fetch(&reference, &subdirectory, &CancellationToken::new())?;
    let took = begun.elapsed();
    let bytes: usize = contents.files.values().map(Vec::len).sum();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap_or("");
    let files = contents.files.len();
    Ok(format!(
        "{} {files} files {bytes} bytes {took:?} {peak}",
        commit.id
    ))
}
