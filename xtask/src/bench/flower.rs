//! Measures building an app and submitting a run, against Flower's own `flwr`.
//!
//! Both sides start one process per operation, as a pipeline would. The SuperLink runs in process
//! isolation without a SuperExec, so runs stay in the queue and no training disturbs the figures.

mod superlink;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::Result;
use crate::process::{capture, is_executable};
use crate::repository::{PROVIDER, Repository};
use crate::tools::python_or_install;

use super::stats::{Series, cell, digits};
use super::table::Table;
use superlink::SuperLink;

/// Our side of both operations, an example program of the provider's package: `flower-bench build
/// APP FILE` writes a FAB, and `flower-bench run http://HOST:PORT APP` prints the ID of the run.
const OURS: &str = "flower-bench";

/// The folder with `flwr` and `flower-superlink`, if they should not be installed for the bench.
const FLOWER_FOLDER: &str = "FLOWER_BIN";

/// The packages to install.
const FLOWER: &str = "flwr==1.42.0";

const PYPROJECT: &str = r#"[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "bench"
version = "1.0.0"
dependencies = ["flwr>=1.26.0"]

[tool.flwr.app]
publisher = "bench"

[tool.flwr.app.components]
serverapp = "bench.server_app:app"
clientapp = "bench.client_app:app"

[tool.flwr.app.config]
num-server-rounds = 1
"#;

const SERVER_APP: &str = "from flwr.serverapp import ServerApp\n\napp = ServerApp()\n";
const CLIENT_APP: &str = "from flwr.clientapp import ClientApp\n\napp = ClientApp()\n";

/// The two sides of one operation.
#[derive(Default)]
struct Pair {
    ours: Series,
    flwr: Series,
}

/// Measures both operations and returns their table.
pub fn measure(repository: &Repository, peer_only: bool, quick: bool) -> Result<String> {
    let programs = programs(repository)?;
    let (flwr, server) = (programs.join("flwr"), programs.join("flower-superlink"));
    let ours = if peer_only { None } else { ours(repository)? };
    let rounds = if quick { 5 } else { 20 };
    let folder = tempfile::tempdir()?;
    let app = folder.path().join("app");
    write_app(&app)?;
    let version = capture(flower_command(&flwr, folder.path()).arg("--version"))?;

    eprintln!("packing: {rounds} rounds");
    let mut packing = Pair::default();
    // The first round only fills the page cache.
    for round in 0..=rounds {
        let theirs = timed(
            flower_command(&flwr, folder.path())
                .args(["build", "--app"])
                .arg(&app),
        )?;
        let own = ours.as_ref().map(|binary| {
            let file = folder.path().join("ours.fab");
            timed(Command::new(binary).arg("build").arg(&app).arg(file))
        });
        packing.note(round > 0, theirs, own.transpose()?);
    }
    let same = ours
        .is_some()
        .then(|| same_bytes(folder.path()))
        .transpose()?;

    eprintln!("submitting: {rounds} rounds");
    let link = SuperLink::start(&server, folder.path())?;
    let mut submitting = Pair::default();
    for round in 0..=rounds {
        let theirs = timed(
            flower_command(&flwr, folder.path())
                .arg("run")
                .arg(&app)
                .arg(superlink::NAME),
        )?;
        let own = ours
            .as_ref()
            .map(|binary| timed(Command::new(binary).arg("run").arg(link.url()).arg(&app)));
        submitting.note(round > 0, theirs, own.transpose()?);
    }

    let mut table = Table::new([
        &format!("rounds: {rounds}"),
        "ours, s",
        &format!("`flwr`, s ({})", version.trim()),
        "ratio",
    ]);
    packing.push_to(&mut table, "build a FAB");
    submitting.push_to(&mut table, "submit a run");
    let remark = match same {
        None => "",
        Some(true) => "\nBoth write the same FAB, byte for byte.\n",
        Some(false) => "\nThe two FABs are NOT the same bytes.\n",
    };
    Ok(format!("{table}{remark}"))
}

impl Pair {
    fn note(&mut self, counted: bool, flwr: f64, ours: Option<f64>) {
        if counted {
            self.flwr.push(flwr);
            if let Some(ours) = ours {
                self.ours.push(ours);
            }
        }
    }

    fn push_to(&self, table: &mut Table, what: &str) {
        table.push([
            what,
            &cell(&self.ours, digits),
            &cell(&self.flwr, digits),
            &cell(&self.ours.over(&self.flwr), digits),
        ]);
    }
}

/// Builds our side, if the package has it.
fn ours(repository: &Repository) -> Result<Option<PathBuf>> {
    let metadata =
        capture(
            repository
                .cargo()
                .args(["metadata", "--format-version", "1", "--no-deps"]),
        )?;
    if !metadata.contains(&format!("\"name\":\"{OURS}\"")) {
        eprintln!("there is no example {OURS}; measuring only `flwr`");
        return Ok(None);
    }
    crate::process::run(repository.cargo().args([
        "build",
        "--release",
        "-p",
        PROVIDER,
        "--example",
        OURS,
    ]))?;
    let target = std::path::absolute(repository.target())?;
    Ok(Some(target.join("release/examples").join(OURS)))
}

/// The folder with Flower's programs, in an environment of the bench unless another one is set.
fn programs(repository: &Repository) -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os(FLOWER_FOLDER) {
        return Ok(PathBuf::from(folder));
    }
    let environment = std::path::absolute(repository.target())?.join("bench/flower");
    let programs = environment.join("bin");
    if !is_executable(&programs.join("flwr")) {
        eprintln!("installing {FLOWER}; this is done once");
        let (python, _) = python_or_install()?;
        capture(
            Command::new(python)
                .args(["-m", "venv", "--clear"])
                .arg(&environment),
        )?;
        capture(Command::new(programs.join("pip")).args(["install", "--quiet", FLOWER]))?;
    }
    Ok(programs)
}

/// A Flower command with its own home folder and without update checks.
fn flower_command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .env("FLWR_HOME", folder.join("home"))
        .env("FLWR_TELEMETRY_ENABLED", "0")
        .env("FLWR_DISABLE_UPDATE_CHECK", "1");
    command
}

fn timed(command: &mut Command) -> Result<f64> {
    let started = Instant::now();
    let answer = capture(command)?;
    let elapsed = started.elapsed().as_secs_f64();
    // `flwr` can fail with the exit code 0; then only its output tells.
    if answer.contains("\"success\":false") || answer.contains("❌") {
        return Err(format!("`{}` answered: {answer}", crate::process::line_of(command)).into());
    }
    Ok(elapsed)
}

fn write_app(app: &Path) -> Result<()> {
    let package = app.join("bench");
    fs::create_dir_all(&package)?;
    fs::write(app.join("pyproject.toml"), PYPROJECT)?;
    fs::write(package.join("__init__.py"), "")?;
    fs::write(package.join("server_app.py"), SERVER_APP)?;
    fs::write(package.join("client_app.py"), CLIENT_APP)?;
    Ok(())
}

/// `flwr build` puts the hash into its file name; our file is `ours.fab`.
fn same_bytes(folder: &Path) -> Result<bool> {
    let ours = fs::read(folder.join("ours.fab"))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("bench.") && name.ends_with(".fab") {
            return Ok(fs::read(entry.path())? == ours);
        }
    }
    Err("`flwr build` wrote no FAB into its working folder".into())
}
