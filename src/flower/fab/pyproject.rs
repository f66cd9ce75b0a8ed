//! Flower's rules for a `pyproject.toml`, and the values that the provider needs from it.
//!
//! All errors are collected with their keys, so that one plan shows them all.

use super::error::Problem;
use super::format::{self, Format};
use super::python_repr;
use super::python_text::{is_alphanumeric, is_letter, strip};
use super::value::{self, Table, Value};
use super::{AppKind, Project};
use crate::flower::run_config::{self, RunConfig};

const MAX_NAME: usize = 32;
/// The limit of all common file systems, in bytes.
const MAX_FILE_NAME: usize = 255;
/// The dots, the hash and the extension of `publisher.name.version.12345678.fab`.
const FILE_NAME_REST: usize = 15;
const APP: &str = "tool.flwr.app";

/// A valid document.
pub(super) struct Checked {
    pub(super) project: Project,
    pub(super) patterns: Patterns,
    pub(super) format: Format,
    pub(super) components: Vec<Component>,
}

/// The author's patterns for files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Patterns {
    pub(super) include: Option<Vec<String>>,
    pub(super) exclude: Option<Vec<String>>,
}

/// A reference to an app object, `module:attribute`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Component {
    pub(super) key: String,
    pub(super) module: String,
    pub(super) attribute: String,
}

/// Checks a document and reports all errors.
pub(super) fn check(document: &Table) -> Result<Checked, Vec<Problem>> {
    let mut problems = Vec::new();
    let empty = Table::default();
    let project = section(document, &["project"], &mut problems).unwrap_or(&empty);
    let app = section(document, &["tool", "flwr", "app"], &mut problems);
    let has_project = document.contains_key("project");

    let mut text = |table: &Table, section: &str, key: &str| match table.get(key) {
        Some(Value::String(value)) => value.clone(),
        Some(_) => {
            problems.push(Problem::new(format!("{section}.{key}"), "must be a string"));
            String::new()
        }
        None => {
            problems.push(Problem::new(
                format!("{section}.{key}"),
                format!("property \"{key}\" is missing in [{section}]"),
            ));
            String::new()
        }
    };
    let (mut name, mut version, mut publisher) = Default::default();
    if has_project {
        name = text(project, "project", "name");
        version = text(project, "project", "version");
    }
    if let Some(app) = app {
        // Flower accepts any type here, and uses the value in names.
        publisher = match app.get("publisher") {
            Some(value) => python_repr::text(value),
            None => text(app, APP, "publisher"),
        };
    }
    if matches!(project.get("name"), Some(Value::String(_))) {
        problems.extend(name_problem(strip(&name)));
    }
    problems.extend(file_problem(&publisher, &name, &version));

    let components = app.map_or_else(Vec::new, |app| components(app, &mut problems));
    let app = app.unwrap_or(&empty);
    let patterns = Patterns {
        include: patterns(app, "fab-include", &mut problems),
        exclude: patterns(app, "fab-exclude", &mut problems),
    };
    let config = config(app, &mut problems);
    let format = format::check(project, app, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Checked {
        project: Project {
            publisher,
            name,
            version,
            config,
            dependencies: dependencies(project),
            component_modules: components.iter().map(|one| one.module.clone()).collect(),
            kind: kind(app),
        },
        patterns,
        format,
        components,
    })
}

/// Flower's rule for the names of apps.
fn name_problem(name: &str) -> Option<Problem> {
    let mut chars = name.chars();
    let valid = chars.next().is_some_and(is_letter)
        && chars.all(|c| is_alphanumeric(c) || c == '-')
        && name.chars().count() <= MAX_NAME;
    (!valid).then(|| {
        Problem::new(
            "project.name",
            format!(
                "{name:?} is not a valid app name: it must start with a letter, contain only \
                 letters, digits and hyphens, and be at most {MAX_NAME} characters long"
            ),
        )
    })
}

/// `flwr build` names a file after the app, and every node a folder: the values must be valid in
/// such a name.
fn file_problem(publisher: &str, name: &str, version: &str) -> Option<Problem> {
    let cannot = |c: char| c == '/' || c == '\0';
    let message =
        "is part of the name of a folder on every SuperNode, so it must not contain a slash or NUL";
    if publisher.contains(cannot) {
        return Some(Problem::new(format!("{APP}.publisher"), message));
    }
    if version.contains(cannot) {
        return Some(Problem::new("project.version", message));
    }
    let length = publisher.len() + name.len() + version.len() + FILE_NAME_REST;
    (length > MAX_FILE_NAME).then(|| {
        let message = format!(
            "publisher, name and version are part of a file name of {length} bytes, and file \
             systems take {MAX_FILE_NAME}"
        );
        Problem::new(format!("{APP}.publisher"), message)
    })
}

