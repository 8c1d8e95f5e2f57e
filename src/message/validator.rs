//! What tells whether two responses have the same content (RFC 9110 §8.8), and which part of it one
//! of them has (§14.4).

use super::Headers;
use super::date::parse_date;

/// A validator that is strong: the same one is the same content, to the byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Validator(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// With its quotes.
    Tag(String),
    /// As the server wrote it: `If-Range` must have it to the letter.
    Date(String),
}

impl Validator {
    /// The strong validator that a response has. `now` is in seconds since 1970, for the years of
    /// two digits of old dates.
    ///
    /// A date is weak by itself: a file can change twice within a second. It is strong if it was
    /// past when the response was made, by the server's own clock (§8.8.2.2). The second that is
    /// asked for there is a minute here, as it was before (RFC 7232 §2.2.2): who stamps the file and
    /// who tells the time may be two machines.
    pub(crate) fn of(headers: &Headers, now: i64) -> Option<Self> {
        if headers.contains("etag") {
            // A weak tag says that the bytes may differ: a date would not know better.
            return Self::tag(single(headers, "etag")?);
        }
        let modified = single(headers, "last-modified")?;
        let date = parse_date(single(headers, "date")?, now)?;
        let is_past = parse_date(modified, now)?.checked_add(60)? <= date;
        is_past.then(|| Self(Kind::Date(modified.to_owned())))
    }

    /// Reads what [`as_str`](Self::as_str) wrote.
    pub(crate) fn parse(text: &str, now: i64) -> Option<Self> {
        Self::tag(text).or_else(|| parse_date(text, now).map(|_| Self(Kind::Date(text.to_owned()))))
    }

    /// The value of `If-Range`.
    pub(crate) fn as_str(&self) -> &str {
        match &self.0 {
            Kind::Tag(text) | Kind::Date(text) => text,
        }
    }

    /// Whether a 206 is of the same content. It must have the tag of the whole (§15.3.7); the date
    /// it may leave out.
    pub(crate) fn fits(&self, headers: &Headers) -> bool {
        match &self.0 {
            Kind::Tag(tag) => single(headers, "etag") == Some(tag.as_str()),
            Kind::Date(date) => {
                !headers.contains("last-modified")
                    || single(headers, "last-modified") == Some(date.as_str())
            }
        }
    }

    /// A strong tag (§8.8.3), of ASCII alone: in other letters, clients and servers differ.
    fn tag(text: &str) -> Option<Self> {
        let inside = text.strip_prefix('"')?.strip_suffix('"')?;
        let is_tag = inside.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x7e));
        is_tag.then(|| Self(Kind::Tag(text.to_owned())))
    }
}

/// `Content-Range: bytes 5-9/10`: the first byte, and the length of the whole, if it ends with that.
/// `None` for everything else.
pub(crate) fn rest_of_whole(headers: &Headers) -> Option<(u64, u64)> {
    let (unit, range) = single(headers, "content-range")?.split_once(' ')?;
    let (range, whole) = range.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, whole) = (number(first)?, number(last)?, number(whole)?);
    let is_rest =
        unit.eq_ignore_ascii_case("bytes") && first <= last && last.checked_add(1)? == whole;
    is_rest.then_some((first, whole))
}

/// Digits and nothing else: `str::parse` also takes a sign.
pub(crate) fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// The value of a field that is there once.
fn single<'a>(headers: &'a Headers, name: &'static str) -> Option<&'a str> {
    let mut values = headers.get_all(name);
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 784_111_777;
    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn headers(fields: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in fields {
            headers.append(name, value).unwrap();
        }
        headers
    }

    fn validator(fields: &[(&str, &str)]) -> Option<String> {
        let found = Validator::of(&headers(fields), NOW)?;
        assert_eq!(Validator::parse(found.as_str(), NOW).as_ref(), Some(&found));
        Some(found.as_str().to_owned())
    }

    #[test]
    fn a_strong_tag_is_a_validator_and_a_weak_or_malformed_one_is_none() {
        for tag in ["\"abc\"", "\"\"", "\"!#~\"", "\"W/\""] {
            assert_eq!(validator(&[("ETag", tag)]).as_deref(), Some(tag));
        }
        let old = "Sun, 06 Nov 1994 07:00:00 GMT";
        for tag in ["W/\"abc\"", "abc", "\"abc", "abc\"", "\"a b\"", "\"a\"b\"", "\"ä\"", "\"", ""]
        {
            let fields = [("ETag", tag), ("Last-Modified", old), ("Date", DATE)];
            assert_eq!(validator(&fields), None, "{tag}");
        }
        assert_eq!(validator(&[("ETag", "\"a\""), ("ETag", "\"a\"")]), None, "which one?");
    }

    #[test]
    fn a_date_is_a_validator_when_it_was_past_as_the_response_was_made() {
        let of = |modified| validator(&[("Last-Modified", modified), ("Date", DATE)]);
        assert!(of("Sun, 06 Nov 1994 08:48:37 GMT").is_some());
        assert!(of("Sunday, 06-Nov-94 08:48:37 GMT").is_some());
        for modified in
            ["Sun, 06 Nov 1994 08:48:38 GMT", DATE, "Mon, 07 Nov 1994 08:48:37 GMT", "x"]
        {
            assert_eq!(of(modified), None, "{modified}");
        }
        assert_eq!(validator(&[("Last-Modified", "Sun, 06 Nov 1994 08:48:37 GMT")]), None);
        assert_eq!(validator(&[]), None);
    }

    #[test]
    fn a_part_must_show_the_tag_and_may_leave_the_date_out() {
        let tag = Validator::parse("\"a\"", NOW).unwrap();
        assert!(tag.fits(&headers(&[("ETag", "\"a\"")])));
        for other in [
            &[][..],
            &[("ETag", "\"b\"")],
            &[("ETag", "W/\"a\"")],
            &[("ETag", "\"a\""), ("ETag", "\"b\"")],
        ] {
            assert!(!tag.fits(&headers(other)), "{other:?}");
        }
        let date = Validator::parse(DATE, NOW).unwrap();
        assert!(date.fits(&headers(&[])) && date.fits(&headers(&[("Last-Modified", DATE)])));
        assert!(!date.fits(&headers(&[("Last-Modified", "Sun, 06 Nov 1994 08:49:38 GMT")])));
        assert_eq!(Validator::parse("yesterday", NOW), None);
    }

    #[test]
    fn a_range_is_the_rest_of_the_whole_or_is_none() {
        let range = |value| rest_of_whole(&headers(&[("Content-Range", value)]));
        assert_eq!(range("bytes 5-9/10"), Some((5, 10)));
        assert_eq!(range("Bytes 0-0/1"), Some((0, 1)));
        for value in [
            "bytes 5-8/10",
            "bytes 5-10/10",
            "bytes 9-5/10",
            "bytes */10",
            "bytes 5-9/*",
            "octets 5-9/10",
            "bytes=5-9/10",
            "bytes 5-9",
            "bytes +5-9/10",
            "bytes  5-9/10",
            "5-9/10",
            "",
            "bytes 5-18446744073709551615/18446744073709551616",
            "bytes 0-18446744073709551615/0",
        ] {
            assert_eq!(range(value), None, "{value:?}");
        }
        let twice =
            headers(&[("Content-Range", "bytes 5-9/10"), ("Content-Range", "bytes 5-9/10")]);
        assert_eq!(rest_of_whole(&twice), None);
    }
}
