//! What a terminal is shown: colours if it wants them, and nothing that it would obey.

use std::borrow::Cow;
use std::env;
use std::io::IsTerminal;

/// Whether, and how, text is coloured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    colours: bool,
}

impl Style {
    /// Never a colour.
    #[cfg(test)]
    pub(crate) const PLAIN: Self = Self { colours: false };

    /// Colours for a terminal, unless `NO_COLOR` is set (<https://no-color.org>) or it is a dumb
    /// one.
    pub(crate) fn of(stream: &impl IsTerminal) -> Self {
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { colours: stream.is_terminal() && !unwanted }
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub(crate) fn odd(self, text: &str) -> String {
        self.paint("33", text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    pub(crate) fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(crate) fn strong(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// The text with what a terminal obeys, or what reorders or breaks a line, made visible.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unsafe(c) {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// Control characters (C0, DEL, C1), the two Unicode line breaks, and the marks that make text
/// run the other way, with which a name can be shown as another.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_made_visible_and_the_rest_stays() {
        assert_eq!(escape("naïve ü 漢字"), "naïve ü 漢字");
        assert_eq!(escape("a\x1b[2Jb\r\n"), "a\\u{1b}[2Jb\\r\\n");
        assert_eq!(
            escape("\u{9b}31m\u{7f}\u{202e}x\u{2028}"),
            "\\u{9b}31m\\u{7f}\\u{202e}x\\u{2028}"
        );
    }

    #[test]
    fn without_colours_text_is_left_alone() {
        assert_eq!(Style::PLAIN.bad("x"), "x");
        assert_eq!(Style { colours: true }.bad("x"), "\x1b[31mx\x1b[0m");
    }
}
