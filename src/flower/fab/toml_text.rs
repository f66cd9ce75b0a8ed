//! The text that `flwr build` writes for a parsed `pyproject.toml`.
//!
//! A FAB does not contain the author's file, but a new text from the Python package `tomli_w`. The
//! FAB's hash covers this text, so its layout follows that package: plain values first, then
//! tables, one array element per line, short arrays of tables inline.

use std::fmt::Write as _;

use super::python_text::float_repr;
use super::value::{Table, Value};

// Writing to a `String` cannot fail, hence `let _ =` below.
const INDENT: &str = "    ";
const MAX_LINE: usize = 100;

/// Renders a document.
///
/// Dates and times must be valid in Python; [`super::document::parse`] ensures this.
pub fn dumps(table: &Table) -> String {
    let mut out = String::new();
    write_table(&mut out, table, "", false);
    out
}

fn write_table(out: &mut String, table: &Table, name: &str, in_array: bool) {
    let mut plain = Vec::new();
    let mut tables = Vec::new();
    for (key, value) in table.iter() {
        match value {
            Value::Table(inner) => tables.push((key, inner, false)),
            Value::Array(items) => match long_tables(items) {
                Some(elements) => tables.extend(elements.into_iter().map(|t| (key, t, true))),
                None => plain.push((key, value)),
            },
            _ => plain.push((key, value)),
        }
    }

    let mut started = false;
    if in_array {
        let _ = writeln!(out, "[[{name}]]");
        started = true;
    } else if !name.is_empty() && (!plain.is_empty() || tables.is_empty()) {
        let _ = writeln!(out, "[{name}]");
        started = true;
    }
    for (key, value) in plain {
        started = true;
        write_key(out, key);
        out.push_str(" = ");
        write_value(out, value, 0);
        out.push('\n');
    }
    for (key, inner, in_array) in tables {
        if started {
            out.push('\n');
        }
        started = true;
        let mut full = String::from(name);
        if !name.is_empty() {
            full.push('.');
        }
        write_key(&mut full, key);
        write_table(out, inner, &full, in_array);
    }
}

/// The elements if this is an array of tables and at least one of them does not fit on a line.
fn long_tables(items: &[Value]) -> Option<Vec<&Table>> {
    let tables: Vec<&Table> = items.iter().map(Value::as_table).collect::<Option<_>>()?;
    tables
        .iter()
        .any(|table| !fits_inline(table))
        .then_some(tables)
}

fn fits_inline(table: &Table) -> bool {
    let mut line = String::new();
    write_inline_table(&mut line, table);
    // Includes the indent before it and the comma after it.
    INDENT.len() + line.chars().count() < MAX_LINE && !line.contains('\n')
}

fn write_value(out: &mut String, value: &Value, level: usize) {
    match value {
        Value::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Integer(value) => out.push_str(&value.to_string()),
        Value::Float(value) => out.push_str(&float_repr(*value)),
        Value::String(value) => write_string(out, value),
        Value::Datetime(value) => write_datetime(out, value),
        Value::Array(items) => write_array(out, items, level),
        Value::Table(table) => write_inline_table(out, table),
    }
}

fn write_array(out: &mut String, items: &[Value], level: usize) {
    if items.is_empty() {
        out.push_str("[]");
        return;
    }
    out.push_str("[\n");
    for item in items {
        out.push_str(&INDENT.repeat(level + 1));
        write_value(out, item, level + 1);
        out.push_str(",\n");
    }
    out.push_str(&INDENT.repeat(level));
    out.push(']');
}

/// Arrays in an inline table start at the left margin, as in the original.
fn write_inline_table(out: &mut String, table: &Table) {
    if table.is_empty() {
        out.push_str("{}");
        return;
    }
    out.push_str("{ ");
    for (index, (key, value)) in table.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        write_key(out, key);
        out.push_str(" = ");
        write_value(out, value, 0);
    }
    out.push_str(" }");
}

fn write_key(out: &mut String, key: &str) {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !key.is_empty() && key.chars().all(bare) {
        out.push_str(key);
    } else {
        write_string(out, key);
    }
}

/// Always one line: line breaks are escaped.
fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push('\t'),
            c if c.is_ascii_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Python's `str` of a date, time or datetime: a blank between the two, at most microseconds, no
/// `Z`.
pub(super) fn write_datetime(out: &mut String, value: &toml::value::Datetime) {
    if let Some(date) = value.date {
        let _ = write!(out, "{:04}-{:02}-{:02}", date.year, date.month, date.day);
    }
    if let Some(time) = value.time {
        if value.date.is_some() {
            out.push(' ');
        }
        let second = time.second.unwrap_or(0);
        let _ = write!(out, "{:02}:{:02}:{second:02}", time.hour, time.minute);
        let micros = time.nanosecond.unwrap_or(0) / 1000;
        if micros > 0 {
            let _ = write!(out, ".{micros:06}");
        }
    }
    let minutes = match value.offset {
        None => return,
        Some(toml::value::Offset::Z) => 0,
        Some(toml::value::Offset::Custom { minutes }) => minutes,
    };
    let sign = if minutes < 0 { '-' } else { '+' };
    let minutes = minutes.unsigned_abs();
    let _ = write!(out, "{sign}{:02}:{:02}", minutes / 60, minutes % 60);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(text: &str) -> String {
        dumps(&crate::flower::fab::document::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn plain_values_come_before_tables() {
        assert_eq!(
            again("[a.b]\nx = 1\n[a]\ny = 2\n[c]\n[d.e.f]\n"),
            "[a]\ny = 2\n\n[a.b]\nx = 1\n\n[c]\n\n[d.e.f]\n"
        );
    }

    #[test]
    fn arrays_take_a_line_per_element() {
        assert_eq!(
            again("a = [1, [2, 3], []]"),
            "a = [\n    1,\n    [\n        2,\n        3,\n    ],\n    [],\n]\n"
        );
    }

    #[test]
    fn short_tables_in_arrays_stay_inline_and_long_ones_do_not() {
        let short = "x".repeat(85);
        let long = "x".repeat(86);
        assert_eq!(
            again(&format!("[[t]]\na = '{short}'")),
            format!("t = [\n    {{ a = \"{short}\" }},\n]\n")
        );
        assert_eq!(
            again(&format!("[[t]]\na = '{long}'\n[[t]]\n")),
            format!("[[t]]\na = \"{long}\"\n\n[[t]]\n")
        );
        assert_eq!(
            again("t = [{ a = [1] }]"),
            "[[t]]\na = [\n    1,\n]\n",
            "a line break inside is as good as too long"
        );
    }

    #[test]
    fn strings_and_keys_are_escaped() {
        assert_eq!(
            again(
                "'a b' = \"\"\"x\ny\\u0000\\u007f\\t\\\"\"\"\"\n\"\" = 'é\u{1F600}'\n'k.l'.m = 1"
            ),
            "\"a b\" = \"x\\ny\\u0000\\u007f\t\\\"\"\n\"\" = \"é\u{1F600}\"\n\n[\"k.l\"]\nm = 1\n"
        );
    }

    #[test]
    fn dates_and_times_are_those_of_python() {
        assert_eq!(
            again(
                "a = 1979-05-27T07:32:00Z\nb = 1979-05-27t00:32:00.9999999-07:30\nc = 07:32:00.5\nd = 1979-05-27\ne = 1979-05-27 07:32:00.0"
            ),
            "a = 1979-05-27 07:32:00+00:00\nb = 1979-05-27 00:32:00.999999-07:30\nc = 07:32:00.500000\nd = 1979-05-27\ne = 1979-05-27 07:32:00\n"
        );
    }
}
