//! Error output of pip and uv: the cause, and the lines to show. They never include the password of
//! an index.

use super::super::super::{InstallFault, RuntimeError};

/// The maximum number of lines to show.
const SHOWN: usize = 8;

pub(super) fn failed(version: &str, fault: InstallFault, words: &str) -> RuntimeError {
    RuntimeError::Environment {
        version: version.to_owned(),
        fault,
        words: last_lines(words),
    }
}

/// The last lines that are not blank, indented.
pub(super) fn last_lines(words: &str) -> String {
    let words = without_passwords(words);
    let lines: Vec<_> = words
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let from = lines.len().saturating_sub(SHOWN);
    let last = lines.get(from..).unwrap_or_default().iter();
    let last: Vec<_> = last.map(|line| format!("  {line}")).collect();
    last.join("\n")
}

/// The text with user names and passwords in URLs replaced: `https://***@host/`.
pub(super) fn without_passwords(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let ends = |c: char| c.is_whitespace() || "/?#".contains(c);
        let (authority, behind) = after.split_at(after.find(ends).unwrap_or(after.len()));
        if let Some((_, host)) = authority.rsplit_once('@') {
            shown.push_str("***@");
            shown.push_str(host);
        } else {
            shown.push_str(authority);
        }
        rest = behind;
    }
    shown.push_str(rest);
    shown
}

/// The fault that the output of pip or uv means.
pub(super) fn fault(requirements: &[String], words: &str) -> InstallFault {
    // uv can wrap its lines anywhere.
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let says = |signs: &[&str]| signs.iter().any(|sign| words.contains(sign));
    // Without an index, pip finds no version of any package, and its last line says only that.
    if says(&UNREACHABLE) {
        return InstallFault::Unreachable;
    }
    if words.contains("ensurepip") {
        return InstallFault::NoVenv;
    }
    if says(&["Invalid requirement", "Invalid marker", "Failed to parse"]) {
        return InstallFault::Malformed;
    }
    let after = |sign: &str| Some(words.split_once(sign)?.1);
    let missing = after("No matching distribution found for ")
        .or_else(|| after("there is no version of "))
        .or_else(|| after("there are no versions of "))
        .or_else(|| {
            let (before, _) = words.split_once(" was not found in the package registry")?;
            before.rsplit(' ').next()
        });
    let Some(missing) = missing.and_then(|text| text.split(' ').next()) else {
        return if says(&["ResolutionImpossible", "No solution found"]) {
            InstallFault::Conflict
        } else {
            InstallFault::Other
        };
    };
    let name = name_of(missing);
    // pip lists the existing versions; a package that the index does not have has none.
    let has_none = words.contains("(from versions: none)") || words.contains("package registry");
    if name == "flwr" && has_none {
        InstallFault::NoFlower
    } else if name == "flwr" {
        InstallFault::NoRelease
    } else if requirements.iter().any(|one| name_of(one) == name) {
        InstallFault::NoRequirement(missing.to_owned())
    } else {
        InstallFault::NoDependency(missing.to_owned())
    }
}

/// The messages of pip and uv when a server does not answer.
const UNREACHABLE: [&str; 7] = [
    "connection broken by",
    "ConnectionError",
    "Could not connect",
    "error sending request",
    "dns error",
    "name resolution",
    "ReadTimeoutError",
];

/// The normalised name of the package in a requirement.
fn name_of(requirement: &str) -> String {
    let named = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name = requirement.trim_start().split(|c| !named(c)).next();
    name.unwrap_or_default()
        .to_ascii_lowercase()
        .replace(['_', '.'], "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_an_index_is_never_shown() {
        for (text, shown) in [
            (
                "https://user:canary@host/simple/",
                "https://***@host/simple/",
            ),
            (
                "at http://canary@h:1, or (https://u:can@ary@i)",
                "at http://***@h:1, or (https://***@i)",
            ),
            ("ssh://git@host/a?x=@", "ssh://***@host/a?x=@"),
            ("https://host/a@b a@b", "https://host/a@b a@b"),
            ("no URL at all", "no URL at all"),
        ] {
            assert_eq!(without_passwords(text), shown);
        }
        let error = failed(
            "1.42.0",
            InstallFault::Other,
            "ERROR: https://u:canary@h/x not found",
        );
        assert!(!error.to_string().contains("canary"), "{error}");
    }

    #[test]
    fn the_words_of_pip_and_uv_are_blamed_on_what_they_name() {
        let requirements = ["Sci_Kit.learn>=1".to_owned(), "nupmy".to_owned()];
        let pip = |name: &str| {
            format!(
                "ERROR: Could not find a version that satisfies the requirement {name} (from \
                 versions: none)\nERROR: No matching distribution found for {name}\n"
            )
        };
        let offline = "WARNING: Retrying (Retry(total=0)) after connection broken by \
                       'NewConnectionError': /simple/flwr/\n";
        let because = |words: &str| {
            format!("  × No solution found when resolving dependencies:\n  ╰─▶ {words}")
        };
        for (words, fault_of_it) in [
            (pip("flwr==1.42.99"), InstallFault::NoFlower),
            (
                pip("flwr==1.42.99").replace("none)", "1.41.0, 1.42.0)"),
                InstallFault::NoRelease,
            ),
            (
                pip("nupmy"),
                InstallFault::NoRequirement("nupmy".to_owned()),
            ),
            (
                pip("sci-kit-learn>=1"),
                InstallFault::NoRequirement("sci-kit-learn>=1".to_owned()),
            ),
            (
                pip("grpcio<2,>=1.62 (from flwr)"),
                InstallFault::NoDependency("grpcio<2,>=1.62".to_owned()),
            ),
            (
                format!("{offline}{}", pip("flwr==1.42.0")),
                InstallFault::Unreachable,
            ),
            (
                because("Because there is no version of\n      flwr==1.42.99 and you require it"),
                InstallFault::NoRelease,
            ),
            (
                because(
                    "Because nupmy was not found in the package registry and you require nupmy",
                ),
                InstallFault::NoRequirement("nupmy".to_owned()),
            ),
            (
                because("Because flwr==1.42.0 depends on numpy>=1.26 and you require numpy<1"),
                InstallFault::Conflict,
            ),
            (
                "ERROR: ResolutionImpossible: for help visit https://pip.pypa.io".to_owned(),
                InstallFault::Conflict,
            ),
            (
                "ERROR: Invalid requirement: 'numpy 2'".to_owned(),
                InstallFault::Malformed,
            ),
            (
                "The virtual environment was not created because ensurepip is not available"
                    .to_owned(),
                InstallFault::NoVenv,
            ),
            (
                "error: No space left on device".to_owned(),
                InstallFault::Other,
            ),
        ] {
            assert_eq!(fault(&requirements, &words), fault_of_it, "{words}");
        }
    }
}
