//! The file with the configuration of a SuperNode.
//!
//! `flower-supernode --node-config` accepts the path of a TOML file, in all releases, or
//! `key=value` pairs, which everyone who can list processes can read. This module writes the file
//! in plain ASCII, so that the ClientApp reads the exact values of the HCL in every locale.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use thiserror::Error;

use super::run_config::ConfigValue;

/// More than a configuration needs; every message to an app contains it.
const MAX_LENGTH: usize = 128 * 1024;

/// Why a map is not a valid node configuration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NodeConfigError {
    /// A key that Flower would misread.
    #[error(
        "the key {key:?} may contain only letters, digits, `-` and `_`, with dots between \
             parts"
    )]
    BadKey {
        /// The key.
        key: String,
    },
    /// `a` and `a.b` cannot both be keys: the second makes the first a table.
    #[error("the key {inner:?} is inside the key {outer:?}, which already has a value")]
    KeyInsideKey {
        /// The key that has a value.
        outer: String,
        /// The key for which the other key would have to be a table.
        inner: String,
    },
    /// The configuration is too long.
    #[error("the configuration has {bytes} bytes, but the limit is {limit}")]
    TooLong {
        /// The length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
}

impl NodeConfigError {
    /// The remedy.
    pub fn remedy(&self) -> Option<String> {
        Some(match self {
            Self::BadKey { .. } => {
                "Rename the key, for example `partition-id` or `data.path`.".to_owned()
            }
            Self::KeyInsideKey { outer, .. } => {
                format!("Rename one of the two keys, for example {outer:?} to \"{outer}.value\".")
            }
            Self::TooLong { .. } => {
                "Put large data into a file at the site and write its path here.".to_owned()
            }
        })
    }
}

/// Writes the configuration as TOML, sorted by key; an empty map gives an empty text.
pub fn node_config_toml(config: &BTreeMap<String, ConfigValue>) -> Result<String, NodeConfigError> {
    check_keys(config)?;
    let mut file = String::new();
    for (key, value) in config {
        file.push_str(key);
        file.push_str(" = ");
        write_value(&mut file, value);
        file.push('\n');
    }
    if file.len() >= MAX_LENGTH {
        return Err(NodeConfigError::TooLong {
            bytes: file.len(),
            limit: MAX_LENGTH - 1,
        });
    }
    Ok(file)
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
        // TOML writes `nan`; all other floats are the same as Rust's shortest exact form, which
        // always has a point or an exponent, so they stay floats.
        ConfigValue::Float(f) if f.is_nan() => out.push_str("nan"),
        ConfigValue::Float(f) => {
            let _ = write!(out, "{f:?}");
        }
        ConfigValue::Str(s) => write_string(out, s),
    }
}

/// A TOML basic string in plain ASCII.
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
        node_config_toml(
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
            "huge = 1e300\nlr = 1.0\non = true\npartition-id = -3\nsite = \"north\"\ntiny = 1e-9\n"
        );
    }

    #[test]
    fn a_string_cannot_end_early() {
        let written = argument(&[("s", text("a \"b\" 'c' \\ \n é 🌸 x=1 #"))]).unwrap();
        assert_eq!(
            written,
            "s = \"a \\u0022b\\u0022 'c' \\\\ \\n \\u00E9 \\U0001F338 x=1 #\"\n"
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
    fn what_is_too_long_is_refused() {
        let fits = "x".repeat(MAX_LENGTH - 8);
        assert_eq!(
            argument(&[("k", text(&fits))]).unwrap().len(),
            MAX_LENGTH - 1
        );
        let over = "x".repeat(MAX_LENGTH - 7);
        assert!(matches!(
            argument(&[("k", text(&over))]),
            Err(NodeConfigError::TooLong { bytes, .. }) if bytes == MAX_LENGTH
        ));
    }

    #[test]
    fn no_configuration_is_an_empty_file() {
        assert_eq!(argument(&[]).unwrap(), "");
    }
}
