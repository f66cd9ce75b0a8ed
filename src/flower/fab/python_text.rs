//! Rules of Python's `str` and `repr` on which the bytes of a FAB depend.
//!
//! Rust's rules are similar but not equal: which characters are blank, where a line ends, what is a
//! letter, how a float is written.

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory as _};

/// `str.strip()`.
pub(super) fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// `str.rstrip()`.
pub(super) fn rstrip(text: &str) -> &str {
    text.trim_end_matches(is_space)
}

/// `str.splitlines()`, except for an empty last line: callers drop blank lines.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c| {
        matches!(
            c,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'
                ..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    })
}

/// `str.isalpha()` of one character: only letters; Rust also counts letter numbers and many marks.
pub(super) fn is_letter(c: char) -> bool {
    c.general_category_group() == GeneralCategoryGroup::Letter
}

/// `str.isalnum()` of one character.
pub(super) fn is_alphanumeric(c: char) -> bool {
    is_letter(c) || c.general_category_group() == GeneralCategoryGroup::Number
}

/// `repr(float)`: the fewest digits that give the same float, with an exponent only for very large
/// and very small numbers.
pub(super) fn float_repr(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let shortest = format!("{value:e}");
    let length = shortest
        .bytes()
        .take_while(|b| *b != b'e')
        .filter(u8::is_ascii_digit)
        .count();
    // If two shortest texts are equally near, Python takes the even digit, as exact formatting
    // does.
    let exact = format!("{value:.*e}", length.saturating_sub(1));
    let chosen = if exact.parse() == Ok(value) {
        exact
    } else {
        shortest
    };
    let (mantissa, exponent) = chosen.split_once('e').unwrap_or((&chosen, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let (minus, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    if !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{minus}{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
    let digits = mantissa.replace('.', "");
    let shift = usize::try_from(exponent.unsigned_abs()).unwrap_or_default();
    if exponent < 0 {
        return format!("{minus}0.{}{digits}", "0".repeat(shift - 1));
    }
    // At least one digit on each side of the point.
    let padded = format!("{digits:0<width$}", width = shift + 2);
    let (whole, fraction) = padded.split_at(shift + 1);
    format!("{minus}{whole}.{fraction}")
}

/// Python treats the four ASCII separators as blank, Unicode's `White_Space` does not.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_python_writes_them() {
        for (value, text) in [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (0.1, "0.1"),
            (0.0001, "0.0001"),
            (0.000_01, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.234_567e22, "1.234567e+22"),
            (1_095_826_419_270_697.0 + 0.25, "1095826419270697.2"),
            (9_007_199_254_740_993.0, "9007199254740992.0"),
            (123_456.789, "123456.789"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (f64::NEG_INFINITY, "-inf"),
            (-f64::NAN, "nan"),
        ] {
            assert_eq!(float_repr(value), text);
        }
    }

    #[test]
    fn letters_are_those_of_python() {
        for letter in ['a', 'é', '\u{ba}', '語', '\u{2c6}'] {
            assert!(is_letter(letter), "{letter:?}");
        }
        // A circled letter, a Roman numeral, a vowel sign and a digit.
        for other in ['\u{24d0}', '\u{2160}', '\u{93e}', '\u{301}', '٣'] {
            assert!(!is_letter(other), "{other:?}");
        }
        for number in ['\u{2160}', '٣', '½', '7'] {
            assert!(is_alphanumeric(number), "{number:?}");
        }
        assert!(!is_alphanumeric('\u{24d0}') && !is_alphanumeric('_'));
    }

    #[test]
    fn blanks_and_line_ends_are_those_of_python() {
        assert_eq!(strip("\u{1f}\u{a0} a b\t\r\n"), "a b");
        assert_eq!(rstrip(" a\u{2003}"), " a");
        assert_eq!(
            lines("a\u{2028}b\r\nc").collect::<Vec<_>>(),
            ["a", "b", "", "c"]
        );
    }
}
