//! A gitignore pattern, with exactly the meaning of Python's `pathspec`.
//!
//! `pathspec` converts a pattern into a regular expression and searches the path of a *file*; it
//! never looks at directories. This differs from Git and from the `ignore` crate (a file below an
//! excluded directory can be included again, a bracket can match a slash), and decides which files
//! ship. So this module compiles a pattern into the same few steps, and matches a path in time
//! proportional to pattern times path.

use super::python_text::rstrip;

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(super) struct Glob {
    /// `false` for a pattern that starts with `!`.
    pub(super) include: bool,
    body: Body,
}

/// A pattern that cannot be compiled; Flower stops at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadGlob(pub(super) &'static str);

#[derive(Debug, Clone)]
enum Body {
    /// Every path.
    Anything,
    /// Every path below a directory.
    BelowRoot,
    /// A sequence that must match from the start of the path.
    Steps(Vec<Step>),
}

#[derive(Debug, Clone)]
enum Step {
    One(Atom),
    Many(Atom),
    /// The next steps, this many, are optional.
    Optional(usize),
    /// The end of the path or of one of its directories.
    Boundary,
}

#[derive(Debug, Clone)]
enum Atom {
    Literal(char),
    NotSlash,
    NotNewline,
    Set {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

/// Why a segment cannot be compiled.
enum Fault {
    /// An unclosed bracket, with which Git ignores the pattern.
    Discard,
    Bad(BadGlob),
}

impl Glob {
    /// Compiles a line. `None` for a line without a pattern: blank, a comment, a single slash, an
    /// unclosed bracket.
    pub(super) fn compile(line: &str) -> Result<Option<Self>, BadGlob> {
        let line = if line.ends_with("\\ ") {
            line
        } else {
            rstrip(line)
        };
        if line.is_empty() || line.starts_with('#') || line == "/" {
            return Ok(None);
        }
        let (include, pattern) = match line.strip_prefix('!') {
            Some(rest) => (false, rest),
            None => (true, line),
        };
        let segments = normalize(pattern)?;
        let only_directories = pattern.ends_with('/');
        let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
        let body = match parts.as_slice() {
            ["**"] if only_directories => Body::BelowRoot,
            ["**"] | ["**", "*"] => Body::Anything,
            ["**", "*", "**"] => Body::BelowRoot,
            parts => match steps(parts) {
                Ok(steps) => Body::Steps(steps),
                Err(Fault::Discard) => return Ok(None),
                Err(Fault::Bad(bad)) => return Err(bad),
            },
        };
        Ok(Some(Self { include, body }))
    }

    /// Whether the pattern, without its sign, matches the path of a file.
    pub(super) fn matches(&self, path: &[char]) -> bool {
        match &self.body {
            Body::Anything => path.iter().any(|c| *c != '\n'),
            Body::BelowRoot => path.contains(&'/'),
            Body::Steps(steps) => run(steps, path),
        }
    }
}

/// Splits a pattern at its slashes and makes the implied `**` explicit.
fn normalize(pattern: &str) -> Result<Vec<String>, BadGlob> {
    let mut segments: Vec<String> = pattern.split('/').map(str::to_owned).collect();
    match segments.as_slice() {
        [first, ..] if first.is_empty() => {
            segments.remove(0);
        }
        // A single name, also of a directory, matches at every depth.
        [name] if name != "**" => segments.insert(0, "**".to_owned()),
        [name, last] if last.is_empty() && name != "**" => segments.insert(0, "**".to_owned()),
        _ => {}
    }
    match segments.last_mut() {
        None => return Err(BadGlob("it has no parts")),
        Some(last) if last.is_empty() => "**".clone_into(last),
        Some(_) => {}
    }
    segments.dedup_by(|next, before| next == "**" && before == "**");
    Ok(segments)
}

fn steps(segments: &[&str]) -> Result<Vec<Step>, Fault> {
    let slash = || Step::One(Atom::Literal('/'));
    let mut out = Vec::new();
    let mut need_slash = false;
    let mut bad_range = None;
    let last = segments.len().saturating_sub(1);
    for (index, segment) in segments.iter().enumerate() {
        if *segment == "**" {
            if index == 0 {
                out.push(Step::Optional(3));
                out.push(Step::One(Atom::NotNewline));
                out.push(Step::Many(Atom::NotNewline));
                out.push(slash());
            } else if index < last {
                out.push(Step::Optional(3));
                out.push(slash());
                out.push(Step::One(Atom::NotNewline));
                out.push(Step::Many(Atom::NotNewline));
                need_slash = true;
            } else {
                out.push(slash());
            }
            continue;
        }
        if need_slash {
            out.push(slash());
        }
        if *segment == "*" {
            out.push(Step::One(Atom::NotSlash));
            out.push(Step::Many(Atom::NotSlash));
        } else {
            compile_segment(segment, &mut out, &mut bad_range)?;
        }
        if index == last {
            out.push(Step::Boundary);
        }
        need_slash = true;
    }
    bad_range.map_or(Ok(out), |bad| Err(Fault::Bad(bad)))
}

/// An invalid range is stored and not returned: a later unclosed bracket discards the whole
/// pattern.
fn compile_segment(
    segment: &str,
    out: &mut Vec<Step>,
    bad_range: &mut Option<BadGlob>,
) -> Result<(), Fault> {
    let mut chars = segment.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => match chars.next() {
                Some(escaped) => Step::One(Atom::Literal(escaped)),
                None => {
                    return Err(Fault::Bad(BadGlob(
                        "one of its parts ends with a backslash",
                    )));
                }
            },
            '*' => Step::Many(Atom::NotSlash),
            '?' => Step::One(Atom::NotSlash),
            '[' => {
                let (set, rest) = bracket(chars.as_str(), bad_range).ok_or(Fault::Discard)?;
                chars = rest.chars();
                Step::One(set)
            }
            c => Step::One(Atom::Literal(c)),
        });
    }
    Ok(())
}

