//! Quantities as Kubernetes writes them, such as `500m`, `2` or `1.5Gi`. What is none would be refused
//! only once a part of the object is made.

use crate::tfplugin::diagnostic::{Diagnostic, Result};
use crate::tfplugin::path::Path;

/// The number that a text stands for; `None` when it is no quantity, or one below zero.
pub(super) fn value(text: &str) -> Option<f64> {
    let split = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(split)?;
    let factor = match unit {
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1_048_576.0,
        "Gi" => 1_073_741_824.0,
        "Ti" => 1_099_511_627_776.0,
        "Pi" => 1_125_899_906_842_624.0,
        "Ei" => 1_152_921_504_606_846_976.0,
        exponent => {
            let exponent = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            10_f64.powi(exponent)
        }
    };
    let number: f64 = number.parse().ok()?;
    Some(number * factor)
}

/// An error unless it is a quantity.
pub(super) fn check(text: &str, at: Path) -> Result<()> {
    if value(text).is_some() {
        return Ok(());
    }
    Err(Diagnostic::error("This is no quantity")
        .detail(format!(
            "{text:?} is not a number with a unit of Kubernetes, such as `500m`, `2` or `1.5Gi`."
        ))
        .at(at)
        .into())
}

/// An error unless it is a size that a volume can have.
pub(super) fn check_size(text: &str, at: Path) -> Result<()> {
    if value(text).is_some_and(|bytes| bytes >= 1.0) {
        return Ok(());
    }
    Err(Diagnostic::error("This is no size of a volume")
        .detail(format!(
            "{text:?} is not a quantity such as `1Gi` or `500M`."
        ))
        .at(at)
        .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_compared_by_what_they_stand_for() {
        assert!(value("1Gi") > value("1G"));
        assert_eq!(value("1.5Ki"), Some(1536.0));
        assert_eq!(value("1024"), value("1Ki"));
        assert_eq!(value("2e3"), value("2k"));
        assert_eq!(value("1E"), value("1e18"));
        assert_eq!(value("500m"), Some(0.5));
        assert_eq!(value("0"), Some(0.0));
        for text in ["", "Gi", "1Xi", "-1Gi", "1 Gi", "1.2.3", "1GB", "one"] {
            assert_eq!(value(text), None, "{text}");
        }
    }
}
