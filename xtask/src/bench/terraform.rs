//! Plans and applies many instances of a resource that does nothing: this measures the plugin layer
//! and Terraform itself.

mod project;

use std::time::{Duration, Instant};

use crate::Result;
use crate::process::{failed, output};
use crate::tools::Terraform;

use super::account::Usage;
use super::sides::{Binaries, Side};
use super::stats::{Series, cell, digits};
use super::table::Table;
use project::Project;

/// The numbers of instances, and of rounds in a full and in a quick bench.
const SIZES: [(usize, usize, usize); 3] = [(1, 9, 3), (100, 5, 1), (1000, 3, 0)];

/// The wrapper costs some milliseconds, so up to this size, separate commands measure the time and
/// the usage of the plugin.
const ACCOUNT_APART_UP_TO: usize = 100;

#[derive(Default)]
struct Figures {
    wall: Series,
    cpu: Series,
    peak_kib: Series,
    processes: Series,
}

#[derive(Default)]
struct Both {
    apply: Figures,
    plan: Figures,
}

/// Measures all sides and returns the tables.
pub fn measure(terraform: &Terraform, binaries: &Binaries, quick: bool) -> Result<String> {
    let sides = Side::all(binaries);
    let mut tables = Vec::new();
    for (instances, full, short) in SIZES {
        let rounds = if quick { short } else { full };
        if rounds > 0 {
            let figures = one_size(terraform, &sides, instances, rounds)?;
            tables.push(table(&sides, &figures, instances, rounds).to_string());
        }
    }
    Ok(tables.join("\n"))
}

fn one_size(
    terraform: &Terraform,
    sides: &[Side],
    instances: usize,
    rounds: usize,
) -> Result<Vec<Both>> {
    let projects = sides
        .iter()
        .map(|side| Project::write(terraform, side, instances))
        .collect::<Result<Vec<_>>>()?;
    let mut all: Vec<Both> = sides.iter().map(|_| Both::default()).collect();
    for round in 1..=rounds {
        for ((side, project), both) in sides.iter().zip(&projects).zip(&mut all) {
            let started = Instant::now();
            project.forget_state()?;
            both.apply
                .take(project, &["apply", "-auto-approve"], instances)?;
            both.plan
                .take(project, &["plan", "-detailed-exitcode"], instances)?;
            eprintln!(
                "{instances} instances, round {round} of {rounds}, {}: {:.1} s",
                side.label(),
                started.elapsed().as_secs_f64()
            );
        }
    }
    Ok(all)
}

impl Figures {
    fn take(&mut self, project: &Project<'_>, command: &[&str], instances: usize) -> Result<()> {
        if instances <= ACCOUNT_APART_UP_TO {
            self.wall
                .push(timed(project, command, false)?.as_secs_f64());
            if project.has_plugin() {
                if command.first() == Some(&"apply") {
                    project.forget_state()?;
                }
                timed(project, command, true)?;
            }
        } else {
            self.wall.push(timed(project, command, true)?.as_secs_f64());
        }
        if project.has_plugin() {
            let usage = Usage::take(project.account())?;
            self.cpu.push(usage.cpu_seconds);
            self.peak_kib.push(usage.peak_kib);
            self.processes
                .push(f64::from(u32::try_from(usage.processes)?));
        }
        Ok(())
    }
}

fn timed(project: &Project<'_>, arguments: &[&str], accounted: bool) -> Result<Duration> {
    let mut command = project.command(accounted);
    command.args(arguments).args(["-input=false", "-no-color"]);
    let started = Instant::now();
    let done = output(&mut command)?;
    let elapsed = started.elapsed();
    // A plan succeeds if there is nothing to do. Otherwise, the measurement is not that of the
    // table.
    if done.status.success() {
        Ok(elapsed)
    } else {
        Err(failed(&command, &done).into())
    }
}

fn table(sides: &[Side], figures: &[Both], instances: usize, rounds: usize) -> Table {
    let mut table = Table::new([
        &format!("instances: {instances}, rounds: {rounds}"),
        "wall, s",
        "ratio to Go",
        "plugin CPU, s",
        "ratio to Go",
        "plugin peak, MB",
        "plugin starts",
    ]);
    let base = sides
        .iter()
        .position(Side::is_base)
        .and_then(|at| figures.get(at));
    for (what, of) in [
        (
            "apply from nothing",
            (|both| &both.apply) as fn(&Both) -> &Figures,
        ),
        ("plan, all in state", |both| &both.plan),
    ] {
        for (side, both) in sides.iter().zip(figures) {
            let own = of(both);
            let base = base.map_or(own, of);
            table.push([
                &format!("{what}: {}", side.label()),
                &cell(&own.wall, digits),
                &cell(&own.wall.over(&base.wall), digits),
                &cell(&own.cpu, digits),
                &cell(&own.cpu.over(&base.cpu), digits),
                &cell(&own.peak_kib, |kib| digits(kib * 1024.0 / 1e6)),
                &cell(&own.processes, |count| format!("{count:.0}")),
            ]);
        }
    }
    table
}
