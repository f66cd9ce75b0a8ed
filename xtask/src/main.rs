//! `cargo xtask`: the repository's own commands.
//!
//! They exist so that a person, CI and a bench run all do the same thing, with
//! nothing to install but Rust, Python and one of Terraform, OpenTofu or Go.

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

/// What any step can fail with: a sentence for the person at the terminal.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
The repository's own commands.

Usage: cargo xtask <command> [options]

Commands:
  quickstart   apply examples/quickstart with a provider built from here
  install      build the provider into a mirror, from which `terraform init` takes it
  test         every check and every test tier, as CI runs them
  docs         write docs/ from the provider's own schema
  bench        measure this provider beside a Go one and beside no provider
  cluster      real Kubernetes clusters on this machine, up and down
  matrix       one configuration on every Flower release, for docs/compatibility.md
  advisories   renew the list of known weaknesses in dependencies, which the tests check

`cargo xtask <command> --help` tells more about each.

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
        // Not in the help: the bench starts itself with it, as the plugin.
        bench::account::COMMAND => bench::account::run(arguments),
        "help" => help_or_refuse(Long("help"), HELP),
        unknown => Err(format!("there is no command `{unknown}`\n\n{HELP}").into()),
    }
}
