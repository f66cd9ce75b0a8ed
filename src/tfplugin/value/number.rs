//! Numbers that keep their exact value.
//!
//! Terraform's numbers are 512-bit floats. It sends a number as integer or double if that is exact,
//! and otherwise as decimal text. A conversion of the text to a double would change 0.1, and the
//! next plan would not be empty.

use std::fmt;

/// An exact number.
#[derive(Debug, Clone)]
pub enum Number {
    Int(i64),
    UInt(u64),
    Float(f64),
    /// Decimal text, as Terraform sent or stored it.
    Decimal(String),
}

impl Number {
    /// A double from the protocol; `None` for an infinity or NaN.
    pub fn of_double(float: f64) -> Option<Self> {
        float.is_finite().then_some(Self::Float(float))
    }

    /// The number of a decimal text (as in JSON), or `None` if it is not a number.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(int) = text.parse::<i64>() {
            return Some(Self::Int(int));
        }
        if let Ok(uint) = text.parse::<u64>() {
            return Some(Self::UInt(uint));
        }
        Digits::parse(text)?;
        Some(Self::Decimal(text.to_owned()))
    }

    /// The number as `i64`, if that is exact.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(int) => Some(*int),
            Self::UInt(uint) => i64::try_from(*uint).ok(),
            Self::Float(_) | Self::Decimal(_) => self.plain().parse().ok(),
        }
    }

    /// The nearest double.
    pub fn as_f64(&self) -> f64 {
        match self {
            Self::Float(float) => *float,
            // Parsing decimal text rounds to the nearest double, as a cast of an integer does.
            other => other.to_string().parse().unwrap_or(f64::NAN),
        }
    }

    /// The number in decimal notation, with all digits and without an exponent.
    pub fn plain(&self) -> String {
        match self {
            Self::Int(int) => int.to_string(),
            Self::UInt(uint) => uint.to_string(),
            Self::Float(float) => digits_of(*float).to_string(),
            Self::Decimal(text) => {
                Digits::parse(text).map_or_else(|| text.clone(), |digits| digits.to_string())
            }
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(int) => int.fmt(f),
            Self::UInt(uint) => uint.fmt(f),
            Self::Float(float) => float.fmt(f),
            Self::Decimal(text) => text.fmt(f),
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::UInt(a), Self::UInt(b)) => a == b,
            (Self::Decimal(a), Self::Decimal(b)) if a == b => true,
            _ => self.plain() == other.plain(),
        }
    }
}

impl From<i64> for Number {
    fn from(int: i64) -> Self {
        Self::Int(int)
    }
}

/// The exact decimal digits of a double: at most 1074 binary places.
fn digits_of(float: f64) -> Digits {
    Digits::parse(&format!("{float:.1074}")).unwrap_or_default()
}

/// Sign, significant digits and the position of the decimal point, without leading or trailing
/// zeros: two texts of the same number have the same `Digits`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Digits {
    negative: bool,
    significant: String,
    /// The number of digits after the point; negative if zeros follow the last digit.
    scale: i64,
}

/// No number in a configuration needs more digits; this limits how much text an untrusted number
/// can produce.
const MOST_DIGITS: u64 = 4096;
const MOST_CHARACTERS: usize = 4096;

impl Digits {
    fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        // The absolute value of the smallest `i64` does not fit into an `i64`.
        if exponent.unsigned_abs() > MOST_DIGITS || all.len() > MOST_CHARACTERS {
            return None;
        }
        let kept = all.trim_end_matches('0');
        let dropped = i64::try_from(all.len() - kept.len()).ok()?;
        let digits = kept.trim_start_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Self::default());
        }
        Some(Self {
            negative,
            significant: digits,
            scale: i64::try_from(fraction.len()).ok()? - dropped - exponent,
        })
    }
}

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.significant.is_empty() {
            return f.write_str("0");
        }
        if self.negative {
            f.write_str("-")?;
        }
        let length = i64::try_from(self.significant.len()).unwrap_or(i64::MAX);
        let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or(0));
        if self.scale <= 0 {
            write!(f, "{}{}", self.significant, zeros(-self.scale))
        } else if self.scale >= length {
            write!(f, "0.{}{}", zeros(self.scale - length), self.significant)
        } else {
            let (whole, fraction) = self
                .significant
                .split_at(usize::try_from(length - self.scale).unwrap_or(0));
            write!(f, "{whole}.{fraction}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_in_different_spellings_are_equal() {
        for (a, b) in [
            ("1", "1.0"),
            ("1e3", "1000"),
            ("0.10", "0.1"),
            ("-0", "0"),
            ("18446744073709551616", "1.8446744073709551616e19"),
        ] {
            assert_eq!(Number::parse(a), Number::parse(b), "{a} and {b}");
        }
        assert_ne!(Number::parse("0.1"), Some(Number::Float(0.1)));
        assert_eq!(Number::parse("0.5"), Some(Number::Float(0.5)));
        assert_eq!(
            Number::parse("9007199254740993"),
            Some(Number::Int(9_007_199_254_740_993))
        );
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "-", ".", "1x", "0x10", "nan", "1e999999999", "e5"] {
            assert!(Number::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn an_exponent_without_end_is_refused_and_never_wraps() {
        for exponent in [
            i64::MIN.to_string(),
            i64::MAX.to_string(),
            (i64::MIN + 1).to_string(),
            "-4097".to_owned(),
            "4097".to_owned(),
            "99999999999999999999".to_owned(),
        ] {
            for mantissa in ["1.5", "0", "-0.0001"] {
                let text = format!("{mantissa}e{exponent}");
                assert!(Number::parse(&text).is_none(), "{text}");
            }
        }
        for text in ["1e4096", "1.5e-4096"] {
            let number = Number::parse(text).unwrap();
            assert!(number.plain().len() > 4096, "{text}");
        }
    }

    #[test]
    fn what_is_not_finite_is_no_number() {
        for float in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(Number::of_double(float), None);
        }
    }

    #[test]
    fn plain_has_no_exponent() {
        assert_eq!(Number::Float(1e21).plain(), "1000000000000000000000");
        assert_eq!(Number::Float(-0.25).plain(), "-0.25");
        assert_eq!(Number::Decimal("25e-4".to_owned()).plain(), "0.0025");
    }
}
