//! From one type of value to another, where nothing is lost.

use super::{ConfigKind, ConfigValue};

/// Why a text cannot be converted to a type.
pub(super) enum TextFault {
    NotOne,
    Inexact,
}

/// Converts a text as Terraform would: a variable without a type is a text, whatever its value is.
pub(super) fn from_text(wanted: ConfigKind, text: &str) -> Result<ConfigValue, TextFault> {
    match wanted {
        ConfigKind::Str => Ok(ConfigValue::Str(text.to_owned())),
        ConfigKind::Bool => match text {
            "true" | "1" => Ok(ConfigValue::Bool(true)),
            "false" | "0" => Ok(ConfigValue::Bool(false)),
            _ => Err(TextFault::NotOne),
        },
        ConfigKind::Int => integer(text).map(ConfigValue::Int).ok_or(TextFault::NotOne),
        ConfigKind::Float => match integer(text) {
            Some(int) => exact_float(int)
                .map(ConfigValue::Float)
                .ok_or(TextFault::Inexact),
            None => decimal(text)
                .map(ConfigValue::Float)
                .ok_or(TextFault::NotOne),
        },
    }
}

/// A whole number, also in the form `3.0` or `1e3`.
fn integer(text: &str) -> Option<i64> {
    if !is_decimal(text) {
        return None;
    }
    if let Ok(int) = text.parse() {
        return Some(int);
    }
    let float = decimal(text)?;
    // Above this limit, different texts have the same double.
    let is_whole = float.trunc().to_bits() == float.to_bits();
    #[allow(
        clippy::cast_possible_truncation,
        reason = "checked: whole and below 2^53"
    )]
    (is_whole && exact_float(float as i64) == Some(float)).then_some(float as i64)
}

/// A finite double; texts such as `inf` and `nan` are not accepted.
fn decimal(text: &str) -> Option<f64> {
    let float: f64 = is_decimal(text).then(|| text.parse().ok()).flatten()?;
    float.is_finite().then_some(float)
}

fn is_decimal(text: &str) -> bool {
    text.ends_with(|c: char| c.is_ascii_digit())
        && text
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'))
}

/// Every integer up to this one has an exact float.
const EXACT: u64 = 1 << 53;

pub(super) fn exact_float(int: i64) -> Option<f64> {
    #[allow(clippy::cast_precision_loss, reason = "checked: no loss up to 2^53")]
    (int.unsigned_abs() <= EXACT).then_some(int as f64)
}
