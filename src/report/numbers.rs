//! Numbers as people read them: four significant digits, durations in two units, bytes in powers
//! of 1000. The exact value of a metric stands beside the short one.

use std::fmt;

use crate::flower::progress::MetricValue;

/// How many significant digits are shown.
const DIGITS: i32 = 4;

/// A metric with four significant digits.
pub(super) fn short(value: MetricValue) -> String {
    match value {
        MetricValue::Int(int) if int.unsigned_abs() < 10_000_000 => int.to_string(),
        MetricValue::Int(_) | MetricValue::Float(_) => significant(value.as_f64()),
    }
}

/// A metric with all digits: reading this text gives the same number.
pub(super) fn exact(value: MetricValue) -> Exact {
    Exact(value)
}

/// See [`exact`].
pub(super) struct Exact(MetricValue);

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            MetricValue::Int(int) => write!(f, "{int}"),
            MetricValue::Float(float) if float.is_infinite() => f.write_str(infinity(float)),
            MetricValue::Float(float) => write!(f, "{float:?}"),
        }
    }
}

fn infinity(value: f64) -> &'static str {
    if value > 0.0 { "infinity" } else { "-infinity" }
}

/// A number with four significant digits; digits before the point are never replaced by zeros.
pub(super) fn significant(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return infinity(value).to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let magnitude = magnitude(value);
    if (-4..7).contains(&magnitude) {
        let decimals = usize::try_from(DIGITS - 1 - magnitude).unwrap_or(0);
        return trimmed(&format!("{value:.decimals$}"));
    }
    let text = format!("{value:.3e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => format!("{}e{exponent}", trimmed(mantissa)),
        None => text,
    }
}

/// The power of ten of the first digit, of a number that is neither zero nor infinite.
#[allow(clippy::cast_possible_truncation)]
pub(super) fn magnitude(value: f64) -> i32 {
    value.abs().log10().floor() as i32
}

/// Without zeros at the end of a fraction.
fn trimmed(number: &str) -> String {
    if number.contains('.') {
        number
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned()
    } else {
        number.to_owned()
    }
}

/// A duration: `0.4 s`, `12 s`, `1 min 12 s`, `2 h 5 min`, `3 d 4 h`.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(super) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "not known".to_owned();
    }
    if seconds < 9.95 {
        return format!("{} s", trimmed(&format!("{seconds:.1}")));
    }
    // A number beyond the largest u64 becomes this one.
    let seconds = seconds.round() as u64;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |most: u64, unit: &str, rest: u64, small: &str| {
        if rest == 0 {
            format!("{most} {unit}")
        } else {
            format!("{most} {unit} {rest} {small}")
        }
    };
    if minutes == 0 {
        format!("{seconds} s")
    } else if hours == 0 {
        two(minutes, "min", seconds % 60, "s")
    } else if days == 0 {
        two(hours, "h", minutes % 60, "min")
    } else {
        two(days, "d", hours % 24, "h")
    }
}

/// A number of bytes: `999 bytes`, `1.5 kB`, `12.3 MB`.
#[allow(clippy::cast_precision_loss)]
pub(super) fn bytes(bytes: u64) -> String {
    if bytes < 1000 {
        return counted(bytes, "byte", "bytes");
    }
    let mut size = bytes as f64;
    let mut unit = "bytes";
    for larger in ["kB", "MB", "GB", "TB", "PB", "EB"] {
        size /= 1000.0;
        unit = larger;
        // What would be shown as 1000.0 belongs to the next unit.
        if size < 999.95 {
            break;
        }
    }
    format!("{size:.1} {unit}")
}

/// A number with its noun.
pub(super) fn counted(count: u64, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_digits_are_enough_for_people() {
        for (value, shown) in [
            (0.0, "0"),
            (-0.0, "0"),
            (0.5, "0.5"),
            (0.123_456, "0.1235"),
            (-0.123_456, "-0.1235"),
            (0.999_99, "1"),
            (12.3456, "12.35"),
            (12_345.67, "12346"),
            (9_999_999.4, "9999999"),
            (12_345_678.0, "1.235e7"),
            (0.000_123_456, "0.0001235"),
            (1e-12, "1e-12"),
            (1.5e300, "1.5e300"),
            (5e-324, "4.941e-324"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-infinity"),
        ] {
            assert_eq!(significant(value), shown, "{value:?}");
        }
        assert_eq!(short(MetricValue::Int(1_234_567)), "1234567");
        assert_eq!(short(MetricValue::Int(i64::MIN)), "-9.223e18");
        assert_eq!(
            exact(MetricValue::Int(i64::MIN)).to_string(),
            i64::MIN.to_string()
        );
        assert_eq!(
            exact(MetricValue::Float(0.1 + 0.2)).to_string(),
            "0.30000000000000004"
        );
    }

    #[test]
    fn durations_have_at_most_two_units() {
        for (seconds, shown) in [
            (0.0, "0 s"),
            (0.42, "0.4 s"),
            (9.96, "10 s"),
            (59.6, "1 min"),
            (72.0, "1 min 12 s"),
            (3600.0, "1 h"),
            (7505.0, "2 h 5 min"),
            (273_600.0, "3 d 4 h"),
            (-1.0, "not known"),
            (f64::NAN, "not known"),
        ] {
            assert_eq!(duration(seconds), shown, "{seconds}");
        }
        assert!(duration(f64::MAX).ends_with(" h"));
    }

    #[test]
    fn bytes_are_counted_in_thousands() {
        for (count, shown) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1500, "1.5 kB"),
            (12_345_678, "12.3 MB"),
            (999_950, "1.0 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(bytes(count), shown, "{count}");
        }
    }
}
