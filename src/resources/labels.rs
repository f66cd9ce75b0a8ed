//! Labels and annotations as Kubernetes accepts them. The plan reports what Kubernetes would
//! refuse, before any part of the object is created.

use std::collections::BTreeMap;

use crate::runtime::{is_dns_subdomain, is_own_label};
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::path::Path;
use crate::tfplugin::schema::{Maybe, ModelPath, Tree};

/// The limit of Kubernetes, minus the annotations that the provider adds.
const MOST_OF_ANNOTATIONS: usize = 255 * 1024;

/// Checks a map of texts, if it is known.
pub(super) fn of<M>(
    config: &Tree<M>,
    path: ModelPath<M>,
    check: fn(&BTreeMap<String, String>, &Path) -> Result<()>,
) -> Result<()> {
    match config.get::<Option<BTreeMap<String, String>>>(path) {
        Ok(Maybe::Known(Some(set))) => check(&set, &path.path()),
        _ => Ok(()),
    }
}

/// An error for each invalid label.
pub fn check(labels: &BTreeMap<String, String>, at: &Path) -> Result<()> {
    let mut found = Diagnostics::default();
    for (key, value) in labels {
        found.absorb(check_key(key, at.key(key)));
        found.absorb(check_value(value, at.key(key)));
    }
    found.or(())
}

/// An error for each label that the provider sets itself: the configured value would be dropped.
pub(crate) fn are_free(labels: &BTreeMap<String, String>, at: &Path) -> Result<()> {
    let mut found = Diagnostics::default();
    for key in labels.keys().filter(|key| is_own_label(key)) {
        found.push(
            Diagnostic::error(format!("The provider sets {key} itself"))
                .detail("The provider finds the parts of an object by this key.")
                .detail("Use another name.")
                .at(at.key(key)),
        );
    }
    found.or(())
}

pub(super) fn check_value(value: &str, at: Path) -> Result<()> {
    if value.is_empty() || is_name(value) {
        return Ok(());
    }
    Err(Diagnostic::error(format!("Invalid value for {at}"))
        .detail(format!(
            "{value:?} is not a valid label value: it must be empty or have at most 63 letters, \
             digits, `-`, `_` and `.`, with a letter or digit at both ends."
        ))
        .at(at)
        .into())
}

/// An error for each annotation with an invalid name; values may be any text.
pub(super) fn check_annotations(annotations: &BTreeMap<String, String>, at: &Path) -> Result<()> {
    let mut found = Diagnostics::default();
    for key in annotations.keys() {
        found.absorb(check_key(key, at.key(key)));
    }
    found.absorb(are_free(annotations, at));
    let bytes: usize = annotations
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    if bytes > MOST_OF_ANNOTATIONS {
        found.push(
            Diagnostic::error(format!("{at} is too large"))
                .detail(format!(
                    "It has {bytes} bytes. Kubernetes allows at most {MOST_OF_ANNOTATIONS} for all \
                     annotations of an object."
                ))
                .at(at.clone()),
        );
    }
    found.or(())
}

/// Whether this is a valid name for a label, a taint or a resource.
pub(super) fn is_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_dns_subdomain(prefix) && is_name(name),
        None => is_name(key),
    }
}

pub(super) fn check_key(key: &str, at: Path) -> Result<()> {
    if is_key(key) {
        return Ok(());
    }
    Err(Diagnostic::error(format!("Invalid name at {at}"))
        .detail(format!(
            "{key:?} is not a valid name of a label or annotation. It must be like `team` or \
             `example.org/team`: an optional DNS name in lower case with `/`, and then at most 63 \
             letters, digits, `-`, `_` and `.`, with a letter or digit at both ends."
        ))
        .at(at)
        .into())
}

fn is_name(text: &str) -> bool {
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let is_edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes.iter().all(inner)
        && is_edge(bytes.first())
        && is_edge(bytes.last())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Path {
        ModelPath::<()>::dotted("labels").path()
    }

    #[test]
    fn labels_are_what_kubernetes_takes() {
        let (name, value) = ("x".repeat(63), "y".repeat(63));
        for (key, value) in [
            ("team", ""),
            ("example.org/Team_1.a", "a-B_c.d"),
            (name.as_str(), value.as_str()),
        ] {
            let labels = [(key.to_owned(), value.to_owned())].into();
            assert!(check(&labels, &at()).is_ok(), "{key}={value}");
        }
        let (name, value) = ("x".repeat(64), "y".repeat(64));
        for (key, value) in [
            ("", "a"),
            ("-a", "a"),
            ("a b", "a"),
            ("/a", "a"),
            ("Example.org/a", "a"),
            ("a..b/a", "a"),
            ("a/b/c", "a"),
            ("a/", "a"),
            (name.as_str(), "a"),
            ("a", value.as_str()),
            ("a", "two words"),
            ("a", ".a"),
            ("ä", "a"),
        ] {
            let labels = [(key.to_owned(), value.to_owned())].into();
            let found = check(&labels, &at()).unwrap_err();
            let paths: Vec<_> = found.iter().map(|one| one.path.clone().unwrap()).collect();
            assert_eq!(paths, [at().key(key)], "{key}={value}");
        }
    }

    #[test]
    fn an_annotation_may_say_anything_under_a_proper_name() {
        let pair = |key: &str| [(key.to_owned(), "{\n".to_owned())].into();
        assert!(check_annotations(&pair("example.org/a"), &at()).is_ok());
        assert!(check_annotations(&pair("example org"), &at()).is_err());
        let long = [("a".to_owned(), "x".repeat(256 * 1024))].into();
        assert!(check_annotations(&long, &at()).is_err());
    }

    #[test]
    fn what_the_provider_sets_itself_is_refused_and_not_dropped() {
        let pair = |key: &str| [(key.to_owned(), "a".to_owned())].into();
        for key in [
            "app.kubernetes.io/managed-by",
            "terraform-provider-flower/name",
        ] {
            assert!(check(&pair(key), &at()).is_ok());
            assert!(are_free(&pair(key), &at()).is_err(), "{key}");
            assert!(check_annotations(&pair(key), &at()).is_err() || key.starts_with("app"));
        }
        assert!(are_free(&pair("app.kubernetes.io/name"), &at()).is_ok());
    }
}
