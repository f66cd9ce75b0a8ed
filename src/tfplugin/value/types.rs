//! Terraform's types and their JSON form (`"string"`, `["list","number"]`, …), which schemas and
//! values of dynamic attributes carry.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

/// The type of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    Bool,
    Number,
    String,
    /// Any type: the value contains its own.
    Dynamic,
    List(Box<Type>),
    Set(Box<Type>),
    Map(Box<Type>),
    Object(BTreeMap<String, Type>),
    Tuple(Vec<Type>),
}

/// How many levels a type may have: this limits recursion on untrusted input.
const MOST_LEVELS: usize = 64;

impl Type {
    pub fn list(element: Self) -> Self {
        Self::List(Box::new(element))
    }

    pub fn map(element: Self) -> Self {
        Self::Map(Box::new(element))
    }

    pub fn to_json(&self) -> Json {
        match self {
            Self::Bool => json!("bool"),
            Self::Number => json!("number"),
            Self::String => json!("string"),
            Self::Dynamic => json!("dynamic"),
            Self::List(element) => json!(["list", element.to_json()]),
            Self::Set(element) => json!(["set", element.to_json()]),
            Self::Map(element) => json!(["map", element.to_json()]),
            Self::Object(attributes) => {
                let attributes: serde_json::Map<_, _> = attributes
                    .iter()
                    .map(|(name, ty)| (name.clone(), ty.to_json()))
                    .collect();
                json!(["object", attributes])
            }
            Self::Tuple(items) => {
                let items: Vec<_> = items.iter().map(Self::to_json).collect();
                json!(["tuple", items])
            }
        }
    }

    /// The type that a JSON text describes; `None` if it is not a type.
    pub fn from_json(bytes: &[u8]) -> Option<Self> {
        Self::read(&serde_json::from_slice(bytes).ok()?, 0)
    }

    fn read(json: &Json, level: usize) -> Option<Self> {
        if level > MOST_LEVELS {
            return None;
        }
        match json {
            Json::String(name) => match name.as_str() {
                "bool" => Some(Self::Bool),
                "number" => Some(Self::Number),
                "string" => Some(Self::String),
                "dynamic" => Some(Self::Dynamic),
                _ => None,
            },
            Json::Array(parts) => {
                let inner = parts.get(1)?;
                let element = || Self::read(inner, level + 1).map(Box::new);
                match parts.first()?.as_str()? {
                    "list" => element().map(Self::List),
                    "set" => element().map(Self::Set),
                    "map" => element().map(Self::Map),
                    "object" => inner
                        .as_object()?
                        .iter()
                        .map(|(name, ty)| Some((name.clone(), Self::read(ty, level + 1)?)))
                        .collect::<Option<_>>()
                        .map(Self::Object),
                    "tuple" => inner
                        .as_array()?
                        .iter()
                        .map(|ty| Self::read(ty, level + 1))
                        .collect::<Option<_>>()
                        .map(Self::Tuple),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}
