//! `cargo xtask matrix`: runs the acceptance test `eras` on many Flower releases, and writes the
//! table in docs/compatibility.md from its results.

use std::fmt::Write as _;
use std::fs;
use std::process::ExitCode;

use lexopt::Arg::Long;
use lexopt::{Parser, ValueExt as _};
use serde::Deserialize;

use crate::Result;
use crate::arguments::help_or_refuse;
use crate::process::run as run_command;
use crate::repository::Repository;
use crate::test::build_examples;
use crate::tools::{Terraform, python_or_install};

/// The first or last release of each range between changes, and releases that are used most.
const RELEASES: &str = "1.13.1,1.14.0,1.15.2,1.16.0,1.18.0,1.20.0,1.21.0,1.22.0,1.23.0,1.24.0,1.25.0,1.26.1,1.27.0,1.28.0,1.29.0,1.32.1,1.34.0,1.35.0,1.36.0,1.37.0,1.38.0,1.39.0,1.40.0,1.42.0";
/// One SuperLink is upgraded through all of these.
const UPGRADES: &str = "1.26.1,1.29.0,1.32.1,1.36.0,1.37.0,1.40.0,1.42.0";

const HELP: &str = "\
Applies one federation on many Flower releases from the package index, and writes the results
to docs/compatibility.md. A release takes half a minute, and twice as long the first time.

Usage: cargo xtask matrix [options]

Options:
  --releases LIST   only these, such as 1.20.0,1.42.0; does not write docs/compatibility.md
  --results FILE    run nothing: write the page from the results of tests with FLOWER_TEST_RESULTS=FILE
";

const PAGE: &str = "docs/compatibility.md";

