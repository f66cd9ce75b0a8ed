//! The size of the database's volume, which can grow and never shrink.

use crate::tfplugin::Plan;
use crate::tfplugin::diagnostic::{Diagnostic, Result};
use crate::tfplugin::path::Path;
use crate::tfplugin::schema::{Maybe, Tree};

const SIZE: &str = "persistence.size";

/// Whether the database outlives the process, as far as known; it does by default.
pub(super) fn is_kept(tree: &Tree) -> Result<Option<bool>> {
    let enabled = tree.get::<Option<bool>>("persistence.enabled")?.known();
    Ok(enabled.map(|enabled| enabled.unwrap_or(true)))
}

/// An error when a change would make the volume smaller.
pub(super) fn grows(plan: &Plan) -> Result<()> {
    let (Maybe::Known(before), Maybe::Known(after)) = (
        plan.prior.get::<Option<String>>(SIZE)?,
        plan.get::<Option<String>>(SIZE)?,
    ) else {
        return Ok(());
    };
    let (Some(before), Some(after)) = (before, after) else {
        return Ok(());
    };
    match (bytes(&before), bytes(&after)) {
        (Some(was), Some(will)) if will < was => {
            Err(Diagnostic::error("persistence.size cannot shrink")
                .detail(format!("It has {before}, and {after} is less."))
                .detail("Keep its size, or make a new SuperLink and leave its database behind.")
                .at(Path::attribute("persistence").then("size"))
                .into())
        }
        _ => Ok(()),
    }
}

/// An error unless the size is a quantity.
pub(super) fn is_quantity(config: &Tree) -> Result<()> {
    match config.get::<Option<String>>(SIZE) {
        Ok(Maybe::Known(Some(size))) if bytes(&size).is_none_or(|bytes| bytes < 1.0) => {
            Err(Diagnostic::error("This is no size of a volume")
                .detail(format!(
                    "{size:?} is not a quantity such as `1Gi` or `500M`."
                ))
                .at(Path::attribute("persistence").then("size"))
                .into())
        }
        _ => Ok(()),
    }
}

/// The bytes of a quantity such as `1.5Gi`, as Kubernetes writes them; `None` when it is none.
pub(super) fn bytes(quantity: &str) -> Option<f64> {
    let split = quantity
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(quantity.len());
    let (number, unit) = quantity.split_at_checked(split)?;
    let factor: f64 = match unit {
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "Ki" => 1024.0,
        "Mi" => 1_048_576.0,
        "Gi" => 1_073_741_824.0,
        "Ti" => 1_099_511_627_776.0,
        _ => return None,
    };
    let number: f64 = number.parse().ok()?;
    Some(number * factor)
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn quantities_are_compared_in_bytes() {
        assert!(bytes("1Gi") > bytes("1G"));
        assert_eq!(bytes("1.5Ki"), Some(1536.0));
        assert_eq!(bytes("1024"), bytes("1Ki"));
        for text in ["", "Gi", "1Xi", "-1Gi", "1 Gi", "1.2.3"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }
}
