//! Writes a Python package and its `pyproject.toml` around the code of two components.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::{Attribute, InlineError, InlineFields, LONGEST_NAME, PYPROJECT, check_text};
use crate::flower::fab;
use crate::flower::run_config::{ConfigValue, RunConfig};

const DEFAULT_NAME: &str = "inline";
const DEFAULT_VARIABLE: &str = "app";
const PUBLISHER: &str = "terraform";
/// Keeps the package apart from Python's own modules and from those of the requirements: a package
/// `torch` would hide the library.
const PACKAGE_END: &str = "_app";
const KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
    "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import",
    "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while",
    "with", "yield",
];

/// An app of two components.
pub(super) struct Code {
    name: String,
    server: Component,
    client: Component,
    requirements: Vec<String>,
    config: RunConfig,
}

struct Component {
    code: String,
    variable: String,
}

impl Code {
    pub(super) fn new(fields: InlineFields, errors: &mut Vec<InlineError>) -> Self {
        let name = fields.name.unwrap_or_else(|| DEFAULT_NAME.to_owned());
        if !is_name(&name) {
            errors.push(InlineError::BadName { name: name.clone() });
        }
        let server = (Attribute::Server, fields.server);
        let client = (Attribute::Client, fields.client);
        let server = Component::new(server, (Attribute::ServerApp, fields.server_app), errors);
        let client = Component::new(client, (Attribute::ClientApp, fields.client_app), errors);
        for (index, text) in fields.requirements.iter().enumerate() {
            if let Err(reason) = fab::check_requirement(text) {
                let text = text.clone();
                errors.push(InlineError::BadRequirement {
                    index,
                    text,
                    reason,
                });
            }
        }
        Self {
            name,
            server,
            client,
            requirements: fields.requirements,
            config: fields.config,
        }
    }

    pub(super) fn files(self) -> BTreeMap<String, String> {
        let package = self.package();
        BTreeMap::from([
            (PYPROJECT.to_owned(), self.pyproject(&package).to_string()),
            (format!("{package}/__init__.py"), String::new()),
            (format!("{package}/server_app.py"), self.server.code),
            (format!("{package}/client_app.py"), self.client.code),
        ])
    }

    /// The Python package: `mnist_demo_app` for an app `mnist-demo`.
    fn package(&self) -> String {
        let package = self.name.to_ascii_lowercase().replace('-', "_");
        if package.ends_with(PACKAGE_END) {
            package
        } else {
            package + PACKAGE_END
        }
    }

    fn pyproject(&self, package: &str) -> Table {
        let requirements = self.requirements.iter().map(|one| text(one)).collect();
        let server = format!("{package}.server_app:{}", self.server.variable);
        let client = format!("{package}.client_app:{}", self.client.variable);
        let components = [("serverapp", text(&server)), ("clientapp", text(&client))];
        let mut app = vec![
            ("publisher", text(PUBLISHER)),
            ("components", table(components)),
        ];
        if !self.config.is_empty() {
            // A key with dots stays one key: Flower joins the keys of nested tables with dots.
            let config = self.config.iter();
            let config = config.map(|(key, value)| (key.as_str(), scalar(value)));
            app.push(("config", table(config)));
        }
        let build = [
            ("requires", Value::Array(vec![text("hatchling")])),
            ("build-backend", text("hatchling.build")),
        ];
        let project = [
            ("name", text(&self.name)),
            ("version", text("1.0.0")),
            (
                "description",
                text("A Flower app from a Terraform configuration"),
            ),
            // Nobody gave others a licence for this code.
            ("license", text("LicenseRef-Proprietary")),
            ("dependencies", Value::Array(requirements)),
        ];
        let wheel = table([("packages", Value::Array(vec![text(".")]))]);
        let hatch = ["wheel", "targets", "build"];
        let hatch = hatch
            .into_iter()
            .fold(wheel, |inner, key| table([(key, inner)]));
        let flwr = table([("app", table(app))]);
        let document = [
            ("build-system", table(build)),
            ("project", table(project)),
            ("tool", table([("hatch", hatch), ("flwr", flwr)])),
        ];
        let entries = document.into_iter();
        entries
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    }
}

impl Component {
    fn new(
        (code_attribute, code): (Attribute, Option<String>),
        (attribute, variable): (Attribute, Option<String>),
        errors: &mut Vec<InlineError>,
    ) -> Self {
        let variable = variable.unwrap_or_else(|| DEFAULT_VARIABLE.to_owned());
        let is_valid = is_variable(&variable);
        if !is_valid {
            let variable = variable.clone();
            errors.push(InlineError::BadVariable {
                attribute,
                variable,
            });
        }
        match &code {
            None => errors.push(InlineError::NoCode(code_attribute)),
            Some(code) => {
                check_text(code, code_attribute, None, errors);
                if is_valid && !contains_word(code, &variable) {
                    errors.push(InlineError::NotDefined {
                        code: code_attribute,
                        variable: variable.clone(),
                        attribute,
                    });
                }
            }
        }
        Self {
            code: code.unwrap_or_default(),
            variable,
        }
    }
}

/// Stricter than Flower, which accepts letters of all scripts: the name becomes that of a package.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && name.len() <= LONGEST_NAME
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !KEYWORDS.contains(&name)
}

/// The same check as that of the bundle's builder, which would name a file that the user did not
/// write.
fn contains_word(code: &str, word: &str) -> bool {
    code.split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|found| found == word)
}

fn table<'k>(entries: impl IntoIterator<Item = (&'k str, Value)>) -> Value {
    let entries = entries.into_iter();
    Value::Table(
        entries
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    )
}

fn text(value: &str) -> Value {
    Value::String(value.to_owned())
}

fn scalar(value: &ConfigValue) -> Value {
    match value {
        ConfigValue::Bool(value) => Value::Boolean(*value),
        ConfigValue::Int(value) => Value::Integer(*value),
        ConfigValue::Float(value) => Value::Float(*value),
        ConfigValue::Str(value) => text(value),
    }
}
