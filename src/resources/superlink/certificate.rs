//! Checks the settings of a SuperLink's certificate: its names and its validity.

use std::time::Duration;

use super::credentials;
use super::model::Model;
use crate::at;
use crate::pki::ServerNames;
use crate::resources::report;
use crate::tfplugin::GoDuration;
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::schema::{Maybe, ModelPath, Tree, refused};
use crate::tfplugin::value::Value;

/// With a shorter validity, every other plan would renew the certificate.
const SHORTEST: Duration = Duration::from_hours(1);
/// The maximum length of all names together: clients refuse a certificate of 100 KiB.
const MOST_OF_NAMES: usize = 32 * 1024;

/// Checks the known settings of the certificate.
pub(super) fn validate(config: &Tree<Model>) -> Diagnostics {
    let mut found = Diagnostics::default();
    let none: [&str; 0] = [];
    let mut length = 0;
    for (path, is_dns) in [
        (at!(Model, tls.dns_names), true),
        (at!(Model, tls.ip_addresses), false),
    ] {
        let Value::List(names) = config.value(path) else {
            continue;
        };
        for (index, one) in names.iter().enumerate() {
            let Some(name) = one.as_str() else {
                continue;
            };
            length += name.len();
            let checked = if is_dns {
                ServerNames::new([name], none)
            } else {
                ServerNames::new(none, [name])
            };
            if let Err(error) = checked {
                let what = "The certificate cannot have this name";
                found.push(report::error(what, &error).at(path.index(index)));
            }
        }
    }
    if length > MOST_OF_NAMES {
        found.push(
            Diagnostic::error("The certificate would have too many names")
                .detail(format!(
                    "They have {length} bytes together. The maximum is {MOST_OF_NAMES}, because \
                     clients refuse a much longer certificate."
                ))
                .detail("Use a wildcard such as `*.example.org`, or fewer names.")
                .at(at!(Model, tls)),
        );
    }
    found.absorb(validity(config));
    found.absorb(outlives_renewal(config));
    found
}

fn duration(config: &Tree<Model>, path: ModelPath<Model>) -> Option<GoDuration> {
    match config.get::<Option<GoDuration>>(path) {
        Ok(Maybe::Known(duration)) => duration,
        _ => None,
    }
}

fn validity(config: &Tree<Model>) -> Result<()> {
    let path = at!(Model, tls.validity);
    let Some(validity) = duration(config, path) else {
        return Ok(());
    };
    let longest = credentials::AUTHORITY_VALIDITY;
    let why = if validity.get() < SHORTEST {
        "a certificate is valid for at least `1h`"
    } else if validity.get() > longest {
        "a certificate is valid for at most `87600h` (ten years), like its authority"
    } else {
        return Ok(());
    };
    Err(refused(&validity.to_string(), &why, &path.path()))
}

/// An error if a certificate would have to be renewed as soon as it is created.
fn outlives_renewal(config: &Tree<Model>) -> Result<()> {
    if config.value(at!(Model, tls.validity)).is_unknown() {
        return Ok(());
    }
    let validity = credentials::validity(duration(config, at!(Model, tls.validity)).as_ref());
    let before = duration(config, at!(Model, tls.renew_before));
    if before.is_some_and(|before| before.get() >= validity) {
        return Err(Diagnostic::error("Every plan would renew the certificate")
            .detail("`renew_before` is not shorter than `validity`.")
            .detail("Set `renew_before` to about a third of `validity`, or remove it.")
            .at(at!(Model, tls.renew_before))
            .into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::Superlink;
    use super::*;
    use crate::resources::planning::tree;

    fn wrong(tls: Json) -> String {
        let found = validate(&tree::<Superlink>(json!({ "tls": tls })));
        let paths = found
            .iter()
            .map(|one| one.path.as_ref().unwrap().to_string());
        paths.collect::<Vec<_>>().join(" ").replace("tls.", "")
    }

    #[test]
    fn names_that_a_certificate_cannot_have_are_refused_where_they_stand() {
        let long = "a".repeat(64);
        assert_eq!(
            wrong(json!({
                "dns_names": ["fl.example.org", "a b", "größe", long, "https://a", "", "10.0.0.1"],
                "ip_addresses": ["10.0.0.1", "::1", "10.0.0.0/8", "a", "fe80::1%eth0", ""],
            })),
            "dns_names[1] dns_names[2] dns_names[3] dns_names[4] dns_names[5] dns_names[6] \
             ip_addresses[2] ip_addresses[3] ip_addresses[4] ip_addresses[5]"
        );
        let many: Vec<String> = (0..600)
            .map(|n| format!("{n}.{}", "a".repeat(60)))
            .collect();
        assert_eq!(wrong(json!({ "dns_names": many })), "tls");
    }

    #[test]
    fn a_certificate_is_good_for_as_long_as_was_asked() {
        for (tls, expected) in [
            (json!({ "validity": "1h" }), ""),
            (json!({ "validity": "87600h" }), ""),
            (json!({ "validity": "0s" }), "validity"),
            (json!({ "validity": "59m" }), "validity"),
            (json!({ "validity": "87601h" }), "validity"),
            (
                json!({ "validity": "2h", "renew_before": "2h" }),
                "renew_before",
            ),
            (json!({ "renew_before": "8760h" }), "renew_before"),
            (json!({ "validity": "2h", "renew_before": "1h" }), ""),
        ] {
            let shown = tls.to_string();
            assert_eq!(wrong(tls), expected, "{shown}");
        }
    }
}
