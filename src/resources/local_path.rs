//! Paths on this machine: one rule for every attribute that takes a path. Relative paths start in
//! the folder where Terraform runs, and `~/` is the home folder. The plan reports an invalid path
//! at its attribute.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::text_attribute;

/// Why a text is not a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocalPathError {
    #[error("it is empty")]
    Empty,
    #[error("it holds a line break or another control character")]
    Control,
    #[error("`~` stands for a home folder only before a slash, as in `~/folder`")]
    OtherHome,
    #[error("`~/` is your home folder, and the variable HOME is not set")]
    NoHome,
}

/// A path on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalPath {
    text: String,
    path: PathBuf,
}

impl LocalPath {
    /// The path as seen from the folder `here`.
    pub fn from(&self, here: &Path) -> PathBuf {
        here.join(&self.path)
    }

    fn parse(text: &str, home: Option<PathBuf>) -> Result<Self, LocalPathError> {
        if text.trim().is_empty() {
            return Err(LocalPathError::Empty);
        }
        if text.chars().any(char::is_control) {
            return Err(LocalPathError::Control);
        }
        let path = match text.strip_prefix('~') {
            None => PathBuf::from(text),
            Some(rest) if rest.is_empty() || rest.starts_with('/') => home
                .ok_or(LocalPathError::NoHome)?
                .join(rest.trim_start_matches('/')),
            Some(_) => return Err(LocalPathError::OtherHome),
        };
        Ok(Self {
            text: text.to_owned(),
            path,
        })
    }
}

impl FromStr for LocalPath {
    type Err = LocalPathError;

    fn from_str(text: &str) -> Result<Self, LocalPathError> {
        let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
        Self::parse(text, home.map(PathBuf::from))
    }
}

impl fmt::Display for LocalPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A program: a name to look up in PATH, or the path of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalProgram {
    Named(String),
    File(LocalPath),
}

impl LocalProgram {
    /// The command that starts it from any folder.
    pub fn command(&self, here: &Path) -> PathBuf {
        match self {
            Self::Named(name) => PathBuf::from(name),
            Self::File(path) => path.from(here),
        }
    }
}

impl FromStr for LocalProgram {
    type Err = LocalPathError;

    fn from_str(text: &str) -> Result<Self, LocalPathError> {
        let path: LocalPath = text.parse()?;
        let is_path = text.contains('/') || text == "~";
        Ok(if is_path {
            Self::File(path)
        } else {
            Self::Named(text.to_owned())
        })
    }
}

impl fmt::Display for LocalProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::File(path) => path.fmt(f),
        }
    }
}

text_attribute!(LocalPath, LocalProgram);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_of_the_working_folder_of_the_home_or_absolute() {
        let home = || Some(PathBuf::from("/home/jane doe"));
        for (text, expected) in [
            ("cache", "/here/cache"),
            ("./a b, 100%: ü", "/here/./a b, 100%: ü"),
            ("../cache", "/here/../cache"),
            ("/var/cache", "/var/cache"),
            ("~/cache", "/home/jane doe/cache"),
            ("~//cache", "/home/jane doe/cache"),
            ("~", "/home/jane doe/"),
            ("a~b", "/here/a~b"),
        ] {
            let path = LocalPath::parse(text, home()).unwrap();
            assert_eq!(path.from(Path::new("/here")), Path::new(expected), "{text}");
            assert_eq!(path.to_string(), text);
        }
    }

    #[test]
    fn what_can_be_no_path_is_refused_with_the_reason() {
        let home = || Some(PathBuf::from("/home/a"));
        for (text, home, expected) in [
            ("", home(), LocalPathError::Empty),
            ("  ", home(), LocalPathError::Empty),
            ("a\nb", home(), LocalPathError::Control),
            ("a\0b", home(), LocalPathError::Control),
            ("~jane/x", home(), LocalPathError::OtherHome),
            ("~/x", None, LocalPathError::NoHome),
        ] {
            assert_eq!(LocalPath::parse(text, home), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn a_program_is_a_name_or_a_file() {
        let here = Path::new("/here");
        for (text, expected) in [
            ("python3.12", "python3.12"),
            ("venv/bin/python", "/here/venv/bin/python"),
            ("./python", "/here/./python"),
            ("/usr/bin/python3", "/usr/bin/python3"),
        ] {
            let program: LocalProgram = text.parse().unwrap();
            assert_eq!(program.command(here), Path::new(expected), "{text}");
            assert_eq!(program.to_string(), text);
        }
        let empty = "".parse::<LocalProgram>();
        assert_eq!(empty, Err(LocalPathError::Empty));
    }
}
