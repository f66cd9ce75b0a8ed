//! `cargo xtask advisories`, and its check: no dependency has a known vulnerability.
//!
//! `RustSec` publishes advisories in a repository. CI may not be able to fetch it, so
//! `advisories.json` beside xtask stores the advisories on our dependencies, only as numbers and
//! versions. The command updates this file; the check compares it with the linked packages.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, SystemTime};

use lexopt::Arg::Long;
use lexopt::Parser;
use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::arguments::help_or_refuse;
use crate::process::{capture, run as run_command};
use crate::repository::Repository;

const HELP: &str = "\
Updates xtask/advisories.json: the RustSec advisories on the packages in Cargo.lock.

Usage: cargo xtask advisories [options]

Options:
  --from FOLDER   a checkout of RustSec's advisory-db (default: a new clone, with git)
";

const DATABASE: &str = "https://github.com/rustsec/advisory-db";
const LIST: &str = "xtask/advisories.json";
/// After this time, the check prints a reminder.
const FRESH: Duration = Duration::from_hours(90 * 24);

/// The advisories on the packages of Cargo.lock.
#[derive(Debug, Serialize, Deserialize)]
struct List {
    /// The last commit of the database, in seconds since 1970.
    database_at: u64,
    advisories: Vec<Advisory>,
}

/// One advisory on one package.
#[derive(Debug, Serialize, Deserialize)]
struct Advisory {
    id: String,
    package: String,
    /// Versions without the vulnerability: fixed ones, and those before it.
    good: Vec<VersionReq>,
}

/// The structured beginning of an advisory; the rest of the file is text.
#[derive(Deserialize)]
struct Front {
    advisory: FrontAdvisory,
    #[serde(default)]
    versions: FrontVersions,
}

#[derive(Deserialize)]
struct FrontAdvisory {
    id: String,
    package: String,
    withdrawn: Option<String>,
}

#[derive(Default, Deserialize)]
struct FrontVersions {
    #[serde(default)]
    patched: Vec<String>,
    #[serde(default)]
    unaffected: Vec<String>,
}

/// Runs the command.
pub fn run(mut arguments: Parser) -> Result<ExitCode> {
    let mut from = None;
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("from") => from = Some(PathBuf::from(arguments.value()?)),
            other => return help_or_refuse(other, HELP),
        }
    }
    let repository = Repository::find()?;
    let cloned = tempfile::tempdir()?;
    let database = if let Some(folder) = from {
        folder
    } else {
        let clone = ["clone", "--quiet", "--depth", "1", DATABASE, "."];
        run_command(Command::new("git").current_dir(&cloned).args(clone))?;
        cloned.path().to_owned()
    };
    let list = read_database(&database, &locked(&repository)?)?;
    let count = list.advisories.len();
    std::fs::write(repository.path(LIST), text_of(&list)?)?;
    println!("{count} advisories on packages of Cargo.lock are in {LIST}");
    Ok(ExitCode::SUCCESS)
}

/// Fails if a linked package has an advisory in the list.
pub fn check(repository: &Repository) -> Result<()> {
    let text = std::fs::read_to_string(repository.path(LIST))
        .map_err(|e| format!("{LIST} cannot be read: {e}"))?;
    let list: List = serde_json::from_str(&text).map_err(|e| format!("{LIST}: {e}"))?;
    if list.advisories.is_empty() {
        return Err(format!("{LIST} is empty: run `cargo xtask advisories`").into());
    }
    let age = SystemTime::UNIX_EPOCH + Duration::from_secs(list.database_at);
    if age.elapsed().is_ok_and(|age| age > FRESH) {
        eprintln!("{LIST} is older than 90 days; update it with `cargo xtask advisories`");
    }
    let weak = vulnerabilities(&list, &linked(repository)?)?;
    if weak.is_empty() {
        return Ok(());
    }
    Err(format!(
        "these dependencies have known vulnerabilities; update them (https://rustsec.org/advisories):\n  {}",
        weak.into_iter().collect::<Vec<_>>().join("\n  ")
    )
    .into())
}

/// The packages of a build, as `name vVERSION`. `cargo metadata` and Cargo.lock also list packages
/// of features that are off.
fn linked(repository: &Repository) -> Result<String> {
    let arguments = ["tree", "--workspace", "--locked", "--prefix", "none"];
    capture(repository.cargo().args(arguments))
}

fn vulnerabilities(list: &List, linked: &str) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for line in linked.lines() {
        let mut fields = line.split_whitespace();
        let (Some(name), Some(version)) = (fields.next(), fields.next()) else {
            continue;
        };
        let version = Version::parse(version.trim_start_matches('v'))?;
        for one in list.advisories.iter().filter(|one| one.package == name) {
            if !one.good.iter().any(|good| good.matches(&version)) {
                found.insert(format!("{name} {version}: {}", one.id));
            }
        }
    }
    Ok(found)
}

