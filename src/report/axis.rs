//! Axes with round numbers at their ticks, for any two doubles: equal ones, the largest ones and
//! those just above zero.

use super::numbers::magnitude;

/// Values whose distance is a smaller part of them than this count as equal: their labels would
/// need more digits than there is room for.
const LEAST_SPAN: f64 = 1e-9;

/// An axis from its beginning (0) to its end (1).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    /// Values are divided by this power of ten before anything else: the distance of the largest
    /// doubles would be infinite.
    unit: f64,
    low: f64,
    high: f64,
    pub(super) ticks: Vec<Tick>,
}

/// A place of an axis that has a label.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    /// From 0 to 1.
    pub(super) at: f64,
    pub(super) label: String,
}

/// A distance between ticks: 1, 2 or 5 times a power of ten.
#[derive(Debug, Clone, Copy)]
struct Step {
    factor: i64,
    exponent: i32,
}

impl Step {
    /// The smallest one that is not below `least`.
    fn at_least(least: f64) -> Self {
        let exponent = magnitude(least);
        let ratio = least / power(exponent) - 1e-9;
        let (factor, exponent) = match ratio {
            ratio if ratio <= 1.0 => (1, exponent),
            ratio if ratio <= 2.0 => (2, exponent),
            ratio if ratio <= 5.0 => (5, exponent),
            _ => (1, exponent + 1),
        };
        Self { factor, exponent }
    }

    #[allow(clippy::cast_precision_loss)]
    fn size(self) -> f64 {
        self.factor as f64 * power(self.exponent)
    }
}

fn power(exponent: i32) -> f64 {
    10_f64.powi(exponent)
}

impl Axis {
    /// An axis for finite values from `low` to `high`, which begins and ends with a tick.
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
    pub(super) fn of_values(low: f64, high: f64) -> Self {
        let largest = low.abs().max(high.abs());
        // Below this, a power of ten has not all of its digits.
        let exponent = if largest > 0.0 {
            magnitude(largest).max(-307)
        } else {
            0
        };
        let unit = power(exponent);
        let (mut low, mut high) = (low / unit, high / unit);
        let largest = largest / unit;
        if high - low <= largest * LEAST_SPAN {
            let room = if largest > 0.0 { largest * 0.1 } else { 1.0 };
            (low, high) = (low - room, high + room);
        }
        let step = Step::at_least((high - low) / 5.0);
        let size = step.size();
        // A value at a tick must not get another tick for an error of its last digit.
        let first = (low / size + 1e-6).floor() as i64;
        let last = (high / size - 1e-6).ceil() as i64;
        let mut axis = Self {
            unit,
            low: first as f64 * size,
            high: last as f64 * size,
            ticks: Vec::new(),
        };
        let numbers: Vec<_> = (first..=last).map(|count| count * step.factor).collect();
        let decimals = Decimals::of(&numbers, step.exponent + exponent);
        axis.ticks = (first..=last)
            .zip(numbers)
            .map(|(count, number)| Tick {
                at: axis.part(count as f64 * size),
                label: decimals.label(number),
            })
            .collect();
        axis
    }

    /// An axis for rounds from `low` to `high`, with whole numbers at its ticks.
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
    pub(super) fn of_rounds(low: f64, high: f64) -> Self {
        let room = if high > low {
            (high - low) * 0.015
        } else {
            1.0
        };
        let mut axis = Self {
            unit: 1.0,
            low: low - room,
            high: high + room,
            ticks: Vec::new(),
        };
        // Long numbers need more room.
        let most = if high < 1e4 {
            7.0
        } else if high < 1e7 {
            4.0
        } else {
            2.0
        };
        let size = Step::at_least(((high - low) / most).max(1.0)).size();
        let counts = (low / size).ceil() as i64..=(high / size).floor() as i64;
        axis.ticks = counts
            .map(|count| count as f64 * size)
            .map(|number| Tick {
                at: axis.part(number),
                label: number.to_string(),
            })
            .collect();
        axis
    }

    /// Where a value stands, from 0 to 1.
    pub(super) fn at(&self, value: f64) -> f64 {
        self.part(value / self.unit)
    }

