//! Environment markers (PEP 508), of which only the syntax matters.

use super::OPERATORS;
use super::scan::Scan;

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

impl Scan<'_> {
    pub(super) fn marker(&mut self, depth: usize) -> Result<(), String> {
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
}
