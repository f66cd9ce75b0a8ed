//! The command line, read flag by flag.
//!
//! Six commands with a handful of flags do not earn a parser crate that would
//! double the time until `cargo xtask` starts.

use std::collections::VecDeque;
use std::ffi::OsString;

use crate::Result;

/// What is still unread of the command line.
pub struct Arguments {
    rest: VecDeque<OsString>,
}

impl Arguments {
    /// The command line without the program's own name.
    pub fn new(raw: Vec<OsString>) -> Self {
        Self { rest: raw.into() }
    }

    /// Takes the first word, such as the command.
    pub fn next_word(&mut self) -> Option<String> {
        self.rest.pop_front()?.into_string().ok()
    }

    /// Takes `--name` wherever it stands.
    pub fn flag(&mut self, name: &str) -> bool {
        let before = self.rest.len();
        self.rest.retain(|word| word != name);
        self.rest.len() < before
    }

    /// Takes `--name VALUE` or `--name=VALUE` wherever it stands.
    pub fn value(&mut self, name: &str) -> Result<Option<String>> {
        let joined = format!("{name}=");
        let position = self.rest.iter().position(|word| {
            word == name
                || word
                    .to_str()
                    .is_some_and(|word| word.starts_with(joined.as_str()))
        });
        let Some(position) = position else {
            return Ok(None);
        };
        let word = self.rest.remove(position).unwrap_or_default();
        let value = if word == name {
            self.rest
                .remove(position)
                .ok_or_else(|| format!("{name} needs a value"))?
                .into_string()
        } else {
            word.into_string()
                .map(|word| word.trim_start_matches(joined.as_str()).to_owned())
        };
        match value {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(format!("the value of {name} is not UTF-8").into()),
        }
    }

    /// Everything that is left, as it was given.
    pub fn into_rest(self) -> Vec<OsString> {
        self.rest.into()
    }

    /// Refuses what no flag has claimed: a misspelt flag must not be ignored.
    pub fn finish(self, help: &str) -> Result<()> {
        match self.rest.front() {
            None => Ok(()),
            Some(word) => Err(format!("`{}` is not understood\n\n{help}", word.display()).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(words: &[&str]) -> Arguments {
        Arguments::new(words.iter().map(Into::into).collect())
    }

    #[test]
    fn takes_flags_and_values_in_any_order() {
        let mut given = arguments(&["test", "--quick", "--tier", "unit", "--threads=4"]);
        assert_eq!(given.next_word().as_deref(), Some("test"));
        assert_eq!(given.value("--threads").unwrap().as_deref(), Some("4"));
        assert_eq!(given.value("--tier").unwrap().as_deref(), Some("unit"));
        assert!(given.flag("--quick"));
        assert!(!given.flag("--quick"));
        assert!(given.finish("").is_ok());
    }

    #[test]
    fn a_misspelt_flag_is_refused_with_the_help() {
        let mut given = arguments(&["--quik"]);
        assert!(!given.flag("--quick"));
        let message = given.finish("Usage: x").unwrap_err().to_string();
        assert!(message.contains("`--quik`") && message.contains("Usage: x"));
    }

    #[test]
    fn a_value_that_is_missing_is_an_error() {
        assert!(arguments(&["--tier"]).value("--tier").is_err());
    }
}
