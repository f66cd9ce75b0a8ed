//! Checks the name of a container image.

use crate::tfplugin::diagnostic::{Diagnostic, Result};
use crate::tfplugin::path::Path;
use crate::tfplugin::schema::refused;

/// An error unless the text can be the image of a container.
pub(crate) fn image(text: &str, at: &Path) -> Result<()> {
    if is_image(text) {
        return Ok(());
    }
    let why = "an image is written like `flwr/superlink:1.42.0`, \
               `registry.example.org:5000/team/app@sha256:…` or `python`: parts in lower case, then a tag or a \
               digest";
    Err(refused(text, &why, at))
}

/// The text after an `@` is a digest, which another check covers.
fn is_image(text: &str) -> bool {
    let name = text.split('@').next().unwrap_or(text);
    let (name, tag) = match name.rsplit_once(':') {
        // If the colon belongs to a port, a slash follows it.
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (name, None),
    };
    let is_tag = |tag: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        (1..=128).contains(&tag.len()) && tag.bytes().all(inner) && !tag.starts_with(['.', '-'])
    };
    let mut parts = name.split('/').peekable();
    let first = parts.peek().copied().unwrap_or_default();
    let is_host = name.contains('/') && (first.contains(['.', ':']) || first == "localhost");
    if is_host {
        parts.next();
        let (host, port) = first.split_once(':').unwrap_or((first, "1"));
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
        if host.is_empty() || !host.bytes().all(inner) || !matches!(port.parse::<u16>(), Ok(1..)) {
            return false;
        }
    }
    let is_part = |part: &str| {
        let edge =
            |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let inner =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        edge(part.bytes().next()) && edge(part.bytes().last()) && part.bytes().all(inner)
    };
    name.len() <= 255 && parts.all(is_part) && tag.is_none_or(is_tag)
}

/// An error if an image has an `@` without a valid digest.
pub(super) fn has_digest(image: &str, at: &Path) -> Result<()> {
    let Some((named, digest)) = image.split_once('@') else {
        return Ok(());
    };
    let digits = digest.strip_prefix("sha256:").unwrap_or_default();
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if !named.is_empty() && digits.len() == 64 && digits.bytes().all(is_digit) {
        return Ok(());
    }
    Err(Diagnostic::error("The digest of an image is invalid")
        .detail(format!(
            "{digest:?} is not `sha256:` and 64 lower-case hexadecimal digits."
        ))
        .detail(
            "Write `name@sha256:…` as `docker buildx imagetools inspect` or the registry shows it.",
        )
        .at(at.clone())
        .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_one_that_a_cluster_can_pull() {
        for text in [
            "python",
            "python:3.12-slim",
            "flwr/superlink:1.42.0",
            "registry.example.org/a/b_c/d-e:v1.0_x",
            "registry.example.org:5000/a",
            "localhost/a",
            "localhost:5000/a:1",
            "REGISTRY.example.org/a",
            &format!("a/b:1@sha256:{}", "0".repeat(64)),
        ] {
            assert!(is_image(text), "{text}");
        }
        for text in [
            "",
            " a",
            "a b",
            "A/b",
            "a:",
            "a/",
            "/a",
            "a//b",
            "a:b:c",
            "https://a/b",
            "a.b:0/c",
            "-a",
            "a:-1",
            "größe",
            &"a".repeat(256),
        ] {
            assert!(!is_image(text), "{text:?}");
        }
    }
}
