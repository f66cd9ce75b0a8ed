//! A text that is read from its beginning.

/// The rest of the text.
pub(super) struct Scan<'a> {
    pub(super) rest: &'a str,
}

impl<'a> Scan<'a> {
    pub(super) fn expected(&self, what: &str) -> String {
        if self.rest.is_empty() {
            format!("expected {what}, but the text ends there")
        } else {
            format!("expected {what} at {:?}", self.rest)
        }
    }

    pub(super) fn eat(&mut self, token: &str) -> bool {
        self.rest
            .strip_prefix(token)
            .map(|rest| self.rest = rest)
            .is_some()
    }

    pub(super) fn eat_ignore_case(&mut self, token: &str) -> bool {
        let matches = self
            .rest
            .get(..token.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(token));
        if matches {
            self.rest = self.rest.get(token.len()..).unwrap_or_default();
        }
        matches
    }

    pub(super) fn eat_while(&mut self, accept: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !accept(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    pub(super) fn blanks(&mut self) -> bool {
        !self.eat_while(|c| matches!(c, ' ' | '\t')).is_empty()
    }

    /// Python's `$`: it ignores one line end at the end of the text.
    pub(super) fn at_end(&self) -> bool {
        matches!(self.rest, "" | "\n")
    }

    /// A whole word.
    pub(super) fn word(&mut self, word: &str) -> bool {
        let rest = self
            .rest
            .strip_prefix(word)
            .filter(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'));
        rest.map(|rest| self.rest = rest).is_some()
    }
}
