//! Finds states and plans of Terraform in what would ship, whatever they are called: those with a name of
//! Terraform's are no part of an app in the first place.

use memchr::memmem;

/// What every JSON that Terraform writes of a state or plan says of its writer.
const WRITER: &[u8] = b"\"terraform_version\"";
/// A state as it is stored has the one, `terraform show -json` the other.
const KINDS: [&[u8]; 2] = [b"\"lineage\"", b"\"format_version\""];
/// A saved plan is an archive with these files.
const ARCHIVE: &[u8] = b"PK\x03\x04";
const PLAN: [&[u8]; 2] = [b"tfplan", b"tfstate"];

/// Whether a file's content is a state or a plan.
pub(super) fn is_one(content: &[u8]) -> bool {
    let has = |words: &[u8]| memmem::find(content, words).is_some();
    if content.starts_with(ARCHIVE) {
        return PLAN.iter().all(|name| has(name));
    }
    let text = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    text.trim_ascii_start().starts_with(b"{") && has(WRITER) && KINDS.iter().any(|kind| has(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_plans_are_known_by_what_they_hold() {
        for text in [
            r#"{"version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "x"}"#,
            "\u{feff}\n{\"format_version\":\"1.2\",\"terraform_version\":\"1.11.4\",\"planned_values\":{}}",
            "PK\u{3}\u{4}…tfplan…tfstate…tfconfig/m-",
        ] {
            assert!(is_one(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            "{}",
            r#"{"terraform_version": "1.11.4"}"#,
            r#"x = '{"terraform_version": "1", "lineage": "x"}'"#,
            "PK\u{3}\u{4}…tfplan.py",
        ] {
            assert!(!is_one(text.as_bytes()), "{text}");
        }
    }
}
