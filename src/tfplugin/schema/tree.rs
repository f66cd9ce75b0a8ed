//! Typed access to a configuration or plan, parts of which may be unknown.

use std::fmt;
use std::marker::PhantomData;

use super::super::diagnostic::{Diagnostic, Diagnostics, Result};
use super::super::value::Value;
use super::{Attr, ModelPath};

/// A value that may be unknown until apply.
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

/// A configuration, plan or state of a model, read by paths of that model.
pub struct Tree<M>(pub Value, PhantomData<fn() -> M>);

impl<M> Tree<M> {
    pub const fn new(value: Value) -> Self {
        Self(value, PhantomData)
    }

    /// The decoded value at `path`; unknown if any part of it is unknown.
    pub fn get<T: Attr>(&self, path: ModelPath<M>) -> Result<Maybe<T>> {
        let value = self.value(path);
        if value.is_wholly_known() {
            T::decode(value, &path.path()).map(Maybe::Known)
        } else {
            Ok(Maybe::Unknown)
        }
    }

    /// The raw value at `path`; unknown if a value above it is unknown.
    pub fn value(&self, path: ModelPath<M>) -> &Value {
        self.0.at(path)
    }

    /// Whether the configuration sets a value here, even an unknown one.
    pub fn is_set(&self, path: ModelPath<M>) -> bool {
        !self.value(path).is_null()
    }

    /// Sets the value at `path`; does nothing if the object above it does not exist.
    pub fn set(&mut self, path: ModelPath<M>, value: Value) {
        self.0.set_at(path, value);
    }

    /// Fails unless exactly one of `paths` is set; unknown values count as set.
    pub fn exactly_one_of(&self, within: ModelPath<M>, paths: &[ModelPath<M>]) -> Result<()> {
        let names = || {
            paths
                .iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let set: Vec<_> = paths.iter().filter(|path| self.is_set(**path)).collect();
        match set.as_slice() {
            [_] => Ok(()),
            [] => Err(Diagnostic::error(format!("Missing attribute in {within}"))
                .detail(format!("Set exactly one of {}.", names()))
                .at(within)
                .into()),
            [.., last] => Err(
                Diagnostic::error(format!("Conflicting attributes in {within}"))
                    .detail(format!("Only one of {} can be set.", names()))
                    .at(**last)
                    .into(),
            ),
        }
    }

    /// Fails if both are set.
    pub fn conflict(&self, first: ModelPath<M>, second: ModelPath<M>, why: &str) -> Result<()> {
        if !(self.is_set(first) && self.is_set(second)) {
            return Ok(());
        }
        Err(Diagnostics::from(
            Diagnostic::error(format!("{second} cannot be set together with {first}"))
                .detail(why)
                .at(second),
        ))
    }
}

// What is derived would ask the model for the same.
impl<M> Clone for Tree<M> {
    fn clone(&self) -> Self {
        Self::new(self.0.clone())
    }
}

impl<M> fmt::Debug for Tree<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tree").field(&self.0).finish()
    }
}