/// The names in Cargo.lock that come from a registry.
fn locked(repository: &Repository) -> Result<BTreeSet<String>> {
    #[derive(Deserialize)]
    struct Lock {
        package: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        source: Option<String>,
    }
    let lock: Lock = toml::from_str(&std::fs::read_to_string(repository.path("Cargo.lock"))?)?;
    let foreign = lock.package.into_iter().filter(|one| one.source.is_some());
    Ok(foreign.map(|one| one.name).collect())
}

fn read_database(folder: &Path, packages: &BTreeSet<String>) -> Result<List> {
    let stamp =
        capture(
            Command::new("git")
                .current_dir(folder)
                .args(["log", "-1", "--format=%ct"]),
        )?;
    let mut advisories = Vec::new();
    for package in packages {
        let Ok(entries) = std::fs::read_dir(folder.join("crates").join(package)) else {
            continue;
        };
        for entry in entries {
            let path = entry?.path();
            let text = std::fs::read_to_string(&path)?;
            let advisory = advisory(&text).map_err(|e| format!("{}: {e}", path.display()))?;
            advisories.extend(advisory);
        }
    }
    if advisories.is_empty() {
        return Err(format!(
            "{} contains no advisory on these packages",
            folder.display()
        )
        .into());
    }
    advisories.sort_by(|a, b| (&a.package, &a.id).cmp(&(&b.package, &b.id)));
    Ok(List {
        database_at: stamp.trim().parse()?,
        advisories,
    })
}

/// Reads the beginning of an advisory; `None` if it was withdrawn.
fn advisory(text: &str) -> Result<Option<Advisory>> {
    let front = text
        .split_once("```toml")
        .and_then(|(_, rest)| rest.split_once("```"))
        .ok_or("it does not begin with a block of TOML")?;
    let Front { advisory, versions } = toml::from_str(front.0)?;
    if advisory.withdrawn.is_some() {
        return Ok(None);
    }
    let all = versions.patched.iter().chain(&versions.unaffected);
    Ok(Some(Advisory {
        id: advisory.id,
        package: advisory.package,
        good: all
            .map(|text| text.parse())
            .collect::<std::result::Result<_, _>>()?,
    }))
}

/// One advisory per line, so that an update has a readable diff.
fn text_of(list: &List) -> Result<String> {
    let lines: std::result::Result<Vec<_>, _> = list
        .advisories
        .iter()
        .map(|one| serde_json::to_string(one).map(|line| format!("    {line}")))
        .collect();
    Ok(format!(
        "{{\n  \"database_at\": {},\n  \"advisories\": [\n{}\n  ]\n}}\n",
        list.database_at,
        lines?.join(",\n")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "```toml\n[advisory]\nid = \"RUSTSEC-0000-0001\"\npackage = \"weak\"\n\n\
                        [versions]\npatched = [\"^1.2.3\", \">= 2.1.0\"]\nunaffected = [\"< 1.0.0\"]\n\
                        ```\n\n# It leaks\n";

    #[test]
    fn a_version_is_weak_unless_it_was_mended_or_is_from_before() {
        let list = List {
            database_at: 0,
            advisories: vec![advisory(FILE).unwrap().unwrap()],
        };
        for (version, weak) in [
            ("0.9.0", false),
            ("1.0.0", true),
            ("1.2.2", true),
            ("1.2.3", false),
            ("1.9.0", false),
            ("2.0.5", true),
            ("2.1.0", false),
            ("3.0.0", false),
        ] {
            let linked = format!("weak v{version} (*)\nother v1.0.0 (proc-macro)\n");
            let found = vulnerabilities(&list, &linked).unwrap();
            assert_eq!(!found.is_empty(), weak, "{version}: {found:?}");
        }
    }

    #[test]
    fn what_was_withdrawn_counts_no_more_and_what_cannot_be_read_is_an_error() {
        let withdrawn = FILE.replace("package =", "withdrawn = \"2020-01-01\"\npackage =");
        assert!(advisory(&withdrawn).unwrap().is_none());
        assert!(advisory("# only words").is_err());
        assert!(advisory(&FILE.replace("^1.2.3", "soon")).is_err());
    }

    #[test]
    fn the_repositorys_own_list_can_be_read() {
        let list: List = serde_json::from_str(include_str!("../advisories.json")).unwrap();
        assert!(list.advisories.len() > 10);
        assert_eq!(text_of(&list).unwrap(), include_str!("../advisories.json"));
    }
}
