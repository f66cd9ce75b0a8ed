//! Finds states, plans and outputs of Terraform among the files that ship, by their content. Files
//! with a usual name are not part of an app in the first place.

use std::collections::HashMap;

use memchr::memmem;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value as Json;

/// A key of all JSON that Terraform writes about a state or plan.
const WRITER: &[u8] = b"\"terraform_version\"";
/// A key of stored states, and one of `terraform show -json`.
const KINDS: [&[u8]; 2] = [b"\"lineage\"", b"\"format_version\""];
/// A saved plan is a zip archive with these files.
const ARCHIVE: &[u8] = b"PK\x03\x04";
const PLAN: [&[u8]; 2] = [b"tfplan", b"tfstate"];

/// Whether a file's content, without NULs, is a state, a plan, or outputs.
pub(super) fn is_one(text: &[u8]) -> bool {
    let has = |needle: &[u8]| memmem::find(text, needle).is_some();
    if text.starts_with(ARCHIVE) {
        return PLAN.iter().all(|name| has(name));
    }
    let begin = text.get(..text.len().min(8)).unwrap_or_default();
    let begin = begin.iter().find(|byte| byte.is_ascii_graphic());
    if begin != Some(&b'{') {
        return false;
    }
    let is_state = has(WRITER) && KINDS.iter().any(|kind| has(kind));
    is_state || is_outputs(text)
}

/// Whether a text is the result of `terraform output -json`: an object of objects with these keys.
fn is_outputs(text: &[u8]) -> bool {
    serde_json::from_slice::<HashMap<String, Output>>(text).is_ok_and(|outputs| !outputs.is_empty())
}

/// The keys of one output. Values may be large and are skipped.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Output {
    #[serde(rename = "sensitive")]
    _sensitive: IgnoredAny,
    #[serde(rename = "type")]
    _type: Json,
    #[serde(rename = "value")]
    _value: IgnoredAny,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_plans_are_known_by_what_they_hold() {
        let wide: Vec<u8> = r#"{"terraform_version": "1", "lineage": "x"}"#
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let wide = [&[0xff, 0xfe], wide.as_slice()].concat();
        assert!(is_one(&super::super::without_nuls(&wide)));
        for text in [
            r#"{"token": {"sensitive": true, "type": "string", "value": "x"}}"#,
            r#"{"version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "x"}"#,
            "\u{feff}\n{\"format_version\":\"1.2\",\"terraform_version\":\"1.11.4\",\"planned_values\":{}}",
            "PK\u{3}\u{4}…tfplan…tfstate…tfconfig/m-",
        ] {
            assert!(is_one(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            "{}",
            r#"{"a": {"type": "string", "value": 1}}"#,
            r#"{"a": {"sensitive": true, "type": "string", "value": "x"}, "b": 1}"#,
            r#"{"terraform_version": "1.11.4"}"#,
            r#"x = '{"terraform_version": "1", "lineage": "x"}'"#,
            "PK\u{3}\u{4}…tfplan.py",
        ] {
            assert!(!is_one(text.as_bytes()), "{text}");
        }
    }
}
