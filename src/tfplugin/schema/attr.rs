//! The Rust types of attributes: plain and optional ones, computed ones, and write-only ones.

use std::collections::BTreeMap;
use std::fmt;

use super::super::diagnostic::{Diagnostic, Diagnostics, Result};
use super::super::path::Path;
use super::super::value::{Number, Type, Value};
use super::{Attr, Kind, Nesting};

/// A value that the provider sets: unknown in a plan, null if there is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Computed<T> {
    #[default]
    Unknown,
    Null,
    Known(T),
}

impl<T> Computed<T> {
    pub fn get(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown | Self::Null => None,
        }
    }

    pub fn set(&mut self, value: T) {
        *self = Self::Known(value);
    }
}

impl<T> From<Option<T>> for Computed<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::Known)
    }
}

/// A secret that is read from the configuration during an apply and never stored.
#[derive(Clone, Default)]
pub struct WriteOnly<T>(pub Option<T>);

impl<T> fmt::Debug for WriteOnly<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "(set)" } else { "(unset)" })
    }
}

/// A value of any type.
#[derive(Debug, Clone, PartialEq)]
pub struct Dynamic(pub Value);

impl<T: Attr> Attr for Computed<T> {
    const WRITE_ONLY: bool = T::WRITE_ONLY;

    fn kind() -> Kind {
        T::kind()
    }

    fn decode(value: &Value, at: &Path) -> Result<Self> {
        // If a plan knows only a part of an object, the whole object is computed during the apply.
        if !value.is_wholly_known() {
            Ok(Self::Unknown)
        } else if value.is_null() {
            Ok(Self::Null)
        } else {
            T::decode(value, at).map(Self::Known)
        }
    }

    fn encode(&self) -> Value {
        // A state contains no unknown values: a value that was not set is null.
        self.get().map_or(Value::Null, Attr::encode)
    }
}

impl<T: Attr> Attr for WriteOnly<T> {
    const WRITE_ONLY: bool = true;

    fn kind() -> Kind {
        T::kind()
    }

    fn decode(value: &Value, at: &Path) -> Result<Self> {
        Option::decode(value, at).map(Self)
    }

    fn encode(&self) -> Value {
        Value::Null
    }
}

impl<T: Attr> Attr for Option<T> {
    const WRITE_ONLY: bool = T::WRITE_ONLY;

    fn kind() -> Kind {
        T::kind()
    }

    fn decode(value: &Value, at: &Path) -> Result<Self> {
        // A dynamic attribute can hold a null of a given type; Terraform must get it back
        // unchanged.
        if *value == Value::Null {
            return Ok(None);
        }
        T::decode(value, at).map(Some)
    }

    fn encode(&self) -> Value {
        self.as_ref().map_or(Value::Null, Attr::encode)
    }
}

impl Attr for Dynamic {
    fn kind() -> Kind {
        Kind::Plain(Type::Dynamic)
    }

    fn decode(value: &Value, at: &Path) -> Result<Self> {
        if !value.is_wholly_known() {
            return Err(mismatch(value, "known", at));
        }
        Ok(Self(value.clone()))
    }

    fn encode(&self) -> Value {
        self.0.clone()
    }
}

impl Attr for String {
    fn kind() -> Kind {
        Kind::Plain(Type::String)
    }

    fn decode(value: &Value, at: &Path) -> Result<Self> {
        value
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| mismatch(value, "a string", at))
    }

    fn encode(&self) -> Value {
        Value::from(self.as_str())
    }
}

impl Attr for bool {
    fn kind() -> Kind {
        Kind::Plain(Type::Bool)
    }

    fn decode(value: &Value, at: &Path) -> Result<Self> {
        match value {
            Value::Bool(bool) => Ok(*bool),
            other => Err(mismatch(other, "a bool", at)),
        }
    }

    fn encode(&self) -> Value {
        Value::Bool(*self)
    }
}