    fn part(&self, scaled: f64) -> f64 {
        ((scaled - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }
}

/// How the numbers of one axis are written: all in the same way.
#[derive(Debug, Clone, Copy)]
struct Decimals {
    /// The power of ten that the numbers are multiples of.
    exponent: i32,
    scientific: bool,
}

impl Decimals {
    fn of(numbers: &[i64], exponent: i32) -> Self {
        let longest = numbers.iter().map(|number| digits(*number).len()).max();
        let length = longest
            .and_then(|length| i32::try_from(length).ok())
            .unwrap_or(1);
        let magnitude = length - 1 + exponent;
        Self {
            exponent,
            scientific: !(-4..7).contains(&magnitude),
        }
    }

    /// The number times the power of ten. No double comes in between, so no digit is wrong.
    fn label(self, number: i64) -> String {
        if number == 0 {
            return "0".to_owned();
        }
        let sign = if number < 0 { "-" } else { "" };
        let digits = digits(number);
        if self.scientific {
            let exponent = i32::try_from(digits.len()).unwrap_or(1) - 1 + self.exponent;
            let (first, rest) = digits.split_at_checked(1).unwrap_or((&digits, ""));
            return match rest.trim_end_matches('0') {
                "" => format!("{sign}{first}e{exponent}"),
                rest => format!("{sign}{first}.{rest}e{exponent}"),
            };
        }
        let decimals = usize::try_from(-self.exponent).unwrap_or(0);
        if decimals == 0 {
            let zeros = "0".repeat(usize::try_from(self.exponent).unwrap_or(0));
            return format!("{sign}{digits}{zeros}");
        }
        let padded = format!("{digits:0>width$}", width = decimals + 1);
        let point = padded.len() - decimals;
        let (whole, fraction) = padded.split_at_checked(point).unwrap_or((&padded, ""));
        format!("{sign}{whole}.{fraction}")
    }
}

fn digits(number: i64) -> String {
    number.unsigned_abs().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> String {
        let labels = axis.ticks.iter().map(|tick| tick.label.as_str());
        labels.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ticks_of_values_are_round_numbers() {
        for (low, high, expected) in [
            (0.0, 1.0, "0 0.2 0.4 0.6 0.8 1.0"),
            (0.03, 0.97, "0 0.2 0.4 0.6 0.8 1.0"),
            (-1.0, 2.5, "-1 0 1 2 3"),
            (0.0, 0.0, "-1.0 -0.5 0 0.5 1.0"),
            (5.0, 5.0, "4.4 4.6 4.8 5.0 5.2 5.4 5.6"),
            (1e300, 3e300, "1e300 1.5e300 2e300 2.5e300 3e300"),
            (-f64::MAX, f64::MAX, "-2e308 -1e308 0 1e308 2e308"),
            (1e-12, 5e-12, "1e-12 2e-12 3e-12 4e-12 5e-12"),
            (99_000.0, 101_000.0, "99000 99500 100000 100500 101000"),
        ] {
            assert_eq!(
                labels(&Axis::of_values(low, high)),
                expected,
                "{low} to {high}"
            );
        }
    }

    #[test]
    fn any_two_doubles_have_an_axis() {
        let values = [
            0.0,
            -0.0,
            5e-324,
            1e-310,
            1e-12,
            0.1,
            1.0,
            1.0 + 1e-12,
            1e15,
            f64::MAX,
        ];
        let signed = values.iter().flat_map(|value| [*value, -*value]);
        let signed: Vec<f64> = signed.collect();
        for low in &signed {
            for high in signed.iter().filter(|high| *high >= low) {
                let axis = Axis::of_values(*low, *high);
                assert!(
                    (2..=9).contains(&axis.ticks.len()),
                    "{low} to {high}: {axis:?}"
                );
                for place in [axis.at(*low), axis.at(*high)] {
                    assert!((0.0..=1.0).contains(&place), "{low} to {high}: {axis:?}");
                }
                let longest = axis.ticks.iter().map(|tick| tick.label.len()).max();
                assert!(longest < Some(18), "{}", labels(&axis));
            }
        }
    }

    #[test]
    fn ticks_of_rounds_are_whole() {
        for (low, high, expected) in [
            (1.0, 1.0, "1"),
            (0.0, 3.0, "0 1 2 3"),
            (1.0, 30.0, "5 10 15 20 25 30"),
            (1.0, 1000.0, "200 400 600 800 1000"),
            (4_294_967_294.0, 4_294_967_295.0, "4294967294 4294967295"),
        ] {
            assert_eq!(labels(&Axis::of_rounds(low, high)), expected);
        }
    }
}
