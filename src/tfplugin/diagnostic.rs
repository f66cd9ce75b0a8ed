//! Messages to the user: a summary, the detail with its remedy, and the attribute that is at fault.

use super::path::Path;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    Error,
    Warning,
}

/// One message to the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    /// What failed, in one line without a full stop.
    pub summary: String,
    /// The place, the cause and the remedy.
    pub detail: String,
    /// The attribute at fault, if there is one.
    pub path: Option<Path>,
}

impl Diagnostic {
    pub fn error(summary: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            summary: summary.into(),
            detail: String::new(),
            path: None,
        }
    }

    pub fn warning(summary: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(summary)
        }
    }

    /// Adds a paragraph to the detail.
    #[must_use]
    pub fn detail(mut self, text: impl AsRef<str>) -> Self {
        let text = text.as_ref().trim_end();
        if !text.is_empty() {
            if !self.detail.is_empty() {
                self.detail.push_str("\n\n");
            }
            self.detail.push_str(text);
        }
        self
    }

    /// Adds the remedy, if there is one.
    #[must_use]
    pub fn remedy(self, remedy: Option<impl AsRef<str>>) -> Self {
        match remedy {
            Some(text) => self.detail(text),
            None => self,
        }
    }

    #[must_use]
    pub fn at(mut self, path: impl Into<Path>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// The same as a warning.
    #[must_use]
    pub fn as_warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// The result of an operation; the error has at least one diagnostic.
pub type Result<T> = std::result::Result<T, Diagnostics>;

/// Messages in the order in which they were added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    pub fn has_errors(&self) -> bool {
        self.0.iter().any(Diagnostic::is_error)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.0.iter()
    }

    pub fn extend(&mut self, others: impl IntoIterator<Item = Diagnostic>) {
        self.0.extend(others);
    }

    /// `value` if there is no error, otherwise all messages.
    pub fn or<T>(self, value: T) -> Result<T> {
        if self.has_errors() {
            Err(self)
        } else {
            Ok(value)
        }
    }

    /// Returns the value of `result`, or adds its messages to these.
    pub fn absorb<T>(&mut self, result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(found) => {
                self.extend(found);
                None
            }
        }
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