/// Implements whole numbers, each with the range of its type.
macro_rules! whole {
    ($($ty:ty),*) => { $(
        impl Attr for $ty {
            fn kind() -> Kind {
                Kind::Plain(Type::Number)
            }

            fn decode(value: &Value, at: &Path) -> Result<Self> {
                match value {
                    Value::Number(number) => number
                        .as_i64()
                        .and_then(|int| Self::try_from(int).ok())
                        .ok_or_else(|| mismatch_text(
                            &format!("a whole number from {} to {}", Self::MIN, Self::MAX),
                            &number.to_string(),
                            at,
                        )),
                    other => Err(mismatch(other, "a number", at)),
                }
            }

            fn encode(&self) -> Value {
                Value::Number(Number::Int(i64::from(*self)))
            }
        }
    )* };
}

whole!(i64, u32, u16);

impl Attr for Number {
    fn kind() -> Kind {
        Kind::Plain(Type::Number)
    }

    fn decode(value: &Value, at: &Path) -> Result<Self> {
        match value {
            Value::Number(number) => Ok(number.clone()),
            other => Err(mismatch(other, "a number", at)),
        }
    }

    fn encode(&self) -> Value {
        Value::Number(self.clone())
    }
}

impl Attr for f64 {
    fn kind() -> Kind {
        Kind::Plain(Type::Number)
    }

    fn decode(value: &Value, at: &Path) -> Result<Self> {
        match value {
            Value::Number(number) => Ok(number.as_f64()),
            other => Err(mismatch(other, "a number", at)),
        }
    }

    fn encode(&self) -> Value {
        // As text, so that 0.1 keeps its exact decimal value.
        Value::Number(Number::Decimal(self.to_string()))
    }
}

impl<T: Attr> Attr for Vec<T> {
    fn kind() -> Kind {
        match T::kind() {
            Kind::Nested(Nesting::Single, attributes) => Kind::Nested(Nesting::List, attributes),
            other => Kind::Plain(Type::list(other.ty())),
        }
    }

    fn decode(value: &Value, at: &Path) -> Result<Self> {
        let Value::List(items) = value else {
            return Err(mismatch(value, "a list", at));
        };
        let mut found = Diagnostics::default();
        let decoded = items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| found.absorb(T::decode(item, &at.index(index))))
            .collect();
        found.or(decoded)
    }

    fn encode(&self) -> Value {
        Value::List(self.iter().map(Attr::encode).collect())
    }
}

impl<T: Attr> Attr for BTreeMap<String, T> {
    fn kind() -> Kind {
        match T::kind() {
            Kind::Nested(Nesting::Single, attributes) => Kind::Nested(Nesting::Map, attributes),
            other => Kind::Plain(Type::map(other.ty())),
        }
    }

    fn decode(value: &Value, at: &Path) -> Result<Self> {
        let Value::Map(entries) = value else {
            return Err(mismatch(value, "a map", at));
        };
        let mut found = Diagnostics::default();
        let decoded = entries
            .iter()
            .filter_map(|(key, item)| {
                let item = found.absorb(T::decode(item, &at.key(key)))?;
                Some((key.clone(), item))
            })
            .collect();
        found.or(decoded)
    }

    fn encode(&self) -> Value {
        Value::Map(
            self.iter()
                .map(|(key, item)| (key.clone(), item.encode()))
                .collect(),
        )
    }
}

#[doc(hidden)]
pub fn expect_object(value: &Value, at: &Path) -> Result<()> {
    match value {
        Value::Map(_) => Ok(()),
        other => Err(mismatch(other, "an object", at)),
    }
}

fn mismatch(value: &Value, expected: &str, at: &Path) -> Diagnostics {
    mismatch_text(expected, value.kind(), at)
}

fn mismatch_text(expected: &str, found: &str, at: &Path) -> Diagnostics {
    Diagnostic::error(format!("Invalid value for {at}"))
        .detail(format!("Expected {expected}, found {found}."))
        .at(at.clone())
        .into()
}
