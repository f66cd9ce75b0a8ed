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
use crate::tools::{
    Product, Terraform, browser_or_install, git_servers_or_install, path_to_python,
    python_or_install,
};
use crate::{Result, cluster, docs, licences};

pub use cargo_test::build_examples;
use cargo_test::{CargoTest, build_all};
use report::{Outcome, Report};

const HELP: &str = "\
Runs the checks and the test tiers, and ends with `N passed, N failed`.

Usage: cargo xtask test [options]

Options:
  --tier TIER        only this tier, without the checks: unit, contract, acceptance or cluster; may
                     be repeated
  --quick            acceptance and cluster: only the quick tests, and no second run on OpenTofu
  --test-threads N   how many tests run in parallel, except for unit tests (default: 3, and 2 for the
                     cluster tier)

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

/// How many tests run at a time, of the tiers of this machine and of the cluster's.
const THREADS: &str = "3";
const CLUSTER_THREADS: &str = "2";

/// How long the start of the clusters may take, without builds.
const READY: Duration = Duration::from_secs(30);

/// Tells the tests the cluster and the prefix of image names.
const KUBECONFIG_VARIABLE: &str = "KUBECONFIG";
const IMAGES_VARIABLE: &str = "FLOWER_TEST_IMAGE_PREFIX";

/// Tells the acceptance tests the binary to run.
const TERRAFORM_VARIABLE: &str = "FLOWER_TEST_TERRAFORM";

/// Tells the acceptance tests the browser to look at reports with.
const BROWSER_VARIABLE: &str = "FLOWER_TEST_BROWSER";

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
    /// The tiers that the user names; if none, all of them and the checks.
    only: Vec<Tier>,
    quick: bool,
    threads: Option<String>,
}

impl Options {
    fn threads_or<'a>(&'a self, usual: &'a str) -> &'a str {
        self.threads.as_deref().unwrap_or(usual)
    }

    fn includes(&self, tier: Tier) -> bool {
        self.only.is_empty() || self.only.contains(&tier)
    }
}

/// Runs the command.
pub fn run(mut arguments: Parser) -> Result<ExitCode> {
    let mut options = Options {
        only: Vec::new(),
        quick: false,
        threads: None,
    };
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("tier") => options.only.push(arguments.value()?.string()?.parse()?),
            Long("quick") => options.quick = true,
            Long("test-threads") => options.threads = Some(threads(arguments.value()?.string()?)?),
            other => return help_or_refuse(other, HELP),
        }
    }
    let repository = Repository::find()?;
    let mut report = Report::default();

    if options.only.is_empty() {
        report.add(checks(&repository));
        // Builds all tests at once: building each tier would link everything again.
        if let Err(error) = build_all(&repository) {
            report.add(Outcome::not_run("build", error));
            return Ok(report.print());
        }
    }
    if options.includes(Tier::Unit) {
        report.add(unit(&repository));
    }
    with_programs(&repository, &options, &mut report);
    Ok(report.print())
}

/// Runs the tiers that start other programs, one after the other. Side by side on two cores they take
/// as long, and Flower restarts programs that answer too late.
fn with_programs(repository: &Repository, options: &Options, report: &mut Report) {
    let includes = |tier| options.includes(tier);
    let tiers = [Tier::Contract, Tier::Acceptance, Tier::Cluster];
    if !tiers.into_iter().any(includes) {
        return;
    }
    let examples = build_examples(repository).map_err(|error| error.to_string());
    let clients = if includes(Tier::Acceptance) || includes(Tier::Cluster) {
        examples.clone().and_then(|()| {
            let clients = Clients::find_or_build(repository, options.quick);
            clients.map_err(|error| error.to_string())
        })
    } else {
        Err("not asked for".to_owned())
    };
    if includes(Tier::Contract) {
        report.add(match examples {
            Ok(()) => contract(repository, options),
            Err(error) => Outcome::not_run("contract", error),
        });
    }
    if includes(Tier::Acceptance) {
        acceptance(repository, options, &clients, report);
    }
    if includes(Tier::Cluster) {
        let cluster = Cluster::start(repository, report);
        kubernetes(repository, options, &clients, &cluster, report);
        cluster.end(report);
    }
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
    // Tests of processes wait most of their time.
    CargoTest::new("unit", &["--lib", "--bins"])
        .threads("4")
        .run(repository)
}

fn contract(repository: &Repository, options: &Options) -> Outcome {
    match git_servers_or_install().and_then(|()| search_path()) {
        Err(error) => Outcome::not_run("contract", error),
        Ok(path) => CargoTest::new("contract", &["--test", "contract"])
            .threads(options.threads_or(THREADS))
            .environment("PATH", path)
            .run(repository),
    }
}

/// The PATH of tests that run Flower on this machine.
fn search_path() -> Result<OsString> {
    let (python, version) = python_or_install()?;
    eprintln!("Flower runs on Python {version} ({})", python.display());
    path_to_python(&python)
}

