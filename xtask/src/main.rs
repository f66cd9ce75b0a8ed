//! `cargo xtask`: the repository's own commands.
//!
//! A developer, CI and a bench run the same commands, which need only Rust, Python and one of
//! Terraform, OpenTofu or Go.

mod advisories;
mod arguments;
mod bench;
mod cluster;
mod docs;
mod install;
mod licences;
mod matrix;
mod process;
mod quickstart;
mod repository;
mod test;
mod tools;

use std::process::ExitCode;

use lexopt::Arg::{Long, Value};
use lexopt::{Parser, ValueExt as _};

use arguments::help_or_refuse;

/// The error of a command: a sentence for the user.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
The repository's own commands.

Usage: cargo xtask <command> [options]

Commands:
  quickstart   build the provider and apply examples/quickstart with it
  install      build the provider and install it where `terraform init` finds it
  test         run all checks and all test tiers, as CI does
  docs         write the reference in docs/ from the provider's schema
  bench        compare this provider with a Go provider and with no provider
  cluster      start and stop real Kubernetes clusters on this machine
  matrix       test one configuration on all Flower releases, for docs/compatibility.md
  advisories   update the list of known vulnerabilities that the tests check

`cargo xtask <command> --help` prints the options of a command.

Environment:
  TF_BINARY    the terraform or tofu to use instead of the one on PATH
";

fn main() -> ExitCode {
    match dispatch(Parser::from_env()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(mut arguments: Parser) -> Result<ExitCode> {
    let command = match arguments.next()? {
        None => {
            print!("{HELP}");
            return Ok(ExitCode::from(2));
        }
        Some(Value(command)) => command.string()?,
        Some(other) => return help_or_refuse(other, HELP),
    };
    match command.as_str() {
        "quickstart" => quickstart::run(arguments),
        "install" => install::run(arguments),
        "test" => test::run(arguments),
        "docs" => docs::run(arguments),
        "bench" => bench::run(arguments),
        "cluster" => cluster::run(arguments),
        "matrix" => matrix::run(arguments),
        "advisories" => advisories::run(arguments),
        // Not in the help: the bench uses this command to measure a plugin.
        bench::account::COMMAND => bench::account::run(arguments),
        "help" => help_or_refuse(Long("help"), HELP),
        unknown => Err(format!("there is no command `{unknown}`\n\n{HELP}").into()),
    }
}
