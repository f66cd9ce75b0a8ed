//! The generated types of Terraform's protocol, and conversions of paths and messages into them.

#![allow(clippy::all, clippy::pedantic, clippy::restriction, dead_code)]

use super::diagnostic::{Diagnostic as Message, Severity};
use super::path::{Path, Step};
use crate::masking::masked;
use crate::terminal::visible;

include!(concat!(env!("OUT_DIR"), "/tfplugin6.rs"));

/// go-plugin's own services.
pub mod plugin {
    include!(concat!(env!("OUT_DIR"), "/plugin.rs"));
}

/// Removes secrets and invisible characters from a text for the user.
fn sanitized(text: &str) -> String {
    visible(&masked(text)).into_owned()
}

impl From<Message> for Diagnostic {
    fn from(message: Message) -> Self {
        let severity = match message.severity {
            Severity::Error => diagnostic::Severity::Error,
            Severity::Warning => diagnostic::Severity::Warning,
        };
        Self {
            severity: severity.into(),
            summary: sanitized(&message.summary),
            detail: sanitized(&message.detail),
            attribute: message.path.map(|path| (&path).into()),
        }
    }
}

impl FunctionError {
    /// An error of a function, at one of its arguments.
    pub fn masked(text: &str, function_argument: Option<i64>) -> Self {
        Self {
            text: sanitized(text),
            function_argument,
        }
    }
}

impl From<&Path> for AttributePath {
    fn from(path: &Path) -> Self {
        use attribute_path::step::Selector;
        let steps = path
            .steps()
            .iter()
            .map(|step| attribute_path::Step {
                selector: Some(match step {
                    Step::Attribute(name) => Selector::AttributeName(name.clone()),
                    Step::Key(key) => Selector::ElementKeyString(key.clone()),
                    Step::Index(index) => Selector::ElementKeyInt(*index),
                }),
            })
            .collect();
        Self { steps }
    }
}
