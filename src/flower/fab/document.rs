//! Parses a `pyproject.toml` by the rules of Flower's own parser.
//!
//! The `toml` crate and Python's `tomli` differ in a few corners of TOML. This module refuses what
//! Flower would refuse, with the line: a byte order mark, dates without a Python type, integers
//! that Python does not write. It also restores the order of keys: the crate puts `[a]` where that
//! header is, Python where an earlier `[a.b]` created it.

use num_bigint::BigInt;
use toml::de::{DeFloat, DeInteger, DeTable, DeValue};
use toml::value::{Datetime, Offset};

use super::value::{Table, Value};

/// The maximum number of digits that Python converts from and to text.
const MAX_DIGITS: usize = 4300;
/// More bits than a number with these digits can have.
const MAX_BITS: u64 = 14_300;

/// How many characters of an error are shown.
const MOST_SHOWN: usize = 1000;

/// Why the text is not a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Flower reads only UTF-8.
    #[error("pyproject.toml is not valid UTF-8: the first bad byte is at offset {offset}")]
    NotUtf8 { offset: usize },
    /// Python's parser reads the mark as part of the first key.
    #[error(
        "pyproject.toml starts with a byte order mark, which Flower's TOML parser does not accept"
    )]
    ByteOrderMark,
    /// The text is not TOML.
    #[error("pyproject.toml is not valid TOML: {detail}")]
    Syntax { detail: String },
    /// A date or time that Python cannot represent.
    #[error("pyproject.toml: {key} is a date or time that Flower cannot represent: {value}")]
    Date { key: String, value: String },
    /// Python refuses to read such a number.
    #[error(
        "pyproject.toml: {key} is a number of more than {MAX_DIGITS} digits, which Flower cannot read"
    )]
    Number { key: String },
}

impl DocumentError {
    /// The remedy, if there is one.
    pub fn remedy(&self) -> Option<String> {
        Some(
            match self {
                Self::NotUtf8 { .. } => "Save pyproject.toml as UTF-8.",
                Self::ByteOrderMark => "Save pyproject.toml as UTF-8 without a byte order mark.",
                Self::Syntax { .. } => "Correct that line of pyproject.toml.",
                Self::Date { .. } => {
                    "Use a year from 1 to 9999, seconds below 60 and an offset below 24 hours."
                }
                Self::Number { .. } => "Write the number as a string.",
            }
            .to_owned(),
        )
    }
}

