//! Prints the reference pages as one JSON object, path below `docs/` to text.
//!
//! `cargo xtask docs` runs it, and compares or writes. It is a program of its
//! own so that xtask does not have to be linked with the provider, which would
//! make every xtask command wait for the provider to build.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let examples = std::env::args_os()
        .nth(1)
        .map_or_else(|| PathBuf::from("examples"), PathBuf::from);
    let pages = terraform_provider_flower::docs::render(&examples);
    let printed = serde_json::to_writer(std::io::stdout().lock(), &pages)
        .map_err(std::io::Error::from)
        .and_then(|()| std::io::stdout().flush());
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the pages could not be printed: {error}");
            ExitCode::FAILURE
        }
    }
}
