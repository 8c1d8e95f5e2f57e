//! Text in other charsets than UTF-8. The only module that names `encoding_rs`.

use std::borrow::Cow;

/// The text of `bytes` by the charset that a Content-Type names; `None` if it names none that is
/// known. A byte order mark wins over the label, as the WHATWG Encoding Standard says.
pub(super) fn decode<'a>(content_type: &str, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
    let label = content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    })?;
    Some(encoding_rs::Encoding::for_label(label.as_bytes())?.decode(bytes).0)
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn the_charset_parameter_is_obeyed() {
        let latin1 = decode("text/html; a=b; Charset=\"ISO-8859-1\"", b"caf\xe9");
        assert_eq!(latin1.as_deref(), Some("café"));
        assert_eq!(decode("text/html; charset=klingon", b"x"), None);
        assert_eq!(decode("text/html", b"x"), None);
    }
}
