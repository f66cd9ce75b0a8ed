//! Prints the reference pages as one JSON object: the path below `docs/`, and the text.
//!
//! `cargo xtask docs` runs this program, and compares or writes the pages. It is a separate program
//! so that xtask is not linked with the provider; otherwise every xtask command would wait for the
//! provider to build.

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
            eprintln!("failed to print the pages: {error}");
            ExitCode::FAILURE
        }
    }
}
