//! Terraform's values as the protocol carries them.
//!
//! The wire knows null, unknown (with what may already be promised of it), exact numbers and
//! values that bring their own type. Serde's data model has none of these, so the codec here is
//! our own: `msgpack` for the wire, `json` for stored states.

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

/// One value. Lists, sets and tuples share a form, as do maps and objects: the type tells them apart.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// Absent.
    #[default]
    Null,
    /// To be known after apply.
    Unknown(Refinement),
    Bool(bool),
    Number(Number),
    String(String),
    /// A list, set or tuple.
    List(Vec<Value>),
    /// A map or an object.
    Map(BTreeMap<String, Value>),
    /// A value of a dynamic attribute, with the type it was given.
    Dynamic(Box<(Type, Value)>),
}

/// What the host promised of an unknown value, kept as it came so that it goes back unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refinement(pub(super) Vec<u8>);

impl Value {
    /// An unknown of which nothing is promised.
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

    /// Whether nothing inside is unknown.
    pub fn is_wholly_known(&self) -> bool {
        match self {
            Self::Unknown(_) => false,
            Self::List(items) => items.iter().all(Self::is_wholly_known),
            Self::Map(entries) => entries.values().all(Self::is_wholly_known),
            Self::Dynamic(inner) => inner.1.is_wholly_known(),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => true,
        }
    }

    /// The text, when this is a known string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            Self::Dynamic(inner) => inner.1.as_str(),
            _ => None,
        }
    }

    /// The attribute at `path` of this object; null where there is none, unknown when a part above
    /// it is.
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

    /// The attribute or key `name`, which comes from a schema; null where there is none.
    pub(in crate::tfplugin) fn get(&self, name: &str) -> &Self {
        match self {
            Self::Map(entries) => entries.get(name).unwrap_or(&Self::Null),
            Self::Dynamic(inner) => inner.1.get(name),
            _ => &Self::Null,
        }
    }

    /// Sets the attribute at `path`; where there is no object that could hold it, nothing changes.
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

    /// Sets the attribute or key `name`; a value that holds none is left alone.
    #[cfg(test)]
    pub fn set(&mut self, name: &str, value: Self) {
        if let Self::Map(entries) = self {
            entries.insert(name.to_owned(), value);
        }
    }

    /// What kind of value this is, in Terraform's words, for messages.
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

    /// An object of a model from its attributes.
    pub fn of<M>(attributes: impl IntoIterator<Item = (ModelPath<M>, Self)>) -> Self {
        let mut object = Self::Map(BTreeMap::new());
        for (path, value) in attributes {
            object.set_at(path, value);
        }
        object
    }

    /// An object from attributes whose names come from a schema.
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
