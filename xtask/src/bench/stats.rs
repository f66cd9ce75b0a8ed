//! Repeated measurements: minimum, median, maximum.
//!
//! The machine is small and shared, so a mean would mostly show the load of others. Sides are
//! compared by the ratio of each round, not of sums: other load then affects both sides of a ratio.

/// Measurements of one quantity, in the order of the rounds.
#[derive(Clone, Default)]
pub struct Series(Vec<f64>);

impl Series {
    /// Adds the measurement of one more round.
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// Least, median, most; nothing where nothing was measured.
    pub fn spread(&self) -> Option<Spread> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        Some(Spread {
            min: *sorted.first()?,
            median: *sorted.get((sorted.len() - 1) / 2)?,
            max: *sorted.last()?,
        })
    }

    /// The ratio of this series to `base` in each round.
    pub fn over(&self, base: &Self) -> Self {
        Self(self.0.iter().zip(&base.0).map(|(a, b)| a / b).collect())
    }
}

/// Minimum, median and maximum of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub min: f64,
    pub median: f64,
    pub max: f64,
}

impl Spread {
    /// `median (min–max)`, each formatted by `format`; one figure if all are equal.
    pub fn show(&self, format: impl Fn(f64) -> String) -> String {
        let [min, median, max] = [self.min, self.median, self.max].map(format);
        if min == max {
            median
        } else {
            format!("{median} ({min}–{max})")
        }
    }
}

/// A cell of a table: the spread, or a dash without measurements.
pub fn cell(series: &Series, format: impl Fn(f64) -> String) -> String {
    series
        .spread()
        .map_or_else(|| "–".to_owned(), |spread| spread.show(format))
}

/// Three significant digits.
pub fn digits(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[f64]) -> Series {
        Series(values.to_vec())
    }

    #[test]
    fn spreads_and_ratios() {
        let ours = series(&[2.0, 1.0, 4.0]);
        let spread = ours.spread().unwrap();
        assert_eq!((spread.min, spread.median, spread.max), (1.0, 2.0, 4.0));
        assert_eq!(cell(&ours, digits), "2.00 (1.00–4.00)");
        assert_eq!(cell(&ours.over(&series(&[4.0, 2.0, 8.0])), digits), "0.500");
        assert_eq!(cell(&Series::default(), digits), "–");
    }
}
