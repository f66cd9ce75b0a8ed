//! Python's notation of the values that apps report as metrics: `{'loss': 0.1, 'n': np.int64(3)}`.

use std::borrow::Cow;

use super::metrics::MetricValue;

/// How many values of one record are read; the rest is skipped.
pub(super) const MOST_VALUES: usize = 4096;
/// How deep lists and dictionaries may be nested.
const DEEPEST: usize = 8;

/// A value. `cut` says that there is more than was read.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal<'a> {
    Number(MetricValue),
    Text(Cow<'a, str>),
    /// A list or a tuple.
    List {
        items: Vec<Literal<'a>>,
        cut: bool,
    },
    Dict {
        entries: Vec<(Literal<'a>, Literal<'a>)>,
        cut: bool,
    },
    None,
    /// Something else that was read to its end.
    Other,
}

impl Literal<'_> {
    /// A key as text.
    pub(super) fn into_text(self) -> String {
        match self {
            Self::Text(text) => text.into_owned(),
            Self::Number(MetricValue::Int(int)) => int.to_string(),
            Self::Number(MetricValue::Float(float)) => float.to_string(),
            _ => "?".to_owned(),
        }
    }

    /// Whether all of it was read.
    pub(super) const fn is_cut(&self) -> bool {
        matches!(
            self,
            Self::List { cut: true, .. } | Self::Dict { cut: true, .. }
        )
    }
}

/// Reads the value at the beginning of a text; also returns the text after it, which is empty if the
/// value was cut. `most` bounds how many values are read.
pub(super) fn literal(text: &str, most: usize) -> Option<(Literal<'_>, &str)> {
    let mut reader = Reader {
        rest: text,
        left: most,
    };
    let value = reader.value(0)?;
    Some((value, reader.rest))
}

struct Reader<'a> {
    rest: &'a str,
    left: usize,
}

impl<'a> Reader<'a> {
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, c: char) -> bool {
        self.skip_blanks();
        let rest = self.rest.strip_prefix(c);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// The text up to the first byte that does not belong, which is taken.
    fn take(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    /// A value; `None` if there is none, or too many were read.
    fn value(&mut self, depth: usize) -> Option<Literal<'a>> {
        self.left = self.left.checked_sub(1)?;
        if depth > DEEPEST {
            return None;
        }
        self.skip_blanks();
        match self.rest.chars().next()? {
            '{' => Some(self.dict(depth)),
            '[' => {
                self.eat('[');
                Some(self.list(']', depth))
            }
            '(' => {
                self.eat('(');
                Some(self.list(')', depth))
            }
            '\'' | '"' => self.string(),
            c if c.is_ascii_digit() || matches!(c, '-' | '+' | '.') => self.number(),
            c if c.is_ascii_alphabetic() || c == '_' => self.name(depth),
            _ => None,
        }
    }

    fn list(&mut self, end: char, depth: usize) -> Literal<'a> {
        let mut items = Vec::new();
        loop {
            if self.eat(end) {
                return Literal::List { items, cut: false };
            }
            let Some(item) = self.value(depth + 1) else {
                return self.cut_list(items);
            };
            let cut = item.is_cut();
            items.push(item);
            if cut || !(self.eat(',') || self.rest.starts_with(end)) {
                return self.cut_list(items);
            }
        }
    }

    fn cut_list(&mut self, items: Vec<Literal<'a>>) -> Literal<'a> {
        self.rest = "";
        Literal::List { items, cut: true }
    }

    fn dict(&mut self, depth: usize) -> Literal<'a> {
        self.eat('{');
        let mut entries = Vec::new();
        loop {
            if self.eat('}') {
                return Literal::Dict {
                    entries,
                    cut: false,
                };
            }
            let entry = self
                .value(depth + 1)
                .filter(|_| self.eat(':'))
                .and_then(|key| Some((key, self.value(depth + 1)?)));
            let Some((key, value)) = entry else {
                return self.cut_dict(entries);
            };
            let cut = value.is_cut();
            entries.push((key, value));
            if cut || !(self.eat(',') || self.rest.starts_with('}')) {
                return self.cut_dict(entries);
            }
        }
    }

    fn cut_dict(&mut self, entries: Vec<(Literal<'a>, Literal<'a>)>) -> Literal<'a> {
        self.rest = "";
        Literal::Dict { entries, cut: true }
    }

    fn string(&mut self) -> Option<Literal<'a>> {
        let quote = self.rest.chars().next()?;
        let inner = self.rest.get(1..)?;
        let mut escaped = false;
        let end = inner.find(|c| {
            let ends = c == quote && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })?;
        let (text, rest) = inner.split_at_checked(end)?;
        self.rest = rest.get(1..)?;
        Some(Literal::Text(if text.contains('\\') {
            // Names of metrics have no other escapes that a person would miss.
            text.replace("\\'", "'").replace("\\\\", "\\").into()
        } else {
            text.into()
        }))
    }

    fn number(&mut self) -> Option<Literal<'a>> {
        let sign = if self.rest.starts_with('-') {
            -1.0
        } else {
            1.0
        };
        let after_sign = self.rest.trim_start_matches(['-', '+']);
        if after_sign.starts_with(|c: char| c.is_ascii_alphabetic()) {
            self.rest = after_sign;
            return self
                .infinite(sign)
                .map(|value| Literal::Number(MetricValue::Float(value)));
        }
        let text = self.take(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.' | '_'));
        if let Ok(int) = text.parse() {
            return Some(Literal::Number(MetricValue::Int(int)));
        }
        Some(match text.parse() {
            Ok(float) => Literal::Number(MetricValue::Float(float)),
            Err(_) => Literal::Other,
        })
    }

    /// `nan` or `inf`.
    fn infinite(&mut self, sign: f64) -> Option<f64> {
        match self.take(|c| c.is_ascii_alphanumeric()) {
            "nan" | "NaN" => Some(f64::NAN),
            "inf" | "Infinity" | "infinity" => Some(sign * f64::INFINITY),
            _ => None,
        }
    }

    /// `None`, `True`, `nan`, or a call such as `np.float64(0.5)`, whose first argument counts.
    fn name(&mut self, depth: usize) -> Option<Literal<'a>> {
        let name = self.take(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
        if self.eat_call() {
            let first = if self.rest.trim_start().starts_with(')') {
                Literal::Other
            } else {
                self.value(depth + 1)?
            };
            self.skip_call();
            return Some(first);
        }
        Some(match name {
            "None" => Literal::None,
            "True" => Literal::Number(MetricValue::Int(1)),
            "False" => Literal::Number(MetricValue::Int(0)),
            "nan" | "NaN" => Literal::Number(MetricValue::Float(f64::NAN)),
            "inf" => Literal::Number(MetricValue::Float(f64::INFINITY)),
            _ => Literal::Other,
        })
    }

    fn eat_call(&mut self) -> bool {
        self.rest.starts_with('(') && self.eat('(')
    }

    /// Skips the other arguments and the end of a call.
    fn skip_call(&mut self) {
        let mut open = 1_usize;
        let end = self.rest.find(|c| {
            match c {
                '(' | '[' | '{' => open += 1,
                ')' | ']' | '}' => open -= 1,
                _ => {}
            }
            open == 0
        });
        self.rest = end.and_then(|end| self.rest.get(end + 1..)).unwrap_or("");
    }
}