/// Returns a table. A value on the way that is not a table is a problem, and so is a missing table.
fn section<'a>(
    document: &'a Table,
    path: &[&str],
    problems: &mut Vec<Problem>,
) -> Option<&'a Table> {
    let name = path.join(".");
    let mut table = document;
    for key in path {
        match table.get(key) {
            Some(Value::Table(inner)) => table = inner,
            Some(_) => {
                problems.push(Problem::new(&name, format!("[{name}] must be a table")));
                return None;
            }
            None => {
                problems.push(Problem::new(&name, format!("section [{name}] is missing")));
                return None;
            }
        }
    }
    Some(table)
}

fn patterns(app: &Table, key: &str, problems: &mut Vec<Problem>) -> Option<Vec<String>> {
    let value = app.get(key)?;
    let entries = value.as_array();
    let strings: Option<Vec<String>> = entries.and_then(|entries| {
        entries
            .iter()
            .map(|entry| {
                entry
                    .as_str()
                    .filter(|pattern| !strip(pattern).is_empty())
                    .map(str::to_owned)
            })
            .collect()
    });
    let message = match (entries, &strings) {
        (Some([]), _) => {
            "must not be an empty list; remove the key to use Flower's own rules, or add a pattern"
        }
        (_, None) => "must be a list of strings that are not blank",
        _ => return strings,
    };
    problems.push(Problem::new(format!("{APP}.{key}"), message));
    None
}

fn config(app: &Table, problems: &mut Vec<Problem>) -> RunConfig {
    let table = match app.get("config") {
        None => return RunConfig::new(),
        Some(Value::Table(table)) => table,
        Some(_) => {
            problems.push(Problem::new(format!("{APP}.config"), "must be a table"));
            return RunConfig::new();
        }
    };
    let table = match value::in_64_bits(table) {
        Ok(table) => table,
        Err(large) => {
            problems.extend(large.into_iter().map(|value::TooLarge { key }| {
                let message = "is a number with more than 64 bits, which a run configuration cannot contain; \
                               write it as a string";
                Problem::new(format!("{APP}.config.{key}"), message)
            }));
            return RunConfig::new();
        }
    };
    run_config::flatten(&table).unwrap_or_else(|errors| {
        problems.extend(
            errors.into_iter().map(|error| {
                Problem::new(format!("{APP}.config.{}", error.key), error.to_string())
            }),
        );
        RunConfig::new()
    })
}

fn components(app: &Table, problems: &mut Vec<Problem>) -> Vec<Component> {
    let section = format!("{APP}.components");
    let table = match app.get("components") {
        Some(Value::Table(table)) => table,
        Some(_) => {
            problems.push(Problem::new(section, "must be a table"));
            return Vec::new();
        }
        None => {
            problems.push(Problem::new(
                &section,
                format!("section [{section}] is missing"),
            ));
            return Vec::new();
        }
    };
    let agent = table.contains_key("agentapp");
    let mut components = Vec::new();
    for name in ["agentapp", "serverapp", "clientapp"] {
        let key = format!("{section}.{name}");
        let message = match table.get(name) {
            Some(Value::String(reference)) => match component(&key, reference) {
                Ok(component) => {
                    components.push(component);
                    continue;
                }
                Err(message) => message,
            },
            Some(_) => "must be a string".to_owned(),
            None if agent || name == "agentapp" => continue,
            None => format!("property \"{name}\" is missing in [{section}]"),
        };
        problems.push(Problem::new(key, message));
    }
    components
}

/// A SuperLink treats every app with an `agentapp` as an agent.
fn kind(app: &Table) -> AppKind {
    let components = app.get("components").and_then(Value::as_table);
    if components.is_some_and(|components| components.contains_key("agentapp")) {
        AppKind::Agent
    } else {
        AppKind::Federated
    }
}

fn component(key: &str, reference: &str) -> Result<Component, String> {
    let (module, attribute) = reference.split_once(':').unwrap_or((reference, ""));
    let missing = match (module, attribute) {
        ("", _) => "module",
        (_, "") => "attribute",
        _ => {
            return Ok(Component {
                key: key.to_owned(),
                module: module.to_owned(),
                attribute: attribute.to_owned(),
            });
        }
    };
    Err(format!(
        "{reference:?} has no {missing}; write \"<module>:<attribute>\", such as \"my_app.server_app:app\""
    ))
}

fn dependencies(project: &Table) -> Vec<String> {
    project
        .get("dependencies")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.as_str().map(str::to_owned))
        .collect()
}