/// Reads a bracket expression after its `[`. `None` if it is not closed.
fn bracket<'a>(text: &'a str, bad_range: &mut Option<BadGlob>) -> Option<(Atom, &'a str)> {
    let (negated, inner) = match text.strip_prefix(['!', '^']) {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    // A `]` at the start is a member.
    let skip = usize::from(inner.starts_with(']'));
    let close = skip + inner.get(skip..)?.find(']')?;
    let members: Vec<char> = inner.get(..close)?.chars().collect();
    let mut ranges = Vec::new();
    let mut rest = members.as_slice();
    loop {
        rest = match rest {
            [] => break,
            [low, '-', high, tail @ ..] => {
                if high < low {
                    *bad_range = Some(BadGlob("a range in brackets is in reverse order"));
                }
                ranges.push((*low, *high));
                tail
            }
            [one, tail @ ..] => {
                ranges.push((*one, *one));
                tail
            }
        };
    }
    Some((Atom::Set { negated, ranges }, inner.get(close + 1..)?))
}

impl Atom {
    fn accepts(&self, c: char) -> bool {
        match self {
            Self::Literal(literal) => *literal == c,
            Self::NotSlash => c != '/',
            Self::NotNewline => c != '\n',
            Self::Set { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
            }
        }
    }
}

/// Searches depth first, and never tries a position twice: no pattern can make this slow.
fn run(steps: &[Step], path: &[char]) -> bool {
    let width = path.len() + 1;
    let mut seen = vec![false; steps.len() * width];
    let mut pending = vec![(0, 0)];
    while let Some((step, at)) = pending.pop() {
        let Some(current) = steps.get(step) else {
            return true;
        };
        match seen.get_mut(step * width + at) {
            Some(flag) if !*flag => *flag = true,
            _ => continue,
        }
        let next = path.get(at).copied();
        match current {
            Step::One(atom) => {
                if next.is_some_and(|c| atom.accepts(c)) {
                    pending.push((step + 1, at + 1));
                }
            }
            Step::Many(atom) => {
                pending.push((step + 1, at));
                if next.is_some_and(|c| atom.accepts(c)) {
                    pending.push((step, at + 1));
                }
            }
            Step::Optional(count) => {
                pending.push((step + 1 + count, at));
                pending.push((step + 1, at));
            }
            Step::Boundary => {
                // Python's `$` also matches before a newline at the very end.
                let end = next.is_none() || (next == Some('\n') && at + 1 == path.len());
                if end || next == Some('/') {
                    return true;
                }
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(pattern: &str, path: &str) -> bool {
        let path: Vec<char> = path.chars().collect();
        Glob::compile(pattern)
            .unwrap()
            .is_some_and(|glob| glob.matches(&path))
    }

    #[test]
    fn names_match_at_every_depth_and_paths_from_the_root() {
        assert!(hits("*.py", "a/b/c.py"));
        assert!(hits("a", "x/a/b.py"));
        assert!(!hits("a", "x/ab.py"));
        assert!(hits("lib/**", "lib/x.py"));
        assert!(!hits("lib/**", "a/lib/x.py"));
        assert!(hits("/a.py", "a.py"));
        assert!(!hits("/a.py", "x/a.py"));
        assert!(hits("a/**/b", "a/b") && hits("a/**/b", "a/x/y/b/c"));
    }

    #[test]
    fn a_trailing_slash_means_what_is_below() {
        assert!(hits("out/", "out/x") && hits("out/", "a/out/x"));
        assert!(!hits("out/", "out"));
        assert!(hits("*/", "a/b") && !hits("*/", "a"));
    }

    #[test]
    fn brackets_follow_python() {
        assert!(hits("[a-c].py", "b.py") && !hits("[!a-c].py", "b.py"));
        assert!(hits("x[]]y", "x]y") && hits("x[a-]y", "x-y"));
        assert!(hits("/x[!a]y", "x/y"), "a bracket can match a slash");
        assert!(Glob::compile("x[a").unwrap().is_none());
        assert!(Glob::compile("[z-a]").is_err());
        assert!(Glob::compile("[z-a]/[a").unwrap().is_none());
    }

    #[test]
    fn lines_without_meaning_and_lines_that_stop_flower() {
        for line in ["", "  ", "# x", "/"] {
            assert!(Glob::compile(line).unwrap().is_none(), "{line:?}");
        }
        for line in ["!", "a\\", "a\\/b"] {
            assert!(Glob::compile(line).is_err(), "{line:?}");
        }
    }

    #[test]
    fn escapes_are_literal() {
        assert!(hits("\\#a", "#a") && hits("\\!a", "!a") && hits("a\\*", "a*"));
        assert!(hits("a\\ ", "a ") && !hits("a\\*", "ab"));
    }

    #[test]
    fn many_stars_stay_fast() {
        let pattern = "*a".repeat(200);
        assert!(!hits(&pattern, &"a".repeat(199)));
    }
}
