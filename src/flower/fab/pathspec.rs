//! A list of gitignore patterns; the last match decides.

use super::glob::Glob;

/// Compiled patterns.
#[derive(Debug, Clone, Default)]
pub struct PathSpec {
    globs: Vec<Glob>,
}

/// A pattern that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("pattern {pattern:?} is invalid: {reason}")]
pub struct PatternError {
    pub pattern: String,
    pub reason: &'static str,
}

impl PathSpec {
    /// Compiles patterns, in order.
    pub fn compile<S: AsRef<str>>(
        patterns: impl IntoIterator<Item = S>,
    ) -> Result<Self, PatternError> {
        let mut globs = Vec::new();
        for pattern in patterns {
            let pattern = pattern.as_ref();
            let glob = Glob::compile(pattern).map_err(|bad| PatternError {
                pattern: pattern.to_owned(),
                reason: bad.0,
            })?;
            globs.extend(glob);
        }
        Ok(Self { globs })
    }

    /// Whether the path of a file is selected. `!` patterns undo earlier ones.
    pub fn matches(&self, path: &str) -> bool {
        let path: Vec<char> = path.chars().collect();
        self.globs
            .iter()
            .rev()
            .find(|glob| glob.matches(&path))
            .is_some_and(|glob| glob.include)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_match_decides() {
        let spec = PathSpec::compile(["out/", "!out/keep.py", "keep.*", "!/keep.py"]).unwrap();
        assert!(spec.matches("out/a.py"));
        assert!(spec.matches("out/keep.py"));
        assert!(!spec.matches("keep.py"));
        assert!(!spec.matches("a.py"));
    }

    #[test]
    fn a_bad_pattern_is_named() {
        let error = PathSpec::compile(["*.py", "a\\"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "pattern \"a\\\\\" is invalid: one of its parts ends with a backslash"
        );
    }
}
