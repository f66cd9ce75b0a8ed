//! The package sources in pip's own files, for an installer that does not read these files.

use std::path::Path;

use super::surroundings::{Variables, is_pip_source};

/// The settings in pip's own files that select package sources, as variables. The input is the
/// output of `pip config list`: `global.index-url='https://…'`, with the settings of a command
/// after the global ones.
pub(super) fn pip_settings(list: &str, home: Option<&Path>) -> Variables {
    let mut found = Variables::new();
    for section in ["global.", "install."] {
        let lines = list
            .lines()
            .filter_map(|line| line.strip_prefix(section)?.split_once('='));
        for (setting, value) in lines.filter(|(setting, _)| is_pip_source(setting)) {
            let mut value = unquoted(value);
            if let (Some(rest), Some(home)) = (value.strip_prefix("~/"), home) {
                value = home.join(rest).display().to_string();
            }
            let name = format!("PIP_{}", setting.to_ascii_uppercase().replace('-', "_"));
            found.insert(name, value);
        }
    }
    found
}

/// The value of a Python string literal.
fn unquoted(text: &str) -> String {
    let text = text.trim();
    let inner = text
        .get(1..text.len().saturating_sub(1))
        .unwrap_or_default();
    let mut plain = String::new();
    let mut rest = inner.chars();
    while let Some(one) = rest.next() {
        match one {
            '\\' => match rest.next() {
                Some('n' | 't' | 'r') => plain.push(' '),
                Some(other) => plain.push(other),
                None => {}
            },
            other => plain.push(other),
        }
    }
    plain.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_pips_files_lead_to_an_index_and_nowhere_else() {
        let list = "global.index-url='https://u:p@one/simple'\nglobal.target='/elsewhere'\n\
                    global.user='true'\ninstall.extra-index-url='\\nhttps://two\\nhttps://three'\n\
                    install.index-url=\"https://it's/simple\"\nglobal.cert='~/ca.pem'\n\
                    :env:.timeout='9'\nfreeze.timeout='10'\n";
        let found = pip_settings(list, Some(Path::new("/home/a")));
        let expected = [
            ("PIP_CERT", "/home/a/ca.pem"),
            ("PIP_EXTRA_INDEX_URL", "https://two https://three"),
            ("PIP_INDEX_URL", "https://it's/simple"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(found, Variables::from(expected));
    }
}
