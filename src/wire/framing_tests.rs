//! Fields, and how they frame a body.

use super::*;

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
    decide(request, &ResponseHead { status, version, reason: "".into(), headers })
        .map(|decision| (decision.framing, decision.is_doubtful))
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
        (RequestKind::Connect, 200),
    ] {
        let framing = decided(request, Version::Http11, status, &fields);
        assert_eq!(framing, Ok((Framing::None, true)), "{request:?} {status}");
    }
    let tunnel = decided(RequestKind::Connect, Version::Http11, 200, &[]);
    assert_eq!(tunnel, Ok((Framing::None, true)));
    let refused = decided(RequestKind::Connect, Version::Http11, 407, &[("Content-Length", "5")]);
    assert_eq!(refused, Ok((Framing::Length(5), false)));
}

#[test]
fn a_response_without_a_body_closes_where_its_fields_may_mislead_another() {
    let (head, other) = (RequestKind::Head, RequestKind::Other);
    let (length, zero) = (("Content-Length", "5"), ("Content-Length", "0"));
    let (padded, bad) = (("Content-Length", "05"), ("Content-Length", "+5"));
    let chunked = ("Transfer-Encoding", "chunked");
    for (request, status, fields, closes) in [
        (head, 200, &[][..], false),
        (head, 200, &[length], false),
        (head, 200, &[zero], false),
        (head, 200, &[chunked], false),
        (head, 200, &[length, chunked], true),
        (head, 200, &[padded], true),
        (head, 200, &[bad], true),
        (head, 204, &[length], true),
        (other, 304, &[], false),
        (other, 304, &[length], false),
        (other, 304, &[zero], false),
        (other, 304, &[chunked], false),
        (other, 304, &[bad], true),
        (other, 204, &[], false),
        (other, 204, &[zero], false),
        (other, 204, &[zero, zero], true),
        (other, 204, &[length], true),
        (other, 204, &[chunked], true),
        (other, 204, &[bad], true),
        (other, 199, &[], false),
        (other, 199, &[zero], true),
        (other, 100, &[zero], true),
        (other, 103, &[length], true),
        (other, 103, &[chunked], true),
    ] {
        let framing = decided(request, Version::Http11, status, fields);
        assert_eq!(framing, Ok((Framing::None, closes)), "{request:?} {status} {fields:?}");
    }
}

#[test]
fn a_205_with_a_body_is_read_and_closed() {
    for (fields, framing, closes) in [
        (&[("Content-Length", "0")][..], Framing::Length(0), false),
        (&[("Content-Length", "5")], Framing::Length(5), true),
        (&[("Transfer-Encoding", "chunked")], Framing::Chunked, true),
        (&[], Framing::UntilClose, true),
    ] {
        let decided = decided(RequestKind::Other, Version::Http11, 205, fields);
        assert_eq!(decided, Ok((framing, closes)), "{fields:?}");
    }
}

#[test]
fn content_length_is_one_number_of_digits() {
    for (value, length) in [("5", 5), ("0", 0), ("10", 10), ("18446744073709551615", u64::MAX)] {
        let framing = of(&[("Content-Length", value)]);
        assert_eq!(framing, Ok((Framing::Length(length), false)), "{value}");
    }
    for value in ["5, 5", "5 ,\t5", "5,5,5", "05", "00000000000000000005"] {
        let framing = of(&[("Content-Length", value)]);
        assert_eq!(framing, Ok((Framing::Length(5), true)), "{value}");
    }
    assert_eq!(of(&[("Content-Length", "00")]), Ok((Framing::Length(0), true)));
    assert_eq!(
        of(&[("content-length", "5"), ("Content-Length", "5")]),
        Ok((Framing::Length(5), true))
    );
    for value in [
        "",
        "+5",
        "-5",
        "0x5",
        "5 5",
        "5.0",
        "5a",
        "a",
        "5,",
        ",",
        "18446744073709551616",
        "000000000000000000005",
        "٥",
    ] {
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
        assert_eq!(of(&[("Transfer-Encoding", value)]), Ok((Framing::Chunked, false)), "{value}");
    }
    for value in
        ["gzip, chunked", "chunked, chunked", "identity", "", "xchunked", "chunked;q=1", "chunked,"]
    {
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

#[test]
fn of_several_faults_the_first_is_told() {
    let (five, six) = (("Content-Length", "5"), ("Content-Length", "6"));
    let bad = ("Content-Length", "5:");
    let is_bad = Err(WireError::BadContentLength(Found::new(b"5:")));
    assert_eq!(of(&[bad, five, six]), is_bad);
    assert_eq!(of(&[five, six, bad]), Err(WireError::DifferingContentLengths));
    assert_eq!(of(&[bad, ("Transfer-Encoding", "gzip")]), is_bad);
    let codings = ["chunked", "gzip", "br"].map(|coding| ("Transfer-Encoding", coding));
    let second = WireError::UnsupportedTransferCoding(Found::new(b"gzip"));
    assert_eq!(of(&codings), Err(second));
}

#[test]
fn an_option_of_the_connection_counts_wherever_it_stands() {
    for (version, values, persists) in [
        (Version::Http11, &[][..], true),
        (Version::Http11, &["x, close, y"], false),
        (Version::Http11, &["Close", "keep-alive"], false),
        (Version::Http11, &["close", "x"], false),
        (Version::Http10, &["x"], false),
        (Version::Http10, &["keep-alive", "x"], true),
        (Version::Http10, &["x,\tKeep-Alive , y"], true),
        (Version::Http10, &["keep-alive", "close"], false),
    ] {
        let mut headers = Headers::new();
        values.iter().for_each(|value| headers.append("connection", value).unwrap());
        let head = ResponseHead { status: 200, version, reason: "".into(), headers };
        let decision = decide(RequestKind::Other, &head).unwrap();
        assert_eq!(decision.is_persistent, persists, "{version:?} {values:?}");
    }
}
