//! The rules for the path of a file that does not come from a directory of this machine.
//!
//! An archive, a bundle or HCL can contain any text as a path. Nodes on Linux, macOS and Windows
//! unpack the app, so a path that could leave its folder on one of them is refused on all of them.
//! One path can be written in several ways; all sources compare the normalized form.

/// Why a text cannot be the path of a file in an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    #[error("it is empty")]
    Empty,
    #[error("it is absolute")]
    Absolute,
    #[error("it has a part \"..\"")]
    Parent,
    #[error("it starts with a Windows drive")]
    Drive,
    #[error("it contains a backslash")]
    Backslash,
    #[error("it contains a control character")]
    Control,
    #[error("it is longer than {limit} bytes")]
    TooLong { limit: usize },
    /// Only where a text is written by a person, who can write the normal form.
    #[error("it has an empty part or a part \".\"")]
    NotNormal,
}

impl PathFault {
    /// The remedy, for the author of the path.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Backslash => {
                "Use forward slashes. Some Windows programs, such as Compress-Archive of PowerShell \
                 5, write backslashes; `tar -czf` of Windows does not."
            }
            Self::TooLong { .. } => "Use a shorter path.",
            _ => "Use a relative path with forward slashes, such as \"my_app/server_app.py\".",
        }
    }
}

/// The path without empty parts and parts `.`. The root of an archive, often written `./`, becomes
/// the empty path.
pub(super) fn normalized(path: &str, longest: usize) -> Result<String, PathFault> {
    if path.len() > longest {
        return Err(PathFault::TooLong { limit: longest });
    }
    if path.chars().any(char::is_control) {
        return Err(PathFault::Control);
    }
    if path.contains('\\') {
        return Err(PathFault::Backslash);
    }
    if path.starts_with('/') {
        return Err(PathFault::Absolute);
    }
    let parts = || path.split('/').filter(|part| !matches!(*part, "" | "."));
    if parts().any(|part| part == "..") {
        return Err(PathFault::Parent);
    }
    if parts().next().is_some_and(is_drive) {
        return Err(PathFault::Drive);
    }
    let mut normal = String::with_capacity(path.len());
    for part in parts() {
        if !normal.is_empty() {
            normal.push('/');
        }
        normal.push_str(part);
    }
    Ok(normal)
}

/// Checks the path of a file that a person wrote, which must have the normal form.
pub(in crate::flower) fn check(path: &str, longest: usize) -> Result<(), PathFault> {
    let normal = normalized(path, longest)?;
    if normal.is_empty() {
        Err(PathFault::Empty)
    } else if normal != path {
        Err(PathFault::NotNormal)
    } else {
        Ok(())
    }
}

/// `C:` alone, before a slash, or before a name: `C:x.py` is relative to a folder of that drive.
fn is_drive(part: &str) -> bool {
    let mut chars = part.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic()) && chars.next() == Some(':')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_way_to_leave_the_folder_has_its_fault() {
        for (path, fault) in [
            ("/etc/passwd", PathFault::Absolute),
            ("//host/share", PathFault::Absolute),
            ("..", PathFault::Parent),
            ("a/../../b", PathFault::Parent),
            ("./..", PathFault::Parent),
            ("a/..", PathFault::Parent),
            ("C:/x.py", PathFault::Drive),
            ("c:x.py", PathFault::Drive),
            ("./C:/x.py", PathFault::Drive),
            ("a\\b.py", PathFault::Backslash),
            ("..\\b.py", PathFault::Backslash),
            ("\\\\host\\share", PathFault::Backslash),
            ("a\0b", PathFault::Control),
            ("a\nb", PathFault::Control),
            ("a\u{7f}", PathFault::Control),
            ("a\u{85}", PathFault::Control),
            ("a/b/c/d/e/f/g/h/i/j/k", PathFault::TooLong { limit: 20 }),
        ] {
            assert_eq!(normalized(path, 20), Err(fault), "{path:?}");
        }
    }

    #[test]
    fn one_path_has_one_normal_form() {
        for path in ["a/b.py", "./a/b.py", "././a//b.py", "a/./b.py", "a/b.py/"] {
            assert_eq!(normalized(path, 64).as_deref(), Ok("a/b.py"), "{path}");
        }
        for path in ["", ".", "./", "././"] {
            assert_eq!(normalized(path, 64).as_deref(), Ok(""), "{path}");
        }
        for path in ["..a/b..", "a/...", "é/\u{1F600}.py", "ab:c/d", "-", "a b"] {
            assert_eq!(normalized(path, 64).as_deref(), Ok(path), "{path}");
        }
    }

    #[test]
    fn a_person_writes_the_normal_form() {
        assert_eq!(check("a/b.py", 64), Ok(()));
        assert_eq!(check("", 64), Err(PathFault::Empty));
        assert_eq!(check("./", 64), Err(PathFault::Empty));
        for path in ["./a", "a//b", "a/", "a/."] {
            assert_eq!(check(path, 64), Err(PathFault::NotNormal), "{path}");
        }
    }

    proptest! {
        #[test]
        fn a_normal_path_stays_below_its_folder(path in "[./a:\\\\\u{0}é]{0,12}") {
            if let Ok(normal) = normalized(&path, 64) {
                prop_assert_eq!(normalized(&normal, 64), Ok(normal.clone()));
                let joined = std::path::Path::new("/root").join(&normal);
                prop_assert!(joined.starts_with("/root"));
                for part in joined.components() {
                    prop_assert_ne!(part, std::path::Component::ParentDir);
                }
            }
        }
    }
}
