//! Where a body ends (RFC 9112 §6.3).
//!
//! Two readers that disagree on this disagree on everything that follows on the connection, so
//! what is in doubt is refused, and what RFC 9112 tells a client to read all the same is read and
//! the connection closed behind it.
//!
//! | what comes | RFC 9112 | here |
//! | --- | --- | --- |
//! | answer to HEAD, or 1xx, 204, 304 | §6.3 no. 1: no body, whatever the fields say | no body |
//! | 2xx to CONNECT | §6.3 no. 2: a tunnel, fields ignored | no body, close |
//! | `Transfer-Encoding: chunked` | §6.3 no. 4 | chunked |
//! | … in any letter case | §7: coding names are case-insensitive | chunked |
//! | … with `Content-Length` | §6.3 no. 3: may be smuggling, ought to be an error | error |
//! | … in an HTTP/1.0 response | §6.1: treat the framing as faulty, close | chunked, close |
//! | any other coding, or a list | §6.3 no. 4: read until close; we asked for none (§7.4) | error |
//! | one `Content-Length` of digits | §6.3 no. 6 | that many bytes |
//! | the same number again, or in a list | §6.3 no. 5: may be taken for one | that many bytes |
//! | different numbers | §6.3 no. 5: an error | error |
//! | sign, space, hex, nothing, more than 64 bits | §6.3 no. 5: an error | error |
//! | neither field | §6.3 no. 8 | until close |

use super::error::{Found, WireError};
use super::head::ResponseHead;
use crate::message::Version;

/// What of a request decides how its response is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestKind {
    Head,
    /// A 2xx to it has no body, and ends HTTP on the connection.
    Connect,
    Other,
}

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is no body.
    None,
    Length(u64),
    Chunked,
    UntilClose,
}

/// The framing of a response, and whether the connection must be closed behind it.
pub(super) fn decide(
    request: RequestKind,
    head: &ResponseHead,
) -> Result<(Framing, bool), WireError> {
    let tunnel = request == RequestKind::Connect && (200..300).contains(&head.status);
    if request == RequestKind::Head || tunnel || matches!(head.status, 100..200 | 204 | 304) {
        return Ok((Framing::None, tunnel));
    }
    let length = content_length(head)?;
    let mut codings = head.headers.get_all("transfer-encoding").peekable();
    if codings.peek().is_none() {
        return Ok((length.map_or(Framing::UntilClose, Framing::Length), false));
    }
    if length.is_some() {
        return Err(WireError::LengthAndTransferEncoding);
    }
    match (codings.next(), codings.next()) {
        (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") => {
            Ok((Framing::Chunked, head.version == Version::Http10))
        }
        (first, second) => {
            let found = second.or(first).unwrap_or_default();
            Err(WireError::UnsupportedTransferCoding(Found::new(found.as_bytes())))
        }
    }
}

fn content_length(head: &ResponseHead) -> Result<Option<u64>, WireError> {
    let mut length = None;
    for value in head.headers.get_all("content-length").flat_map(|value| value.split(',')) {
        let value = value.trim_matches([' ', '\t']);
        let number = digits(value.as_bytes())
            .ok_or_else(|| WireError::BadContentLength(Found::new(value.as_bytes())))?;
        if length.is_some_and(|before| before != number) {
            return Err(WireError::DifferingContentLengths);
        }
        length = Some(number);
    }
    Ok(length)
}

/// The value of decimal digits; `None` if there are none, or anything else, or too many.
///
/// Not `str::parse`: that also takes a leading `+`.
fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |value, &byte| {
        let digit = char::from(byte).to_digit(10)?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Headers;
    use alloc::string::String;

    fn decided(
        request: RequestKind,
        version: Version,
        status: u16,
        fields: &[(&str, &str)],
    ) -> Result<(Framing, bool), WireError> {
        let mut headers = Headers::new();
        for (name, value) in fields {
            headers.append(name, value).unwrap();
        }
        decide(request, &ResponseHead { status, version, reason: String::new(), headers })
    }

    fn of(fields: &[(&str, &str)]) -> Result<(Framing, bool), WireError> {
        decided(RequestKind::Other, Version::Http11, 200, fields)
    }

    #[test]
    fn some_responses_have_no_body_whatever_their_fields_say() {
        let fields = [("Content-Length", "5"), ("Transfer-Encoding", "chunked")];
        for (request, status) in [
            (RequestKind::Head, 200),
            (RequestKind::Other, 204),
            (RequestKind::Other, 304),
            (RequestKind::Other, 103),
        ] {
            let framing = decided(request, Version::Http11, status, &fields);
            assert_eq!(framing, Ok((Framing::None, false)), "{request:?} {status}");
        }
        assert_eq!(
            decided(RequestKind::Connect, Version::Http11, 200, &fields),
            Ok((Framing::None, true))
        );
        let refused =
            decided(RequestKind::Connect, Version::Http11, 407, &[("Content-Length", "5")]);
        assert_eq!(refused, Ok((Framing::Length(5), false)));
    }

    #[test]
    fn content_length_is_one_number_of_digits() {
        for value in ["5", "005", "5, 5", "5 ,\t5"] {
            assert_eq!(
                of(&[("Content-Length", value)]),
                Ok((Framing::Length(5), false)),
                "{value}"
            );
        }
        assert_eq!(
            of(&[("content-length", "5"), ("Content-Length", "5")]),
            Ok((Framing::Length(5), false))
        );
        assert_eq!(
            of(&[("Content-Length", "18446744073709551615")]),
            Ok((Framing::Length(u64::MAX), false))
        );
        for value in
            ["", "+5", "-5", "0x5", "5 5", "5.0", "5a", "a", "5,", ",", "18446744073709551616", "٥"]
        {
            assert!(
                matches!(of(&[("Content-Length", value)]), Err(WireError::BadContentLength(_))),
                "{value}"
            );
        }
        assert_eq!(of(&[("Content-Length", "5, 6")]), Err(WireError::DifferingContentLengths));
        assert_eq!(
            of(&[("Content-Length", "5"), ("Content-Length", "6")]),
            Err(WireError::DifferingContentLengths)
        );
    }

    #[test]
    fn the_only_transfer_coding_is_chunked_and_it_stands_alone() {
        for value in ["chunked", "Chunked", "CHUNKED"] {
            assert_eq!(
                of(&[("Transfer-Encoding", value)]),
                Ok((Framing::Chunked, false)),
                "{value}"
            );
        }
        for value in [
            "gzip, chunked",
            "chunked, chunked",
            "identity",
            "",
            "xchunked",
            "chunked;q=1",
            "chunked,",
        ] {
            assert!(
                matches!(
                    of(&[("Transfer-Encoding", value)]),
                    Err(WireError::UnsupportedTransferCoding(_))
                ),
                "{value}"
            );
        }
        let twice = [("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")];
        assert!(matches!(of(&twice), Err(WireError::UnsupportedTransferCoding(_))));
        let both = [("Content-Length", "5"), ("Transfer-Encoding", "chunked")];
        assert_eq!(of(&both), Err(WireError::LengthAndTransferEncoding));
        let old =
            decided(RequestKind::Other, Version::Http10, 200, &[("Transfer-Encoding", "chunked")]);
        assert_eq!(old, Ok((Framing::Chunked, true)));
    }

    #[test]
    fn a_response_without_either_field_lasts_until_the_close() {
        assert_eq!(of(&[]), Ok((Framing::UntilClose, false)));
    }
}
