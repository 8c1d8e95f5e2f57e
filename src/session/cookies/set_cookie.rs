//! Reads a `Set-Cookie` line (RFC 6265 §5.2).
//!
//! By hand, since `cookie_store`'s own reading has no limits, takes `Max-Age=` for the end of time,
//! and reads only four forms of a date.

use super::date;
use super::entry::{Millis, Parts};
use super::refusal::Refusal;

/// The parts of the line. Of attributes that are repeated the last one counts; those that are
/// unknown, malformed or too long do not.
pub(super) fn parse(line: &str, now: Millis) -> Result<Parts<'_>, Refusal> {
    // Anywhere in the line (RFC 6265bis §5.6): what cuts a line short at it would see another one.
    if line.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
        return Err(Refusal::ControlByte);
    }
    let mut attributes = line.split(';');
    let pair = attributes.next().unwrap_or_default();
    let (name, value) = pair.split_once('=').ok_or(Refusal::Nameless)?;
    let mut parts = Parts { name: trim(name), value: trim(value), ..Parts::default() };
    let (mut max_age, mut date) = (None, None);
    for attribute in attributes {
        let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        let (key, value) = (trim(key), trim(value));
        if value.len() > ATTRIBUTE_BYTES {
            continue;
        }
        let is = |name: &str| key.eq_ignore_ascii_case(name);
        if is("Domain") {
            parts.domain = Some(value);
        } else if is("Path") {
            parts.path = Some(value);
        } else if is("Secure") {
            parts.secure = true;
        } else if is("HttpOnly") {
            parts.http_only = true;
        } else if is("Max-Age") {
            max_age = seconds(value).or(max_age);
        } else if is("Expires") {
            date = date::parse(value).or(date);
        }
    }
    let end = |age: i64| if age == 0 { Millis::MIN } else { now.saturating_add(millis(age)) };
    parts.expires = max_age.map(end).or_else(|| date.map(millis)).map(|end| end.min(LAST));
    Ok(parts)
}

/// Digits, maybe behind a `-`; 0 for all that is not more.
fn seconds(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let is_negative = digits.len() < text.len();
    Some(if is_negative { 0 } else { digits.parse().unwrap_or(i64::MAX) })
}

pub(super) const fn millis(seconds: i64) -> Millis {
    seconds.saturating_mul(1000)
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// The most that the value of an attribute may have (RFC 6265bis §5.6).
const ATTRIBUTE_BYTES: usize = 1024;
/// The end of the year 9999: later than anybody can say in a date.
const LAST: Millis = 253_402_300_799_000;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 1_795_651_200_000;

    #[test]
    fn attributes_are_found_in_any_letter_case_and_the_last_of_a_name_counts() {
        let line =
            " a = b=c ; DOMAIN = one ; domain=two; Path=/x;path = /y ;secure;HTTPONLY=no; x=y";
        let parts = parse(line, NOW).unwrap();
        assert_eq!((parts.name, parts.value), ("a", "b=c"));
        assert_eq!((parts.domain, parts.path), (Some("two"), Some("/y")));
        assert!(parts.secure && parts.http_only && parts.expires.is_none());
        assert_eq!(parse("a=b; Domain=one; Domain=", NOW).unwrap().domain, Some(""));
    }

    #[test]
    fn max_age_comes_before_expires_and_what_is_malformed_does_not_count() {
        let past = "Expires=Thu, 01 Jan 1970 00:00:00 GMT";
        for (attributes, expires) in [
            ("Max-Age=10", Some(NOW + 10_000)),
            ("max-age = 10 ", Some(NOW + 10_000)),
            ("Max-Age=0", Some(Millis::MIN)),
            ("Max-Age=-1", Some(Millis::MIN)),
            ("Max-Age=000", Some(Millis::MIN)),
            ("Max-Age=99999999999999999999", Some(LAST)),
            ("Max-Age=9223372036854775807", Some(LAST)),
            ("Max-Age=", None),
            ("Max-Age=-", None),
            ("Max-Age=+1", None),
            ("Max-Age=1.5", None),
            ("Max-Age=1s", None),
            ("Max-Age=\u{661}", None),
            ("Max-Age", None),
            ("Max-Age=5; Max-Age=x", Some(NOW + 5_000)),
            ("Max-Age=5; Max-Age=6", Some(NOW + 6_000)),
            ("Expires=Thu, 01 Jan 1970 00:00:01 GMT", Some(1_000)),
            ("Expires=31 Dec 1969 23:59:59", Some(-1_000)),
            ("Expires=0", None),
            ("Expires=Thu, 01 Jan 1970 00:00:01 GMT; Expires=never", Some(1_000)),
        ] {
            assert_eq!(parse(&format!("a=b; {attributes}"), NOW).unwrap().expires, expires);
        }
        for line in [format!("a=b; Max-Age=10; {past}"), format!("a=b; {past}; Max-Age=10")] {
            assert_eq!(parse(&line, NOW).unwrap().expires, Some(NOW + 10_000), "{line}");
        }
        let line = format!("a=b; {past}; Max-Age=soon");
        assert_eq!(parse(&line, NOW).unwrap().expires, Some(0));
    }

    #[test]
    fn an_attribute_that_is_too_long_does_not_count() {
        let path = |length: usize| format!("/{}", "p".repeat(length - 1));
        let parsed =
            |path: &str| parse(&format!("a=b; Path={path}"), NOW).map(|parts| parts.path.is_some());
        assert_eq!(parsed(&path(1024)), Ok(true));
        assert_eq!(parsed(&path(1025)), Ok(false));
    }

    #[test]
    fn a_line_with_a_control_byte_is_refused_wherever_it_is() {
        for line in ["a\0=b", "a=b\x1bc", "a=b; Path=/\x7f", "a=b; x=\ry", "a=b\n", "\u{1}"] {
            assert_eq!(parse(line, NOW).err(), Some(Refusal::ControlByte), "{line:?}");
        }
        assert_eq!(parse("no pair", NOW).err(), Some(Refusal::Nameless));
    }
}
