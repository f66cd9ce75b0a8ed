//! Log text as a terminal shows it: without colours, with only the last step of a progress bar, and
//! with long lines cut, so that a diagnostic and the state can contain it. Every reader of logs
//! uses this module; it depends on no other module of the provider.

use std::borrow::Cow;

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

/// How many bytes of a line to keep: a program that never ends its line must not fill our memory.
pub(crate) const LONGEST: usize = 16 << 10;

const CUT: &str = " … (";
const CUT_END: &str = " more characters)";

/// Whether a character is invisible or changes how its neighbours are read: text direction, tags,
/// blanks of every kind. Such characters can mislead the reader of a log or an error.
fn is_invisible(c: char) -> bool {
    // Joiners are part of the letters and emoji that they join.
    let joins = matches!(c, '\u{200c}' | '\u{200d}');
    let is_blank = matches!(
        c,
        '\u{34f}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{17b4}'
            | '\u{17b5}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{ffa0}'
            | '\u{e0100}'..='\u{e01ef}'
    );
    is_blank || (!c.is_ascii() && !joins && c.general_category() == GeneralCategory::Format)
}

/// The text without invisible characters and without control characters.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    let hidden = |c: char| is_invisible(c) || (c.is_control() && !matches!(c, '\n' | '\t'));
    if text.contains(hidden) {
        text.replace(hidden, "").into()
    } else {
        text.into()
    }
}

/// The text without escape sequences, invisible characters and control characters, except those
/// that move the cursor: line ends, tabs, carriage returns and backspaces.
pub(crate) fn uncoloured(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    loop {
        // Most of a log are plain runs.
        let end = rest.bytes().position(is_special).unwrap_or(rest.len());
        let (run, special) = rest.split_at_checked(end).unwrap_or((rest, ""));
        out.push_str(run);
        let mut chars = special.chars();
        match chars.next() {
            None => return out,
            Some('\u{1b}') => rest = after_escape(chars.as_str()),
            Some(c) => {
                if !(c.is_control() || is_invisible(c)) {
                    out.push(c);
                }
                rest = chars.as_str();
            }
        }
    }
}

/// Whether a byte begins more than a character that is shown as it is, or moves the cursor.
const fn is_special(byte: u8) -> bool {
    let moves = matches!(byte, b'\n' | b'\t' | b'\r' | 8);
    byte < b' ' && !moves || byte >= 0x7f
}

/// The text after an escape sequence.
fn after_escape(text: &str) -> &str {
    let mut chars = text.chars();
    match chars.next() {
        // CSI: parameters, then one final character.
        Some('[') => while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
        // OSC: up to BEL or ESC \.
        Some(']') => {
            while let Some(c) = chars.next() {
                let ends = c == '\u{1b}' && chars.as_str().starts_with('\\');
                if ends {
                    chars.next();
                }
                if ends || c == '\u{7}' {
                    break;
                }
            }
        }
        _ => {}
    }
    chars.as_str()
}

/// The text as a terminal finally shows it: of each line only the text after the last carriage
/// return, without the characters that a backspace deleted.
pub(crate) fn plain(text: &str) -> String {
    let text = uncoloured(text);
    let mut out = String::with_capacity(text.len());
    let mut line = 0;
    // Text after a carriage return replaces the line, unless the return belongs to the line end.
    let mut returned = false;
    for c in text.chars() {
        match c {
            '\n' => {
                out.push(c);
                line = out.len();
                returned = false;
            }
            '\r' => returned = true,
            '\u{8}' if out.len() > line && !returned => drop(out.pop()),
            '\u{8}' => {}
            c => {
                if returned {
                    out.truncate(line);
                    returned = false;
                }
                out.push(c);
            }
        }
    }
    out
}

/// The first `most` characters of a line, and how many more there are.
pub(crate) fn shortened(line: &str, most: usize) -> Cow<'_, str> {
    // An earlier call may have cut the line already.
    let (kept, before) = marked(line);
    match kept.char_indices().nth(most) {
        None => line.into(),
        Some((end, _)) => {
            let (kept, rest) = kept.split_at_checked(end).unwrap_or((kept, ""));
            format!(
                "{kept}{}",
                mark(before.saturating_add(rest.chars().count()))
            )
            .into()
        }
    }
}

fn mark(more: usize) -> String {
    format!("{CUT}{more}{CUT_END}")
}

fn marked(line: &str) -> (&str, usize) {
    let mark = line
        .strip_suffix(CUT_END)
        .and_then(|line| line.rsplit_once(CUT));
    mark.and_then(|(kept, more)| Some((kept, more.parse().ok()?)))
        .unwrap_or((line, 0))
}

/// The lines of a complete text.
pub(crate) fn lines(text: &str) -> Vec<String> {
    let mut shown = Vec::new();
    let mut lines = Lines::default();
    lines.add(text.as_bytes(), |line| {
        shown.push(line.to_owned());
        None::<()>
    });
    shown.extend(lines.rest());
    shown
}

/// Splits a log that arrives in pieces into lines; a piece may end anywhere.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// The beginning of the current, unfinished line.
    begun: Vec<u8>,
    /// How many characters of this line were dropped.
    dropped: usize,
    /// Whether the line so far ends with a carriage return.
    returned: bool,
}

impl Lines {
    /// Returns the result of `found` for the first line that it accepts; later lines of this piece
    /// are skipped.
    pub(crate) fn add<T>(
        &mut self,
        piece: &[u8],
        mut found: impl FnMut(&str) -> Option<T>,
    ) -> Option<T> {
        let mut parts = piece.split(|byte| *byte == b'\n');
        self.begin(parts.next().unwrap_or_default());
        let mut answer = None;
        for part in parts {
            let line = self.take();
            self.begin(part);
            if answer.is_none() {
                answer = found(&line);
            }
        }
        answer
    }

