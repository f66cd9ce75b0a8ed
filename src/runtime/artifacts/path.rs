//! The path of an artifact below the folder of its run. An app chose it, so it is parsed before
//! anything uses it.

use std::fmt;
use std::str::FromStr;

use crate::terminal::visible;

const LONGEST: usize = 1024;
const LONGEST_PART: usize = 255;
const DEEPEST: usize = 32;
/// The prefixes of files that the provider itself writes into the folder of a download.
const OWN_PREFIXES: [&str; 2] = [".flower-", "flower-artifacts"];

/// A relative path with `/` between its parts. No part leads elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArtifactPath(String);

/// Why a text is not the path of an artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactPathError {
    #[error("it has a part that is empty, \".\" or \"..\"")]
    Part,
    #[error("it contains an invisible or control character, or a backslash")]
    Character,
    #[error("a part of it begins with a hyphen, like an option of a command")]
    Hyphen,
    #[error("it contains a command to a CI service")]
    Command,
    #[error("it is longer than {LONGEST} bytes, or a part of it is longer than {LONGEST_PART}")]
    Long,
    #[error("it has more than {DEEPEST} parts")]
    Deep,
    #[error("git could run commands from a folder with files named \".git\" or \"HEAD\"")]
    Git,
    #[error("the provider uses names that begin with {:?} or {:?} itself", OWN_PREFIXES[0], OWN_PREFIXES[1])]
    Reserved,
}

impl ArtifactPath {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names of the folders above the file, and its own name.
    pub fn split(&self) -> (impl Iterator<Item = &str>, &str) {
        let (folders, name) = self.0.rsplit_once('/').unwrap_or(("", &self.0));
        let folders = folders.split('/').filter(|part| !part.is_empty());
        (folders, name)
    }
}

impl FromStr for ArtifactPath {
    type Err = ArtifactPathError;

    fn from_str(text: &str) -> Result<Self, ArtifactPathError> {
        if text.len() > LONGEST || text.split('/').any(|part| part.len() > LONGEST_PART) {
            return Err(ArtifactPathError::Long);
        }
        if text.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(ArtifactPathError::Part);
        }
        if text.chars().any(|one| one.is_control() || one == '\\') || visible(text) != text {
            return Err(ArtifactPathError::Character);
        }
        if text.split('/').any(|part| part.starts_with('-')) {
            return Err(ArtifactPathError::Hyphen);
        }
        // GitHub and Azure run commands in the output of their jobs.
        if text.contains("##") || text.contains("::") {
            return Err(ArtifactPathError::Command);
        }
        if text.split('/').count() > DEEPEST {
            return Err(ArtifactPathError::Deep);
        }
        // A folder with `HEAD`, `objects` and `refs` is a repository, too.
        let is_git =
            |part: &str| [".git", "git~1", "HEAD"].map(|name| part.eq_ignore_ascii_case(name));
        if text.split('/').any(|part| is_git(part).contains(&true)) {
            return Err(ArtifactPathError::Git);
        }
        let is_own = |part: &str| {
            let part = part.to_ascii_lowercase();
            OWN_PREFIXES.iter().any(|own| part.starts_with(own))
        };
        if text.split('/').any(is_own) {
            return Err(ArtifactPathError::Reserved);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ArtifactPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_in_its_folder() {
        let long = "a".repeat(256);
        let deep = vec!["a"; 33].join("/");
        let whole = vec!["a".repeat(200); 6].join("/");
        for (text, why) in [
            ("", ArtifactPathError::Part),
            ("/etc/passwd", ArtifactPathError::Part),
            ("a//b", ArtifactPathError::Part),
            ("a/", ArtifactPathError::Part),
            ("..", ArtifactPathError::Part),
            ("a/../b", ArtifactPathError::Part),
            ("./a", ArtifactPathError::Part),
            ("a\0b", ArtifactPathError::Character),
            ("a\nb", ArtifactPathError::Character),
            ("a\\..\\b", ArtifactPathError::Character),
            (&long, ArtifactPathError::Long),
            (&whole, ArtifactPathError::Long),
            (&deep, ArtifactPathError::Deep),
            (".git/config", ArtifactPathError::Git),
            ("a/.GIT/hooks/post-commit", ArtifactPathError::Git),
            ("HEAD", ArtifactPathError::Git),
            ("a/head", ArtifactPathError::Git),
            (".flower-unfinished-1", ArtifactPathError::Reserved),
            ("a/Flower-artifacts.json", ArtifactPathError::Reserved),
            ("-rf", ArtifactPathError::Hyphen),
            (
                "##vso[task.setvariable variable=A]b",
                ArtifactPathError::Command,
            ),
            ("::add-mask::a", ArtifactPathError::Command),
            ("a\u{202e}b", ArtifactPathError::Character),
            ("a\u{200b}b", ArtifactPathError::Character),
        ] {
            assert_eq!(text.parse::<ArtifactPath>(), Err(why), "{text:?}");
        }
        for text in [
            "model.npz",
            "a/b c/ü.bin",
            "..a",
            "a/x.flower-x",
            ".hidden",
            "a-b",
        ] {
            assert_eq!(text.parse::<ArtifactPath>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_path_is_folders_and_a_name() {
        let path: ArtifactPath = "a/b/c".parse().unwrap();
        let (folders, name) = path.split();
        assert_eq!((folders.collect::<Vec<_>>(), name), (vec!["a", "b"], "c"));
        let path: ArtifactPath = "c".parse().unwrap();
        let (mut folders, name) = path.split();
        assert_eq!((folders.next(), name), (None, "c"));
    }
}
