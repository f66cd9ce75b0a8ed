//! What a configuration asks for, and the commit that it means.
//!
//! A name is looked up among the refs that the server lists, so a plan needs no download. A name
//! that is both a branch and a tag with different commits is refused: git itself decides this in two
//! ways, depending on the command.

use std::collections::BTreeMap;
use std::fmt;

use git2::Oid;

use super::error::GitError;

/// How many other names an error lists.
const SUGGESTED: usize = 10;
const HEX: usize = 40;

/// The id of a commit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId(pub(super) Oid);

impl CommitId {
    /// Parses 40 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let is_full = text.len() == HEX && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let oid = Oid::from_str(&text.to_ascii_lowercase()).ok();
        oid.filter(|_| is_full).map(Self)
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a configuration asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GitRef {
    /// The branch that the server names as default.
    Default,
    /// A branch or tag, or a full name such as `refs/pull/1/head`.
    Name(String),
    /// A commit, by its full id.
    Commit(CommitId),
}

impl GitRef {
    /// Parses the attribute `ref`.
    pub fn parse(text: Option<&str>) -> Result<Self, GitError> {
        let name = match text {
            None | Some("HEAD") => return Ok(Self::Default),
            Some(name) => name,
        };
        if let Some(id) = CommitId::parse(name) {
            return Ok(Self::Commit(id));
        }
        let full = if name.starts_with("refs/") {
            name.to_owned()
        } else {
            format!("refs/heads/{name}")
        };
        let is_sha256 = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let reason = if is_sha256 {
            "it is the id of a commit in a SHA-256 repository, which is not supported"
        } else if !git2::Reference::is_valid_name(&full) {
            "git does not allow this name"
        } else {
            return Ok(Self::Name(name.to_owned()));
        };
        Err(GitError::BadRef {
            name: name.escape_debug().to_string(),
            reason,
        })
    }
}

impl fmt::Display for GitRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("HEAD"),
            Self::Name(name) => f.write_str(name),
            Self::Commit(id) => id.fmt(f),
        }
    }
}

/// A commit, and the ref that led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    pub id: CommitId,
    /// The full name, such as `refs/heads/main`. There is none if the configuration has an id.
    pub reference: Option<String>,
}

/// The refs of a repository.
#[derive(Default)]
pub(super) struct Refs {
    /// Objects by full name. An annotated tag is listed a second time with `^{}` and its commit.
    targets: BTreeMap<String, Oid>,
    /// The branch of HEAD.
    default: Option<String>,
}

/// A ref that was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// What to ask the server for: the ref's full name.
    pub(super) name: String,
    /// The commit, or for an annotated tag of a local repository, the tag.
    pub(super) target: Oid,
}

impl Refs {
    pub(super) fn add(&mut self, name: &str, target: Oid) {
        self.targets.insert(name.to_owned(), target);
    }

    pub(super) fn set_default(&mut self, branch: Option<String>) {
        self.default = branch;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// A ref whose commit or tag this is.
    pub(super) fn name_of(&self, id: Oid) -> Option<&str> {
        let mut names = self.targets.iter().filter(|(_, target)| **target == id);
        let (name, _) = names.next()?;
        Some(name.strip_suffix("^{}").unwrap_or(name))
    }

    /// Looks up a name. `None` is the default branch.
    pub(super) fn find(&self, at: &str, name: Option<&str>) -> Result<Found, GitError> {
        let Some(name) = name else {
            return self.head(at);
        };
        let candidates = if name.starts_with("refs/") {
            vec![name.to_owned()]
        } else {
            ["refs/heads/", "refs/tags/", "refs/"]
                .map(|prefix| format!("{prefix}{name}"))
                .to_vec()
        };
        let found = candidates.into_iter().filter_map(|name| self.get(name));
        let found: Vec<Found> = found.collect();
        let differ = found
            .iter()
            .any(|one| found.iter().any(|other| other.target != one.target));
        if differ {
            return Err(GitError::AmbiguousRef {
                at: at.to_owned(),
                name: name.to_owned(),
                meanings: found.into_iter().map(|found| found.name).collect(),
            });
        }
        found
            .into_iter()
            .next()
            .ok_or_else(|| GitError::RefNotFound {
                at: at.to_owned(),
                name: name.to_owned(),
                similar: self.similar(name),
            })
    }

    fn head(&self, at: &str) -> Result<Found, GitError> {
        let branch = self.default.clone().and_then(|branch| self.get(branch));
        branch
            .or_else(|| self.get("HEAD".to_owned()))
            .ok_or_else(|| GitError::NoDefaultBranch {
                at: at.to_owned(),
                branches: self.similar(""),
            })
    }

    fn get(&self, name: String) -> Option<Found> {
        let peeled = self.targets.get(&format!("{name}^{{}}"));
        let target = *peeled.or_else(|| self.targets.get(&name))?;
        Some(Found { name, target })
    }

    /// Branches and tags with similar names, or the first ones if none is similar.
    fn similar(&self, name: &str) -> Vec<String> {
        let short = |full: &String| {
            let name = full
                .strip_prefix("refs/heads/")
                .or_else(|| full.strip_prefix("refs/tags/"));
            name.filter(|name| !name.ends_with("^{}"))
                .map(str::to_owned)
        };
        let names: Vec<String> = self.targets.keys().filter_map(short).collect();
        let scored = names
            .iter()
            .filter_map(|other| Some((distance(name, other)?, other)));
        let mut scored: Vec<(usize, &String)> = scored.collect();
        scored.sort();
        scored.dedup();
        let chosen: Vec<String> = if scored.is_empty() {
            names
        } else {
            scored.into_iter().map(|(_, name)| name.clone()).collect()
        };
        chosen.into_iter().take(SUGGESTED).collect()
    }
}

/// How many characters differ, if the names are similar.
fn distance(a: &str, b: &str) -> Option<usize> {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    let (shorter, longer) = if a.len() < b.len() {
        (&a, &b)
    } else {
        (&b, &a)
    };
    if shorter.len() >= 3 && longer.contains(shorter.as_str()) {
        return Some(1);
    }
    let allowed = 1 + a.len() / 4;
    if longer.len() - shorter.len() > allowed {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (line, left) in a.chars().enumerate() {
        let mut diagonal = line;
        let mut previous = line + 1;
        for (cell, right) in row.iter_mut().skip(1).zip(b.chars()) {
            let replaced = diagonal + usize::from(left != right);
            diagonal = *cell;
            previous = replaced.min(previous + 1).min(*cell + 1);
            *cell = previous;
        }
    }
    row.last().copied().filter(|distance| *distance <= allowed)
}

#[cfg(test)]
#[path = "reference_tests.rs"]
mod tests;
