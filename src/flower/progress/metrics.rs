//! Metrics as a log has them: a Python dictionary of numbers.

use super::literal::{Literal, MOST_VALUES, literal};

/// How many metrics are kept of one record.
pub const MOST_METRICS: usize = 64;
/// How many characters a metric's name may have; a longer one is cut.
const LONGEST_NAME: usize = 128;

/// A number that an app reported.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MetricValue {
    /// A whole number.
    Int(i64),
    /// A number, an infinity or NaN.
    Float(f64),
}

impl MetricValue {
    /// The nearest double.
    #[allow(clippy::cast_precision_loss)]
    pub const fn as_f64(self) -> f64 {
        match self {
            Self::Int(int) => int as f64,
            Self::Float(float) => float,
        }
    }

    /// Whether it is neither an infinity nor NaN.
    pub const fn is_finite(self) -> bool {
        match self {
            Self::Int(_) => true,
            Self::Float(float) => float.is_finite(),
        }
    }
}

/// The numbers of one record, in its order. An element of a list is `name[0]`, of a dictionary
/// `name.key`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metrics {
    values: Vec<(String, MetricValue)>,
    /// How many more values there were: beyond [`MOST_METRICS`], or no numbers.
    pub omitted: usize,
}

impl Metrics {
    /// The numbers of a Python dictionary; `None` if the text is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (value, _) = literal(text, MOST_VALUES)?;
        Self::of(value)
    }

    fn of(value: Literal<'_>) -> Option<Self> {
        let Literal::Dict { entries, cut } = value else {
            return None;
        };
        let mut metrics = Self::default();
        metrics.values.reserve(entries.len().min(MOST_METRICS));
        for (name, value) in entries {
            metrics.add(name.into_text(), value);
        }
        metrics.omitted += usize::from(cut);
        Some(metrics)
    }

    /// Adds a value and what is in it.
    fn add(&mut self, name: String, value: Literal<'_>) {
        match value {
            Literal::Number(number) => self.set(name, number),
            Literal::List { items, cut } => {
                for (index, item) in items.into_iter().enumerate() {
                    self.add(format!("{name}[{index}]"), item);
                }
                self.omitted += usize::from(cut);
            }
            Literal::Dict { entries, cut } => {
                for (key, item) in entries {
                    self.add(format!("{name}.{}", key.into_text()), item);
                }
                self.omitted += usize::from(cut);
            }
            Literal::None => {}
            Literal::Text(_) | Literal::Other => self.omitted += 1,
        }
    }

    /// Adds or replaces a number, if there is room.
    pub(super) fn set(&mut self, mut name: String, value: MetricValue) {
        if name.len() > LONGEST_NAME
            && let Some((end, _)) = name.char_indices().nth(LONGEST_NAME)
        {
            name.truncate(end);
        }
        if let Some((_, known)) = self.values.iter_mut().find(|(known, _)| *known == name) {
            *known = value;
        } else if self.values.len() < MOST_METRICS {
            self.values.push((name, value));
        } else {
            self.omitted += 1;
        }
    }

    /// Whether there is no number.
    pub const fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The numbers with their names, in the order of the log.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, MetricValue)> {
        self.values
            .iter()
            .map(|(name, value)| (name.as_str(), *value))
    }

    /// The number with this name.
    pub fn get(&self, name: &str) -> Option<MetricValue> {
        self.iter()
            .find_map(|(known, value)| (known == name).then_some(value))
    }
}
