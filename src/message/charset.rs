//! Text in other charsets than UTF-8. The only module that names `encoding_rs`.

use std::borrow::Cow;

use encoding_rs::Encoding;

/// The text of `bytes` by their byte order mark, or else by the charset that a Content-Type names;
/// `None` if there is no mark, and no charset that is known. A mark wins over the label, as the
/// WHATWG Encoding Standard says, and is left out.
pub(super) fn decode<'a>(content_type: Option<&str>, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
    let encoding = match Encoding::for_bom(bytes) {
        Some((encoding, _)) => encoding,
        None => Encoding::for_label(charset(content_type?)?.as_bytes())?,
    };
    Some(encoding.decode(bytes).0)
}

/// The first `charset` parameter of a media type (RFC 9110 §8.3.1).
fn charset(content_type: &str) -> Option<&str> {
    let (_, mut rest) = content_type.split_once(';')?;
    loop {
        let (parameter, next) = first_parameter(rest);
        if let Some((name, value)) = parameter.split_once('=')
            && name.trim().eq_ignore_ascii_case("charset")
        {
            // Some servers write single quotes, which are none.
            return Some(value.trim().trim_matches(['"', '\'']));
        }
        rest = next?;
    }
}

/// The parameter up to the next semicolon that is not within quotes, and what is behind that.
fn first_parameter(text: &str) -> (&str, Option<&str>) {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b';' if !quoted => {
                return match text.split_at_checked(at) {
                    Some((parameter, rest)) => (parameter, rest.get(1..)),
                    None => (text, None),
                };
            }
            _ => {}
        }
    }
    (text, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_charset_parameter_is_obeyed() {
        let latin1 = decode(Some("text/html; a=b; Charset=\"ISO-8859-1\""), b"caf\xe9");
        assert_eq!(latin1.as_deref(), Some("café"));
        let japanese = decode(Some("text/plain;charset=shift_jis"), b"\x93\xfa\x96\x7b");
        assert_eq!(japanese.as_deref(), Some("日本"));
        assert_eq!(decode(Some("text/html; charset=klingon"), b"x"), None);
        assert_eq!(decode(Some("text/html"), b"x"), None);
        assert_eq!(decode(None, b"x"), None);
    }

    #[test]
    fn a_byte_order_mark_wins_over_the_label_and_needs_none() {
        for label in [None, Some("text/html"), Some("text/html; charset=windows-1252")] {
            for bytes in [&b"\xef\xbb\xbf\xc3\xa9"[..], b"\xff\xfe\xe9\0", b"\xfe\xff\0\xe9"] {
                assert_eq!(decode(label, bytes).as_deref(), Some("é"), "{label:?} {bytes:?}");
            }
        }
    }

    #[test]
    fn what_is_malformed_in_its_charset_becomes_the_replacement_character() {
        let text = decode(Some("text/plain; charset=utf-8"), b"a\xffb");
        assert_eq!(text.as_deref(), Some("a\u{fffd}b"));
        let odd = decode(Some("text/plain; charset=utf-16le"), b"a\0b");
        assert_eq!(odd.as_deref(), Some("a\u{fffd}"));
    }

    #[test]
    fn the_first_charset_outside_of_quotes_is_the_one() {
        for (content_type, expected) in [
            ("text/html; charset=a; charset=b", Some("a")),
            ("text/html; x=\"; charset=a\"; charset=b", Some("b")),
            ("text/html; x=\"\\\"; charset=a\"; charset=b", Some("b")),
            ("text/html; charset='utf-8'", Some("utf-8")),
            ("text/html; charset = utf-8 ", Some("utf-8")),
            ("text/html;charset", None),
            ("text/html; x=\"unclosed; charset=a", None),
            ("charset=a", None),
            ("", None),
        ] {
            assert_eq!(charset(content_type), expected, "{content_type}");
        }
    }
}
