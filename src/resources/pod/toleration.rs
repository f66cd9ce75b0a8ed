//! Finds tolerations that a cluster would refuse, or accept and ignore.

use super::TolerationSettings;
use crate::at;
use crate::resources::labels;
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

/// An error if the fields of a toleration contradict each other.
pub(super) fn check(one: &Value, at: &Path) -> Result<()> {
    let mut found = Diagnostics::default();
    let operator = one.at(at!(TolerationSettings, operator));
    let exists = operator.as_str() == Some("Exists");
    let key = at!(TolerationSettings, key);
    if let Some(text) = one.at(key).as_str().filter(|key| !key.is_empty()) {
        found.absorb(labels::check_key(text, at.then(key)));
    } else if !one.at(key).is_unknown() && !exists && !operator.is_unknown() {
        let why = "without a `key`, `operator` is `Exists`: every taint is tolerated";
        found.push(problem("The toleration has no key", why, at.then(key)));
    }
    let value = at!(TolerationSettings, value);
    let is_empty = one.at(value).is_null() || one.at(value).as_str() == Some("");
    if exists && !is_empty {
        let why = "`operator = \"Exists\"` ignores the value: remove `value`";
        found.push(problem(
            "The toleration's value is not used",
            why,
            at.then(value),
        ));
    }
    if let Some(text) = one.at(value).as_str() {
        found.absorb(labels::check_value(text, at.then(value)));
    }
    let seconds = at!(TolerationSettings, toleration_seconds);
    let bounded = !one.at(seconds).is_null();
    let effect = one.at(at!(TolerationSettings, effect));
    let evicts = effect.is_unknown() || effect.as_str() == Some("NoExecute");
    if bounded && !evicts {
        let why =
            "Only the effect `NoExecute` ends a pod after some time: set `effect = \"NoExecute\"`";
        let at = at.then(seconds);
        found.push(problem("The toleration's seconds are not used", why, at));
    }
    found.or(())
}

fn problem(summary: &str, why: &str, at: Path) -> Diagnostic {
    Diagnostic::error(summary).detail(format!("{why}.")).at(at)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::tfplugin::schema::Attr as _;
    use crate::tfplugin::value::from_json;

    fn wrong(one: Json) -> String {
        let one = from_json(&one, &TolerationSettings::kind().ty()).unwrap();
        let found = check(&one, &Path::default()).err().unwrap_or_default();
        let paths = found.iter().map(|one| one.path.as_ref().unwrap());
        paths.map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_fields_of_a_toleration_go_together() {
        for (toleration, expected) in [
            (json!({ "key": "gpu", "value": "a100" }), ""),
            (json!({ "operator": "Exists" }), ""),
            (
                json!({ "key": "a/b", "operator": "Exists", "effect": "NoExecute", "toleration_seconds": 3 }),
                "",
            ),
            (json!({}), "key"),
            (json!({ "key": "a b" }), "key"),
            (
                json!({ "key": "a", "operator": "Exists", "value": "x" }),
                "value",
            ),
            (json!({ "key": "a", "value": "x y" }), "value"),
            (
                json!({ "key": "a", "toleration_seconds": 3 }),
                "toleration_seconds",
            ),
        ] {
            let shown = toleration.to_string();
            assert_eq!(wrong(toleration), expected, "{shown}");
        }
    }
}
