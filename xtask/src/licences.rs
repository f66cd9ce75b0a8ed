//! The check of dependencies: everything linked in is under terms that
//! `deny.toml` allows, nothing is there that it bans, and nothing has a
//! weakness that is known.
//!
//! `cargo deny` does it where it is installed. This is the same rule on what
//! `cargo metadata` reports, so that the check never depends on a tool that is
//! missing.

mod bans;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::process::{capture, find_program, run};
use crate::repository::Repository;
use crate::{Result, advisories};

use bans::Bans;

/// Fails when a dependency's terms are not allowed, or it is banned itself or known to be weak.
pub fn check(repository: &Repository) -> Result<()> {
    advisories::check(repository)?;
    if find_program("cargo-deny").is_some() {
        return run(repository
            .cargo()
            .args(["deny", "check", "licenses", "bans"]));
    }
    eprintln!("cargo-deny is not installed: its checks of licences and bans are made here");
    let metadata = metadata(repository)?;
    let policy = std::fs::read_to_string(repository.path("deny.toml"))
        .map_err(|e| format!("deny.toml cannot be read: {e}"))?;
    let allowed = allow_list(&policy)?;
    let refused = refused(&metadata, &allowed);
    if !refused.is_empty() {
        return Err(format!(
            "these dependencies have terms that deny.toml does not allow:\n  {}",
            refused.join("\n  ")
        )
        .into());
    }
    let banned = Bans::of(&policy).found(&metadata);
    if !banned.is_empty() {
        return Err(format!(
            "these dependencies are not what deny.toml lets pass:\n  {}",
            banned.join("\n  ")
        )
        .into());
    }
    Ok(())
}

/// What cargo knows of the dependencies on this platform. Other platforms'
/// are left out: cargo would have to download each of them.
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

/// The lines of one section, without comments: lists with one entry a line are
/// all that is needed of the file's syntax.
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
        return Err("deny.toml has no [licenses] allow list, one licence a line".into());
    }
    Ok(allowed)
}

/// Each package, by name, version and terms, that the list does not cover.
fn refused(metadata: &Value, allowed: &BTreeSet<String>) -> Vec<String> {
    let text = |package: &Value, key: &str| package[key].as_str().map(str::to_owned);
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages
        // Packages of this repository have no registry as their source.
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

/// Whether an SPDX expression can be met with allowed licences alone.
///
/// An expression that cannot be read is not met.
fn satisfied(expression: &str, allowed: &BTreeSet<String>) -> bool {
    // `/` is the old spelling of OR in Cargo manifests.
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader {
        words: &words,
        allowed,
    };
    reader.any() == Some(true) && reader.words.is_empty()
}

/// Reads OR over AND over single terms, the order that SPDX gives them.
struct Reader<'a> {
    words: &'a [&'a str],
    allowed: &'a BTreeSet<String>,
}

impl Reader<'_> {
    fn any(&mut self) -> Option<bool> {
        let mut met = self.all()?;
        while self.take("OR") {
            met |= self.all()?;
        }
        Some(met)
    }

    fn all(&mut self) -> Option<bool> {
        let mut met = self.term()?;
        while self.take("AND") {
            met &= self.term()?;
        }
        Some(met)
    }

    fn term(&mut self) -> Option<bool> {
        if self.take("(") {
            let met = self.any()?;
            return self.take(")").then_some(met);
        }
        let (licence, rest) = self.words.split_first()?;
        self.words = rest;
        if self.take("WITH") {
            // An exception only gives more rights than the licence alone.
            self.words = self.words.split_first()?.1;
        }
        Some(self.allowed.contains(*licence))
    }

    fn take(&mut self, word: &str) -> bool {
        match self.words.split_first() {
            Some((first, rest)) if *first == word => {
                self.words = rest;
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
