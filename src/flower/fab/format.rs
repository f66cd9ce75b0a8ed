//! `fab-format-version`: what an app declares about the Flower release and the licence that it
//! needs.
//!
//! Version 0, the default, requires only readable dependencies. Flower's hub requires version 1.

use std::str::FromStr;

use super::error::Problem;
use super::requirement::{Bound, Requirement};
use super::value::{Table, Value};
use num_bigint::{BigInt, Sign};
use pep440_rs::{Operator, Version, VersionSpecifier};

const FORMAT: &str = "tool.flwr.app.fab-format-version";
const TARGET: &str = "tool.flwr.app.flwr-version-target";
const DEPENDENCIES: &str = "project.dependencies";
const LICENSE: &str = "project.license";

/// The requirements of the format for the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Format {
    V0,
    /// The licence file must ship.
    V1 {
        license_file: String,
    },
}

/// Checks all requirements of the app's format.
pub(super) fn check(project: &Table, app: &Table, problems: &mut Vec<Problem>) -> Format {
    let requirement = flwr_requirement(project, problems);
    match app.get("fab-format-version") {
        None => Format::V0,
        Some(Value::Integer(number)) if number.sign() == Sign::NoSign => Format::V0,
        Some(Value::Integer(number)) if *number == BigInt::from(1) => {
            check_v1(project, app, requirement.as_ref(), problems)
        }
        Some(Value::Integer(other)) if other.sign() == Sign::Plus => {
            problems.push(Problem::new(
                FORMAT,
                format!("format version {other} is not supported; use 0 or 1"),
            ));
            Format::V0
        }
        Some(_) => {
            problems.push(Problem::new(FORMAT, "must be a non-negative integer"));
            Format::V0
        }
    }
}

/// The only dependency on `flwr`, if there is one. All other dependencies must be readable, too.
fn flwr_requirement(project: &Table, problems: &mut Vec<Problem>) -> Option<Requirement> {
    let Value::Array(entries) = project.get("dependencies")? else {
        problems.push(Problem::new(DEPENDENCIES, "must be a list of strings"));
        return None;
    };
    let mut found = Vec::new();
    for entry in entries {
        let Some(text) = entry.as_str() else {
            problems.push(Problem::new(DEPENDENCIES, "must contain only strings"));
            continue;
        };
        match Requirement::parse(text) {
            Ok(requirement) if requirement.name == "flwr" => found.push(requirement),
            Ok(_) => {}
            Err(reason) => problems.push(Problem::new(
                DEPENDENCIES,
                format!("{text:?} is not a valid dependency: {reason}"),
            )),
        }
    }
    if found.len() > 1 {
        problems.push(Problem::new(DEPENDENCIES, "names \"flwr\" more than once"));
        return None;
    }
    found.pop()
}

fn check_v1(
    project: &Table,
    app: &Table,
    requirement: Option<&Requirement>,
    problems: &mut Vec<Problem>,
) -> Format {
    let target = target(app, problems);
    let license_file = match project.get("license") {
        Some(Value::Table(license)) if !license.contains_key("text") => license
            .get("file")
            .and_then(Value::as_str)
            .filter(|file| matches!(*file, "LICENSE" | "LICENSE.md")),
        _ => None,
    };
    if license_file.is_none() {
        problems.push(Problem::new(
            LICENSE,
            "fab-format-version 1 needs { file = \"LICENSE\" } or { file = \"LICENSE.md\" }",
        ));
    }
    match requirement {
        None if problems.iter().any(|p| p.key == DEPENDENCIES) => {}
        None => problems.push(Problem::new(
            DEPENDENCIES,
            "fab-format-version 1 needs a dependency on \"flwr\"",
        )),
        Some(requirement) => {
            if let Err(problem) = check_target(requirement, target.as_ref()) {
                problems.push(problem);
            }
        }
    }
    Format::V1 {
        license_file: license_file.unwrap_or("LICENSE").to_owned(),
    }
}

fn target(app: &Table, problems: &mut Vec<Problem>) -> Option<Version> {
    let message = match app.get("flwr-version-target") {
        None => "is missing; fab-format-version 1 needs it",
        Some(Value::String(text)) => match Version::from_str(text) {
            Ok(version) => return Some(version),
            Err(_) => "is not a valid version",
        },
        Some(_) => "must be a string",
    };
    problems.push(Problem::new(TARGET, message));
    None
}

