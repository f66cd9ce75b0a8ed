//! `cargo xtask docs`: the reference in `docs/`, generated from the schema.
//!
//! Only the provider's schema describes an attribute; these pages are a copy, and CI fails if the
//! copy is outdated. Other pages (guides, design, performance) are in other folders and are never
//! changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lexopt::Arg::Long;
use lexopt::Parser;

use crate::arguments::help_or_refuse;
use crate::process::capture;
use crate::repository::{PROVIDER, Repository};
use crate::{Result, repository};

const HELP: &str = "\
Writes the reference pages in docs/ from the provider's own schema and examples/.

Usage: cargo xtask docs [--check]

Options:
  --check   write nothing; list the pages that differ, and fail if there are any
";

/// The folders of docs/ in which all pages are generated. A page there that is no longer rendered
/// is outdated.
const GENERATED: [&str; 6] = [
    "actions",
    "data-sources",
    "ephemeral-resources",
    "functions",
    "list-resources",
    "resources",
];

/// The program (`render_docs.rs` beside xtask) that prints the pages.
const RENDERER: &str = "render-docs";

/// A difference between docs/ and the rendered pages.
#[derive(Debug, PartialEq, Eq)]
enum Difference {
    Missing(PathBuf),
    Changed(PathBuf),
    Stale(PathBuf),
}

/// Runs the command.
pub fn run(mut arguments: Parser) -> Result<ExitCode> {
    let mut check_only = false;
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("check") => check_only = true,
            other => return help_or_refuse(other, HELP),
        }
    }
    let repository = Repository::find()?;
    if check_only {
        check(&repository)?;
        println!("docs/ matches the schema");
        return Ok(ExitCode::SUCCESS);
    }
    let pages = render(&repository)?;
    let folder = repository.path("docs");
    let differences = compare(&folder, &pages)?;
    for difference in &differences {
        fix(&folder, &pages, difference)?;
        println!("{}", describe(difference));
    }
    println!("{} pages, {} changed", pages.len(), differences.len());
    Ok(ExitCode::SUCCESS)
}

/// Fails and lists the pages if docs/ does not match the schema.
pub fn check(repository: &Repository) -> Result<()> {
    let differences = compare(&repository.path("docs"), &render(repository)?)?;
    if differences.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = differences.iter().map(describe).collect();
    Err(format!(
        "docs/ does not match the schema:\n  {}\nRun `cargo xtask docs` and commit the result.",
        list.join("\n  ")
    )
    .into())
}

/// All generated pages, by their paths below docs/.
fn render(repository: &repository::Repository) -> Result<BTreeMap<PathBuf, String>> {
    let json = capture(repository.cargo().args([
        "run",
        "-q",
        "-p",
        PROVIDER,
        "--example",
        RENDERER,
        "--",
        "examples",
    ]))?;
    let pages: BTreeMap<PathBuf, String> = serde_json::from_str(&json)
        .map_err(|e| format!("{RENDERER} did not print an object of pages: {e}"))?;
    if pages.is_empty() {
        return Err(format!("{RENDERER} rendered no page").into());
    }
    Ok(pages)
}

fn compare(docs: &Path, pages: &BTreeMap<PathBuf, String>) -> Result<Vec<Difference>> {
    let mut differences = Vec::new();
    for (page, text) in pages {
        match std::fs::read_to_string(docs.join(page)) {
            Ok(found) if found == *text => {}
            Ok(_) => differences.push(Difference::Changed(page.clone())),
            Err(_) => differences.push(Difference::Missing(page.clone())),
        }
    }
    for folder in GENERATED {
        let Ok(entries) = std::fs::read_dir(docs.join(folder)) else {
            continue;
        };
        for entry in entries {
            let page = Path::new(folder).join(entry?.file_name());
            if !pages.contains_key(&page) {
                differences.push(Difference::Stale(page));
            }
        }
    }
    Ok(differences)
}

fn fix(docs: &Path, pages: &BTreeMap<PathBuf, String>, difference: &Difference) -> Result<()> {
    match difference {
        Difference::Stale(page) => std::fs::remove_file(docs.join(page))?,
        Difference::Missing(page) | Difference::Changed(page) => {
            let path = docs.join(page);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::write(path, pages.get(page).map_or("", String::as_str))?;
        }
    }
    Ok(())
}

fn describe(difference: &Difference) -> String {
    let (word, page) = match difference {
        Difference::Missing(page) => ("missing", page),
        Difference::Changed(page) => ("differs", page),
        Difference::Stale(page) => ("stale  ", page),
    };
    format!("{word}  docs/{}", page.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mending_leaves_only_what_is_rendered_and_what_people_wrote() {
        let docs = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = docs.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("resources/gone.md", "old");
        write("resources/run.md", "old");
        write("design/why.md", "by hand");
        let pages = BTreeMap::from([
            (PathBuf::from("index.md"), "index".to_owned()),
            (PathBuf::from("resources/run.md"), "new".to_owned()),
        ]);

        let found = compare(docs.path(), &pages).unwrap();
        assert_eq!(
            found,
            [
                Difference::Missing("index.md".into()),
                Difference::Changed("resources/run.md".into()),
                Difference::Stale("resources/gone.md".into()),
            ]
        );
        for difference in &found {
            fix(docs.path(), &pages, difference).unwrap();
        }
        assert_eq!(compare(docs.path(), &pages).unwrap(), []);
        assert!(docs.path().join("design/why.md").exists());
    }
}
