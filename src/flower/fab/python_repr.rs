//! Writes values as Python does, because Flower puts the publisher into names.
//!
//! Flower accepts any value as publisher. A list of authors is common, and the name of the app then
//! contains the list in Python's notation.

use std::fmt::Write as _;

use toml::value::{Date, Datetime, Offset, Time};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

use super::python_text::float_repr;
use super::toml_text::write_datetime;
use super::value::Value;

// Writing to a `String` cannot fail, hence `let _ =` below.

/// `str(value)`.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Datetime(datetime) => {
            let mut out = String::new();
            write_datetime(&mut out, datetime);
            out
        }
        other => repr(other),
    }
}

/// `repr(value)`.
fn repr(value: &Value) -> String {
    match value {
        Value::Boolean(value) => if *value { "True" } else { "False" }.to_owned(),
        Value::Integer(value) => value.to_string(),
        Value::Float(value) => float_repr(*value),
        Value::String(text) => quoted(text),
        Value::Datetime(value) => datetime(value),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(repr).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Table(table) => {
            let entry =
                |(key, value): (&String, &Value)| format!("{}: {}", quoted(key), repr(value));
            let entries: Vec<String> = table.iter().map(entry).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut out = String::from(quote);
    for c in text.chars() {
        let code = u32::from(c);
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            c if is_printable(c) => out.push(c),
            _ => {
                let _ = match code {
                    0..=0xff => write!(out, "\\x{code:02x}"),
                    0x100..=0xffff => write!(out, "\\u{code:04x}"),
                    _ => write!(out, "\\U{code:08x}"),
                };
            }
        }
    }
    out.push(quote);
    out
}

/// `str.isprintable()`.
fn is_printable(c: char) -> bool {
    c == ' '
        || !matches!(
            c.general_category(),
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::Surrogate
                | GeneralCategory::PrivateUse
                | GeneralCategory::Unassigned
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
                | GeneralCategory::SpaceSeparator
        )
}

fn datetime(value: &Datetime) -> String {
    let numbers = |numbers: Vec<u32>| {
        let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        numbers.join(", ")
    };
    match (value.date, value.time) {
        (Some(date), None) => format!("datetime.date({})", numbers(of_date(date))),
        (None, Some(time)) => format!("datetime.time({})", numbers(of_time(time))),
        (None, None) => String::new(),
        (Some(date), Some(time)) => {
            let fields = [of_date(date), of_time(time)].concat();
            let zone = match value.offset {
                None => String::new(),
                Some(Offset::Z | Offset::Custom { minutes: 0 }) => {
                    ", tzinfo=datetime.timezone.utc".to_owned()
                }
                Some(Offset::Custom { minutes }) => {
                    format!(", tzinfo=datetime.timezone({})", timedelta(minutes))
                }
            };
            format!("datetime.datetime({}{zone})", numbers(fields))
        }
    }
}

fn of_date(date: Date) -> Vec<u32> {
    vec![date.year.into(), date.month.into(), date.day.into()]
}

/// Seconds and microseconds are omitted if they and all that follow are zero.
fn of_time(time: Time) -> Vec<u32> {
    let second = u32::from(time.second.unwrap_or(0));
    let micros = time.nanosecond.unwrap_or(0) / 1000;
    let mut fields = vec![time.hour.into(), time.minute.into()];
    if second > 0 || micros > 0 {
        fields.push(second);
    }
    if micros > 0 {
        fields.push(micros);
    }
    fields
}

/// A duration of less than a day; a negative one counts from the day before.
fn timedelta(minutes: i16) -> String {
    let seconds = i32::from(minutes) * 60;
    if seconds < 0 {
        format!("datetime.timedelta(days=-1, seconds={})", seconds + 86_400)
    } else {
        format!("datetime.timedelta(seconds={seconds})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flower::fab::document::parse;

    #[test]
    fn values_are_written_as_python_writes_them() {
        for (toml, python) in [
            ("'acme'", "acme"),
            ("['The Authors', 'Somebody']", "['The Authors', 'Somebody']"),
            (
                "[\"it's\", 'a \"b\" c', \"it's \\\"x\\\"\"]",
                r#"["it's", 'a "b" c', 'it\'s "x"']"#,
            ),
            (
                "[\"\\t\\n\\r\\\\\\u0001\\u00a0\\u00ad\\u200b\\U0001F600\\ue000\\U0010FFFF\"]",
                "['\\t\\n\\r\\\\\\x01\\xa0\\xad\\u200b\u{1F600}\\ue000\\U0010ffff']",
            ),
            ("true", "True"),
            ("1", "1"),
            ("0xffffffffffffffffffff", "1208925819614629174706175"),
            ("1e400", "inf"),
            ("1.0", "1.0"),
            ("[]", "[]"),
            ("{}", "{}"),
            (
                "{ name = 'a', 'x y' = [1, -2.5, false] }",
                "{'name': 'a', 'x y': [1, -2.5, False]}",
            ),
            ("1979-05-27", "1979-05-27"),
            ("1979-05-27T07:32:00Z", "1979-05-27 07:32:00+00:00"),
            (
                "[1979-05-27, 07:32:00, 07:32:01, 07:32:00.5]",
                "[datetime.date(1979, 5, 27), datetime.time(7, 32), datetime.time(7, 32, 1), datetime.time(7, 32, 0, 500000)]",
            ),
            (
                "[1979-05-27T07:32:00Z, 1979-05-27T00:00:00+01:30, 1979-05-27T00:00:00-01:00]",
                "[datetime.datetime(1979, 5, 27, 7, 32, tzinfo=datetime.timezone.utc), datetime.datetime(1979, 5, 27, 0, 0, tzinfo=datetime.timezone(datetime.timedelta(seconds=5400))), datetime.datetime(1979, 5, 27, 0, 0, tzinfo=datetime.timezone(datetime.timedelta(days=-1, seconds=82800)))]",
            ),
        ] {
            let document = parse(format!("v = {toml}").as_bytes()).unwrap();
            assert_eq!(text(document.get("v").unwrap()), python, "{toml}");
        }
    }
}
