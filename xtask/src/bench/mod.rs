//! `cargo xtask bench`: the costs of this provider, compared with an equivalent Go provider and
//! with no provider.
//!
//! One run measures all sides in turns, so that other load on the machine affects them equally. The
//! result is Markdown on standard output for `docs/performance.md`; progress goes to standard
//! error.

pub mod account;
mod flower;
mod handshake;
mod machine;
mod sides;
mod stats;
mod table;
mod terraform;

use std::path::Path;
use std::process::{Command, ExitCode};

use lexopt::Arg::Long;
use lexopt::{Parser, ValueExt as _};

use crate::Result;
use crate::arguments::help_or_refuse;
use crate::process::{find_program, run as run_command};
use crate::repository::{PROVIDER, Repository};
use crate::tools::Terraform;

use sides::{Binaries, PEER, Plugin};
use table::Table;

const HELP: &str = "\
Compares this provider with a Go provider (benches/peer) and with `terraform_data`.
Prints Markdown for docs/performance.md and writes no file.

Usage: cargo xtask bench [options]

Options:
  --quick       fewer rounds, and at most 100 instances
  --peer-only   do not measure our own providers (builds no Rust code)
  --only PART   measure only this part: handshake, size, terraform or flower
";

/// In the order of the report.
const PARTS: [&str; 4] = ["size", "handshake", "terraform", "flower"];

/// Runs the command.
pub fn run(mut arguments: Parser) -> Result<ExitCode> {
    let (mut quick, mut peer_only, mut only) = (false, false, None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("quick") => quick = true,
            Long("peer-only") => peer_only = true,
            Long("only") => only = Some(arguments.value()?.string()?),
            other => return help_or_refuse(other, HELP),
        }
    }
    if let Some(unknown) = only.as_deref().filter(|part| !PARTS.contains(part)) {
        return Err(format!("there is no part `{unknown}`\n\n{HELP}").into());
    }
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);

    let repository = Repository::find()?;
    let terraform = Terraform::find_or_build(&repository)?;
    let binaries = build(&repository, peer_only)?;
    println!("{}", machine::describe(&terraform)?);
    if wanted("size") {
        println!("{}", sizes(&binaries)?);
    }
    if wanted("handshake") {
        println!("{}", handshake::measure(&binaries, quick)?);
    }
    if wanted("terraform") {
        println!("{}", terraform::measure(&terraform, &binaries, quick)?);
    }
    if wanted("flower") {
        println!("{}", flower::measure(&repository, peer_only, quick)?);
    }
    Ok(ExitCode::SUCCESS)
}

fn build(repository: &Repository, peer_only: bool) -> Result<Binaries> {
    // Absolute paths: Terraform and the plugins run in other folders.
    let target = std::path::absolute(repository.target())?;
    let release = target.join("release");
    let (provider, echo, host) = if peer_only {
        (None, None, None)
    } else {
        run_command(repository.cargo().args([
            "build",
            "--release",
            "-p",
            PROVIDER,
            "--bin",
            PROVIDER,
            "--example",
            "echo-provider",
            "--example",
            "plugin-host",
        ]))?;
        (
            Some(Plugin::new("provider", release.join(PROVIDER))),
            Some(Plugin::new(
                "Rust echo",
                release.join("examples/echo-provider"),
            )),
            Some(release.join("examples/plugin-host")),
        )
    };
    let peer = target.join("bench/go-peer");
    build_peer(&repository.path("benches/peer"), &peer)?;
    Ok(Binaries {
        provider,
        echo,
        host,
        peer: Plugin::new(PEER, peer),
    })
}

fn build_peer(source: &Path, binary: &Path) -> Result<()> {
    let go = find_program("go")
        .ok_or("the Go peer needs Go 1.25 or newer on PATH: https://go.dev/dl")?;
    run_command(
        Command::new(go)
            .current_dir(source)
            .env("CGO_ENABLED", "0")
            .args(["build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w"])
            .arg("-o")
            .arg(binary)
            .arg("."),
    )
}

fn sizes(binaries: &Binaries) -> Result<Table> {
    let mut table = Table::new(["stripped binary", "bytes"]);
    for plugin in binaries.all() {
        let size = plugin
            .binary
            .metadata()
            .map_err(|e| format!("{}: {e}", plugin.binary.display()))?
            .len();
        table.push([plugin.label, &size.to_string()]);
    }
    Ok(table)
}
