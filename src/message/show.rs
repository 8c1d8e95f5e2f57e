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

/// The text without the user information of the URLs in it, wherever a browser would find some
/// (WHATWG URL): behind `http:` and any slashes, or behind two slashes, which may lean either way.
/// In doubt more goes than must.
pub(crate) fn without_userinfo(text: &str) -> Cow<'_, str> {
    if !text.contains('@') {
        return Cow::Borrowed(text);
    }
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, from)) = authority_at(rest).and_then(|at| rest.split_at_checked(at)) {
        let end = from.find(['/', '\\', '?', '#']).unwrap_or(from.len());
        let (authority, behind) = from.split_at(end);
        shown.push_str(before);
        match authority.rsplit_once('@') {
            Some((_, host)) => shown.extend([REDACTED, "@", host]),
            None => shown.push_str(authority),
        }
        rest = behind;
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// Where the first authority of a URL may begin.
fn authority_at(text: &str) -> Option<usize> {
    let is_slash = |byte: &u8| matches!(byte, b'/' | b'\\' | b'\t');
    let bytes = text.as_bytes();
    (0..bytes.len()).find_map(|at| {
        let rest = bytes.get(at..)?;
        let begins = |scheme: &str| {
            rest.get(..scheme.len())?
                .eq_ignore_ascii_case(scheme.as_bytes())
                .then_some(scheme.len())
        };
        let skipped = begins("http:").or_else(|| begins("https:")).or_else(|| {
            (rest.first().is_some_and(is_slash) && rest.get(1).is_some_and(is_slash)).then_some(2)
        })?;
        let slashes = rest.iter().skip(skipped).take_while(|byte| is_slash(byte)).count();
        Some(at + skipped + slashes)
    })
}

/// What stands in the place of a secret.
pub(crate) const REDACTED: &str = "[redacted]";

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
    fn user_information_goes_and_everything_else_stays() {
        for (text, shown) in [
            ("http://u:p@h/a@b?c@d", "http://[redacted]@h/a@b?c@d"),
            ("<http://u:p@h/>; rel=x, <//v@i>", "<http://[redacted]@h/>; rel=x, <//[redacted]@i>"),
            ("http://u:p@q@h", "http://[redacted]@h"),
            ("http://h/ mail a@b", "http://h/ mail a@b"),
            ("a@b", "a@b"),
            ("http:////u@h", "http:////[redacted]@h"),
        ] {
            assert_eq!(without_userinfo(text), shown);
        }
    }

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
