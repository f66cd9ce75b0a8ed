//! The values of a TOML document as in Python: keys keep their order, and integers have any size.
//!
//! The `toml` crate supports 64 bits. Flower keeps larger integers unchanged in a build, for
//! example in the settings of another tool, and so must the provider.

use num_bigint::BigInt;
use toml::value::Datetime;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Boolean(bool),
    Integer(BigInt),
    Float(f64),
    String(String),
    Datetime(Datetime),
    Array(Vec<Value>),
    Table(Table),
}

/// Values by name, in the order of the document.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table(Vec<(String, Value)>);

impl Value {
    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    pub(super) fn as_table(&self) -> Option<&Table> {
        match self {
            Self::Table(table) => Some(table),
            _ => None,
        }
    }

    fn as_table_mut(&mut self) -> Option<&mut Table> {
        match self {
            Self::Table(table) => Some(table),
            _ => None,
        }
    }
}

impl Table {
    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        let entry = self.0.iter().find(|(name, _)| name == key);
        entry.map(|(_, value)| value)
    }

    pub(super) fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    pub(super) fn table_mut(&mut self, key: &str) -> Option<&mut Self> {
        let entry = self.0.iter_mut().find(|(name, _)| name == key);
        entry.and_then(|(_, value)| value.as_table_mut())
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.0.retain(|(name, _)| name != key);
    }
}

impl FromIterator<(String, Value)> for Table {
    /// The keys must be unique.
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

/// An integer that a run configuration cannot hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TooLarge {
    /// The dotted key, relative to the table.
    pub(super) key: String,
}

/// The table in the types of the `toml` crate, or all integers that do not fit into 64 bits.
pub(super) fn in_64_bits(table: &Table) -> Result<toml::Table, Vec<TooLarge>> {
    let mut large = Vec::new();
    let converted = convert_table(table, "", &mut large);
    if large.is_empty() {
        Ok(converted)
    } else {
        Err(large)
    }
}

fn convert_table(table: &Table, prefix: &str, large: &mut Vec<TooLarge>) -> toml::Table {
    let convert = |(name, value): (&String, &Value)| {
        let key = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        (name.clone(), convert(value, &key, large))
    };
    table.iter().map(convert).collect()
}

fn convert(value: &Value, key: &str, large: &mut Vec<TooLarge>) -> toml::Value {
    match value {
        Value::Boolean(value) => toml::Value::Boolean(*value),
        Value::Integer(value) => toml::Value::Integer(i64::try_from(value).unwrap_or_else(|_| {
            large.push(TooLarge {
                key: key.to_owned(),
            });
            0
        })),
        Value::Float(value) => toml::Value::Float(*value),
        Value::String(text) => toml::Value::String(text.clone()),
        Value::Datetime(value) => toml::Value::Datetime(*value),
        Value::Array(items) => {
            let items = items.iter().map(|item| convert(item, key, large));
            toml::Value::Array(items.collect())
        }
        Value::Table(table) => toml::Value::Table(convert_table(table, key, large)),
    }
}
