//! Terraform's values in the protocol.
//!
//! The protocol has null, unknown values (with refinements), exact numbers, and values with their
//! own type. Serde's data model has none of these, so this module has its own codecs: `msgpack` for
//! the protocol, `json` for stored states.

mod json;
mod msgpack;
mod number;
mod types;

use std::collections::BTreeMap;

pub use json::{from_json, to_json, to_state};
pub use msgpack::{DecodeError, decode, encode};
pub use number::Number;
pub use types::Type;

#[cfg(test)]
use super::schema::Attribute;
use super::schema::ModelPath;

/// A value. Lists, sets and tuples have the same form, and so do maps and objects: the type
/// differs.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// No value.
    #[default]
    Null,
    /// Unknown until apply.
    Unknown(Refinement),
    Bool(bool),
    Number(Number),
    String(String),
    /// A list, set or tuple.
    List(Vec<Value>),
    /// A map or object.
    Map(BTreeMap<String, Value>),
    /// A value of a dynamic attribute, with its type.
    Dynamic(Box<(Type, Value)>),
}

/// The refinements of an unknown value, kept as bytes so that they go back unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refinement(pub(super) Vec<u8>);

impl Value {
    /// An unknown value without refinements.
    pub const UNKNOWN: Self = Self::Unknown(Refinement(Vec::new()));

    pub fn is_null(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Dynamic(inner) => inner.1.is_null(),
            _ => false,
        }
    }

    pub fn is_unknown(&self) -> bool {
        match self {
            Self::Unknown(_) => true,
            Self::Dynamic(inner) => inner.1.is_unknown(),
            _ => false,
        }
    }

    /// Whether no part of it is unknown.
    pub fn is_wholly_known(&self) -> bool {
        match self {
            Self::Unknown(_) => false,
            Self::List(items) => items.iter().all(Self::is_wholly_known),
            Self::Map(entries) => entries.values().all(Self::is_wholly_known),
            Self::Dynamic(inner) => inner.1.is_wholly_known(),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => true,
        }
    }

    /// The text of a known string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            Self::Dynamic(inner) => inner.1.as_str(),
            _ => None,
        }
    }

    /// The attribute at `path` of this object; null if it does not exist, unknown if a value above
    /// it is unknown.
    pub fn at<M>(&self, path: ModelPath<M>) -> &Self {
        path.names().iter().fold(self, |value, name| {
            if value.is_unknown() {
                value
            } else {
                value.get(name)
            }
        })
    }

    /// The attribute of this object that a schema has; null where there is none.
    #[cfg(test)]
    pub fn attribute(&self, attribute: &Attribute) -> &Self {
        self.get(&attribute.name)
    }

    /// The attribute or key `name`, which comes from a schema; null if it does not exist.
    pub(in crate::tfplugin) fn get(&self, name: &str) -> &Self {
        match self {
            Self::Map(entries) => entries.get(name).unwrap_or(&Self::Null),
            Self::Dynamic(inner) => inner.1.get(name),
            _ => &Self::Null,
        }
    }

    /// Sets the attribute at `path`; does nothing if the object above it does not exist.
    pub fn set_at<M>(&mut self, path: ModelPath<M>, value: Self) {
        let Some((name, above)) = path.names().split_last() else {
            return;
        };
        let mut object = self;
        for name in above {
            let Self::Map(entries) = object else { return };
            let Some(entry) = entries.get_mut(*name) else {
                return;
            };
            object = entry;
        }
        if let Self::Map(entries) = object {
            entries.insert((*name).to_owned(), value);
        }
    }

    /// Sets the attribute or key `name`; does nothing if this is neither a map nor an object.
    #[cfg(test)]
    pub fn set(&mut self, name: &str, value: Self) {
        if let Self::Map(entries) = self {
            entries.insert(name.to_owned(), value);
        }
    }

    /// The name of the value's type, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Unknown(_) => "unknown",
            Self::Bool(_) => "bool",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::List(_) => "list",
            Self::Map(_) => "object",
            Self::Dynamic(inner) => inner.1.kind(),
        }
    }

    /// An object of a model, from its attributes.
    pub fn of<M>(attributes: impl IntoIterator<Item = (ModelPath<M>, Self)>) -> Self {
        let mut object = Self::Map(BTreeMap::new());
        for (path, value) in attributes {
            object.set_at(path, value);
        }
        object
    }

    /// An object, from attributes whose names come from a schema.
    #[doc(hidden)]
    pub fn object<'a>(attributes: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        Self::Map(
            attributes
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

#[cfg(test)]
mod tests;
