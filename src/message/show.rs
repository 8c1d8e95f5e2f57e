//! Text that came from elsewhere, fit for a line that people read.

use std::borrow::Cow;

/// The text on one line, with nothing in it that a terminal obeys or that reorders what is read:
/// each such character becomes U+FFFD.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    if text.contains(is_unsafe) {
        Cow::Owned(text.chars().map(|c| if is_unsafe(c) { '\u{fffd}' } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Control characters (C0, DEL, C1), the two line breaks of Unicode, and the marks that make text
/// run the other way, with which a name can be shown as another (UAX #9).
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_replaced_and_the_rest_stays() {
        assert_eq!(one_line("naïve ü 漢字 'x' \"y\" \\"), "naïve ü 漢字 'x' \"y\" \\");
        for hostile in "\0\x07\x08\t\n\r\x1b\x7f\u{85}\u{9b}\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\
                        \u{202a}\u{202e}\u{2066}\u{2069}"
            .chars()
        {
            assert_eq!(one_line(&format!("a{hostile}[31mb")), "a\u{fffd}[31mb", "{hostile:?}");
        }
    }
}
