//! Selects the files that ship.
//!
//! There are two filters, as in Flower: which files may be published (file types, `.gitignore`,
//! depth), and which of them are in a FAB (the author's `fab-include` and `fab-exclude`, and rules
//! that an author cannot override).

use std::sync::LazyLock;

use super::error::{FabError, Problem};
use super::pathspec::PathSpec;
use super::pyproject::Patterns;
use super::python_text::{lines, strip};
use crate::flower::app_source::AppTree;

const MAX_DEPTH: usize = 10;

const PUBLISH_INCLUDE: [&str; 11] = [
    "**/*.py",
    "**/*.toml",
    "**/*.md",
    "**/*.yaml",
    "**/*.yml",
    "**/*.json",
    "**/*.jsonl",
    "/.gitignore",
    "**/.editorconfig",
    "/LICENSE",
    "/LICENSE.md",
];
const PUBLISH_EXCLUDE: [&str; 3] = [".flwr/**", ".venv/**", "**/__pycache__/**"];
const FAB_INCLUDE: [&str; 8] = [
    "**/*.py",
    "**/*.toml",
    "**/*.md",
    "**/*.yaml",
    "**/*.yml",
    "**/*.json",
    "**/*.jsonl",
    "/LICENSE",
];
const FAB_EXCLUDE: [&str; 18] = [
    ".flwr/**",
    "**/__pycache__/**",
    "pyproject.toml",
    "**/*_test.py",
    "**/test_*.py",
    "build/**",
    "eggs/**",
    ".eggs/**",
    "lib/**",
    "lib64/**",
    "parts/**",
    "*.egg",
    ".venv/**",
    "env/**",
    "venv/**",
    "ENV/**",
    "env.bak/**",
    "venv.bak/**",
];

/// The files that may be published, in code point order.
pub(super) fn publishable(tree: &AppTree) -> Result<Vec<&str>, FabError> {
    let include = built_in(&PUBLISH_INCLUDE)?;
    let exclude = built_in(&PUBLISH_EXCLUDE)?;
    let ignored = gitignore(tree)?;
    let paths: Vec<&str> = tree
        .paths()
        .filter(|path| include.matches(path) && !exclude.matches(path) && !ignored.matches(path))
        .collect();
    let mut too_deep = paths.iter().filter(|path| depth(path) > MAX_DEPTH);
    if let Some(path) = too_deep.next() {
        return Err(FabError::TooDeep {
            path: (*path).to_owned(),
            depth: depth(path),
            limit: MAX_DEPTH,
            more: too_deep.count(),
        });
    }
    Ok(paths)
}

/// The files of the FAB, without its `pyproject.toml` and its list of contents.
pub(super) fn shipped<'a>(
    publishable: &[&'a str],
    patterns: &Patterns,
) -> Result<Vec<&'a str>, FabError> {
    let mut problems = Vec::new();
    let include = author_spec(
        "fab-include",
        patterns.include.as_deref(),
        publishable,
        &mut problems,
    );
    let exclude = author_spec(
        "fab-exclude",
        patterns.exclude.as_deref(),
        publishable,
        &mut problems,
    );
    if !problems.is_empty() {
        return Err(FabError::Invalid(problems));
    }
    let candidates: Vec<&str> = publishable
        .iter()
        .copied()
        .filter(|path| include.as_ref().is_none_or(|spec| spec.matches(path)))
        .filter(|path| exclude.as_ref().is_none_or(|spec| !spec.matches(path)))
        .collect();
    let allowed = built_in(&FAB_INCLUDE)?;
    let forbidden = built_in(&FAB_EXCLUDE)?;
    if include.is_some() || exclude.is_some() {
        refuse_other_types(&candidates, &allowed, include.is_some())?;
    }
    Ok(candidates
        .into_iter()
        .filter(|path| allowed.matches(path) && !forbidden.matches(path))
        .collect())
}

/// Whether the content of the file with this path can change the bundle of an app: it ships, or it
/// decides what ships.
pub fn decides_bundle(path: &str) -> bool {
    path == ".gitignore"
        || path.rsplit('/').next() == Some(".editorconfig")
        || has_bundled_type(path)
}

/// Whether a bundle may contain a file with this path in the app's folder, by its type alone.
pub fn has_bundled_type(path: &str) -> bool {
    // An archive asks this for each of its files.
    static TYPES: LazyLock<Option<PathSpec>> = LazyLock::new(|| built_in(&FAB_INCLUDE).ok());
    TYPES.as_ref().is_some_and(|types| types.matches(path))
}

/// Only the `.gitignore` of the root. As in Flower, one that is not UTF-8 or cannot be read is
/// ignored.
fn gitignore(tree: &AppTree) -> Result<PathSpec, FabError> {
    let Ok(bytes) = tree.read(".gitignore") else {
        return Ok(PathSpec::default());
    };
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return Ok(PathSpec::default());
    };
    let patterns = lines(text)
        .map(strip)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    PathSpec::compile(patterns).map_err(FabError::Gitignore)
}

/// The author's patterns. A pattern that is invalid or matches nothing is an error.
fn author_spec(
    key: &str,
    patterns: Option<&[String]>,
    paths: &[&str],
    problems: &mut Vec<Problem>,
) -> Option<PathSpec> {
    let patterns = patterns?;
    let key = format!("tool.flwr.app.{key}");
    for pattern in patterns {
        match PathSpec::compile([pattern]) {
            Err(error) => problems.push(Problem::new(&key, error.to_string())),
            Ok(spec) if !paths.iter().any(|path| spec.matches(path)) => {
                problems.push(Problem::new(
                    &key,
                    format!("pattern {pattern:?} matches no file; correct or remove it"),
                ));
            }
            Ok(_) => {}
        }
    }
    PathSpec::compile(patterns).ok()
}

/// With the author's patterns, Flower requires that every selected file has a type that can ship.
fn refuse_other_types(
    candidates: &[&str],
    allowed: &PathSpec,
    has_include: bool,
) -> Result<(), FabError> {
    let others: Vec<&str> = candidates
        .iter()
        .copied()
        .filter(|path| !allowed.matches(path))
        .collect();
    if others.is_empty() {
        return Ok(());
    }
    let (key, remedy) = if has_include {
        ("tool.flwr.app.fab-include", "narrow the patterns")
    } else {
        (
            "tool.flwr.app.fab-exclude",
            "exclude these files, too: with fab-exclude alone, all other files are included",
        )
    };
    let message = format!(
        "selects files of a type that a FAB never contains ({}); {remedy}",
        others.join(", ")
    );
    Err(FabError::Invalid(vec![Problem::new(key, message)]))
}

fn built_in(patterns: &[&str]) -> Result<PathSpec, FabError> {
    PathSpec::compile(patterns).map_err(FabError::Gitignore)
}

fn depth(path: &str) -> usize {
    path.matches('/').count()
}