/// Parses a document and keeps the order of its keys.
pub fn parse(bytes: &[u8]) -> Result<Table, DocumentError> {
    let text = std::str::from_utf8(bytes).map_err(|error| DocumentError::NotUtf8 {
        offset: error.valid_up_to(),
    })?;
    if text.starts_with('\u{feff}') {
        return Err(DocumentError::ByteOrderMark);
    }
    // This also makes the line ends in multi-line strings the same on every system.
    let text = text.replace("\r\n", "\n");
    if let Some((before, _)) = text.split_once('\r') {
        return Err(DocumentError::Syntax {
            detail: format!(
                "line {} has a carriage return that is not at the end of the line",
                before.matches('\n').count() + 1
            ),
        });
    }
    let document = DeTable::parse(&text).map_err(|error| DocumentError::Syntax {
        // The error quotes the line, which may be long.
        detail: shortened(error.to_string().trim_end()),
    })?;
    Ok(table(document.get_ref(), "")?.value)
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A value, and where it first occurs in the document.
struct Placed<T> {
    value: T,
    at: usize,
}

fn table(source: &DeTable<'_>, prefix: &str) -> Result<Placed<Table>, DocumentError> {
    let mut entries = Vec::with_capacity(source.len());
    for (name, value) in source {
        let key = if prefix.is_empty() {
            name.get_ref().to_string()
        } else {
            format!("{prefix}.{}", name.get_ref())
        };
        let placed = convert(value.get_ref(), &key)?;
        let at = placed.at.min(name.span().start);
        entries.push((at, name.get_ref().to_string(), placed.value));
    }
    entries.sort_by_key(|(at, _, _)| *at);
    Ok(Placed {
        at: entries.first().map_or(usize::MAX, |(at, _, _)| *at),
        value: entries.into_iter().map(|(_, k, v)| (k, v)).collect(),
    })
}

fn convert(source: &DeValue<'_>, key: &str) -> Result<Placed<Value>, DocumentError> {
    let mut at = usize::MAX;
    let value = match source {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => Value::Integer(integer(number, key)?),
        DeValue::Float(number) => Value::Float(float(number, key)?),
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Datetime(date) => Value::Datetime(datetime(*date, key)?),
        DeValue::Array(items) => {
            let mut values = Vec::with_capacity(items.len());
            for item in items {
                let placed = convert(item.get_ref(), key)?;
                at = at.min(placed.at);
                values.push(placed.value);
            }
            Value::Array(values)
        }
        DeValue::Table(inner) => {
            let placed = table(inner, key)?;
            at = placed.at;
            Value::Table(placed.value)
        }
    };
    Ok(Placed { value, at })
}

fn integer(number: &DeInteger<'_>, key: &str) -> Result<BigInt, DocumentError> {
    let text = number.as_str();
    let digits = text.trim_start_matches(['+', '-']).len();
    let parsed = match number.radix() {
        10 if digits > MAX_DIGITS => None,
        radix => BigInt::parse_bytes(text.as_bytes(), radix),
    };
    // Python converts a text of any length in a power-of-two base, but refuses to write the integer
    // in decimal.
    parsed
        .filter(|value| {
            value.bits() < MAX_BITS && value.magnitude().to_string().len() <= MAX_DIGITS
        })
        .ok_or_else(|| DocumentError::Number {
            key: key.to_owned(),
        })
}

fn float(number: &DeFloat<'_>, key: &str) -> Result<f64, DocumentError> {
    number.as_str().parse().map_err(|_| DocumentError::Number {
        key: key.to_owned(),
    })
}

fn datetime(value: Datetime, key: &str) -> Result<Datetime, DocumentError> {
    let year = value.date.is_none_or(|date| date.year > 0);
    let second = value
        .time
        .is_none_or(|time| time.second.is_none_or(|second| second < 60));
    let offset = match value.offset {
        Some(Offset::Custom { minutes }) => minutes.unsigned_abs() < 24 * 60,
        _ => true,
    };
    if year && second && offset {
        Ok(value)
    } else {
        Err(DocumentError::Date {
            key: key.to_owned(),
            value: value.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_in_strings_are_made_alike() {
        let table = parse(b"a = \"\"\"x\r\ny\"\"\"\r\nb = 1\r\n").unwrap();
        assert_eq!(table.get("a").unwrap().as_str(), Some("x\ny"));
    }

    #[test]
    fn integers_are_of_any_size() {
        for (text, written) in [
            ("9223372036854775808", "9223372036854775808"),
            ("-123_456_789_012_345_678_901", "-123456789012345678901"),
            ("0x1_0000_0000_0000_0000", "18446744073709551616"),
            ("+7", "7"),
            ("-0", "0"),
        ] {
            let table = parse(format!("a = {text}").as_bytes()).unwrap();
            let Some(Value::Integer(value)) = table.get("a") else {
                panic!("{text} is no integer");
            };
            assert_eq!(value.to_string(), written);
        }
        assert!(parse(format!("a = {}", "9".repeat(4300)).as_bytes()).is_ok());
    }

    #[test]
    fn nesting_is_bounded_in_every_form() {
        let deep = 100_000;
        for text in [
            format!("a = {}{}", "[".repeat(deep), "]".repeat(deep)),
            format!("a = {}1{}", "{ b = ".repeat(deep), " }".repeat(deep)),
            format!("a{} = 1", ".a".repeat(deep)),
            format!("[a{}]", ".a".repeat(deep)),
            format!("[[a{}]]", ".a".repeat(deep)),
        ] {
            assert!(parse(text.as_bytes()).is_err());
        }
    }

    #[test]
    fn keys_stay_where_they_were_first_mentioned() {
        let table = parse(b"[a.b]\n[c]\n[[d.e]]\n[f]\n[a]\nx = 1\n[d]\n").unwrap();
        let keys: Vec<_> = table.iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["a", "c", "d", "f"]);
    }

    #[test]
    fn nesting_is_bounded_before_it_is_followed() {
        const LEVELS: usize = 100_000;
        for (open, inner, close) in [
            ("[", "", "]"),
            ("{ a = ", "1", " }"),
            ("[{ a = ", "1", " }]"),
        ] {
            let text = ["a = ", &open.repeat(LEVELS), inner, &close.repeat(LEVELS)].concat();
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(matches!(error, DocumentError::Syntax { .. }), "{open}");
            assert!(error.to_string().len() < 5000, "{open}");
        }
        for (open, close) in [("", " = 1"), ("[", "]"), ("[[", "]]")] {
            let text = [open, &"a.".repeat(LEVELS), "a", close].concat();
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(matches!(error, DocumentError::Syntax { .. }), "{open}");
        }
    }

    #[test]
    fn what_flower_cannot_read_is_refused() {
        assert_eq!(
            parse(b"\xef\xbb\xbfa = 1"),
            Err(DocumentError::ByteOrderMark)
        );
        assert_eq!(
            parse(b"a = '\xff'"),
            Err(DocumentError::NotUtf8 { offset: 5 })
        );
        let error = parse(b"a = 1\nb = \"\"\"\r\r\n\"\"\"").unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
        let error = parse(b"a = 1\nb = = 2").unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
        for digits in ["1".repeat(4301), format!("0x{}", "f".repeat(100_000))] {
            let error = parse(format!("a.b = {digits}").as_bytes()).unwrap_err();
            assert!(matches!(error, DocumentError::Number { .. }), "{error}");
        }
        for date in ["0000-01-01", "2020-01-01T00:00:60", "00:00:60"] {
            let text = format!("[a]\nb = [{{ c = {date} }}]");
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(matches!(error, DocumentError::Date { .. }), "{error}");
        }
    }
}
