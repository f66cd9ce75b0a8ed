//! The one string in which a SuperNode takes its configuration.
//!
//! `flower-supernode --node-config` reads `key=value` pairs with a regular expression before it hands
//! them to a TOML parser: a value ends at the next quote, whatever stands before that quote. This
//! module writes strings in which nothing can end early, so that what was written in HCL is what the
//! ClientApp reads.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use thiserror::Error;

use super::run_config::ConfigValue;

/// Linux refuses a single argument of this length or more (`MAX_ARG_STRLEN`).
const MAX_ARGUMENT: usize = 128 * 1024;

/// Why a map cannot be a node configuration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NodeConfigError {
    /// A key Flower would read as something else.
    #[error("the key {key:?} is not made of letters, digits, `-` and `_`, with dots between parts")]
    BadKey {
        /// The key as given.
        key: String,
    },
    /// `a` and `a.b` cannot both be keys: the second makes the first a table.
    #[error("the key {inner:?} lies inside the key {outer:?}, which has a value of its own")]
    KeyInsideKey {
        /// The key that has a value.
        outer: String,
        /// The key that would need it to be a table.
        inner: String,
    },
    /// The operating system would refuse to start the process.
    #[error("the configuration takes {bytes} bytes as an argument, and the limit is {limit}")]
    TooLong {
        /// Length as written.
        bytes: usize,
        /// Longest that can be started.
        limit: usize,
    },
}

impl NodeConfigError {
    /// What to do about it.
    pub fn remedy(&self) -> Option<String> {
        Some(match self {
            Self::BadKey { .. } => {
                "Rename the key, for example `partition-id` or `data.path`.".to_owned()
            }
            Self::KeyInsideKey { outer, .. } => {
                format!("Rename one of the two keys, for example {outer:?} to \"{outer}.value\".")
            }
            Self::TooLong { .. } => {
                "Put large data into a file on the site and give its path here.".to_owned()
            }
        })
    }
}

/// Writes the configuration as the argument of `--node-config`, keys in order.
///
/// The result is plain ASCII in one line, whatever the values are, so that neither a locale nor a log
/// can change it.
pub fn node_config_argument(
    config: &BTreeMap<String, ConfigValue>,
) -> Result<String, NodeConfigError> {
    check_keys(config)?;
    let mut argument = String::new();
    for (key, value) in config {
        if !argument.is_empty() {
            argument.push(' ');
        }
        argument.push_str(key);
        argument.push('=');
        write_value(&mut argument, value);
    }
    if argument.len() >= MAX_ARGUMENT {
        return Err(NodeConfigError::TooLong {
            bytes: argument.len(),
            limit: MAX_ARGUMENT - 1,
        });
    }
    Ok(argument)
}

fn check_keys(config: &BTreeMap<String, ConfigValue>) -> Result<(), NodeConfigError> {
    for key in config.keys() {
        if !key.split('.').all(is_bare_key) {
            return Err(NodeConfigError::BadKey { key: key.clone() });
        }
        for (end, _) in key.match_indices('.') {
            let outer = key.get(..end).unwrap_or_default();
            if config.contains_key(outer) {
                return Err(NodeConfigError::KeyInsideKey {
                    outer: outer.to_owned(),
                    inner: key.clone(),
                });
            }
        }
    }
    Ok(())
}

fn is_bare_key(part: &str) -> bool {
    !part.is_empty()
        && part
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn write_value(out: &mut String, value: &ConfigValue) {
    match value {
        ConfigValue::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        ConfigValue::Int(i) => {
            let _ = write!(out, "{i}");
        }
        // TOML spells it `nan`; everything else is the same as Rust's shortest exact form, which
        // always has a point or an exponent and so stays a float.
        ConfigValue::Float(f) if f.is_nan() => out.push_str("nan"),
        ConfigValue::Float(f) => {
            let _ = write!(out, "{f:?}");
        }
        ConfigValue::Str(s) => write_string(out, s),
    }
}

/// A TOML basic string without any quote inside: Flower's regular expression knows no `\"`.
fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            ' '..='~' if c != '"' => out.push(c),
            _ if u32::from(c) <= 0xFFFF => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            _ => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argument(pairs: &[(&str, ConfigValue)]) -> Result<String, NodeConfigError> {
        node_config_argument(
            &pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), v.clone()))
                .collect(),
        )
    }

    fn text(s: &str) -> ConfigValue {
        ConfigValue::Str(s.to_owned())
    }

    #[test]
    fn every_type_is_written_as_toml_reads_it() {
        let written = argument(&[
            ("partition-id", ConfigValue::Int(-3)),
            ("lr", ConfigValue::Float(1.0)),
            ("tiny", ConfigValue::Float(1e-9)),
            ("huge", ConfigValue::Float(1e300)),
            ("on", ConfigValue::Bool(true)),
            ("site", text("north")),
        ])
        .unwrap();
        assert_eq!(
            written,
            r#"huge=1e300 lr=1.0 on=true partition-id=-3 site="north" tiny=1e-9"#
        );
    }

    #[test]
    fn a_string_cannot_end_early() {
        let written = argument(&[("s", text("a \"b\" 'c' \\ \n é 🌸 x=1 #"))]).unwrap();
        assert_eq!(
            written,
            r#"s="a \u0022b\u0022 'c' \\ \n \u00E9 \U0001F338 x=1 #""#
        );
        assert_eq!(written.matches('"').count(), 2);
    }

    #[test]
    fn keys_that_flower_would_misread_are_refused() {
        for key in ["", "a b", "a=b", "a..b", ".a", "\"a\"", "schlüssel"] {
            assert_eq!(
                argument(&[(key, ConfigValue::Int(1))]),
                Err(NodeConfigError::BadKey {
                    key: key.to_owned()
                }),
            );
        }
    }

    #[test]
    fn a_key_inside_a_key_is_refused_even_when_another_key_sorts_between_them() {
        let result = argument(&[
            ("a", ConfigValue::Int(1)),
            ("a-b", ConfigValue::Int(2)),
            ("a.b.c", ConfigValue::Int(3)),
        ]);
        assert_eq!(
            result,
            Err(NodeConfigError::KeyInsideKey {
                outer: "a".to_owned(),
                inner: "a.b.c".to_owned()
            }),
        );
    }

    #[test]
    fn what_the_system_could_not_start_is_refused() {
        let fits = "x".repeat(MAX_ARGUMENT - 5);
        assert_eq!(
            argument(&[("k", text(&fits))]).unwrap().len(),
            MAX_ARGUMENT - 1
        );
        let over = "x".repeat(MAX_ARGUMENT - 4);
        assert!(matches!(
            argument(&[("k", text(&over))]),
            Err(NodeConfigError::TooLong { bytes, .. }) if bytes == MAX_ARGUMENT
        ));
    }

    #[test]
    fn no_configuration_is_an_empty_argument() {
        assert_eq!(argument(&[]).unwrap(), "");
    }
}
