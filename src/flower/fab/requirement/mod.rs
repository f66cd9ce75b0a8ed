//! Parses dependencies (PEP 508) like Flower's packaging library.
//!
//! Flower refuses an app with an unreadable dependency, so a typo must be found here. Only the
//! syntax and the version bounds of `flwr` matter; markers are checked but not evaluated.

mod marker;
mod scan;
mod version;

use super::python_text::{is_space, strip};
use scan::Scan;

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

impl<'a> Scan<'a> {
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
