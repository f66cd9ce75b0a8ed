//! HTML that is written piece by piece, and the only way of foreign text into it.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use crate::terminal::visible;

/// How many characters of a name, a word or a URL are shown.
pub(super) const NAME: usize = 200;
/// How many characters of a value, a reason or a line of a log are shown.
pub(super) const SENTENCE: usize = 600;
/// How many characters of Flower's details on the status are shown.
pub(super) const PARAGRAPH: usize = 4000;

/// The text so far. `write!` works on it and returns nothing: a `String` takes everything.
#[derive(Debug, Default)]
pub(super) struct Out(String);

impl Out {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    pub(super) fn write_fmt(&mut self, arguments: fmt::Arguments<'_>) {
        let _ = self.0.write_fmt(arguments);
    }

    pub(super) fn push(&mut self, markup: &str) {
        self.0.push_str(markup);
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

/// Foreign text, cleaned and cut. As HTML it is safe in an element and in a quoted attribute.
#[derive(Debug)]
pub(super) struct Text<'a>(Cow<'a, str>);

/// Foreign text on one line.
pub(super) fn line(text: &str, most: usize) -> Text<'_> {
    let text = cut(text, most);
    let breaks = |c: char| matches!(c, '\n' | '\t');
    Text(if text.contains(breaks) {
        let words = text.split(breaks).filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join(" ").into()
    } else {
        text
    })
}

/// Foreign text of several lines.
pub(super) fn block(text: &str, most: usize) -> Text<'_> {
    Text(cut(text, most))
}

/// A name or a word.
pub(super) fn name(text: &str) -> Text<'_> {
    line(text, NAME)
}

impl Text<'_> {
    /// The cleaned text, for Markdown to escape in its own way.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = &*self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
            f.write_str(before)?;
            let mut chars = from.chars();
            f.write_str(match chars.next() {
                Some('&') => "&amp;",
                Some('<') => "&lt;",
                Some('>') => "&gt;",
                Some('"') => "&quot;",
                Some(_) => "&#39;",
                None => "",
            })?;
            rest = chars.as_str();
        }
        f.write_str(rest)
    }
}

/// The first characters of the visible text, and how many more there are. Unlike
/// [`crate::terminal::shortened`] it does not read numbers out of the text, which may be hostile.
fn cut(text: &str, most: usize) -> Cow<'_, str> {
    let shown = visible(text);
    let Some((end, _)) = shown.char_indices().nth(most) else {
        return shown;
    };
    let (kept, rest) = shown.split_at_checked(end).unwrap_or((&shown, ""));
    format!("{kept} … ({} more characters)", rest.chars().count()).into()
}

/// Begins a section with its heading.
pub(super) fn open_section(out: &mut Out, id: &str, heading: &str) {
    writeln!(
        out,
        "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{heading}</h2>"
    );
}

/// Why a section has nothing to show, or what it leaves out.
pub(super) fn note(out: &mut Out, text: fmt::Arguments<'_>) {
    writeln!(out, "<p class=\"note\">{text}</p>");
}

/// Begins a table that scrolls by itself where the screen is narrow. A keyboard reaches it, too.
pub(super) fn open_table(out: &mut Out, id: &str, caption: fmt::Arguments<'_>, class: &str) {
    writeln!(
        out,
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-labelledby=\"{id}\">\
         <table class=\"{class}\">\n<caption id=\"{id}\">{caption}</caption>"
    );
}

/// Ends what [`open_table`] began.
pub(super) const CLOSE_TABLE: &str = "</tbody>\n</table></div>\n";
