//! The check of dependencies: all linked packages have a licence that `deny.toml` allows, none is
//! banned, and none has a known vulnerability.
//!
//! `cargo deny` does this if it is installed. This module applies the same rules to the output of
//! `cargo metadata`, so that the check does not depend on an optional tool.

mod bans;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::process::{capture, find_program, run};
use crate::repository::Repository;
use crate::{Result, advisories};

use bans::Bans;

/// Fails if a dependency has a licence that is not allowed, is banned, or has a known
/// vulnerability.
pub fn check(repository: &Repository) -> Result<()> {
    advisories::check(repository)?;
    if find_program("cargo-deny").is_some() {
        return run(repository
            .cargo()
            .args(["deny", "check", "licenses", "bans"]));
    }
    eprintln!("cargo-deny is not installed: xtask checks licences and bans itself");
    let metadata = metadata(repository)?;
    let policy = std::fs::read_to_string(repository.path("deny.toml"))
        .map_err(|e| format!("deny.toml cannot be read: {e}"))?;
    let allowed = allow_list(&policy)?;
    let refused = refused(&metadata, &allowed);
    if !refused.is_empty() {
        return Err(format!(
            "these dependencies have a licence that deny.toml does not allow:\n  {}",
            refused.join("\n  ")
        )
        .into());
    }
    let banned = Bans::of(&policy).found(&metadata);
    if !banned.is_empty() {
        return Err(format!(
            "deny.toml does not allow these dependencies:\n  {}",
            banned.join("\n  ")
        )
        .into());
    }
    Ok(())
}

/// Cargo's metadata of the dependencies on this platform. Those of other platforms are left out:
/// cargo would have to download them.
fn metadata(repository: &Repository) -> Result<Value> {
    let host = Repository::host()?;
    let json = capture(repository.cargo().args([
        "metadata",
        "--format-version",
        "1",
        "--locked",
        "--filter-platform",
        &host,
    ]))?;
    Ok(serde_json::from_str(&json)?)
}

/// The lines of one section, without comments. Lists with one entry per line are the only syntax
/// that is needed.
fn section<'a>(policy: &'a str, title: &'a str) -> impl Iterator<Item = &'a str> {
    policy
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .skip_while(move |line| *line != title)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
}

/// The strings of `allow` in `[licenses]`.
fn allow_list(policy: &str) -> Result<BTreeSet<String>> {
    let allowed: BTreeSet<String> = section(policy, "[licenses]")
        .skip_while(|line| !line.starts_with("allow = ["))
        .take_while(|line| *line != "]")
        .filter_map(|line| line.strip_prefix('"')?.split('"').next())
        .map(str::to_owned)
        .collect();
    if allowed.is_empty() {
        return Err("deny.toml has no [licenses] allow list with one licence per line".into());
    }
    Ok(allowed)
}

/// The packages whose licence is not in the list, with name, version and licence.
fn refused(metadata: &Value, allowed: &BTreeSet<String>) -> Vec<String> {
    let text = |package: &Value, key: &str| package[key].as_str().map(str::to_owned);
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages
        // Packages of this repository have no registry as source.
        .filter(|package| !package["source"].is_null())
        .filter_map(|package| {
            let terms = text(package, "license");
            if terms
                .as_deref()
                .is_some_and(|terms| satisfied(terms, allowed))
            {
                return None;
            }
            Some(format!(
                "{} {}: {}",
                text(package, "name").unwrap_or_default(),
                text(package, "version").unwrap_or_default(),
                terms.as_deref().unwrap_or("no licence expression")
            ))
        })
        .collect()
}

/// Whether allowed licences satisfy an SPDX expression.
///
/// An invalid expression is not satisfied.
fn satisfied(expression: &str, allowed: &BTreeSet<String>) -> bool {
    // `/` is the old spelling of OR in Cargo manifests.
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader {
        tokens: &tokens,
        allowed,
    };
    reader.any() == Some(true) && reader.tokens.is_empty()
}

/// Reads OR over AND over single terms, the precedence of SPDX.
struct Reader<'a> {
    tokens: &'a [&'a str],
    allowed: &'a BTreeSet<String>,
}

impl Reader<'_> {
    fn any(&mut self) -> Option<bool> {
        let mut satisfied = self.all()?;
        while self.take("OR") {
            satisfied |= self.all()?;
        }
        Some(satisfied)
    }

    fn all(&mut self) -> Option<bool> {
        let mut satisfied = self.term()?;
        while self.take("AND") {
            satisfied &= self.term()?;
        }
        Some(satisfied)
    }

    fn term(&mut self) -> Option<bool> {
        if self.take("(") {
            let satisfied = self.any()?;
            return self.take(")").then_some(satisfied);
        }
        let (licence, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        if self.take("WITH") {
            // An exception only adds rights to the licence.
            self.tokens = self.tokens.split_first()?.1;
        }
        Some(self.allowed.contains(*licence))
    }

    fn take(&mut self, word: &str) -> bool {
        match self.tokens.split_first() {
            Some((first, rest)) if *first == word => {
                self.tokens = rest;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed() -> BTreeSet<String> {
        ["MIT", "Apache-2.0", "ISC"].map(str::to_owned).into()
    }

    #[test]
    fn reads_the_expressions_that_manifests_have() {
        for good in [
            "MIT",
            "MIT/Apache-2.0",
            "GPL-3.0 OR MIT",
            "Apache-2.0 AND ISC",
            "Apache-2.0 WITH LLVM-exception",
            "(MIT OR GPL-3.0) AND Apache-2.0",
        ] {
            assert!(satisfied(good, &allowed()), "{good}");
        }
    }

    #[test]
    fn refuses_what_is_not_allowed_or_not_readable() {
        for bad in [
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "(MIT OR ISC) AND GPL-3.0",
            "MIT OR",
            "(MIT",
            "MIT ISC",
            "",
        ] {
            assert!(!satisfied(bad, &allowed()), "{bad}");
        }
    }

    #[test]
    fn names_the_package_without_a_licence() {
        let metadata = serde_json::json!({"packages": [
            {"name": "fine", "version": "1.0.0", "source": "registry", "license": "MIT"},
            {"name": "odd", "version": "0.1.0", "source": "registry", "license": null},
            {"name": "ours", "version": "0.1.0", "source": null, "license": null},
        ]});
        assert_eq!(
            refused(&metadata, &allowed()),
            ["odd 0.1.0: no licence expression"]
        );
    }

    #[test]
    fn reads_the_repositorys_own_policy() {
        let listed = allow_list(include_str!("../../deny.toml")).unwrap();
        assert!(listed.contains("Apache-2.0") && listed.contains("Zlib"));
        assert!(!listed.iter().any(|licence| licence.contains("linux")));
        assert!(allow_list("[licenses]\n").is_err());
    }
}
