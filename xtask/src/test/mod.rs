//! `cargo xtask test`: runs all checks and tiers, and prints one line with the sum.
//!
//! Nothing is skipped silently. A tier fails if its programs are missing, if it does not build, or
//! if no test ran, on a laptop as in CI.

mod cargo_test;
mod report;

use std::ffi::OsString;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::{Duration, Instant};

use lexopt::Arg::Long;
use lexopt::{Parser, ValueExt as _};

use crate::arguments::help_or_refuse;
use crate::process::run as run_command;
use crate::repository::Repository;
use crate::tools::{Product, Terraform, python_or_install};
use crate::{Result, cluster, docs, licences};

pub use cargo_test::build_examples;
use cargo_test::{CargoTest, build_all};
use report::{Outcome, Report};

const HELP: &str = "\
Runs the checks and the test tiers, and ends with `N passed, N failed`.

Usage: cargo xtask test [options]

Options:
  --tier TIER        only this tier, without the checks: unit, contract, acceptance or cluster
  --quick            acceptance and cluster: only the quick tests, and no second run on OpenTofu
  --test-threads N   how many tests run in parallel, except for unit tests (default: 2; more
                     is faster, but tests may time out)

Checks (each counts as one): formatting, clippy, documentation tests, dependencies (licences,
bans, known vulnerabilities), docs/ against the schema.
Tiers:
  unit         beside the code; no network
  contract     against the real Flower programs
  acceptance   with Terraform; some tests also with OpenTofu, which is built if it is missing
  cluster      with Terraform, some tests also with OpenTofu, on real Kubernetes: the cluster of
               KUBECONFIG if FLOWER_TEST_IMAGE_PREFIX is also set, otherwise clusters that are
               built and started (`cargo xtask cluster up`) and removed at the end
";

/// The quick acceptance tests: the plugin layer, and the resource that starts no process.
const QUICK: [&str; 2] = ["plugin::", "supernode_key::"];

/// The tests for the second client: everything that can differ between Terraform and OpenTofu, the
/// examples, and a whole federation that is created, read, imported and destroyed.
const SECOND: [&str; 5] = [
    "plugin::",
    "supernode_key::",
    "data_sources::",
    "garbage::",
    "examples::",
];

/// The same for the cluster tier: the examples, one of which uses two clusters.
const CLUSTER_SECOND: [&str; 1] = ["examples::"];

/// How long the start of the clusters may take, without builds.
const READY: Duration = Duration::from_secs(30);

/// Tells the tests the cluster and the prefix of image names.
const KUBECONFIG_VARIABLE: &str = "KUBECONFIG";
const IMAGES_VARIABLE: &str = "FLOWER_TEST_IMAGE_PREFIX";

/// Tells the acceptance tests the binary to run.
const TERRAFORM_VARIABLE: &str = "FLOWER_TEST_TERRAFORM";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tier {
    Unit,
    Contract,
    Acceptance,
    Cluster,
}

impl FromStr for Tier {
    type Err = Box<dyn std::error::Error>;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "unit" => Ok(Self::Unit),
            "contract" => Ok(Self::Contract),
            "acceptance" => Ok(Self::Acceptance),
            "cluster" => Ok(Self::Cluster),
            other => Err(format!("there is no tier `{other}`\n\n{HELP}").into()),
        }
    }
}

struct Options {
    only: Option<Tier>,
    quick: bool,
    threads: String,
}

/// Runs the command.
pub fn run(mut arguments: Parser) -> Result<ExitCode> {
    let mut options = Options {
        only: None,
        quick: false,
        threads: "2".to_owned(),
    };
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("tier") => options.only = Some(arguments.value()?.string()?.parse()?),
            Long("quick") => options.quick = true,
            Long("test-threads") => options.threads = threads(arguments.value()?.string()?)?,
            other => return help_or_refuse(other, HELP),
        }
    }
    let repository = Repository::find()?;
    let mut report = Report::default();

    if options.only.is_none() {
        report.add(checks(&repository));
        // Builds all tests at once: building each tier would link everything again.
        if let Err(error) = build_all(&repository) {
            report.add(Outcome::not_run("build", error.as_ref()));
            return Ok(report.print());
        }
    }
    for tier in [Tier::Unit, Tier::Contract, Tier::Acceptance, Tier::Cluster] {
        if options.only.is_none_or(|only| only == tier) {
            match tier {
                Tier::Unit => report.add(unit(&repository)),
                Tier::Contract => report.add(contract(&repository, &options)),
                Tier::Acceptance => acceptance(&repository, &options, &mut report),
                Tier::Cluster => kubernetes(&repository, &options, &mut report),
            }
        }
    }
    Ok(report.print())
}

fn threads(given: String) -> Result<String> {
    if given.parse::<u16>().is_ok_and(|count| count > 0) {
        Ok(given)
    } else {
        Err(format!("--test-threads {given} is not a number above 0").into())
    }
}

