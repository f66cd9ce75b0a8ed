//! Versions in all their spellings (PEP 440).

use super::scan::Scan;

const PRE: [&str; 8] = ["alpha", "beta", "preview", "pre", "a", "b", "c", "rc"];
const POST: [&str; 3] = ["post", "rev", "r"];

impl Scan<'_> {
    /// A version in any spelling of PEP 440. What may follow depends on the operator.
    pub(super) fn version(&mut self, operator: &str) -> bool {
        let digit = |c: char| c.is_ascii_digit();
        let equality = matches!(operator, "==" | "!=");
        self.eat_ignore_case("v");
        let mut parts = 0;
        loop {
            if self.eat_while(digit).is_empty() {
                return false;
            }
            // An epoch comes first and is not counted.
            if parts == 0 && self.eat("!") && self.eat_while(digit).is_empty() {
                return false;
            }
            parts += 1;
            let more = self
                .rest
                .strip_prefix('.')
                .is_some_and(|rest| rest.starts_with(digit));
            if !more {
                break;
            }
            self.eat(".");
        }
        if operator == "~=" && parts < 2 {
            return false;
        }
        if equality && self.eat(".*") {
            return true;
        }
        self.suffix(&PRE);
        if let Some(rest) = self.rest.strip_prefix('-').filter(|r| r.starts_with(digit)) {
            self.rest = rest;
            self.eat_while(digit);
        } else {
            self.suffix(&POST);
        }
        self.suffix(&["dev"]);
        if equality {
            self.local_label();
        }
        true
    }

    /// A named suffix with optional separators and an optional number.
    fn suffix(&mut self, names: &[&str]) {
        let start = self.rest;
        let separator = |scan: &mut Self| scan.eat("-") || scan.eat("_") || scan.eat(".");
        separator(self);
        if names.iter().any(|name| self.eat_ignore_case(name)) {
            separator(self);
            self.eat_while(|c| c.is_ascii_digit());
        } else {
            self.rest = start;
        }
    }

    fn local_label(&mut self) {
        let mut before = self.rest;
        let mut separator = self.eat("+");
        while separator {
            if self.eat_while(|c| c.is_ascii_alphanumeric()).is_empty() {
                self.rest = before;
                return;
            }
            before = self.rest;
            separator = self.eat("-") || self.eat("_") || self.eat(".");
        }
    }
}
