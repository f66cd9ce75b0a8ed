//! Takes the colours out of log text, so that it can stand in a diagnostic and in state. Everything
//! that reads a log uses it, and it uses nothing of ours.

/// The text without escape sequences and without control characters other than line ends and tabs.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            if !c.is_control() || matches!(c, '\n' | '\t') {
                out.push(c);
            }
            continue;
        }
        match chars.next() {
            // CSI: parameters, then one final character.
            Some('[') => while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
            // OSC: up to BEL or ESC \.
            Some(']') => {
                while let Some(c) = chars.next() {
                    if c == '\u{7}' || (c == '\u{1b}' && chars.next_if_eq(&'\\').is_some()) {
                        break;
                    }
                }
            }
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn only_the_words_remain() {
        assert_eq!(
            plain("\u{1b}[92mINFO \u{1b}[0m:      done\r\n\tx"),
            "INFO :      done\n\tx"
        );
        assert_eq!(
            plain("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]0;t\u{7}!"),
            "link!"
        );
        assert_eq!(plain("äß 🌸"), "äß 🌸");
    }

    #[test]
    fn a_sequence_that_never_ends_is_swallowed() {
        for text in ["\u{1b}", "\u{1b}[", "\u{1b}[38;5", "\u{1b}]0;title"] {
            assert_eq!(plain(text), "");
        }
    }
}