fn checks(repository: &Repository) -> Outcome {
    let started = Instant::now();
    let mut outcome = Outcome::new("checks");
    let mut note = |name: &str, result: Result<()>| match result {
        Ok(()) => outcome.passed += 1,
        Err(error) => {
            eprintln!("{name}: {error}");
            outcome.failed += 1;
            outcome.errors.push(format!("{name}: {error}"));
        }
    };
    note(
        "formatting",
        run_command(repository.cargo().args(["fmt", "--all", "--check"])),
    );
    note(
        "clippy",
        run_command(repository.cargo().args([
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ])),
    );
    // They contain code that must not compile.
    note(
        "documentation tests",
        run_command(repository.cargo().args(["test", "--workspace", "--doc"])),
    );
    note("licences", licences::check(repository));
    note("docs", docs::check(repository));
    outcome.seconds = started.elapsed().as_secs_f64();
    outcome
}

fn unit(repository: &Repository) -> Outcome {
    CargoTest::new("unit", &["--lib", "--bins"]).run(repository)
}

fn contract(repository: &Repository, options: &Options) -> Outcome {
    match python_or_install() {
        Err(error) => Outcome::not_run("contract", error.as_ref()),
        Ok((path, version)) => {
            eprintln!("contract tier on Python {version} ({})", path.display());
            CargoTest::new("contract", &["--test", "contract"])
                .threads(&options.threads)
                .run(repository)
        }
    }
}

fn acceptance(repository: &Repository, options: &Options, report: &mut Report) {
    let needs = python_or_install()
        .and_then(|_| build_examples(repository))
        .and_then(|()| Terraform::find_or_build(repository));
    let terraform = match needs {
        Ok(terraform) => terraform,
        Err(error) => {
            report.add(Outcome::not_run("acceptance", error.as_ref()));
            return;
        }
    };
    let subset: &[&str] = if options.quick { &QUICK } else { &[] };
    let run = |client: &Terraform, subset: &[&str]| {
        drive("acceptance", options, client, subset).run(repository)
    };
    report.add(run(&terraform, subset));
    if !options.quick && terraform.product != Product::OpenTofu {
        on_opentofu("acceptance", repository, report, |tofu| run(tofu, &SECOND));
    }
}

/// Runs some tests of a tier with the second client.
fn on_opentofu(
    tier: &str,
    repository: &Repository,
    report: &mut Report,
    run: impl FnOnce(&Terraform) -> Outcome,
) {
    match Terraform::opentofu(repository) {
        Ok(tofu) => report.add(run(&tofu)),
        Err(error) if std::env::var_os("CI").is_some() => {
            report.add(Outcome::not_run(
                &format!("{tier} (OpenTofu)"),
                error.as_ref(),
            ));
        }
        Err(error) => report.note(&format!("{tier} did not run with OpenTofu: {error}")),
    }
}

fn kubernetes(repository: &Repository, options: &Options, report: &mut Report) {
    let needs = build_examples(repository).and_then(|()| Terraform::find_or_build(repository));
    let terraform = match needs {
        Ok(terraform) => terraform,
        Err(error) => return report.add(Outcome::not_run("cluster", error.as_ref())),
    };
    let named = |variable| std::env::var_os(variable);
    let own = named(KUBECONFIG_VARIABLE).is_none() || named(IMAGES_VARIABLE).is_none();
    let mut environment = Vec::new();
    if own {
        match cluster::up(repository, &cluster::Options::default()) {
            Ok(cluster) => {
                if cluster.started_in > READY {
                    let mut late = Outcome::new("cluster up");
                    late.fail(format!(
                        "the clusters took {:.0?} to start",
                        cluster.started_in
                    ));
                    report.add(late);
                }
                environment.push((KUBECONFIG_VARIABLE, cluster.kubeconfig.into_os_string()));
                environment.push((IMAGES_VARIABLE, OsString::from(cluster.image_prefix)));
            }
            Err(error) => return report.add(Outcome::not_run("cluster", error.as_ref())),
        }
    }
    let run = |client: &Terraform, subset: &[&str]| {
        let mut tests = drive("cluster", options, client, subset);
        for (name, value) in &environment {
            tests = tests.environment(name, value.clone());
        }
        tests.run(repository)
    };
    let subset: &[&str] = if options.quick { &CLUSTER_SECOND } else { &[] };
    report.add(run(&terraform, subset));
    if !options.quick && terraform.product != Product::OpenTofu {
        on_opentofu("cluster", repository, report, |tofu| {
            run(tofu, &CLUSTER_SECOND)
        });
    }
    if own && let Err(error) = cluster::down() {
        report.add(Outcome::not_run("cluster down", error.as_ref()));
    }
}

/// Runs the tests of a tier with one binary.
fn drive(tier: &str, options: &Options, terraform: &Terraform, subset: &[&str]) -> CargoTest {
    let part = if subset.is_empty() { "" } else { ", in part" };
    let name = format!("{tier} ({}{part})", terraform.title());
    CargoTest::new(&name, &["--test", tier])
        .threads(&options.threads)
        .environment(TERRAFORM_VARIABLE, OsString::from(&terraform.binary))
        .only(subset)
}
