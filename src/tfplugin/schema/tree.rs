//! A configuration or plan of which parts may be unknown, read part by part.

use super::super::diagnostic::{Diagnostic, Diagnostics, Result};
use super::super::path::Path;
use super::super::value::Value;
use super::Attr;

/// A value that may only be known after apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Maybe<T> {
    Unknown,
    Known(T),
}

impl<T> Maybe<T> {
    pub fn known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown => None,
        }
    }
}

/// The root of a configuration, plan or state.
#[derive(Debug, Clone, Default)]
pub struct Tree(pub Value);

impl Tree {
    /// The part at `dotted` (attribute names joined by points), typed; unknown when any of it is.
    pub fn get<T: Attr>(&self, dotted: &str) -> Result<Maybe<T>> {
        let value = self.value(dotted);
        if value.is_wholly_known() {
            T::decode(value, &path(dotted)).map(Maybe::Known)
        } else {
            Ok(Maybe::Unknown)
        }
    }

    /// The part at `dotted` as it is; unknown when a part above it is.
    pub fn value(&self, dotted: &str) -> &Value {
        dotted.split('.').fold(&self.0, |value, name| {
            if value.is_unknown() {
                value
            } else {
                value.get(name)
            }
        })
    }

    /// Whether the configuration says anything here, be it unknown.
    pub fn is_set(&self, dotted: &str) -> bool {
        !self.value(dotted).is_null()
    }

    /// Sets a top-level attribute.
    pub fn set(&mut self, name: &str, value: Value) {
        self.0.set(name, value);
    }

    /// An error unless exactly one of `dotted` is set; unknown parts count as set.
    pub fn exactly_one_of(&self, within: &str, dotted: &[&str]) -> Result<()> {
        let names = || {
            dotted
                .iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let set: Vec<_> = dotted.iter().filter(|name| self.is_set(name)).collect();
        match set.as_slice() {
            [_] => Ok(()),
            [] => Err(Diagnostic::error(format!("Missing attribute in {within}"))
                .detail(format!("Set exactly one of {}.", names()))
                .at(path(within))
                .into()),
            [.., last] => Err(
                Diagnostic::error(format!("Conflicting attributes in {within}"))
                    .detail(format!("Only one of {} can be set.", names()))
                    .at(path(last))
                    .into(),
            ),
        }
    }

    /// An error when both are set.
    pub fn conflict(&self, first: &str, second: &str, why: &str) -> Result<()> {
        if !(self.is_set(first) && self.is_set(second)) {
            return Ok(());
        }
        Err(Diagnostics::from(
            Diagnostic::error(format!("{second} cannot be set together with {first}"))
                .detail(why)
                .at(path(second)),
        ))
    }
}

/// The path of attribute names joined by points.
pub fn path(dotted: &str) -> Path {
    dotted
        .split('.')
        .fold(Path::default(), |path, name| path.then(name))
}