/// The target must satisfy the bounds that the app declares for `flwr`, one of which must be a
/// `>=`.
fn check_target(requirement: &Requirement, target: Option<&Version>) -> Result<(), Problem> {
    let version = |bound: &Bound| {
        Version::from_str(&bound.version).map_err(|_| {
            Problem::new(
                DEPENDENCIES,
                format!("the bound {:?} of \"flwr\" is not a version", bound.version),
            )
        })
    };
    let mut lowest = None;
    for bound in requirement.bounds.iter().filter(|b| b.operator == ">=") {
        lowest = lowest.max(Some(version(bound)?));
    }
    let Some(lowest) = lowest else {
        return Err(Problem::new(
            DEPENDENCIES,
            "fab-format-version 1 needs a lower bound of \"flwr\" declared with \">=\"",
        ));
    };
    let Some(target) = target else {
        return Ok(());
    };
    if *target < lowest {
        return Err(Problem::new(
            TARGET,
            "is below the lower bound of the \"flwr\" dependency",
        ));
    }
    let outside = || {
        Problem::new(
            TARGET,
            "does not satisfy the bounds of the \"flwr\" dependency",
        )
    };
    let mut pre_releases = false;
    for bound in requirement.bounds.iter().filter(|b| b.operator != "!=") {
        let plain = bound.version.trim_end_matches(".*");
        pre_releases |= Version::from_str(plain).is_ok_and(|v| v.any_prerelease());
    }
    if target.any_prerelease() && !pre_releases {
        return Err(outside());
    }
    for bound in &requirement.bounds {
        if !admits(bound, target).ok_or_else(outside)? {
            return Err(outside());
        }
    }
    Ok(())
}

/// Whether the bound accepts the target; `None` if the bound is unreadable.
fn admits(bound: &Bound, target: &Version) -> Option<bool> {
    if bound.operator == "===" {
        return Some(target.to_string().eq_ignore_ascii_case(&bound.version));
    }
    let text = format!("{}{}", bound.operator, bound.version);
    let specifier = VersionSpecifier::from_str(&text).ok()?;
    // A lower or upper bound ignores the local label of the version.
    let target = match specifier.operator() {
        Operator::GreaterThanEqual | Operator::LessThanEqual => target.clone().without_local(),
        _ => target.clone(),
    };
    Some(specifier.contains(&target))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flower::fab::document::parse;

    fn problems(license: &str, dependencies: &str, app: &str) -> Vec<String> {
        let project = format!("license = {license}\ndependencies = {dependencies}");
        let mut problems = Vec::new();
        check(
            &parse(project.as_bytes()).unwrap(),
            &parse(app.as_bytes()).unwrap(),
            &mut problems,
        );
        problems.iter().map(ToString::to_string).collect()
    }

    const FILE: &str = "{ file = 'LICENSE' }";

    fn target(bounds: &str, target: &str) -> Vec<String> {
        problems(
            FILE,
            &format!("['flwr{bounds}', 'numpy']"),
            &format!("fab-format-version = 1\nflwr-version-target = '{target}'"),
        )
    }

    #[test]
    fn version_0_asks_for_readable_dependencies_only() {
        assert_eq!(problems("'MIT'", "['numpy']", ""), [""; 0]);
        assert_eq!(
            problems("'MIT'", "['numpy=>1', 1]", "fab-format-version = 0"),
            [
                "project.dependencies: \"numpy=>1\" is not a valid dependency: expected a version bound, ';' or the end at \"=>1\"",
                "project.dependencies: must contain only strings",
            ]
        );
        assert_eq!(problems("'MIT'", "['flwr', 'flwr']", "").len(), 1);
        assert_eq!(problems("'MIT'", "'flwr'", "").len(), 1);
    }

    #[test]
    fn version_1_asks_for_everything_at_once() {
        assert_eq!(
            problems("'MIT'", "['numpy']", "fab-format-version = 1"),
            [
                "tool.flwr.app.flwr-version-target: is missing; fab-format-version 1 needs it",
                "project.license: fab-format-version 1 needs { file = \"LICENSE\" } or { file = \"LICENSE.md\" }",
                "project.dependencies: fab-format-version 1 needs a dependency on \"flwr\"",
            ]
        );
    }

    #[test]
    fn the_target_must_be_within_the_bounds() {
        assert!(target(">=1.20,<2", "1.42.0").is_empty());
        assert!(target("[simulation]>=1.20,!=1.30", "1.30.1").is_empty());
        assert!(target(">=1.20a1", "1.42.0rc1").is_empty());
        for (bounds, version) in [
            (">=1.20", "1.19"),
            (">=1.20,<1.40", "1.42"),
            (">=1.20", "1.42.0rc1"),
            (">=1.20,==1.3.*", "1.42"),
            ("<2", "1.42"),
            ("", "1.42"),
            (">=1.20", "x"),
        ] {
            assert_eq!(target(bounds, version).len(), 1, "{bounds} {version}");
        }
    }

    #[test]
    fn other_versions_are_refused() {
        for version in ["2", "-1", "true", "'1'"] {
            let app = format!("fab-format-version = {version}");
            assert_eq!(problems("'MIT'", "[]", &app).len(), 1, "{version}");
        }
    }
}
