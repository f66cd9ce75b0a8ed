//! Parses dependencies (PEP 508) like Flower's packaging library.
//!
//! Flower refuses an app with an unreadable dependency, so a typo must be found here. Only the
//! syntax and the version bounds of `flwr` matter; markers are checked but not evaluated.

use super::python_text::{is_space, strip};

/// A dependency: its name and its version bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Requirement {
    pub(super) name: String,
    pub(super) bounds: Vec<Bound>,
}

/// One comparison, such as `>=1.20`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bound {
    pub(super) operator: &'static str,
    pub(super) version: String,
}

/// If one operator is the beginning of another, the longer one is first.
const OPERATORS: [&str; 8] = ["===", "~=", "==", "!=", "<=", ">=", "<", ">"];
const PRE: [&str; 8] = ["alpha", "beta", "preview", "pre", "a", "b", "c", "rc"];
const POST: [&str; 3] = ["post", "rev", "r"];
const MARKERS: [&str; 20] = [
    "python_version",
    "python_full_version",
    "os.name",
    "os_name",
    "sys.platform",
    "sys_platform",
    "platform_release",
    "platform_system",
    "platform.version",
    "platform_version",
    "platform.machine",
    "platform_machine",
    "platform.python_implementation",
    "platform_python_implementation",
    "python_implementation",
    "implementation_name",
    "implementation_version",
    "extra",
    "extras",
    "dependency_groups",
];
const MAX_PARENTHESES: usize = 100;

impl Requirement {
    /// Parses a dependency. The error names the expected token and the position.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut scan = Scan { rest: text };
        scan.blanks();
        let name = scan
            .identifier()
            .ok_or_else(|| scan.expected("a package name"))?
            .to_owned();
        scan.blanks();
        scan.extras()?;
        scan.blanks();
        let bounds = if scan.eat("@") {
            scan.url()?;
            Vec::new()
        } else {
            let bounds = scan.bounds()?;
            scan.blanks();
            bounds
        };
        if !scan.at_end() {
            if !scan.eat(";") {
                return Err(scan.expected("a version bound, ';' or the end"));
            }
            scan.marker(0)?;
            scan.blanks();
        }
        if !scan.at_end() {
            return Err(scan.expected("the end"));
        }
        Ok(Self { name, bounds })
    }
}

/// The rest of the text.
struct Scan<'a> {
    rest: &'a str,
}

impl<'a> Scan<'a> {
    fn expected(&self, what: &str) -> String {
        if self.rest.is_empty() {
            format!("expected {what}, but the text ends there")
        } else {
            format!("expected {what} at {:?}", self.rest)
        }
    }

    fn eat(&mut self, token: &str) -> bool {
        self.rest
            .strip_prefix(token)
            .map(|rest| self.rest = rest)
            .is_some()
    }

    fn eat_ignore_case(&mut self, token: &str) -> bool {
        let matches = self
            .rest
            .get(..token.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(token));
        if matches {
            self.rest = self.rest.get(token.len()..).unwrap_or_default();
        }
        matches
    }

