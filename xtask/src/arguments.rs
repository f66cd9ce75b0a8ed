//! Handles arguments that a command does not know.

use std::process::ExitCode;

use lexopt::Arg::{self, Long, Short, Value};

use crate::Result;

/// Prints the help if it is requested. Any other argument is an error: a misspelt flag must not be
/// ignored.
pub fn help_or_refuse(argument: Arg, help: &str) -> Result<ExitCode> {
    let word = match argument {
        Long("help") | Short('h') => {
            print!("{help}");
            return Ok(ExitCode::SUCCESS);
        }
        Long(name) => format!("--{name}"),
        Short(letter) => format!("-{letter}"),
        Value(word) => word.display().to_string(),
    };
    Err(format!("unknown argument `{word}`\n\n{help}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_flag_is_refused_with_the_help() {
        for (argument, word) in [
            (Long("quik"), "`--quik`"),
            (Short('q'), "`-q`"),
            (Value("quick".into()), "`quick`"),
        ] {
            let refused = help_or_refuse(argument, "Usage: x").unwrap_err();
            let message = refused.to_string();
            assert!(message.contains(word) && message.contains("Usage: x"));
        }
    }

    #[test]
    fn help_is_no_error() {
        for argument in [Long("help"), Short('h')] {
            assert!(help_or_refuse(argument, "").is_ok());
        }
    }
}