/// Runs the command.
pub fn run(mut arguments: Parser) -> Result<ExitCode> {
    let (mut only, mut given) = (None, None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("releases") => only = Some(arguments.value()?.string()?),
            Long("results") => given = Some(arguments.value()?),
            other => return help_or_refuse(other, HELP),
        }
    }
    let repository = Repository::find()?;
    if let Some(given) = given {
        let client = Terraform::find_or_build(&repository)?.title();
        fs::write(
            repository.path(PAGE),
            page(&fs::read_to_string(given)?, &client)?,
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    python_or_install()?;
    build_examples(&repository)?;
    let terraform = Terraform::find_or_build(&repository)?;
    let folder = tempfile::tempdir()?;
    let results = folder.path().join("results.json");
    let tested = run_command(
        repository
            .cargo()
            .args([
                "test",
                "--workspace",
                "--test",
                "acceptance",
                "--",
                "eras::",
            ])
            .env("FLOWER_TEST_TERRAFORM", &terraform.binary)
            .env("FLOWER_TEST_RELEASES", only.as_deref().unwrap_or(RELEASES))
            .env("FLOWER_TEST_UPGRADES", only.as_deref().unwrap_or(UPGRADES))
            .env("FLOWER_TEST_RESULTS", &results),
    );
    let page = page(&fs::read_to_string(&results)?, &terraform.title())?;
    print!("{page}");
    if only.is_none() {
        fs::write(repository.path(PAGE), page)?;
    }
    tested?;
    Ok(ExitCode::SUCCESS)
}

/// A result of a test.
#[derive(Deserialize)]
#[serde(untagged)]
enum TestResult {
    /// The steps that passed on a release.
    Release {
        release: String,
        #[serde(rename = "seen")]
        steps: Vec<String>,
        seconds: u64,
    },
    /// An upgrade from one release to another.
    Upgrade {
        from: String,
        to: String,
        ok: bool,
        seconds: u64,
    },
}

/// Releases by their numbers: they were tried side by side, and noted as they ended.
fn in_order(mut seen: Vec<TestResult>) -> Vec<TestResult> {
    seen.sort_by_key(|one| match one {
        TestResult::Release { release, .. } => semver::Version::parse(release).ok(),
        TestResult::Upgrade { .. } => None,
    });
    seen
}

/// The page for these results, one JSON object per line.
fn page(results: &str, client: &str) -> Result<String> {
    let mut text = format!(
        "# Compatibility\n\n`cargo xtask matrix` writes this page from its test results, with {client}: on each \
         release, one configuration creates a SuperLink and two SuperNodes on the runtime `local`, with \
         TLS and node keys, and three runs, the first with `isolation = \"process\"`; 1.13 with a database \
         in memory, which it needs for keys. The provider treats a release that is newer than the table like the newest.\n\n\
         | Flower | a run completes | the second plan is empty | runs are listed and have logs | only listed keys join | a failed run is a failed apply | a run is stopped, and nothing is left | s |\n\
         | --- | --- | --- | --- | --- | --- | --- | ---: |\n"
    );
    let mut upgrades = String::new();
    let mut all = 0;
    let seen: Vec<TestResult> = results
        .lines()
        .map(serde_json::from_str)
        .collect::<std::result::Result<_, _>>()?;
    for one in in_order(seen) {
        let (release, steps, seconds) = match one {
            TestResult::Release {
                release,
                steps,
                seconds,
            } => {
                all += seconds;
                (release, steps, seconds)
            }
            TestResult::Upgrade {
                from,
                to,
                ok,
                seconds,
            } => {
                all += seconds;
                let kept = if ok { "yes" } else { "**no**" };
                writeln!(upgrades, "| {from} | {to} | {kept} | {seconds} |")?;
                continue;
            }
        };
        let passed = |what: &str| steps.iter().any(|one| one == what);
        let minor: u32 = release
            .split('.')
            .nth(1)
            .and_then(|minor| minor.parse().ok())
            .unwrap_or_default();
        let cell = |what: &str| if passed(what) { "yes" } else { "**no**" };
        // A feature that a release does not have is not a failure.
        let keys = match (minor, passed("keys")) {
            (..23, true) => "yes, after a restart",
            (_, true) => "yes",
            _ => "**no**",
        };
        let stopped = match (minor, passed("stopped")) {
            (..14, true) => "with its SuperLink",
            (_, true) => "yes",
            _ => "**no**",
        };
        writeln!(
            text,
            "| {release} | {} | {} | {} | {keys} | {} | {stopped} | {} |",
            cell("completed"),
            cell("empty plan"),
            cell("listed"),
            cell("failed"),
            seconds
        )?;
    }
    if !upgrades.is_empty() {
        write!(
            text,
            "\nA SuperLink keeps its database, runs, nodes, keys and authority when `flower_version` is raised, and its SuperNodes follow:\n\n| from | to | kept | s |\n| --- | --- | --- | ---: |\n{upgrades}"
        )?;
    }
    writeln!(
        text,
        "\nAll of these tests together take {} min; releases and upgrades are tested in parallel.",
        all.div_ceil(60)
    )?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_that_failed_is_said_to_have_failed() {
        let results = "{\"release\":\"1.42.0\",\"seen\":[\"completed\"],\"ok\":false,\"seconds\":9}\n{\"release\":\"1.20.0\",\"seen\":[\"completed\",\"empty plan\",\"listed\",\"keys\",\"failed\",\"stopped\"],\"ok\":true,\"seconds\":31}\n{\"from\":\"1.40.0\",\"to\":\"1.42.0\",\"ok\":true,\"seconds\":7}\n";
        let page = page(results, "Terraform 1").unwrap();
        assert!(
            page.contains("| 1.20.0 | yes | yes | yes | yes, after a restart | yes | yes | 31 |")
        );
        assert!(page.find("| 1.20.0 |") < page.find("| 1.42.0 |"));
        assert!(page.contains("| 1.40.0 | 1.42.0 | yes | 7 |"));
        assert!(page.ends_with(
            "\nAll of these tests together take 1 min; releases and upgrades are tested in parallel.\n"
        ));
        assert!(page.contains("| 1.42.0 | yes | **no** | **no** | **no** | **no** | **no** | 9 |"));
    }
}
