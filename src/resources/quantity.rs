//! Quantities as Kubernetes writes them, such as `500m`, `2` or `1.5Gi`. The plan checks them;
//! Kubernetes would refuse a wrong one only after a part of the object is created.

use std::collections::BTreeMap;

use super::labels;
use super::pod::ResourceSettings;
use crate::at;
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::path::Path;
use crate::tfplugin::schema::refused;

/// The number for a text; `None` if it is not a quantity, or is negative.
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
            let exponent: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            10_f64.powi(exponent)
        }
    };
    let number: f64 = number.parse().ok()?;
    let value = number * factor;
    // A cluster reads a larger quantity, or one that is too small to count, as another number.
    let fits = value <= MOST && (value >= 1e-9 || number == 0.0);
    fits.then_some(value)
}

/// The largest possible quantity, 2^63 - 1.
const MOST: f64 = 9_223_372_036_854_775_807.0;

/// Errors for requests and limits with which a cluster would refuse the pod.
pub(super) fn check_resources(
    requests: &BTreeMap<String, String>,
    limits: &BTreeMap<String, String>,
    at: &Path,
) -> Result<()> {
    let mut found = Diagnostics::default();
    for (which, amounts) in [
        (at!(ResourceSettings, requests), requests),
        (at!(ResourceSettings, limits), limits),
    ] {
        for (resource, amount) in amounts {
            let at = at.then(which).key(resource);
            if !is_resource(resource) {
                let why = "a resource is `cpu`, `memory`, `ephemeral-storage`, `hugepages-…`, or a \
                           name with the domain of its vendor, such as `nvidia.com/gpu`";
                found.extend(refused(resource, &why, &at));
                continue;
            }
            found.absorb(check(amount, at.clone()));
            let is_fraction = value(amount).is_some_and(|amount| amount.fract() != 0.0);
            if is_fraction && is_extended(resource) {
                let why = "the number of devices must be whole";
                found.extend(refused(amount, &why, &at));
            }
        }
    }
    for (resource, request) in requests {
        let at = at.then(at!(ResourceSettings, requests)).key(resource);
        match limits.get(resource).map(|limit| (limit, value(limit))) {
            Some((limit, Some(most))) => {
                let asked = value(request);
                if asked.is_some_and(|asked| asked > most) {
                    let why = format!("its limit is {limit}, which is smaller");
                    found.extend(refused(request, &why, &at));
                } else if asked.is_some_and(|asked| asked < most) && is_extended(resource) {
                    let why = format!("its limit is {limit}, and both must be equal for devices");
                    found.extend(refused(request, &why, &at));
                }
            }
            None if is_extended(resource) => {
                let why = "set devices under `limits`";
                found.extend(refused(request, &why, &at));
            }
            _ => {}
        }
    }
    found.or(())
}

fn is_resource(name: &str) -> bool {
    match name.split_once('/') {
        Some((domain, _)) => domain != "kubernetes.io" && labels::is_key(name),
        None => {
            ["cpu", "memory", "ephemeral-storage"].contains(&name)
                || name
                    .strip_prefix("hugepages-")
                    .is_some_and(|size| value(size).is_some())
        }
    }
}

/// Whether it is a device, which is counted in whole numbers.
fn is_extended(name: &str) -> bool {
    name.contains('/')
}

/// An error unless the text is a quantity.
pub(super) fn check(text: &str, at: Path) -> Result<()> {
    if value(text).is_some() {
        return Ok(());
    }
    Err(Diagnostic::error("This is not a valid quantity")
        .detail(format!(
            "{text:?} is not a number with a unit of Kubernetes, such as `500m`, `2` or `1.5Gi`."
        ))
        .at(at)
        .into())
}

/// An error unless the text is a possible volume size.
pub(super) fn check_size(text: &str, at: Path) -> Result<()> {
    if value(text).is_some_and(|bytes| bytes >= 1.0) {
        return Ok(());
    }
    Err(Diagnostic::error("This is not a valid volume size")
        .detail(format!(
            "{text:?} is not a quantity such as `1Gi` or `500M`."
        ))
        .at(at)
        .into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tfplugin::schema::ModelPath;

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

    #[test]
    fn what_a_cluster_would_take_for_another_number_is_no_quantity() {
        for text in [
            "1e400",
            "9e18Gi",
            "16Ei",
            "1e-10",
            "0.1n",
            "1e2147483648",
            "1e-99999999999",
        ] {
            assert_eq!(value(text), None, "{text}");
        }
        assert_eq!(value("0e5"), Some(0.0));
        assert_eq!(value("9223372036854775807"), Some(MOST));
        assert!(check_size("500m", Path::default()).is_err());
    }

    #[test]
    fn requests_and_limits_go_together() {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            let pairs = pairs.iter();
            pairs
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect()
        };
        let wrong = |requests: &[(&str, &str)], limits: &[(&str, &str)]| {
            let at = ModelPath::<()>::dotted("resources").path();
            let found = check_resources(&map(requests), &map(limits), &at)
                .err()
                .unwrap_or_default();
            let paths = found
                .iter()
                .map(|one| one.path.as_ref().unwrap().to_string());
            paths
                .collect::<Vec<_>>()
                .join(" ")
                .replace("resources.", "")
        };
        for (requests, limits, expected) in [
            (&[("cpu", "500m")][..], &[("cpu", "1")][..], ""),
            (&[("hugepages-2Mi", "4Mi")], &[("hugepages-2Mi", "4Mi")], ""),
            (&[], &[("nvidia.com/gpu", "1")], ""),
            (&[("nvidia.com/gpu", "1")], &[("nvidia.com/gpu", "1")], ""),
            (&[("cpu", "2")], &[("cpu", "1")], "requests[\"cpu\"]"),
            (&[("gpu", "1")], &[], "requests[\"gpu\"]"),
            (&[("", "1")], &[], "requests[\"\"]"),
            (
                &[],
                &[("nvidia.com/gpu", "500m")],
                "limits[\"nvidia.com/gpu\"]",
            ),
            (
                &[("nvidia.com/gpu", "1")],
                &[],
                "requests[\"nvidia.com/gpu\"]",
            ),
            (&[("a/b", "1")], &[("a/b", "2")], "requests[\"a/b\"]"),
        ] {
            assert_eq!(wrong(requests, limits), expected, "{requests:?} {limits:?}");
        }
    }
}