    fn eat_while(&mut self, accept: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !accept(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn blanks(&mut self) -> bool {
        !self.eat_while(|c| matches!(c, ' ' | '\t')).is_empty()
    }

    /// Python's `$`: it ignores one line end at the end of the text.
    fn at_end(&self) -> bool {
        matches!(self.rest, "" | "\n")
    }

    fn identifier(&mut self) -> Option<&'a str> {
        let start = self.rest;
        if !start.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return None;
        }
        let run = self.eat_while(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        let name = run.trim_end_matches(['.', '-']);
        self.rest = start.get(name.len()..).unwrap_or_default();
        Some(name)
    }

    fn extras(&mut self) -> Result<(), String> {
        if !self.eat("[") {
            return Ok(());
        }
        self.blanks();
        let mut more = self.identifier().is_some();
        while more {
            self.blanks();
            more = self.eat(",");
            if more {
                self.blanks();
                if self.identifier().is_none() {
                    return Err(self.expected("the name of an extra"));
                }
            }
        }
        self.blanks();
        if self.eat("]") {
            Ok(())
        } else {
            Err(self.expected("',' or ']' after an extra"))
        }
    }

    /// The address after `@`, up to a blank.
    fn url(&mut self) -> Result<(), String> {
        self.blanks();
        if self.eat_while(|c| !matches!(c, ' ' | '\t')).is_empty() {
            return Err(self.expected("an address after '@'"));
        }
        self.blanks();
        Ok(())
    }

    fn bounds(&mut self) -> Result<Vec<Bound>, String> {
        let enclosed = self.eat("(");
        self.blanks();
        let mut bounds = Vec::new();
        while let Some(bound) = self.bound() {
            // The arbitrary operator accepts everything up to a blank, including commas.
            let mut parts = bound.version.split(',');
            bounds.push(Bound {
                operator: bound.operator,
                version: strip(parts.next().unwrap_or_default()).to_owned(),
            });
            for part in parts.filter(|part| !part.is_empty()) {
                let mut scan = Scan { rest: part };
                let inner = scan.bound().filter(|_| scan.rest.is_empty());
                bounds.push(inner.ok_or_else(|| format!("expected a version bound at {part:?}"))?);
            }
            self.blanks();
            if !self.eat(",") {
                break;
            }
            self.blanks();
        }
        self.blanks();
        if enclosed && !self.eat(")") {
            return Err(self.expected("a version bound or ')'"));
        }
        Ok(bounds)
    }

    fn bound(&mut self) -> Option<Bound> {
        let start = self.rest;
        let operator = OPERATORS.into_iter().find(|operator| self.eat(operator))?;
        self.eat_while(is_space);
        let before = self.rest;
        let complete = if operator == "===" {
            self.eat_while(|c| !is_space(c) && !matches!(c, ';' | ')'));
            true
        } else {
            self.version(operator)
        };
        if !complete {
            self.rest = start;
            return None;
        }
        let length = before.len() - self.rest.len();
        Some(Bound {
            operator,
            version: before.get(..length).unwrap_or_default().to_owned(),
        })
    }

    /// A version in any spelling of PEP 440. What may follow depends on the operator.
    fn version(&mut self, operator: &str) -> bool {
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

    fn marker(&mut self, depth: usize) -> Result<(), String> {
        if depth > MAX_PARENTHESES {
            return Err("its parentheses are nested too deeply".to_owned());
        }
        loop {
            self.blanks();
            if self.eat("(") {
                self.marker(depth + 1)?;
                if !self.eat(")") {
                    return Err(self.expected("')' after a marker"));
                }
            } else {
                self.marker_value()?;
                self.blanks();
                self.marker_operator()?;
                self.blanks();
                self.marker_value()?;
            }
            self.blanks();
            if !(self.word("or") || self.word("and")) {
                return Ok(());
            }
        }
    }

    fn marker_value(&mut self) -> Result<(), String> {
        if MARKERS.iter().any(|name| self.word(name)) {
            return Ok(());
        }
        for quote in ['\'', '"'] {
            let inner = self.rest.strip_prefix(quote);
            if let Some((value, rest)) = inner.and_then(|inner| inner.split_once(quote))
                && !value.contains(['\n', '\r'])
            {
                self.rest = rest;
                return Ok(());
            }
        }
        Err(self.expected("a marker variable or a quoted string"))
    }

    fn marker_operator(&mut self) -> Result<(), String> {
        let found = if self.word("not") {
            self.blanks() && self.word("in")
        } else {
            self.word("in") || OPERATORS.iter().any(|operator| self.eat(operator))
        };
        if found {
            Ok(())
        } else {
            Err(self.expected("a comparison, 'in' or 'not in'"))
        }
    }

    /// A whole word.
    fn word(&mut self, word: &str) -> bool {
        let rest = self
            .rest
            .strip_prefix(word)
            .filter(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'));
        rest.map(|rest| self.rest = rest).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_read_with_their_operators() {
        let requirement = Requirement::parse("flwr[simulation] (>=1.20, <2 ,)").unwrap();
        assert_eq!(requirement.name, "flwr");
        let bounds: Vec<(&str, &str)> = requirement
            .bounds
            .iter()
            .map(|bound| (bound.operator, bound.version.as_str()))
            .collect();
        assert_eq!(bounds, [(">=", "1.20"), ("<", "2")]);
    }

    #[test]
    fn what_packaging_accepts() {
        for text in [
            "numpy",
            " a.b_c-d >= 1 ",
            "a@https://x/y;z",
            "a @ file:///x ; python_version<'3'",
            "a===any thing".split(' ').next().unwrap(),
            "a~=1.0rc1.post2.dev3",
            "a==1.*",
            "a==1.0+cu121.x",
            "a>=v1!2.0-1",
            "a[x,y_z]; (os.name=='nt' or 'l' in sys_platform) and extra not in \"b\"",
            "a[]",
            "a>=1\n",
        ] {
            assert!(Requirement::parse(text).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn what_packaging_refuses() {
        for text in [
            "",
            "-x",
            "a b",
            "a>=",
            "a=>1",
            "a>=1.*",
            "a>=1+local",
            "a~=1",
            "a==1.0 >2",
            "a[x",
            "a[x y]",
            "a (>=1",
            "a @",
            "a; ",
            "a; python_versions<'3'",
            "a; python_version<3",
            "a; os_name notin 'x'",
            "a @ u ;os_name=='x' x",
        ] {
            assert!(Requirement::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn errors_say_where() {
        assert_eq!(
            Requirement::parse("torch=>2").unwrap_err(),
            "expected a version bound, ';' or the end at \"=>2\""
        );
    }
}