/// The programs that drive the provider.
struct Clients {
    first: Terraform,
    /// OpenTofu, where it is not the first; or why it could not be had.
    second: Option<std::result::Result<Terraform, String>>,
}

impl Clients {
    fn find_or_build(repository: &Repository, quick: bool) -> Result<Self> {
        let first = Terraform::find_or_build(repository)?;
        let second = (!quick && first.product != Product::OpenTofu)
            .then(|| Terraform::opentofu(repository).map_err(|error| error.to_string()));
        Ok(Self { first, second })
    }

    /// Runs a tier on the first client, and a part of it on the second.
    fn drive(
        &self,
        tier: &str,
        report: &mut Report,
        subsets: [&[&str]; 2],
        run: impl Fn(&Terraform, &[&str]) -> Outcome,
    ) {
        let [first, second] = subsets;
        report.add(run(&self.first, first));
        match &self.second {
            Some(Ok(tofu)) => report.add(run(tofu, second)),
            Some(Err(error)) if std::env::var_os("CI").is_some() => {
                report.add(Outcome::not_run(&format!("{tier} (OpenTofu)"), error));
            }
            Some(Err(error)) => report.note(&format!("{tier} did not run with OpenTofu: {error}")),
            None => {}
        }
    }
}

fn acceptance(
    repository: &Repository,
    options: &Options,
    clients: &std::result::Result<Clients, String>,
    report: &mut Report,
) {
    const TIER: &str = "acceptance";
    let programs = search_path().and_then(|path| Ok((path, browser_or_install()?)));
    let (path, browser, clients) = match (programs, clients) {
        (Ok((path, browser)), Ok(clients)) => (path, browser, clients),
        (Err(error), _) => return report.add(Outcome::not_run(TIER, error)),
        (_, Err(error)) => return report.add(Outcome::not_run(TIER, error)),
    };
    let subset: &[&str] = if options.quick { &QUICK } else { &[] };
    clients.drive(TIER, report, [subset, &SECOND], |client, subset| {
        drive(TIER, client, subset)
            .threads(options.threads_or(THREADS))
            .environment("PATH", path.clone())
            .environment(BROWSER_VARIABLE, browser.clone().into_os_string())
            .run(repository)
    });
}

/// The cluster under test.
enum Cluster {
    /// It is somebody else's, and named by the environment.
    Given,
    /// It was started here, and the tests are told where it is.
    Started([(&'static str, OsString); 2]),
    /// Why there is none.
    Failed(String),
}

impl Cluster {
    fn start(repository: &Repository, report: &mut Report) -> Self {
        let is_named = |variable| std::env::var_os(variable).is_some();
        if is_named(KUBECONFIG_VARIABLE) && is_named(IMAGES_VARIABLE) {
            return Self::Given;
        }
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
                Self::Started([
                    (KUBECONFIG_VARIABLE, cluster.kubeconfig.into_os_string()),
                    (IMAGES_VARIABLE, OsString::from(cluster.image_prefix)),
                ])
            }
            Err(error) => Self::Failed(error.to_string()),
        }
    }

    /// Tests of it through one binary.
    fn tests(&self, options: &Options, client: &Terraform, subset: &[&str]) -> CargoTest {
        let mut tests =
            drive("cluster", client, subset).threads(options.threads_or(CLUSTER_THREADS));
        if let Self::Started(environment) = self {
            for (name, value) in environment {
                tests = tests.environment(name, value.clone());
            }
        }
        tests
    }

    fn end(self, report: &mut Report) {
        if let Self::Started(_) = self
            && let Err(error) = cluster::down()
        {
            report.add(Outcome::not_run("cluster down", error));
        }
    }
}

fn kubernetes(
    repository: &Repository,
    options: &Options,
    clients: &std::result::Result<Clients, String>,
    cluster: &Cluster,
    report: &mut Report,
) {
    const TIER: &str = "cluster";
    match (clients, cluster) {
        (Err(error), _) | (_, Cluster::Failed(error)) => {
            report.add(Outcome::not_run(TIER, error));
        }
        (Ok(clients), Cluster::Given | Cluster::Started(_)) => {
            let subset: &[&str] = if options.quick { &CLUSTER_SECOND } else { &[] };
            clients.drive(TIER, report, [subset, &CLUSTER_SECOND], |client, subset| {
                cluster.tests(options, client, subset).run(repository)
            });
        }
    }
}

/// Runs the tests of a tier with one binary.
fn drive(tier: &str, terraform: &Terraform, subset: &[&str]) -> CargoTest {
    let part = if subset.is_empty() { "" } else { ", in part" };
    let name = format!("{tier} ({}{part})", terraform.title());
    CargoTest::new(&name, &["--test", tier])
        .environment(TERRAFORM_VARIABLE, OsString::from(&terraform.binary))
        .only(subset)
}
