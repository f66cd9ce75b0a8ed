//! Paths to attributes: Terraform underlines the attribute that a diagnostic names.

use std::fmt;

use super::schema::ModelPath;

/// One step from a value to one of its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Attribute(String),
    Key(String),
    Index(i64),
}

/// A path from the root of a resource; empty for the resource itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Path(Vec<Step>);

impl Path {
    /// Appends an attribute of the object at this path.
    #[must_use]
    pub fn then<M>(&self, attribute: ModelPath<M>) -> Self {
        let mut steps = self.0.clone();
        let names = attribute.names().iter();
        steps.extend(names.map(|name| Step::Attribute((*name).to_owned())));
        Self(steps)
    }

    /// Appends the attribute `name`, which comes from a schema.
    #[must_use]
    pub(in crate::tfplugin) fn name(&self, name: &str) -> Self {
        self.join(Step::Attribute(name.to_owned()))
    }

    /// Appends the map element `key`.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.join(Step::Key(key.to_owned()))
    }

    /// Appends the list element `index`.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.join(Step::Index(i64::try_from(index).unwrap_or(i64::MAX)))
    }

    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    fn join(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Attribute(name) if position == 0 => write!(f, "{name}")?,
                Step::Attribute(name) => write!(f, ".{name}")?,
                Step::Key(key) => write!(f, "[{key:?}]")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