    /// The last line, if it has no line end.
    pub(crate) fn rest(mut self) -> Option<String> {
        (!self.begun.is_empty()).then(|| self.take())
    }

    /// Adds a part of one line.
    fn begin(&mut self, part: &[u8]) {
        let ends = part.iter().rev().take_while(|byte| **byte == b'\r').count();
        let (mut shown, _) = part
            .split_at_checked(part.len() - ends)
            .unwrap_or((part, &[]));
        if let Some(last) = shown.iter().rposition(|byte| *byte == b'\r') {
            shown = shown.get(last + 1..).unwrap_or_default();
            self.clear();
        } else if self.returned && !shown.is_empty() {
            self.clear();
        }
        let room = LONGEST.saturating_sub(self.begun.len()).min(shown.len());
        let (kept, rest) = shown.split_at_checked(room).unwrap_or((shown, &[]));
        self.begun.extend(kept);
        self.dropped += rest
            .iter()
            .filter(|byte| begins_a_character(**byte))
            .count();
        if ends > 0 {
            self.returned = true;
        }
    }

    fn clear(&mut self) {
        self.begun.clear();
        self.dropped = 0;
        self.returned = false;
    }

    fn take(&mut self) -> String {
        let line = plain(&String::from_utf8_lossy(&self.begun));
        let dropped = self.dropped;
        self.clear();
        if dropped == 0 {
            return line;
        }
        // The last character may have been cut in the middle.
        format!("{}{}", line.trim_end_matches('\u{FFFD}'), mark(dropped))
    }
}

/// Whether this byte begins a character in UTF-8.
const fn begins_a_character(byte: u8) -> bool {
    byte & 0xC0 != 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn what_turns_text_around_is_left_out() {
        assert_eq!(
            plain("a\u{202e}txt.exe\u{2066}\u{200b}\u{e0041}\u{3164}b"),
            "atxt.exeb"
        );
        // Joiners are part of the letters and emoji that they join.
        assert_eq!(
            plain("می\u{200c}خواهم 👩\u{200d}🔬"),
            "می\u{200c}خواهم 👩\u{200d}🔬"
        );
    }

    #[test]
    fn a_line_that_claims_any_length_is_cut() {
        let line = format!("{} … ({} more characters)", "x".repeat(9), usize::MAX);
        assert_eq!(
            shortened(&line, 3),
            format!("xxx … ({} more characters)", usize::MAX)
        );
    }

    #[test]
    fn a_sequence_that_never_ends_is_swallowed() {
        for text in ["\u{1b}", "\u{1b}[", "\u{1b}[38;5", "\u{1b}]0;title"] {
            assert_eq!(plain(text), "");
        }
    }

    #[test]
    fn a_progress_bar_is_its_last_step() {
        for (written, shown) in [
            ("\r0%\r50%\r100%\nnext", "100%\nnext"),
            ("50%\r100%\r\nnext\r\n", "100%\nnext\n"),
            ("100%\r", "100%"),
            ("long line\rx", "x"),
            ("a\r\r\nb", "a\nb"),
            ("\u{1b}[2K\r1%\u{1b}[2K\r2%", "2%"),
            ("|\u{8}/\u{8}-\u{8} done", " done"),
            ("abc\u{8} \u{8}d\n\u{8}e", "abd\ne"),
        ] {
            assert_eq!(plain(written), shown, "{written:?}");
        }
    }

    #[test]
    fn lines_are_the_same_in_whatever_pieces_they_come() {
        let long = "é".repeat(LONGEST);
        let written = format!("\r1%\r2%\r\nzwölf\nab\r\n\n{long}\nbar 1\rbar 2\r\u{1b}[0mend");
        let cut = format!(
            "{} … ({} more characters)",
            "é".repeat(LONGEST / 2),
            LONGEST / 2
        );
        let expected = ["2%", "zwölf", "ab", "", &cut, "end"];
        assert_eq!(lines(&written), expected);
        for size in [1, 2, 3, 7, 4096] {
            let mut seen = Vec::new();
            let mut pieces = Lines::default();
            for piece in written.as_bytes().chunks(size) {
                let none: Option<()> = pieces.add(piece, |line| {
                    seen.push(line.to_owned());
                    None
                });
                assert_eq!(none, None);
            }
            seen.extend(pieces.rest());
            assert_eq!(seen, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn what_has_no_end_is_not_kept() {
        let mut lines = Lines::default();
        let piece = vec![b'x'; 1 << 16];
        for _ in 0..100 {
            assert_eq!(lines.add(&piece, |_| Some(())), None);
        }
        assert!(lines.begun.len() <= LONGEST);
        let line = lines.add(b"\n", |line| Some(line.to_owned())).unwrap();
        let more = (100 << 16) - LONGEST;
        assert!(line.ends_with(&format!("x … ({more} more characters)")));
        assert_eq!(
            shortened(&line, 10),
            format!("xxxxxxxxxx … ({} more characters)", (100 << 16) - 10)
        );
    }

    #[test]
    fn a_long_line_says_how_much_of_it_is_missing() {
        assert_eq!(shortened("zwölf", 5), "zwölf");
        assert_eq!(shortened("zwölf", 3), "zwö … (2 more characters)");
        assert_eq!(shortened("", 0), "");
    }
}
