//! Checks a configuration against its schema; each error names its attribute. Unknown values are
//! checked when they are known.

use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::path::Path;
use super::super::value::Value;
use super::{Attribute, Kind, Nesting};

/// All errors of `config`. `write_only_allowed`: whether the host keeps write-only values out of
/// its state; a host that would store them gets an error.
pub fn validate(attributes: &[Attribute], config: &Value, write_only_allowed: bool) -> Diagnostics {
    let mut found = Diagnostics::default();
    object(
        attributes,
        config,
        &Path::default(),
        write_only_allowed,
        &mut found,
    );
    found
}

fn object(
    attributes: &[Attribute],
    config: &Value,
    at: &Path,
    write_only_allowed: bool,
    found: &mut Diagnostics,
) {
    for attribute in attributes {
        let value = config.get(&attribute.name);
        let at = at.name(&attribute.name);
        if value.is_null() {
            continue;
        }
        if attribute.write_only {
            if !write_only_allowed {
                found.push(no_write_only(&at));
            }
            let version = format!("{}_version", attribute.name);
            let has_version = attributes.iter().any(|other| other.name == version);
            if has_version && config.get(&version).is_null() {
                found.push(missing_version(&at, &version));
            }
        }
        match &attribute.kind {
            Kind::Plain(_) => {
                if value.is_wholly_known()
                    && let Err(refused) = (attribute.check)(value, &at)
                {
                    found.extend(refused);
                }
            }
            Kind::Nested(nesting, inner) => match (nesting, value) {
                (Nesting::Single, Value::Map(_)) => {
                    object(inner, value, &at, write_only_allowed, found);
                }
                (Nesting::Map, Value::Map(entries)) => {
                    for (key, entry) in entries {
                        object(inner, entry, &at.key(key), write_only_allowed, found);
                    }
                }
                (Nesting::List, Value::List(items)) => {
                    for (index, item) in items.iter().enumerate() {
                        object(inner, item, &at.index(index), write_only_allowed, found);
                    }
                }
                _ => {}
            },
        }
    }
}

fn no_write_only(at: &Path) -> Diagnostic {
    Diagnostic::error(format!("{at} needs support for write-only attributes"))
        .detail("This version of Terraform would store the value in its state. Nothing was stored.")
        .detail("Use Terraform 1.11 or OpenTofu 1.11, or newer, or remove the attribute.")
        .at(at.clone())
}

fn missing_version(at: &Path, version: &str) -> Diagnostic {
    Diagnostic::error(format!("{at} needs {version}"))
        .detail(
            "A write-only value is never stored, so Terraform cannot detect a new value. The \
                         version tells Terraform when to send it.",
        )
        .detail(format!(
            "Set `{version} = 1`, and increase it with each new value."
        ))
        .at(at.clone())
}
